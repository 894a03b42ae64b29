import { currentMagic, hasProducerId, isControl, magic } from '#protocol/records/batch.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import {
  baseOffsetAt,
  headerBytesMax,
  isIntactAt,
  lastOffsetAt,
  leaderEpochAt,
  maxTimestampAt,
  soundSizeAt,
} from './any-batch.js'
import type { EpochEntry } from './epoch-history.js'
import { indexSuffix, logSuffix, timeIndexSuffix } from './file-names.js'
import { LogError } from './log-error.js'
import type { LogState } from './log-state.js'
import type { RecoveryReport } from './log-types.js'
import type { ProducerState } from './producer-state.js'
import type { FoundBatch, Segment } from './segment.js'

/** What is read at a time; it grows for larger batches. */
const chunkBytes = 1_048_576
/** No batch is larger: what claims to be is damage. */
const batchBytesMax = 0x1000_0000
/** How far behind damage a whole batch is looked for. */
const searchedBytesMax = 0x0400_0000
/** Bytes after which others may run. */
const yieldBytes = 4 * chunkBytes

interface Damage {
  readonly position: number
  readonly reason: string
}

/**
 * Brings a log into order after a crash. Batches below the recovery point are on the device and are trusted; of the
 * segment that holds it, the rest is checked from the last index entry below it on, and every later segment as a
 * whole: sizes, checksums, ascending offsets. The log ends where the first bad batch is:
 *
 * ```
 * {[0,9] [10,19]} {[20,29] [30,3?}  {[40,49]}   recovery point 20
 * {[0,9] [10,19]} {[20,29]}                     and the end is 30
 * ```
 *
 * Indexes, leader epochs and aborted transactions of what was checked are told anew from the batches.
 */
export class Recovery {
  readonly #state: LogState
  readonly #recoveryPoint: number
  readonly #notes: string[]
  readonly #isWhole: boolean
  readonly #found: FoundBatch = { position: 0, size: 0, baseOffset: 0 }
  #buffer = Buffer.alloc(0)
  /** The epochs as the checkpoint file told them. */
  #knownEpochs: readonly EpochEntry[] = []
  /** Known from the first transaction marker that is met on. */
  #producers: ProducerState | null = null
  #scannedSegments = 0
  #scannedBytes = 0
  #bytesUntilYield = yieldBytes

  /** isWhole: see LoadLogOptions */
  constructor(state: LogState, recoveryPoint: number, notes: string[], isWhole: boolean) {
    this.#state = state
    this.#recoveryPoint = recoveryPoint
    this.#notes = notes
    this.#isWhole = isWhole
  }

