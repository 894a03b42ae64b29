import { crc32c } from './crc32c.js'
import { InvalidRecordError } from './error.js'

/*
 * The header of a batch, read and stamped where it lies. A position is the index of the first byte of a batch in a
 * buffer; the functions do not check bounds: `batchSizeAt` does, once. int64 fields are numbers (exact up to 2^53).
 *
 *   0 baseOffset i64 | 8 batchLength i32 | 12 partitionLeaderEpoch i32 | 16 magic i8 | 17 crc u32 | 21 attributes i16
 *   23 lastOffsetDelta i32 | 27 baseTimestamp i64 | 35 maxTimestamp i64 | 43 producerId i64 | 51 producerEpoch i16
 *   53 baseSequence i32 | 57 recordsCount i32 | 61 records
 *
 * Messages of magic 0 and 1 share the first twelve bytes and the place of the magic; the rest of theirs is in
 * legacy.ts.
 */

/** Bytes before the part that `batchLength` counts: baseOffset and batchLength. */
export const logOverheadBytes = 12
/** Bytes up to and including the magic: as many as it takes to know what a batch is. */
export const headerUpToMagicBytes = 17
/** The size of the header of a v2 batch, and so of a batch without records. */
export const batchHeaderBytes = 61
/** The smallest `batchLength` of any magic: a message of magic 0 with neither key nor value. */
const batchLengthMin = 14
/** Where the bytes begin that the checksum of a v2 batch covers. */
const attributesAt = 21

export const currentMagic = 2
export const noTimestamp = -1
export const noProducerId = -1
export const noProducerEpoch = -1
export const noSequence = -1
export const noPartitionLeaderEpoch = -1

const compressionMask = 0x07
const timestampTypeFlag = 0x08
const transactionalFlag = 0x10
const controlFlag = 0x20
const deleteHorizonFlag = 0x40

/**
 * CreateTime: producers' times. LogAppendTime: the broker's, `maxTimestamp` of the batch stands for all its records.
 */
export type TimestampType = 'CreateTime' | 'LogAppendTime'

export function readInt16(buffer: Uint8Array, at: number): number {
  return ((buffer[at]! << 24) >> 16) | buffer[at + 1]!
}

export function readInt32(buffer: Uint8Array, at: number): number {
  return (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!
}

/** An int64 as a number: exact between -2^53 and 2^53, rounded beyond. */
export function readInt64(buffer: Uint8Array, at: number): number {
  return readInt32(buffer, at) * 0x1_0000_0000 + (readInt32(buffer, at + 4) >>> 0)
}

export function writeInt16(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value >> 8
  buffer[at + 1] = value
}

export function writeInt32(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value >> 24
  buffer[at + 1] = value >> 16
  buffer[at + 2] = value >> 8
  buffer[at + 3] = value
}

export function writeInt64(buffer: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000)
  writeInt32(buffer, at, high | 0)
  writeInt32(buffer, at + 4, (value - high * 0x1_0000_0000) | 0)
}

export function baseOffset(buffer: Uint8Array, position: number): number {
  return readInt64(buffer, position)
}

/** The `batchLength` field: bytes after itself. Of any magic. */
export function batchLength(buffer: Uint8Array, position: number): number {
  return readInt32(buffer, position + 8)
}

/** The whole size of the batch, in bytes. Of any magic. */
export function sizeInBytes(buffer: Uint8Array, position: number): number {
  return readInt32(buffer, position + 8) + logOverheadBytes
}

export function partitionLeaderEpoch(buffer: Uint8Array, position: number): number {
  return readInt32(buffer, position + 12)
}

/** 0, 1 or 2; at the same place in every format. */
export function magic(buffer: Uint8Array, position: number): number {
  return (buffer[position + 16]! << 24) >> 24
}

/** The stored checksum, unsigned. */
export function storedCrc(buffer: Uint8Array, position: number): number {
  return readInt32(buffer, position + 17) >>> 0
}

/** The checksum that the bytes of the batch have, unsigned. */
export function computedCrc(buffer: Uint8Array, position: number): number {
  return crc32c(buffer, position + attributesAt, position + sizeInBytes(buffer, position))
}

