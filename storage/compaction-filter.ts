import * as batch from '#protocol/records/batch.js'
import { buildBatch, copyRecords } from '#protocol/records/build.js'
import { type CompressionType, compressionTypeOf, inflatedBytesMaxDefault } from '#protocol/records/compression.js'
import { readLegacyRecords } from '#protocol/records/legacy.js'
import { openRecords } from '#protocol/records/reader.js'
import { readRecord, recordCursor, recordKey } from '#protocol/records/record.js'
import type { CompactionTransactions } from './compaction-transactions.js'
import type { OffsetMap } from './offset-map.js'
import type { ProducerState } from './producer-state.js'

export interface CompactionFilterOptions {
  readonly map: OffsetMap
  readonly transactions: CompactionTransactions
  readonly producers: ProducerState
  readonly nowMs: number
  /** `delete.retention.ms`: how long tombstones and markers stay after the round that first sees them. */
  readonly deleteRetentionMs: number
  /** Where the round ends: the batch that ends there is not removed, so that its offset is not lost. */
  readonly upperBoundOffset: number
}

/** What becomes of a batch: it stays as it is, another takes its place, or nothing does. */
export type Filtered = 'keep' | 'remove' | Buffer

/**
 * Decides batch by batch what compaction leaves of a log: the last record of each key, tombstones and markers until
 * their time has come (KIP-534), what is left empty but still says something.
 */
export class CompactionFilter {
  readonly #options: CompactionFilterOptions
  readonly #cursor = recordCursor(Buffer.alloc(0), 0, 0)
  /** For messages of magic 0 and 1, whose tombstones have no time of their own: set for each segment. */
  retainsLegacyTombstones = true

  constructor(options: CompactionFilterOptions) {
    this.#options = options
  }

  /** The batch at `position`, whole and intact; codecs must be loaded. */
  filter(buffer: Buffer, position: number): Filtered {
    if (batch.magic(buffer, position) !== batch.currentMagic) return this.#filterLegacy(buffer, position)
    const { transactions, nowMs } = this.#options
    const isDiscardable = transactions.isDiscardable(buffer, position)
    const isControl = batch.isControl(buffer, position)
    const horizon = batch.deleteHorizonMs(buffer, position)
    const discards = isControl ? isDiscardable && horizon !== null && horizon <= nowMs : isDiscardable
    const staysEmpty = this.#staysEmpty(buffer, position)
    if (discards && !staysEmpty) return 'remove'
    if (discards || batch.recordsCount(buffer, position) === 0) return staysEmpty ? emptied(buffer, position) : 'remove'
    // A marker whose transaction has no batches is given a time to go.
    if (isControl) return isDiscardable && horizon === null ? this.#rewrite(buffer, position, () => true, true) : 'keep'
    return this.#filterRecords(buffer, position, horizon, staysEmpty)
  }

  #filterRecords(buffer: Buffer, position: number, horizon: number | null, staysEmpty: boolean): Filtered {
    const cursor = this.#cursor
    const firstOffset = batch.baseOffset(buffer, position)
    const count = batch.recordsCount(buffer, position)
    const retained = new Uint8Array(count)
    let retainedCount = 0
    let hasTombstones = false
    openRecords(cursor, buffer, position, inflatedBytesMaxDefault, true)
    for (let index = 0; index < count; index++) {
      readRecord(cursor)
      const isTombstone = cursor.valueLength < 0
      const mayHoldTombstone = horizon === null || this.#options.nowMs < horizon
      if (!this.#isRetained(recordKey(cursor), firstOffset + cursor.offsetDelta, isTombstone, mayHoldTombstone))
        continue
      retained[index] = 1
      retainedCount++
      hasTombstones ||= isTombstone
    }
    if (retainedCount === 0) return staysEmpty ? emptied(buffer, position) : 'remove'
    const needsHorizon = hasTombstones && horizon === null
    if (retainedCount === count && !needsHorizon) return 'keep'
    return this.#rewrite(buffer, position, index => retained[index] === 1, needsHorizon)
  }

