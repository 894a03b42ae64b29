import * as batch from '#protocol/records/batch.js'
import {
  compressionTypeOf,
  inflatedBytesMaxDefault,
  isCompressionLoaded,
  loadCompression,
} from '#protocol/records/compression.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import { readLegacyRecords } from '#protocol/records/legacy.js'
import { openRecords } from '#protocol/records/reader.js'
import { readRecord, recordCursor, recordKey } from '#protocol/records/record.js'
import { headerBytesMax, isIntactAt, lastOffsetAt, soundSizeAt } from './any-batch.js'
import { CompactionFilter } from './compaction-filter.js'
import { CompactionTransactions } from './compaction-transactions.js'
import { CompactionWriter } from './compaction-writer.js'
import { isDiskError } from './disk-error.js'
import type { LogState } from './log-state.js'
import type { AbortedTransaction } from './log-types.js'
import type { OffsetMap } from './offset-map.js'
import type { Segment } from './segment.js'

/** What is read at a time; it grows for larger batches. */
const chunkBytes = 1_048_576
const batchBytesMax = 0x1000_0000

/** What there is to compact in a log. */
export interface CompactionPlan {
  /** The first offset that no round has looked at. */
  readonly firstDirtyOffset: number
  /** Where this round has to end: a segment boundary. */
  readonly firstUncleanableOffset: number
  readonly cleanBytes: number
  readonly cleanableBytes: number
  /** Part of the bytes that is dirty: 0 to 1. */
  readonly dirtyRatio: number
  /** A dirty record is older than `max.compaction.lag.ms`. */
  readonly isOverdue: boolean
}

export interface CompactionOptions {
  readonly nowMs: number
  readonly map: OffsetMap
  /** Called between chunks: to go no faster than `log.cleaner.io.max.bytes.per.second`, and to let others run. */
  readonly pace?: (bytes: number) => Promise<void>
}

export interface CompactionResult {
  /** The first offset that the next round has to look at. */
  readonly endOffset: number
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** A log cannot be compacted: a batch in it is damaged. Its reads go on; nothing was changed. */
export class UncleanableError extends Error {
  override readonly name = 'UncleanableError'
}

/** What was compacted is no longer there: truncated, deleted, closed. Nothing was changed. */
export class CompactionAbortedError extends Error {
  override readonly name = 'CompactionAbortedError'
}

/**
 * What a round would do. `checkpoint` is where the last one ended; `lastStableOffset` (as the log tells it for the high
 * watermark) is a bound, as are the active segment and segments younger than `min.compaction.lag.ms`.
 */
export function planCompaction(
  state: LogState,
  checkpoint: number | undefined,
  lastStableOffset: number,
  nowMs: number,
): CompactionPlan {
  const { config, segments, logStartOffset, logEndOffset } = state
  const isValid = checkpoint !== undefined && checkpoint >= logStartOffset && checkpoint <= logEndOffset
  const firstDirtyOffset = isValid ? checkpoint : logStartOffset
  const dirty = segments.slice(Math.max(0, state.segmentIndexOf(firstDirtyOffset)), -1)
  const minLagMs = Math.max(0, config.minCompactionLagMs)
  const young = minLagMs > 0 ? dirty.find(segment => segment.largestTimestamp > nowMs - minLagMs) : undefined
  const bound = Math.min(lastStableOffset, state.active.baseOffset, young?.baseOffset ?? Infinity)
  // The segment that the bound lies in is left alone.
  const firstUncleanable = segments[Math.max(0, state.segmentIndexOf(Math.max(bound, firstDirtyOffset)))]!
  const firstUncleanableOffset = firstUncleanable.baseOffset
  let cleanBytes = 0
  let cleanableBytes = 0
  for (const segment of segments) if (segment.baseOffset < firstDirtyOffset) cleanBytes += segment.size
  for (const segment of dirty) if (segment.baseOffset < firstUncleanableOffset) cleanableBytes += segment.size
  const oldest = Math.min(...dirty.map(segment => segment.firstTimestamp).filter(timestamp => timestamp > 0))
  return {
    firstDirtyOffset,
    firstUncleanableOffset,
    cleanBytes,
    cleanableBytes,
    dirtyRatio: cleanableBytes === 0 ? 0 : cleanableBytes / (cleanBytes + cleanableBytes),
    isOverdue: oldest < nowMs - config.maxCompactionLagMs,
  }
}

/**
 * One round of compaction: finds out the last offset of each key in the dirty part, then writes the log up to there
 * anew, group of segments by group, without the records that a later one of the same key stands for. Throws
 * UncleanableError, CompactionAbortedError, or LogError KAFKA_STORAGE_ERROR.
 */
export async function compact(
  state: LogState,
  plan: CompactionPlan,
  options: CompactionOptions,
): Promise<CompactionResult> {
  return new Compaction(state, plan, options).run()
}

class Compaction {
  readonly #state: LogState
  readonly #plan: CompactionPlan
  readonly #options: CompactionOptions
  readonly #cuts: number
  readonly #cursor = recordCursor(Buffer.alloc(0), 0, 0)
  #buffer = Buffer.allocUnsafeSlow(chunkBytes)
  #bytesRead = 0
  #bytesWritten = 0

