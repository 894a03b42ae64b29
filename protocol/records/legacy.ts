import { batchPositions, magic, noTimestamp, readInt32, readInt64, sizeInBytes } from './batch.js'
import { type CompressionType, compressionTypeOf, decompress } from './compression.js'
import { crc32 } from './crc32.js'
import { InvalidRecordError } from './error.js'

/*
 * Messages of magic 0 and 1, as Kafka wrote them before 0.11. Nobody writes them any more; old segments still hold
 * them.
 *
 *   0 offset i64 | 8 size i32 | 12 crc u32 (CRC-32 of everything after it) | 16 magic i8 | 17 attributes i8
 *   | magic 1: 18 timestamp i64 | keyLength i32 | key | valueLength i32 | value
 *
 * The value of a compressed message (a wrapper) is a set of messages. In magic 0 they carry their offsets; in magic 1
 * they count from 0, and the wrapper has the offset of the last: {wrapper 58: 0..8} is {50..58}. A magic 1 set may have
 * been written by a client that did not know that, with a wrapper at 0: then inner offsets stand as they are.
 */
const bodyAt = 12
const crcBytes = 4
const timestampTypeFlag = 0x08
const compressionMask = 0x07

/** One message, wrappers taken apart. Key and value are views of the memory that it was read from. */
export interface LegacyRecord {
  readonly offset: number
  /** Milliseconds; -1 for magic 0. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

export type LegacyTimestampType = 'NoTimestampType' | 'CreateTime' | 'LogAppendTime'

function invalid(message: string): InvalidRecordError {
  return new InvalidRecordError('INVALID_RECORD', message)
}

/** The stored checksum, unsigned. */
export function legacyStoredCrc(buffer: Uint8Array, position: number): number {
  return readInt32(buffer, position + bodyAt) >>> 0
}

/** Whether the message has the checksum that it says it has. For a wrapper: the wrapper, not what it holds. */
export function legacyHasValidCrc(buffer: Uint8Array, position: number): boolean {
  const end = position + sizeInBytes(buffer, position)
  return legacyStoredCrc(buffer, position) === crc32(buffer, position + bodyAt + crcBytes, end)
}

/** The codec of a wrapper, 'none' for a plain message. Magic 0 and 1 know no zstd. */
export function legacyCompressionType(buffer: Uint8Array, position: number): CompressionType {
  return compressionTypeOf(buffer[position + 17]! & compressionMask)
}

export function legacyTimestampType(buffer: Uint8Array, position: number): LegacyTimestampType {
  if (magic(buffer, position) === 0) return 'NoTimestampType'
  return buffer[position + 17]! & timestampTypeFlag ? 'LogAppendTime' : 'CreateTime'
}

/** The time of a message, in ms; of a wrapper: the greatest within. -1 for magic 0. */
export function legacyMaxTimestamp(buffer: Uint8Array, position: number): number {
  return magic(buffer, position) === 0 ? noTimestamp : readInt64(buffer, position + 18)
}

/** The offset of a message, the last one of a wrapper. */
export function legacyLastOffset(buffer: Uint8Array, position: number): number {
  return readInt64(buffer, position)
}

interface Fields {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
}

function readFields(buffer: Uint8Array, position: number): Fields {
  const end = position + sizeInBytes(buffer, position)
  let at = position + (magic(buffer, position) === 0 ? 18 : 26)
  const field = (): Uint8Array | null => {
    if (end - at < 4) throw invalid('Found invalid record structure')
    const length = readInt32(buffer, at)
    at += 4
    if (length < 0) return null
    if (length > end - at) throw invalid('Found invalid record structure')
    at += length
    return buffer.subarray(at - length, at)
  }
  return { key: field(), value: field() }
}

/**
 * The first offset of a message; of a wrapper that of its first inner message, for which the wrapper must be inflated
 * (to `inflatedBytesMax` at most).
 */
export function legacyBaseOffset(buffer: Uint8Array, position: number, inflatedBytesMax: number): number {
  for (const record of readLegacyRecords(buffer, position, inflatedBytesMax)) return record.offset
  throw invalid('Found invalid compressed record set with no inner records')
}

/**
 * The records of one message, a wrapper's inner ones in their order. `batchSizeAt` must have found it whole. Throws
 * INVALID_RECORD or CORRUPT_MESSAGE where it is not well formed, MESSAGE_TOO_LARGE beyond `inflatedBytesMax`.
 */
export function* readLegacyRecords(
  buffer: Uint8Array,
  position: number,
  inflatedBytesMax: number,
): Generator<LegacyRecord, void, void> {
  const type = legacyCompressionType(buffer, position)
  const fields = readFields(buffer, position)
  const offset = readInt64(buffer, position)
  const timestamp = legacyMaxTimestamp(buffer, position)
  if (type === 'none') {
    yield { offset, timestamp, ...fields }
    return
  }
  const version = magic(buffer, position)
  if (type === 'zstd') throw invalid(`Invalid wrapper compressionType found in legacy deep record iterator ${type}`)
  if (fields.value === null) {
    throw invalid(`Found invalid compressed record set with null value (magic = ${version})`)
  }
  const plain = decompress(type, fields.value, inflatedBytesMax, version === 0)
  const logAppendTime = legacyTimestampType(buffer, position) === 'LogAppendTime' ? timestamp : null
  const isRelative = version === 1 && offset !== 0
  const lastInner = checkInner(plain, version, isRelative ? offset : Number.POSITIVE_INFINITY)
  const firstOffset = isRelative ? offset - lastInner : 0
  for (const inner of batchPositions(plain)) {
    yield {
      offset: firstOffset + readInt64(plain, inner),
      timestamp: logAppendTime ?? legacyMaxTimestamp(plain, inner),
      ...readFields(plain, inner),
    }
  }
}

/** Checks the messages within a wrapper and returns the offset that the last of them carries. */
function checkInner(plain: Uint8Array, wrapperVersion: number, wrapperOffset: number): number {
  let end = 0
  let last = -1
  for (const position of batchPositions(plain)) {
    end = position + sizeInBytes(plain, position)
    const version = magic(plain, position)
    if (version !== wrapperVersion) {
      throw invalid(`Compressed message magic ${version} does not match wrapper magic ${wrapperVersion}`)
    }
    if ((plain[position + 17]! & compressionMask) !== 0) throw invalid('Inner messages must not be compressed')
    last = readInt64(plain, position)
  }
  if (end === 0) throw invalid('Found invalid compressed record set with no inner records')
  if (end !== plain.length) throw invalid('Found invalid record structure')
  if (last > wrapperOffset) {
    throw invalid(
      `Found invalid wrapper offset in compressed v1 message set, wrapper offset '${wrapperOffset}' is less than the ` +
        `last inner message offset '${last}' and it is not zero.`,
    )
  }
  return last
}
