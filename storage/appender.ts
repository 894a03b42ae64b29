import * as batch from '#protocol/records/batch.js'
import { coordinatorEpochOf, readControlMarker } from '#protocol/records/control.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import { baseOffsetAt, lastOffsetAt, leaderEpochAt, maxTimestampAt } from './any-batch.js'
import type { EpochEntry } from './epoch-history.js'
import type { LogConfig } from './log-config.js'
import { LogError } from './log-error.js'
import { newSegment } from './log-loader.js'
import type { LogState } from './log-state.js'
import type { AppendInfo, AppendOptions } from './log-types.js'
import type { EndedTransaction } from './producer-state.js'
import { RecentBatches } from './recent-batches.js'
import type { Segment } from './segment.js'
import type { Syncer } from './syncer.js'

/** Pieces and bytes that are gathered at most before they are written of their own accord. */
const gatheredPiecesMax = 1024
const gatheredBytesMax = 64 * 1024 * 1024

/** No epoch: nothing was appended yet. */
const noEpoch = -2

/**
 * The way of batches into a log, in two steps: staging gives them their place and takes them into what is known of
 * epochs and producers; writing brings all that is staged to the file with one call and moves the end of the log. If
 * writing fails the staged batches never were.
 */
export class Appender {
  readonly recent = new RecentBatches()
  readonly #state: LogState
  readonly #syncer: Syncer
  readonly #info: AppendInfo = {
    baseOffset: 0,
    lastOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: 0,
    maxTimestamp: -1,
    byteCount: 0,
    batchCount: 0,
    isDuplicate: false,
    needsSync: false,
  }
  readonly #buffers: Buffer[] = []
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  #bytes = 0
  /** The end of the log once what is staged is written. */
  #stagedEnd = 0
  #aborted: EndedTransaction[] = []
  /** To go back to, if an epoch was staged. */
  #epochsBefore: EpochEntry[] | null = null
  #epoch = noEpoch
  #isReady = false

  constructor(state: LogState, syncer: Syncer) {
    this.#state = state
    this.#syncer = syncer
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Stages complete, validated batches; see PartitionLog.appendGathered. */
  stage(buffer: Buffer, start: number, end: number, options: AppendOptions): AppendInfo {
    const { environment, isClosed, name } = this.#state
    if (environment.failure !== null) throw environment.offlineError()
    if (isClosed) throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `The log of ${name} was closed`)
    if (end <= start) throw new Error(`An append to ${name} without bytes`)
    if (this.#buffers.length >= gatheredPiecesMax || this.#bytes >= gatheredBytesMax) this.write()
    if (!this.#isReady) this.#prepare()
    if (this.#bytes === 0) this.#stagedEnd = this.#state.logEndOffset
    try {
      return options.origin === 'replication'
        ? this.#stageReplicated(buffer, start, end, options)
        : this.#stageLed(buffer, start, end, options)
    } catch (error) {
      // What is refused was not begun; what broke off half way takes all that was staged with it.
      if (error instanceof LogError && error.code !== 'KAFKA_STORAGE_ERROR') throw error
      this.#undo(this.#state.active)
      throw environment.fail(`appending to ${this.#state.place.path}`, error)
    }
  }

  /** Writes what is staged and publishes it. On an error nothing of it remains, and the directory is offline. */
  write(): void {
    const pieces = this.#buffers.length
    if (pieces === 0) return
    const state = this.#state
    const { environment, active: segment } = state
    try {
      if (environment.failure !== null) throw environment.offlineError()
      if (segment.file.size !== segment.size) throw new Error(`${segment.file.path} is not as long as it was`)
      if (pieces === 1) segment.file.appendFrom(this.#buffers[0]!, this.#starts[0]!, this.#ends[0]!)
      else
        segment.file.append(this.#buffers.map((piece, index) => piece.subarray(this.#starts[index], this.#ends[index])))
      for (const transaction of this.#aborted) segment.aborted.append(transaction)
    } catch (error) {
      this.#undo(segment)
      throw environment.fail(`appending to ${segment.file.path}`, error)
    }
    segment.size += this.#bytes
    environment.bytesAppended += this.#bytes
    segment.appendMark = environment.bytesAppended
    segment.appendedBytes += this.#bytes
    state.size += this.#bytes
    state.logEndOffset = this.#stagedEnd
    state.producers.endOffset = this.#stagedEnd
    this.#clear()
  }

  /** Begins a new segment at the end of the log, or at `baseOffset` if that is greater. */
  roll(nowMs: number, baseOffset = -1): void {
    this.write()
    const state = this.#state
    const at = Math.max(state.logEndOffset, baseOffset)
    const old = state.active
    if (old.size === 0 && old.baseOffset === at) return
    state.environment.guarded(`rolling ${state.place.path}`, () => {
      // If the power failed and brought back what was cut off beneath what comes now, nobody would notice.
      old.syncCut()
      old.seal()
      state.takeSnapshot(at)
      state.segments.push(newSegment(state.environment, state.place, at, nowMs))
    })
    state.isTouched = true
    state.namesChanged()
    this.recent.clear()
    this.#syncer.syncRolled()
  }

  /** The log was cut: where its last batches were is no longer true, and so may be what is known of its producers. */
  forget(): void {
    this.recent.clear()
    this.#epoch = noEpoch
    this.#isReady = false
  }

  /** What the first append needs of the files, so that no later one has to read. */
  #prepare(): void {
    const state = this.#state
    state.environment.guarded(`opening ${state.place.path}`, () => {
      state.producers.endOffset = state.logEndOffset
      // Loads them.
      if (state.epochs.count > 0) this.#epoch = noEpoch
    })
    state.isTouched = true
    this.#isReady = true
    if (!state.isMetadataDurable) this.#syncer.syncRolled()
  }

  #stageLed(buffer: Buffer, start: number, end: number, options: AppendOptions): AppendInfo {
    const state = this.#state
    const { config } = state
    const { origin } = options
    const bytes = end - start
    if (bytes > config.segmentBytes) throw listTooLarge(bytes, config.segmentBytes)
    let offset = this.#stagedEnd
    let maxTimestamp = -1
    let count = 0
    // First all checks, then all changes.
    for (let at = start; at < end; at += batch.sizeInBytes(buffer, at)) {
      const size = batch.sizeInBytes(buffer, at)
      if (at + size > end) throw new Error(`An append to ${state.name} ends within a batch`)
      if (size > config.maxMessageBytes && origin !== 'raft') throw tooLarge(size, config.maxMessageBytes)
      if (batch.hasProducerId(buffer, at)) {
        if (origin === 'client' && state.producers.findDuplicate(buffer, at)) return this.#duplicate()
        if (batch.isControl(buffer, at)) checkControl(buffer, at)
        state.producers.check(buffer, at, origin, options.transactionVersion ?? 0)
      }
      maxTimestamp = Math.max(maxTimestamp, batch.maxTimestamp(buffer, at))
      offset += batch.lastOffsetDelta(buffer, at) + 1
      count++
    }
    this.#rollIfDue(bytes, maxTimestamp, offset - 1, -1, options.nowMs)
    offset = this.#stagedEnd
    const baseOffset = offset
    for (let at = start; at < end; at += batch.sizeInBytes(buffer, at)) {
      batch.stamp(buffer, at, offset, options.leaderEpoch)
      offset += batch.lastOffsetDelta(buffer, at) + 1
      this.#note(buffer, at, start)
    }
    this.#add(buffer, start, end, offset, options.nowMs)
    return this.#inform(baseOffset, bytes, count, maxTimestamp, options.nowMs)
  }

  #stageReplicated(buffer: Buffer, start: number, end: number, options: AppendOptions): AppendInfo {
    let next = this.#stagedEnd
    let maxTimestamp = -1
    let count = 0
    let at = start
    // Log matching: nothing of another history, and nothing twice.
    for (let size = wholeSize(buffer, at, end); size > 0; size = wholeSize(buffer, at, end)) {
      if (leaderEpochAt(buffer, at) > options.leaderEpoch) break
      const first = baseOffsetAt(buffer, at)
      if (first < next) throw unexpectedOffset(buffer, start, end, first, next)
      next = lastOffsetAt(buffer, at) + 1
      if (next <= first) throw unexpectedOffset(buffer, start, end, first, next)
      if (leaderEpochAt(buffer, at) >= 0 && batch.isControl(buffer, at)) checkControl(buffer, at)
      maxTimestamp = Math.max(maxTimestamp, maxTimestampAt(buffer, at))
      count++
      at += size
    }
    if (count === 0) return this.#inform(this.#stagedEnd, 0, 0, -1, options.nowMs)
    const firstOffset = baseOffsetAt(buffer, start)
    this.#rollIfDue(at - start, maxTimestamp, next - 1, firstOffset, options.nowMs)
    for (let position = start; position < at; position += batch.sizeInBytes(buffer, position)) {
      this.#note(buffer, position, start)
    }
    this.#add(buffer, start, at, next, options.nowMs)
    return this.#inform(firstOffset, at - start, count, maxTimestamp, options.nowMs)
  }

  /** Takes a batch that has its offsets into epochs, indexes and producers. `start` is where its append begins. */
  #note(buffer: Buffer, at: number, start: number): void {
    const state = this.#state
    const segment = state.active
    const first = baseOffsetAt(buffer, at)
    const last = lastOffsetAt(buffer, at)
    const position = segment.size + this.#bytes + at - start
    const epoch = leaderEpochAt(buffer, at)
    if (epoch !== this.#epoch) this.#noteEpoch(epoch, first)
    const interval = state.config.indexIntervalBytes
    segment.noteBatch(position, batch.sizeInBytes(buffer, at), last, maxTimestampAt(buffer, at), interval)
    this.recent.add(first, last, position)
    if (batch.magic(buffer, at) !== batch.currentMagic || !batch.hasProducerId(buffer, at)) return
    const ended = state.producers.apply(buffer, at)
    if (ended?.isAborted === true) this.#aborted.push(ended)
  }

  #noteEpoch(epoch: number, firstOffset: number): void {
    const { epochs } = this.#state
    this.#epochsBefore ??= epochs.entries()
    this.#epoch = epoch
    // Messages without epochs: what follows cannot be told from what came before.
    if (epoch < 0) epochs.clear()
    else epochs.assign(epoch, firstOffset)
  }

  #add(buffer: Buffer, start: number, end: number, stagedEnd: number, nowMs: number): void {
    this.#buffers.push(buffer)
    this.#starts.push(start)
    this.#ends.push(end)
    this.#bytes += end - start
    this.#stagedEnd = stagedEnd
    if (this.#state.unflushedSinceMs === Infinity) this.#state.unflushedSinceMs = nowMs
  }

  /**
   * A new segment for an append of `bytes` whose greatest timestamp is `timestamp`: by size, by time (that of the
   * records, if the segment has any, else of the clock), when an index is full, or when offsets would be too far from
   * the base.
   */
  #rollIfDue(bytes: number, timestamp: number, lastOffset: number, firstOffset: number, nowMs: number): void {
    const state = this.#state
    const { config, active: segment } = state
    const size = segment.size + this.#bytes
    const canHold = segment.canHold(lastOffset)
    if (
      size <= config.segmentBytes - bytes &&
      canHold &&
      !segment.offsetIndex.isFull(config.segmentIndexBytes) &&
      !segment.timeIndex.isFull(config.segmentIndexBytes) &&
      (size === 0 || this.#waited(segment, timestamp, nowMs) <= segmentMsMax(config) - jitterOf(state, segment))
    ) {
      return
    }
    this.roll(nowMs, canHold ? -1 : firstOffset)
  }

  #waited(segment: Segment, timestamp: number, nowMs: number): number {
    if (segmentMsMax(this.#state.config) === Infinity) return 0
    const first = segment.firstTimestamp
    return first >= 0 ? timestamp - first : nowMs - segment.createdMs
  }

  #duplicate(): AppendInfo {
    const { producers } = this.#state
    const info = this.#inform(producers.duplicateBaseOffset, 0, 0, producers.duplicateTimestamp, 0)
    info.lastOffset = producers.duplicateLastOffset
    info.logAppendTimeMs = producers.duplicateTimestamp
    info.isDuplicate = true
    return info
  }

  #inform(baseOffset: number, bytes: number, batches: number, maxTimestamp: number, nowMs: number): AppendInfo {
    const state = this.#state
    const info = this.#info
    info.baseOffset = baseOffset
    info.lastOffset = this.#stagedEnd - 1
    info.logAppendTimeMs = state.config.messageTimestampType === 'LogAppendTime' ? nowMs : -1
    info.logStartOffset = state.logStartOffset
    info.maxTimestamp = maxTimestamp
    info.byteCount = bytes
    info.batchCount = batches
    info.isDuplicate = false
    info.needsSync = this.#stagedEnd - state.recoveryPoint >= state.config.flushMessages
    return info
  }

  #clear(): void {
    this.#buffers.length = 0
    this.#starts.length = 0
    this.#ends.length = 0
    this.#bytes = 0
    this.#epochsBefore = null
    if (this.#aborted.length > 0) this.#aborted = []
  }

  /** The write failed: indexes, epochs and producers know nothing of what was staged. */
  #undo(segment: Segment): void {
    const state = this.#state
    if (this.#epochsBefore !== null) state.epochs.restore(this.#epochsBefore)
    state.forgetProducers()
    this.#clear()
    this.forget()
    try {
      if (segment.file.size > segment.size) segment.file.truncate(segment.size)
      segment.forgetFrom(state.logEndOffset)
    } catch {
      // The disk has just failed: the next start finds the end of the log by reading it.
    }
  }
}