  *run(): Generator<void, RecoveryReport | null, void> {
    const state = this.#state
    // The indexes of the segment that the recovery point is the end of may not be on the device.
    const first = Math.max(0, state.segmentIndexOf(this.#recoveryPoint - 1))
    state.forgetProducers()
    state.distrust()
    this.#indexFlushedSegments(first)
    let truncated: RecoveryReport['truncated'] = null
    for (let index = first; index < state.segments.length; index++) {
      const segment = state.segments[index]!
      segment.distrust()
      const gap = index > first ? this.#gapBefore(segment) : null
      const damage = gap ?? (yield* this.#scan(segment, index === first))
      if (damage !== null) {
        const at = gap === null ? index : index - 1
        if (this.#isWhole) this.#expectEnd(at, damage)
        truncated = this.#cut(at, damage)
        break
      }
      if (index < state.segments.length - 1) segment.seal()
    }
    state.recoveryPoint = Math.min(this.#recoveryPoint, state.logEndOffset)
    if (state.areEpochsLoaded) state.epochs.truncateStart(state.logStartOffset)
    if (this.#producers !== null) {
      this.#producers.endOffset = state.logEndOffset
      state.producers = this.#producers
    }
    if (this.#scannedBytes === 0 && truncated === null && this.#notes.length === 0) return null
    return {
      topic: state.topic,
      partition: state.partition,
      logEndOffset: state.logEndOffset,
      scannedSegments: this.#scannedSegments,
      scannedBytes: this.#scannedBytes,
      truncated,
      notes: this.#notes,
    }
  }

  /** Segments below the recovery point whose index files are missing. */
  #indexFlushedSegments(first: number): void {
    const { config, environment, segments } = this.#state
    for (const segment of segments.slice(0, first)) {
      const isWhole = [indexSuffix, timeIndexSuffix].every(suffix => environment.disk.exists(segment.pathOf(suffix)))
      if (segment.size === 0 || isWhole) continue
      segment.rebuildIndexes(config.indexIntervalBytes)
      segment.seal()
      this.#notes.push(`The indexes of ${segment.pathOf(logSuffix)} were missing and were made anew`)
    }
  }

  /**
   * A segment of ours begins where the one before it ends. If that one is shorter, its end was lost and what follows
   * must go; unless the topic is compacted, where a leader's batches may have gaps between them, or was when its
   * policy was another one: what compaction wrote was on the device before it counted.
   */
  #gapBefore(segment: Segment): Damage | null {
    const expected = this.#state.logEndOffset
    if (segment.baseOffset === expected) return null
    const mayHaveGap = this.#state.config.cleanupPolicy.compact || segment.baseOffset <= this.#state.cleanedOffset
    if (segment.baseOffset > expected && mayHaveGap) return null
    const reason = `the next segment begins at offset ${segment.baseOffset}, not at ${expected}`
    const previous = this.#state.segments[this.#state.segments.indexOf(segment) - 1]!
    return { position: previous.size, reason }
  }

  /** Checks a segment; the end of the log moves along. */
  *#scan(segment: Segment, isFirst: boolean): Generator<void, Damage | null, void> {
    const state = this.#state
    let position = isFirst && segment.size > 0 ? this.#trustedPosition(segment) : this.#resetIndexes(segment)
    state.logEndOffset = position > 0 ? this.#baseOffsetAtFile(segment, position) : segment.baseOffset
    if (segment.hasAbortedIndex) segment.aborted.truncateTo(state.logEndOffset)
    if (segment.size === 0) return null
    state.isTouched = true
    // What was known of later epochs may come from batches that were cut off before the crash.
    if (isFirst) {
      this.#knownEpochs = state.epochsAsTold()
      state.epochs.truncateEnd(state.logEndOffset)
    }
    this.#scannedSegments++
    if (this.#buffer.length === 0)
      this.#buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, Math.max(4096, segment.size)))
    while (position < segment.size) {
      const length = this.#read(segment, position)
      const step = this.#checkChunk(segment, position, length)
      if (typeof step !== 'number') return step
      position += step
      this.#scannedBytes += step
      this.#bytesUntilYield -= step
      if (this.#bytesUntilYield > 0) continue
      this.#bytesUntilYield = yieldBytes
      yield
    }
    return null
  }

  #read(segment: Segment, position: number): number {
    const left = segment.size - position
    if (this.#buffer.length < Math.min(chunkBytes, left))
      this.#buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, left))
    return segment.file.readInto(this.#buffer, 0, Math.min(this.#buffer.length, left), position)
  }

  /** Checks the whole batches in the buffer; returns their bytes, or the damage. */
  #checkChunk(segment: Segment, position: number, length: number): number | Damage {
    const buffer = this.#buffer
    let at = 0
    for (;;) {
      const left = segment.size - position - at
      if (left === 0) return at
      if (length - at < Math.min(left, headerBytesMax)) {
        if (at > 0) return at
        return { position, reason: `the file ends after ${length} of ${left} bytes` }
      }
      const size = soundSizeAt(buffer, at, left)
      if (size === 0 || size > batchBytesMax)
        return { position: position + at, reason: this.#whyNoBatch(at, length, left) }
      if (at + size > length) {
        if (at > 0) return at
        this.#buffer = Buffer.allocUnsafeSlow(size)
        return 0
      }
      const reason = this.#takeIn(segment, at, position + at, size)
      if (reason !== null) return { position: position + at, reason }
      at += size
    }
  }

  #whyNoBatch(at: number, length: number, left: number): string {
    const end = Math.min(length, at + headerBytesMax)
    for (let index = at; index < end; index++) {
      if (this.#buffer[index] !== 0) return `no whole batch in the last ${left} bytes`
    }
    return `${left} bytes that begin with zeros`
  }

  /** Checks one batch and notes what it says; returns what is wrong with it. */
  #takeIn(segment: Segment, at: number, position: number, size: number): string | null {
    const state = this.#state
    const buffer = this.#buffer
    const first = baseOffsetAt(buffer, at)
    const last = lastOffsetAt(buffer, at)
    if (!isIntactAt(buffer, at)) return `the checksum of the batch at offset ${first} does not match`
    if (first < state.logEndOffset || last < first) {
      return `a batch of offsets ${first} to ${last} where ${state.logEndOffset} was expected`
    }
    if (!segment.canHold(last)) return `offset ${last} is too far from the base offset of the segment`
    if (magic(buffer, at) === 2 && hasProducerId(buffer, at)) {
      const reason = this.#noteProducer(segment, at, first)
      if (reason !== null) return reason
    }
    segment.noteBatch(position, size, last, maxTimestampAt(buffer, at), state.config.indexIntervalBytes)
    const epoch = leaderEpochAt(buffer, at)
    if (epoch > state.epochs.latestEpoch) state.epochs.assign(epoch, this.#startOfEpoch(epoch, first))
    state.logEndOffset = last + 1
    return null
  }

  /** Where an epoch begins whose first batch is at `first`: before it, if compaction took what the history tells of. */
  #startOfEpoch(epoch: number, first: number): number {
    const known = this.#knownEpochs.find(([candidate]) => candidate === epoch)?.[1] ?? first
    return known < first && known >= this.#state.logEndOffset ? known : first
  }

  #noteProducer(segment: Segment, at: number, firstOffset: number): string | null {
    if (this.#producers === null) {
      if (!isControl(this.#buffer, at)) return null
      this.#producers = this.#state.loadProducers(firstOffset)
    }
    try {
      const ended = this.#producers.apply(this.#buffer, at)
      if (ended?.isAborted === true) segment.aborted.append(ended)
      return null
    } catch (error) {
      if (error instanceof InvalidRecordError) return error.message
      throw error
    }
  }

  /** Where checking begins in the segment that holds the recovery point: at a batch that is on the device for sure. */
  #trustedPosition(segment: Segment): number {
    const index = segment.offsetIndex
    index.file.truncate(index.countSound(this.#recoveryPoint, segment.size))
    for (let slot = index.count - 1; slot >= 0; slot--) {
      const position = index.positionAt(slot)
      const indexedOffset = index.offsetAt(slot)
      const header = segment.file.read(position, headerBytesMax)
      const isSound = soundSizeAt(header, 0, segment.size - position) > 0
      if (!isSound || lastOffsetAt(header, 0) !== indexedOffset) continue
      // The entry itself is made anew by the check.
      index.file.truncate(slot)
      this.#trustTimes(segment, indexedOffset)
      this.#findMaxTimestamp(segment, position)
      return position
    }
    return this.#resetIndexes(segment)
  }

  /**
   * Keeps the time entries below `endOffset`, if the last of them is true: a crash tears the end of what was written.
   */
  #trustTimes(segment: Segment, endOffset: number): void {
    const times = segment.timeIndex
    const { cursor } = this.#state.environment
    times.file.truncate(times.countSound(endOffset))
    for (let last = times.count - 1; last >= 0; last--) {
      const offset = times.offsetAt(last)
      const timestamp = times.timestampAt(last)
      const isFound = segment.find(offset, this.#found) && lastOffsetAt(cursor.buffer, cursor.at) === offset
      if (isFound && maxTimestampAt(cursor.buffer, cursor.at) === timestamp) return
      times.file.truncate(last)
    }
  }

  /** The time index may have lost more than the offset index: the batches that it says nothing of are looked at. */
  #findMaxTimestamp(segment: Segment, end: number): void {
    const times = segment.timeIndex
    const last = times.count - 1
    let timestamp = last < 0 ? -1 : times.timestampAt(last)
    let offset = last < 0 ? segment.baseOffset : times.offsetAt(last)
    const cursor = this.#state.environment.cursor
    cursor.start(segment.file, segment.offsetIndex.lookup(offset), end)
    while (cursor.next()) {
      if (maxTimestampAt(cursor.buffer, cursor.at) <= timestamp) continue
      timestamp = maxTimestampAt(cursor.buffer, cursor.at)
      offset = lastOffsetAt(cursor.buffer, cursor.at)
    }
    segment.setTimestamps(timestamp, offset, 0)
  }

  #resetIndexes(segment: Segment): number {
    segment.offsetIndex.file.truncate(0)
    segment.timeIndex.file.truncate(0)
    segment.setTimestamps(-1, segment.baseOffset, 0)
    return 0
  }

  #baseOffsetAtFile(segment: Segment, position: number): number {
    return baseOffsetAt(segment.file.read(position, headerBytesMax), 0)
  }

  /** Throws LogError if a whole batch lies behind the damage in segment `index`. */
  #expectEnd(index: number, { position, reason }: Damage): void {
    const { segments, logEndOffset } = this.#state
    const segment = segments[index]!
    const rest = segment.file.read(position, Math.min(segment.size - position, searchedBytesMax))
    let isEnd = index === segments.length - 1
    for (let at = 1; isEnd && at + headerBytesMax <= rest.length; at++) {
      if (magic(rest, at) !== currentMagic || soundSizeAt(rest, at, rest.length - at) === 0) continue
      isEnd = baseOffsetAt(rest, at) < logEndOffset || !isIntactAt(rest, at)
    }
    if (isEnd) return
    const text =
      `${segment.pathOf(logSuffix)} is damaged at byte ${position} (${reason}), and what lies behind it was written ` +
      'long before the last clean stop: the disk has changed it. Restore the file from a backup, or take the directory ' +
      'of a node whose cluster has other copies away and format it anew.'
    throw new LogError('KAFKA_STORAGE_ERROR', text)
  }

  /** Ends the log in segment `index` at the damage, and removes what comes after. */
  #cut(index: number, damage: Damage): RecoveryReport['truncated'] {
    const state = this.#state
    const segment = state.segments[index]!
    const removed = state.segments.slice(index + 1)
    let bytes = segment.size - damage.position
    state.noteCut(state.logEndOffset)
    for (const later of removed) {
      bytes += later.size
      later.removeFiles()
    }
    // Durably: were they back after another failure, they would be taken for what follows the records to come.
    if (removed.length > 0) state.environment.disk.syncDirectory(state.place.path)
    state.segments.length = index + 1
    segment.truncate(damage.position, state.logEndOffset)
    state.size = state.segments.reduce((size, one) => size + one.size, 0)
    state.removeSnapshots(offset => offset > state.logEndOffset)
    state.namesChanged()
    return {
      segment: segment.pathOf(logSuffix),
      bytes,
      segments: removed.length,
      reason: `at byte ${damage.position}: ${damage.reason}`,
    }
  }
}