export function attributes(buffer: Uint8Array, position: number): number {
  return readInt16(buffer, position + 21)
}

/** The code of the codec, 0 to 7: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd; 5 to 7 belong to nobody. */
export function compressionCode(buffer: Uint8Array, position: number): number {
  return buffer[position + 22]! & compressionMask
}

export function timestampType(buffer: Uint8Array, position: number): TimestampType {
  return buffer[position + 22]! & timestampTypeFlag ? 'LogAppendTime' : 'CreateTime'
}

export function isLogAppendTime(buffer: Uint8Array, position: number): boolean {
  return (buffer[position + 22]! & timestampTypeFlag) !== 0
}

export function isTransactional(buffer: Uint8Array, position: number): boolean {
  return (buffer[position + 22]! & transactionalFlag) !== 0
}

/** Whether the batch holds markers (of transactions, of the raft quorum) rather than records of clients. */
export function isControl(buffer: Uint8Array, position: number): boolean {
  return (buffer[position + 22]! & controlFlag) !== 0
}

/** Whether `baseTimestamp` says when tombstones and markers of this batch may be removed (KIP-534). */
export function hasDeleteHorizon(buffer: Uint8Array, position: number): boolean {
  return (buffer[position + 22]! & deleteHorizonFlag) !== 0
}

export function lastOffsetDelta(buffer: Uint8Array, position: number): number {
  return readInt32(buffer, position + 23)
}

export function lastOffset(buffer: Uint8Array, position: number): number {
  return readInt64(buffer, position) + readInt32(buffer, position + 23)
}

/** The time that the records' deltas are added to, in ms; the delete horizon if `hasDeleteHorizon`. */
export function baseTimestamp(buffer: Uint8Array, position: number): number {
  return readInt64(buffer, position + 27)
}

/** When compaction may drop the tombstones of this batch, in ms, or null. */
export function deleteHorizonMs(buffer: Uint8Array, position: number): number | null {
  return hasDeleteHorizon(buffer, position) ? readInt64(buffer, position + 27) : null
}

export function maxTimestamp(buffer: Uint8Array, position: number): number {
  return readInt64(buffer, position + 35)
}

export function producerId(buffer: Uint8Array, position: number): number {
  return readInt64(buffer, position + 43)
}

export function hasProducerId(buffer: Uint8Array, position: number): boolean {
  return readInt32(buffer, position + 43) >= 0
}

export function producerEpoch(buffer: Uint8Array, position: number): number {
  return readInt16(buffer, position + 51)
}

export function baseSequence(buffer: Uint8Array, position: number): number {
  return readInt32(buffer, position + 53)
}

/** The sequence `increment` places after `sequence`: after 2^31 - 1 comes 0. */
export function incrementSequence(sequence: number, increment: number): number {
  const sum = sequence + increment
  return sum > 0x7fff_ffff ? sum - 0x8000_0000 : sum
}

/** The sequence of the last record, -1 if the batch has no sequence. */
export function lastSequence(buffer: Uint8Array, position: number): number {
  const first = readInt32(buffer, position + 53)
  return first === noSequence ? noSequence : incrementSequence(first, readInt32(buffer, position + 23))
}

export function recordsCount(buffer: Uint8Array, position: number): number {
  return readInt32(buffer, position + 57)
}

/** Gives a batch its place in the log. Both fields lie outside the checksum: nothing else changes. */
export function stamp(buffer: Uint8Array, position: number, firstOffset: number, leaderEpoch: number): void {
  writeInt64(buffer, position, firstOffset)
  writeInt32(buffer, position + 12, leaderEpoch)
}

/** Writes the checksum that the bytes of the batch have. */
export function stampCrc(buffer: Uint8Array, position: number): void {
  writeInt32(buffer, position + 17, computedCrc(buffer, position) | 0)
}

/** Attributes that are written anew lose the bits that mean nothing. */
function stampTimestampType(buffer: Uint8Array, position: number, flag: number): void {
  const kept = compressionMask | transactionalFlag | controlFlag | deleteHorizonFlag
  buffer[position + 21] = 0
  buffer[position + 22] = (buffer[position + 22]! & kept) | flag
}