/** How long a segment is appended to: what is compacted is compacted in time only if it leaves the active segment. */
function segmentMsMax({ cleanupPolicy, maxCompactionLagMs, segmentMs }: LogConfig): number {
  return cleanupPolicy.compact && maxCompactionLagMs > 0 ? Math.min(maxCompactionLagMs, segmentMs) : segmentMs
}

/**
 * A part of `segment.jitter.ms` that differs from segment to segment, so that the logs of a topic do not all roll at
 * once.
 */
function jitterOf(state: LogState, segment: Segment): number {
  const bound = Math.min(state.config.segmentJitterMs, segmentMsMax(state.config))
  if (bound <= 0) return 0
  let hash = 0x811c_9dc5
  const text = `${state.name}@${segment.baseOffset}`
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193)
  return (hash >>> 0) % bound
}

/**
 * The size of a batch that a leader sent; 0 for a last one that is cut, as fetches cut it. CORRUPT_MESSAGE for no
 * batch.
 */
function wholeSize(buffer: Buffer, at: number, end: number): number {
  try {
    return batch.batchSizeAt(buffer, at, end)
  } catch (error) {
    throw new LogError('CORRUPT_MESSAGE', (error as Error).message, { cause: error })
  }
}

/** A marker must be readable before anything of its append is done. */
function checkControl(buffer: Buffer, at: number): void {
  try {
    const marker = readControlMarker(buffer, at)
    if (marker?.type === 'ABORT' || marker?.type === 'COMMIT') coordinatorEpochOf(marker.value)
  } catch (error) {
    if (error instanceof InvalidRecordError) throw new LogError('INVALID_RECORD', error.message, { cause: error })
    throw error
  }
}

function listTooLarge(bytes: number, bytesMax: number): LogError {
  const text = `An append of ${bytes} bytes exceeds the segment size of ${bytesMax} (segment.bytes)`
  return new LogError('RECORD_LIST_TOO_LARGE', text)
}

function tooLarge(bytes: number, bytesMax: number): LogError {
  const text = `A batch of ${bytes} bytes exceeds the maximum of ${bytesMax} (max.message.bytes)`
  return new LogError('MESSAGE_TOO_LARGE', text)
}

function unexpectedOffset(buffer: Buffer, start: number, end: number, found: number, expected: number): LogError {
  let lastOffset = -1
  let at = start
  for (let size = wholeSize(buffer, at, end); size > 0; size = wholeSize(buffer, at, end)) {
    lastOffset = lastOffsetAt(buffer, at)
    at += size
  }
  const options = { firstOffset: baseOffsetAt(buffer, start), lastOffset }
  const text = `A batch begins at offset ${found}, below ${expected}, where the log ends`
  return new LogError('UNEXPECTED_APPEND_OFFSET', text, options)
}