  #isRetained(key: Uint8Array | null, offset: number, isTombstone: boolean, mayHoldTombstone: boolean): boolean {
    const { map } = this.#options
    if (offset > map.latestOffset) return true
    if (key === null) return false
    return offset >= map.get(key) && (!isTombstone || mayHoldTombstone)
  }

  /**
   * A batch that stays even without records: it holds the last sequence or epoch of a producer, or the end of the
   * round.
   */
  #staysEmpty(buffer: Buffer, position: number): boolean {
    const lastOffset = batch.lastOffset(buffer, position)
    if (lastOffset + 1 === this.#options.upperBoundOffset) return true
    if (!batch.hasProducerId(buffer, position)) return false
    const entry = this.#options.producers.get(batch.producerId(buffer, position))
    if (entry === undefined) return false
    if (entry.lastOffset >= 0) return entry.lastOffset === lastOffset
    return batch.isControl(buffer, position) && batch.producerEpoch(buffer, position) === entry.epoch
  }

  /** Copies the records for which `isRetained` holds; the batch keeps its offsets, sequences, producer and epoch. */
  #rewrite(buffer: Buffer, position: number, isRetained: (index: number) => boolean, setsHorizon: boolean): Buffer {
    const { nowMs, deleteRetentionMs } = this.#options
    const cursor = this.#cursor
    const copier = copyRecords(batch.sizeInBytes(buffer, position))
    const count = batch.recordsCount(buffer, position)
    const appendTime = batch.isLogAppendTime(buffer, position) ? batch.maxTimestamp(buffer, position) : null
    const oldBase = batch.baseTimestamp(buffer, position)
    const horizon = setsHorizon ? nowMs + deleteRetentionMs : batch.deleteHorizonMs(buffer, position)
    let baseTimestamp = horizon
    let maxTimestamp: number = batch.noTimestamp
    openRecords(cursor, buffer, position, inflatedBytesMaxDefault, true)
    for (let index = 0; index < count; index++) {
      readRecord(cursor)
      if (!isRetained(index)) continue
      const timestamp = appendTime ?? oldBase + cursor.timestampDelta
      baseTimestamp ??= timestamp
      maxTimestamp = Math.max(maxTimestamp, timestamp)
      copier.append(cursor, timestamp - baseTimestamp, cursor.offsetDelta)
    }
    return copier.finish({
      ...headerOf(buffer, position),
      compression: compressionOf(buffer, position),
      deleteHorizonMs: horizon,
      baseTimestamp: baseTimestamp ?? batch.noTimestamp,
      maxTimestamp: appendTime ?? maxTimestamp,
      lastOffset: batch.lastOffset(buffer, position),
    })
  }

  /** Messages of magic 0 and 1 stay or go as a whole: a wrapper as long as one of its messages stays. */
  #filterLegacy(buffer: Buffer, position: number): Filtered {
    for (const { key, value, offset } of readLegacyRecords(buffer, position, inflatedBytesMaxDefault)) {
      if (this.#isRetained(key, offset, value === null, this.retainsLegacyTombstones)) return 'keep'
    }
    return 'remove'
  }
}

function compressionOf(buffer: Buffer, position: number): CompressionType {
  return compressionTypeOf(batch.compressionCode(buffer, position))
}

function headerOf(buffer: Buffer, position: number) {
  return {
    baseOffset: batch.baseOffset(buffer, position),
    partitionLeaderEpoch: batch.partitionLeaderEpoch(buffer, position),
    producerId: batch.producerId(buffer, position),
    producerEpoch: batch.producerEpoch(buffer, position),
    baseSequence: batch.baseSequence(buffer, position),
    isTransactional: batch.isTransactional(buffer, position),
    isControl: batch.isControl(buffer, position),
    logAppendTimeMs: batch.isLogAppendTime(buffer, position) ? batch.maxTimestamp(buffer, position) : null,
  }
}

/** The header alone, with no records: 61 bytes that keep offsets and sequences. */
function emptied(buffer: Buffer, position: number): Buffer {
  const lastOffset = batch.lastOffset(buffer, position)
  const maxTimestamp = batch.maxTimestamp(buffer, position)
  return buildBatch({ ...headerOf(buffer, position), records: [], lastOffset, maxTimestamp })
}
