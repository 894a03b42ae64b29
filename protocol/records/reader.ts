import * as batch from './batch.js'
import {
  type CompressionType,
  compressionTypeOf,
  decompress,
  decompressTransient,
  inflatedBytesMaxDefault,
} from './compression.js'
import { InvalidRecordError } from './error.js'
import {
  type LegacyTimestampType,
  legacyBaseOffset,
  legacyCompressionType,
  legacyHasValidCrc,
  legacyLastOffset,
  legacyMaxTimestamp,
  legacyTimestampType,
  readLegacyRecords,
} from './legacy.js'
import {
  type RecordCursor,
  type RecordHeader,
  readRecord,
  recordCursor,
  recordHeaders,
  recordKey,
  recordValue,
  resetCursor,
} from './record.js'

/** A record as a consumer sees it. Key, value and header values are views of the batch, or of what it inflated to. */
export interface StoredRecord {
  readonly offset: number
  /** Milliseconds; the time of the append if the batch is LogAppendTime; -1 if there is none. */
  readonly timestamp: number
  /** The producer's sequence number, -1 if it has none. */
  readonly sequence: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

const noHeaders: readonly RecordHeader[] = []

/**
 * Sets `cursor` before the records of the v2 batch at `position`, which are inflated first if need be; then
 * `readRecord` may be called `recordsCount` times. The memory is the caller's unless `isTransient`, which is for
 * looking only (see `decompressTransient`).
 */
export function openRecords(
  cursor: RecordCursor,
  buffer: Uint8Array,
  position: number,
  inflatedBytesMax: number,
  isTransient: boolean,
): void {
  const start = position + batch.batchHeaderBytes
  const end = position + batch.sizeInBytes(buffer, position)
  const code = batch.compressionCode(buffer, position)
  if (code === 0) {
    resetCursor(cursor, buffer, start, end)
    return
  }
  const inflate = isTransient ? decompressTransient : decompress
  const plain = inflate(compressionTypeOf(code), buffer.subarray(start, end), inflatedBytesMax)
  resetCursor(cursor, plain, 0, plain.length)
}

/** Throws unless the cursor stands at the end: bytes that no record accounts for. */
export function expectEnd(cursor: RecordCursor): void {
  if (cursor.position !== cursor.end) {
    throw new InvalidRecordError('INVALID_RECORD', 'Incorrect declared batch size, records still remaining in file')
  }
}

/**
 * The records of the batch (of any magic) at `position`, one at a time. `batchSizeAt` must have found it whole; the
 * checksum is not looked at. Throws INVALID_RECORD or CORRUPT_MESSAGE where it is not well formed (which may be after
 * some records), MESSAGE_TOO_LARGE if it inflates to more than `inflatedBytesMax`.
 */
export function* readRecords(
  buffer: Uint8Array,
  position: number,
  inflatedBytesMax: number = inflatedBytesMaxDefault,
): Generator<StoredRecord, void, void> {
  if (batch.magic(buffer, position) < batch.currentMagic) {
    for (const record of readLegacyRecords(buffer, position, inflatedBytesMax)) {
      yield { ...record, sequence: batch.noSequence, headers: noHeaders }
    }
    return
  }
  const count = batch.recordsCount(buffer, position)
  if (count < 0) {
    throw new InvalidRecordError('INVALID_RECORD', `Found invalid record count ${count} in magic v2 batch`)
  }
  // An empty batch has nothing to inflate: compaction leaves the codec in its attributes.
  if (count === 0) return
  const cursor = recordCursor(buffer, position, position)
  openRecords(cursor, buffer, position, inflatedBytesMax, false)
  const firstOffset = batch.baseOffset(buffer, position)
  const baseTimestamp = batch.baseTimestamp(buffer, position)
  const baseSequence = batch.baseSequence(buffer, position)
  const logAppendTime = batch.isLogAppendTime(buffer, position) ? batch.maxTimestamp(buffer, position) : null
  for (let index = 0; index < count; index++) {
    readRecord(cursor)
    if (index === count - 1) expectEnd(cursor)
    yield {
      offset: firstOffset + cursor.offsetDelta,
      timestamp: logAppendTime ?? baseTimestamp + cursor.timestampDelta,
      sequence: baseSequence < 0 ? batch.noSequence : batch.incrementSequence(baseSequence, cursor.offsetDelta),
      key: recordKey(cursor),
      value: recordValue(cursor),
      headers: cursor.headersCount === 0 ? noHeaders : recordHeaders(cursor),
    }
  }
}

/** Everything that the header of a batch says, for those who are not in a hurry: tools, logs, tests, recovery. */
export interface BatchDescription {
  readonly position: number
  readonly sizeInBytes: number
  readonly magic: number
  readonly crc: number
  readonly isValid: boolean
  readonly compressionType: CompressionType
  readonly timestampType: batch.TimestampType | LegacyTimestampType
  readonly baseOffset: number
  readonly lastOffset: number
  readonly maxTimestamp: number
  readonly partitionLeaderEpoch: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly lastSequence: number
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly deleteHorizonMs: number | null
  /** null for magic 0 and 1, which do not say. */
  readonly recordsCount: number | null
}

/**
 * Describes the batch (of any magic) at `position`, which `batchSizeAt` must have found whole. A compressed message of
 * magic 0 or 1 must be inflated for its first offset, to `inflatedBytesMax` at most.
 */
export function describeBatch(
  buffer: Uint8Array,
  position: number,
  inflatedBytesMax: number = inflatedBytesMaxDefault,
): BatchDescription {
  if (batch.magic(buffer, position) < batch.currentMagic) return describeLegacy(buffer, position, inflatedBytesMax)
  return {
    position,
    sizeInBytes: batch.sizeInBytes(buffer, position),
    magic: batch.currentMagic,
    crc: batch.storedCrc(buffer, position),
    isValid: batch.hasValidCrc(buffer, position),
    compressionType: compressionTypeOf(batch.compressionCode(buffer, position)),
    timestampType: batch.timestampType(buffer, position),
    baseOffset: batch.baseOffset(buffer, position),
    lastOffset: batch.lastOffset(buffer, position),
    maxTimestamp: batch.maxTimestamp(buffer, position),
    partitionLeaderEpoch: batch.partitionLeaderEpoch(buffer, position),
    producerId: batch.producerId(buffer, position),
    producerEpoch: batch.producerEpoch(buffer, position),
    baseSequence: batch.baseSequence(buffer, position),
    lastSequence: batch.lastSequence(buffer, position),
    isTransactional: batch.isTransactional(buffer, position),
    isControl: batch.isControl(buffer, position),
    deleteHorizonMs: batch.deleteHorizonMs(buffer, position),
    recordsCount: batch.recordsCount(buffer, position),
  }
}

function describeLegacy(buffer: Uint8Array, position: number, inflatedBytesMax: number): BatchDescription {
  return {
    position,
    sizeInBytes: batch.sizeInBytes(buffer, position),
    magic: batch.magic(buffer, position),
    crc: batch.readInt32(buffer, position + 12) >>> 0,
    isValid: legacyHasValidCrc(buffer, position),
    compressionType: legacyCompressionType(buffer, position),
    timestampType: legacyTimestampType(buffer, position),
    baseOffset: legacyBaseOffset(buffer, position, inflatedBytesMax),
    lastOffset: legacyLastOffset(buffer, position),
    maxTimestamp: legacyMaxTimestamp(buffer, position),
    partitionLeaderEpoch: batch.noPartitionLeaderEpoch,
    producerId: batch.noProducerId,
    producerEpoch: batch.noProducerEpoch,
    baseSequence: batch.noSequence,
    lastSequence: batch.noSequence,
    isTransactional: false,
    isControl: false,
    deleteHorizonMs: null,
    recordsCount: null,
  }
}