/** Marks a batch as appended at `timeMs` by the broker's clock; the records keep their deltas. Renews the checksum. */
export function stampLogAppendTime(buffer: Uint8Array, position: number, timeMs: number): void {
  if (isLogAppendTime(buffer, position) && maxTimestamp(buffer, position) === timeMs) return
  stampTimestampType(buffer, position, timestampTypeFlag)
  writeInt64(buffer, position + 35, timeMs)
  stampCrc(buffer, position)
}

/**
 * Marks a batch as CreateTime with `timeMs` as the greatest time of its records. Renews the checksum if that is news.
 */
export function stampMaxTimestamp(buffer: Uint8Array, position: number, timeMs: number): void {
  if (!isLogAppendTime(buffer, position) && maxTimestamp(buffer, position) === timeMs) return
  stampTimestampType(buffer, position, 0)
  writeInt64(buffer, position + 35, timeMs)
  stampCrc(buffer, position)
}

/** The attributes of a v2 batch as the number that its header holds. */
export function attributesOf(options: {
  readonly compressionCode: number
  readonly timestampType: TimestampType
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly hasDeleteHorizon: boolean
}): number {
  return (
    options.compressionCode |
    (options.timestampType === 'LogAppendTime' ? timestampTypeFlag : 0) |
    (options.isTransactional ? transactionalFlag : 0) |
    (options.isControl ? controlFlag : 0) |
    (options.hasDeleteHorizon ? deleteHorizonFlag : 0)
  )
}

/**
 * The whole size of the batch (of any magic) at `position`, or 0 if `buffer[position, end)` ends before the batch does:
 * a tail that was cut, which readers pass over. Throws CORRUPT_MESSAGE where no batch can begin. What it returns lies
 * within `end` and is enough for the header of the magic that it found.
 */
export function batchSizeAt(buffer: Uint8Array, position: number, end: number): number {
  const size = batchExtentAt(buffer, position, end)
  if (size === 0) return 0
  const least = headerBytesMin(magic(buffer, position))
  if (size >= least) return size
  const why = `the size ${size} is smaller than the minimum allowed overhead ${least}`
  throw new InvalidRecordError('CORRUPT_MESSAGE', `Record batch is corrupt (${why})`)
}

/** As `batchSizeAt`, but where the header may be cut after its attributes. */
export function batchExtentAt(buffer: Uint8Array, position: number, end: number): number {
  const left = end - position
  if (left < logOverheadBytes) return 0
  const length = readInt32(buffer, position + 8)
  if (length < batchLengthMin) {
    const text = `Record size ${length} is less than the minimum record overhead (${batchLengthMin})`
    throw new InvalidRecordError('CORRUPT_MESSAGE', text)
  }
  if (left < headerUpToMagicBytes) return 0
  const version = magic(buffer, position)
  if (version < 0 || version > currentMagic) {
    throw new InvalidRecordError('CORRUPT_MESSAGE', `Invalid magic found in record: ${version}`)
  }
  const size = length + logOverheadBytes
  return left < size ? 0 : size
}

/** A v2 header; a message of magic 0 with two lengths, which magic 1 precedes by a timestamp. */
function headerBytesMin(version: number): number {
  if (version === currentMagic) return batchHeaderBytes
  return version === 1 ? 34 : 26
}

/** Whether a v2 batch has the checksum that it says it has; its size must be known to lie within the buffer. */
export function hasValidCrc(buffer: Uint8Array, position: number): boolean {
  return storedCrc(buffer, position) === computedCrc(buffer, position)
}

/**
 * The positions of the batches (of any magic) in `buffer[start, end)`, first to last. A cut tail ends it quietly; where
 * no batch can begin it throws CORRUPT_MESSAGE.
 */
export function* batchPositions(buffer: Uint8Array, start = 0, end = buffer.length): Generator<number, void, void> {
  let position = start
  for (;;) {
    const size = batchSizeAt(buffer, position, end)
    if (size === 0) return
    yield position
    position += size
  }
}
