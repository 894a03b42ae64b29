import * as batch from '#protocol/records/batch.js'
import { buildBatch, type NewRecord } from '#protocol/records/build.js'
import { type CompressionType, inflatedBytesMaxDefault, loadCompression } from '#protocol/records/compression.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import {
  type BatchDescription,
  describeBatch,
  openRecords,
  readRecords,
  type StoredRecord,
} from '#protocol/records/reader.js'
import { readRecord, recordCursor, recordHeaders, recordKey, recordValue } from '#protocol/records/record.js'

await loadCompression('zstd')

/** A record as a vector has it; bytes are base64, headers are left out where there are none. */
export interface VectorRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers?: readonly { readonly key: string; readonly value: string | null }[]
}

/** A batch as a vector has it; fields from `crc` on are those of magic 2. */
export interface VectorBatch {
  readonly magic: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly sizeInBytes: number
  readonly compression: CompressionType
  readonly timestampType: string
  readonly maxTimestamp: number
  readonly valid: boolean
  readonly crc?: number
  readonly partitionLeaderEpoch?: number
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly transactional?: boolean
  readonly control?: boolean
  readonly count?: number
  readonly deleteHorizonMs?: number | null
  readonly records: readonly VectorRecord[]
}

/** One line of a file of record vectors: bytes that Kafka's own code wrote, and what it read from them. */
export interface RecordVector {
  readonly name: string
  readonly hex: string
  readonly batches: readonly VectorBatch[]
}

/** Whether a parsed line of a vector file is about records (rather than about messages). */
export function isRecordVector(line: unknown): line is RecordVector {
  return typeof line === 'object' && line !== null && 'hex' in line && 'batches' in line
}

/**
 * Reads the bytes of a vector, compares what is found with what Kafka found, and writes uncompressed v2 batches again.
 * Returns null if everything is the same, else the first difference.
 */
export function checkRecordVector(vector: RecordVector): string | null {
  const bytes = Buffer.from(vector.hex, 'hex')
  try {
    const positions = [...batch.batchPositions(bytes)]
    if (positions.length !== vector.batches.length) {
      return `${positions.length} batches, Kafka read ${vector.batches.length}`
    }
    for (const [index, position] of positions.entries()) {
      const difference = checkBatch(bytes, position, vector.batches[index]!)
      if (difference !== null) return `batch ${index}: ${difference}`
    }
    return null
  } catch (error) {
    if (error instanceof InvalidRecordError) return `${error.kind}: ${error.message}`
    throw error
  }
}

function checkBatch(bytes: Buffer, position: number, expected: VectorBatch): string | null {
  const found = describeBatch(bytes, position)
  const header = differenceOf('header', headerOf(found), expectedHeader(expected))
  if (header !== null) return header
  const records = [...readRecords(bytes, position)].map(asVector)
  const count = differenceOf('number of records', records.length, expected.records.length)
  if (count !== null) return count
  for (const [index, record] of records.entries()) {
    const difference = differenceOf(`record ${index}`, record, expected.records[index])
    if (difference !== null) return difference
  }
  if (found.magic < 2 || found.compressionType !== 'none') return null
  const rewritten = rewrite(bytes, position, found)
  const original = bytes.subarray(position, position + found.sizeInBytes)
  if (found.isValid ? rewritten.equals(original) : isSameButCrc(rewritten, original)) return null
  return `written again it is ${rewritten.toString('hex')}`
}

function isSameButCrc(rewritten: Buffer, original: Buffer): boolean {
  const repaired = Buffer.from(original)
  batch.stampCrc(repaired, 0)
  return rewritten.equals(repaired) && !rewritten.equals(original)
}

function differenceOf(what: string, found: unknown, expected: unknown): string | null {
  const left = JSON.stringify(found)
  const right = JSON.stringify(expected)
  return left === right ? null : `${what}: ${left}, Kafka read ${right}`
}

function headerOf(found: BatchDescription): unknown[] {
  const { magic, baseOffset, lastOffset, sizeInBytes, compressionType, timestampType, maxTimestamp, isValid } = found
  const common = [magic, baseOffset, lastOffset, sizeInBytes, compressionType, timestampType, maxTimestamp, isValid]
  if (magic < 2) return common
  const { crc, partitionLeaderEpoch, producerId, producerEpoch, baseSequence } = found
  const { isTransactional, isControl, recordsCount, deleteHorizonMs } = found
  const newer = [crc, partitionLeaderEpoch, producerId, producerEpoch, baseSequence, isTransactional, isControl]
  return [...common, ...newer, recordsCount, deleteHorizonMs]
}

function expectedHeader(expected: VectorBatch): unknown[] {
  const { magic, baseOffset, lastOffset, sizeInBytes, compression, timestampType, maxTimestamp, valid } = expected
  const common = [magic, baseOffset, lastOffset, sizeInBytes, compression, timestampType, maxTimestamp, valid]
  if (magic < 2) return common
  const { crc, partitionLeaderEpoch, producerId, producerEpoch, baseSequence } = expected
  const { transactional, control, count, deleteHorizonMs } = expected
  const newer = [crc, partitionLeaderEpoch, producerId, producerEpoch, baseSequence, transactional, control]
  return [...common, ...newer, count, deleteHorizonMs]
}

const base64 = (field: Uint8Array | null) => (field === null ? null : Buffer.from(field).toString('base64'))

function asVector(record: StoredRecord): VectorRecord {
  const { offset, timestamp } = record
  const plain = { offset, timestamp, key: base64(record.key), value: base64(record.value) }
  if (record.headers.length === 0) return plain
  return { ...plain, headers: record.headers.map(({ key, value }) => ({ key, value: base64(value) })) }
}

/** Writes an uncompressed batch again from its parts; the times of the records are those in their bytes. */
function rewrite(bytes: Buffer, position: number, found: BatchDescription): Buffer {
  const records: NewRecord[] = []
  const cursor = recordCursor(bytes, position, position)
  openRecords(cursor, bytes, position, inflatedBytesMaxDefault, false)
  for (let index = 0; index < found.recordsCount!; index++) {
    readRecord(cursor)
    records.push({
      offset: found.baseOffset + cursor.offsetDelta,
      timestamp: batch.baseTimestamp(bytes, position) + cursor.timestampDelta,
      key: recordKey(cursor),
      value: recordValue(cursor),
      headers: recordHeaders(cursor),
    })
  }
  return buildBatch({
    ...found,
    records,
    logAppendTimeMs: found.timestampType === 'LogAppendTime' ? found.maxTimestamp : null,
  })
}
