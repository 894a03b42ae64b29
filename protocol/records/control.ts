import { batchHeaderBytes, isControl, readInt16, readInt32, writeInt16, writeInt32 } from './batch.js'
import { type BatchHeaderOptions, buildBatch } from './build.js'
import { InvalidRecordError } from './error.js'
import { openRecords } from './reader.js'
import { readRecord, recordCursor, recordKey, recordValue } from './record.js'

/**
 * What control records say; the index of a name is the type that is written. ABORT and COMMIT end a transaction on a
 * partition; the others belong to the raft quorum (KIP-595, KIP-630, KIP-853) and their values are messages of their
 * own.
 */
export const controlRecordTypes = [
  'ABORT',
  'COMMIT',
  'LEADER_CHANGE',
  'SNAPSHOT_HEADER',
  'SNAPSHOT_FOOTER',
  'KRAFT_VERSION',
  'KRAFT_VOTERS',
] as const
export type ControlRecordType = (typeof controlRecordTypes)[number]

const keyVersion = 0
const keyBytes = 4

/** The key of a control record: version i16, type i16. */
export function controlKey(type: ControlRecordType): Buffer {
  const key = Buffer.alloc(keyBytes)
  writeInt16(key, 0, keyVersion)
  writeInt16(key, 2, controlRecordTypes.indexOf(type))
  return key
}

/**
 * The type that the key of a control record names; 'UNKNOWN' for types of a later Kafka, which are to be passed over.
 * Throws INVALID_RECORD for a key that cannot be one.
 */
export function controlTypeOf(key: Uint8Array | null): ControlRecordType | 'UNKNOWN' {
  const bytes = key === null ? 0 : key.length
  if (key === null || bytes < keyBytes) {
    const text = 'Invalid value size found for control record key. '
    throw new InvalidRecordError(
      'INVALID_RECORD',
      `${text}Must have at least ${keyBytes} bytes, but found only ${bytes}`,
    )
  }
  const version = readInt16(key, 0)
  if (version < 0) {
    const text = `Invalid version found for control record: ${version}. May indicate data corruption`
    throw new InvalidRecordError('INVALID_RECORD', text)
  }
  return controlRecordTypes[readInt16(key, 2)] ?? 'UNKNOWN'
}

const markerValueVersion = 0
const markerValueBytes = 6

/** The value of an ABORT or COMMIT record: version i16, epoch of the transaction coordinator i32. */
export function endTransactionMarkerValue(coordinatorEpoch: number): Buffer {
  const value = Buffer.alloc(markerValueBytes)
  writeInt16(value, 0, markerValueVersion)
  writeInt32(value, 2, coordinatorEpoch)
  return value
}

/** The epoch of the coordinator that wrote a marker. Throws INVALID_RECORD for a value that cannot be one. */
export function coordinatorEpochOf(value: Uint8Array | null): number {
  if (value === null || value.length < markerValueBytes) {
    throw new InvalidRecordError('INVALID_RECORD', 'Found an end transaction marker with a value that is too short')
  }
  const version = readInt16(value, 0)
  if (version < 0) {
    const text = `Invalid version found for end transaction marker: ${version}. May indicate data corruption`
    throw new InvalidRecordError('INVALID_RECORD', text)
  }
  return readInt32(value, 2)
}

/** One control record. */
export interface ControlRecord {
  readonly type: ControlRecordType
  readonly value: Uint8Array
}

/** A batch of control records, all of the same time (ms). Never compressed. */
export function buildControlBatch(
  records: readonly ControlRecord[],
  timestamp: number,
  options: Omit<BatchHeaderOptions, 'isControl' | 'compression'> = {},
): Buffer {
  const plain = records.map(({ type, value }) => ({ timestamp, key: controlKey(type), value }))
  return buildBatch({ ...options, records: plain, isControl: true })
}

/** The marker that ends a transaction of a producer on a partition. `timestamp` is in ms. */
export function buildEndTransactionMarker(options: {
  readonly type: 'ABORT' | 'COMMIT'
  readonly coordinatorEpoch: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly timestamp: number
  readonly baseOffset?: number
  readonly partitionLeaderEpoch?: number
}): Buffer {
  const { type, coordinatorEpoch, timestamp, ...batchOptions } = options
  const value = endTransactionMarkerValue(coordinatorEpoch)
  return buildControlBatch([{ type, value }], timestamp, { ...batchOptions, isTransactional: true })
}

/** What a control batch says: the type of its first record, and that record's value (a view of the buffer). */
export interface ControlMarker {
  readonly type: ControlRecordType | 'UNKNOWN'
  readonly value: Uint8Array | null
}

/** Reads the first record of the control batch at `position`; null if the batch is empty or not a control batch. */
export function readControlMarker(buffer: Uint8Array, position: number): ControlMarker | null {
  if (!isControl(buffer, position) || readInt32(buffer, position + 57) < 1) return null
  const cursor = recordCursor(buffer, position, position + batchHeaderBytes)
  openRecords(cursor, buffer, position, markerBatchBytesMax, false)
  readRecord(cursor)
  return { type: controlTypeOf(recordKey(cursor)), value: recordValue(cursor) }
}

/** Control batches are not compressed by anyone; should one be, it may not become large. */
const markerBatchBytesMax = 1024 * 1024