  constructor(state: LogState, plan: CompactionPlan, options: CompactionOptions) {
    this.#state = state
    this.#plan = plan
    this.#options = options
    this.#cuts = state.cuts
  }

  async run(): Promise<CompactionResult> {
    try {
      await this.#buildMap()
      const endOffset = this.#options.map.latestOffset + 1
      await this.#rewrite(endOffset)
      return { endOffset, bytesRead: this.#bytesRead, bytesWritten: this.#bytesWritten }
    } catch (error) {
      if (error instanceof CompactionAbortedError || this.#state.isClosed) throw aborted(this.#state)
      if (error instanceof InvalidRecordError) throw new UncleanableError(error.message)
      throw this.#state.environment.fail(`compacting ${this.#state.place.path}`, error)
    }
  }

  /** Takes the dirty part into the map: all of it, or as much as the map holds. */
  async #buildMap(): Promise<void> {
    const { firstDirtyOffset, firstUncleanableOffset } = this.#plan
    const { map } = this.#options
    const { segments } = this.#state
    const transactions = new CompactionTransactions()
    transactions.add(this.#abortedIn(firstDirtyOffset, firstUncleanableOffset))
    const from = Math.max(0, this.#state.segmentIndexOf(firstDirtyOffset))
    const dirty = segments.slice(from).filter(segment => segment.baseOffset < firstUncleanableOffset)
    for (const [index, segment] of dirty.entries()) {
      const start = segment.offsetIndex.lookup(firstDirtyOffset)
      const isMapped = await this.#walk(segment, start, at => this.#mapBatch(at, transactions))
      if (!isMapped) return
      map.latestOffset = Math.max(map.latestOffset, (dirty[index + 1]?.baseOffset ?? firstUncleanableOffset) - 1)
    }
    map.latestOffset = Math.max(map.latestOffset, firstDirtyOffset - 1)
  }

  /** False when the map is full. */
  #mapBatch(at: number, transactions: CompactionTransactions): boolean {
    const buffer = this.#buffer
    const { map } = this.#options
    const { firstDirtyOffset } = this.#plan
    const lastOffset = lastOffsetAt(buffer, at)
    if (batch.magic(buffer, at) !== batch.currentMagic) {
      for (const { key, offset } of readLegacyRecords(buffer, at, inflatedBytesMaxDefault)) {
        if (!this.#mapKey(key, offset)) return false
      }
    } else if (!transactions.isDiscardable(buffer, at) && !batch.isControl(buffer, at)) {
      const cursor = this.#cursor
      const firstOffset = batch.baseOffset(buffer, at)
      const count = batch.recordsCount(buffer, at)
      if (count > 0) openRecords(cursor, buffer, at, inflatedBytesMaxDefault, true)
      for (let index = 0; index < count; index++) {
        readRecord(cursor)
        if (!this.#mapKey(recordKey(cursor), firstOffset + cursor.offsetDelta)) return false
      }
    }
    if (lastOffset >= firstDirtyOffset) map.latestOffset = lastOffset
    return true
  }

  #mapKey(key: Uint8Array | null, offset: number): boolean {
    const { map } = this.#options
    if (key === null || offset < this.#plan.firstDirtyOffset) return true
    if (map.isFull) return false
    map.put(key, offset)
    // Not only at the end of its batch: one with more keys than the map holds would never be got over.
    map.latestOffset = offset
    return true
  }

  async #rewrite(endOffset: number): Promise<void> {
    const state = this.#state
    const { nowMs, map } = this.#options
    const { deleteRetentionMs } = state.config
    const transactions = new CompactionTransactions()
    const { producers } = state
    const upperBoundOffset = this.#plan.firstUncleanableOffset
    const filter = new CompactionFilter({ map, transactions, producers, nowMs, deleteRetentionMs, upperBoundOffset })
    const clean = state.segments.filter(segment => segment.baseOffset < this.#plan.firstDirtyOffset)
    const lastClean = clean[clean.length - 1]
    const legacyHorizonMs = lastClean === undefined ? 0 : modifiedMs(lastClean) - deleteRetentionMs
    for (const group of groupSegments(state, endOffset, upperBoundOffset)) {
      const writer = new CompactionWriter(state, group[0]!.baseOffset, nowMs)
      transactions.onMarkerKept = transaction => writer.addAborted(transaction)
      try {
        for (const segment of group) {
          transactions.add(this.#abortedIn(segment.baseOffset, this.#endOf(segment)))
          filter.retainsLegacyTombstones = modifiedMs(segment) > legacyHorizonMs
          await this.#walk(
            segment,
            0,
            (at, size) => {
              const result = filter.filter(this.#buffer, at)
              if (result === 'keep') writer.copy(this.#buffer, at, size)
              else if (result !== 'remove') writer.add(result)
              return true
            },
            () => writer.write(),
          )
        }
        await writer.finish(group[group.length - 1]!)
        this.#expect(group)
      } catch (error) {
        // The disk may have failed: then the next start removes what is left.
        if (!isDiskError(error)) writer.discard()
        throw error
      }
      writer.swapIn(group)
      this.#bytesWritten += writer.size
    }
  }

  #endOf(segment: Segment): number {
    const { segments } = this.#state
    return segments[segments.indexOf(segment) + 1]?.baseOffset ?? this.#state.logEndOffset
  }

  #abortedIn(from: number, to: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = []
    const { segments } = this.#state
    for (let index = Math.max(0, this.#state.segmentIndexOf(from)); index < segments.length; index++) {
      if (segments[index]!.collectAborted(from, to, found)) break
    }
    return found
  }

  /**
   * Walks over the batches of a segment from `position` on, while `visit` wants more. `visit` gets the place of the
   * batch in `#buffer` and its size; `afterChunk` is called when the bytes of a chunk are about to go.
   */
  async #walk(
    segment: Segment,
    position: number,
    visit: (at: number, size: number) => boolean,
    afterChunk: () => void = () => {},
  ): Promise<boolean> {
    const { size: end } = segment
    while (position < end) {
      const wanted = Math.min(this.#buffer.length, end - position)
      const length = await segment.file.readIntoAsync(this.#buffer, 0, wanted, position)
      if (length < wanted) throw uncleanable(segment, position + length)
      await this.#options.pace?.(length)
      this.#expect([segment])
      let at = 0
      while (position + at < end) {
        const left = end - position - at
        if (length - at < Math.min(left, headerBytesMax) && at > 0) break
        const size = soundSizeAt(this.#buffer, at, left)
        if (size === 0 || size > batchBytesMax) throw uncleanable(segment, position + at)
        if (at + size > length) {
          // The rest of the batch is in the next chunk, which may have to be larger.
          if (at === 0) this.#buffer = Buffer.allocUnsafeSlow(size)
          break
        }
        if (!isIntactAt(this.#buffer, at)) throw uncleanable(segment, position + at)
        await this.#loadCodec(at)
        if (!visit(at, size)) return false
        at += size
      }
      afterChunk()
      this.#bytesRead += at
      position += at
    }
    return true
  }

  #loadCodec(at: number): Promise<void> | undefined {
    if (batch.magic(this.#buffer, at) !== batch.currentMagic) return undefined
    const type = compressionTypeOf(batch.compressionCode(this.#buffer, at))
    return isCompressionLoaded(type) ? undefined : loadCompression(type)
  }

  /**
   * Truncation, retention and the end of the log come first: what they took away is not compacted. After a cut the map
   * may have records of keys that are gone, and others may be in their place, in a segment that has been rolled again.
   */
  #expect(segments: readonly Segment[]): void {
    const state = this.#state
    if (state.environment.failure !== null) throw state.environment.offlineError()
    const isThere = segments.every(segment => !segment.isRemoved && segment !== state.active)
    if (state.isClosed || !isThere || state.cuts !== this.#cuts) throw aborted(state)
  }
}

function aborted(state: LogState): CompactionAbortedError {
  return new CompactionAbortedError(`The compaction of ${state.name} was given up: the log changed`)
}

function uncleanable(segment: Segment, position: number): UncleanableError {
  return new UncleanableError(`${segment.damaged(position).message}, or its checksum is wrong`)
}

function modifiedMs(segment: Segment): number {
  return segment.disk.modifiedTime(segment.pathOf('.log'))
}

/**
 * Neighbours that together are no larger than one segment may be, in batches, index entries and offsets: each group
 * becomes one segment.
 */
function groupSegments(state: LogState, endOffset: number, firstUncleanableOffset: number): Segment[][] {
  const { segmentBytes, segmentIndexBytes } = state.config
  const groups: Segment[][] = []
  const sources = state.segments.filter(segment => segment.baseOffset < endOffset && segment !== state.active)
  let bytes = Infinity
  let indexBytes = 0
  let timeIndexBytes = 0
  sources.forEach((segment, index) => {
    const group = groups[groups.length - 1]
    bytes += segment.size
    indexBytes += segment.offsetIndex.count * 8
    timeIndexBytes += segment.timeIndex.count * 12
    const lastOffset = (sources[index + 1]?.baseOffset ?? firstUncleanableOffset) - 1
    const fits =
      group !== undefined &&
      bytes <= segmentBytes &&
      indexBytes <= segmentIndexBytes &&
      timeIndexBytes <= segmentIndexBytes &&
      (segment.size === 0 || lastOffset - group[0]!.baseOffset <= 0x7fff_ffff)
    if (fits) {
      group.push(segment)
      return
    }
    groups.push([segment])
    bytes = segment.size
    indexBytes = segment.offsetIndex.count * 8
    timeIndexBytes = segment.timeIndex.count * 12
  })
  return groups
}
