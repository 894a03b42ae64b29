import * as batch from './batch.js'
import { type CompressionType, compress, compressionCodeOf } from './compression.js'
import type { RecordCursor, RecordHeader } from './record.js'

/** A record to be written. */
export interface NewRecord {
  /** Milliseconds, -1 for none. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
  /** Where the record belongs, if not right after the one before it: batches that compaction thinned out. */
  readonly offset?: number
}

/** What a batch says of itself; everything has the default of a plain producer. */
export interface BatchHeaderOptions {
  /** Default 0. */
  readonly baseOffset?: number
  /** Default -1. */
  readonly partitionLeaderEpoch?: number
  /** Default 'none'. */
  readonly compression?: CompressionType
  readonly compressionLevel?: number | undefined
  /** If given, the batch is LogAppendTime with this time, in ms; the records keep theirs in the bytes. */
  readonly logAppendTimeMs?: number | null
  /** Default -1, as are epoch and sequence. */
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
  /** When compaction may drop the tombstones of the batch, in ms (KIP-534). */
  readonly deleteHorizonMs?: number | null
  /** The last offset that the batch stands for, if it is not that of its last record. */
  readonly lastOffset?: number
  /** The greatest time that the batch stands for, if it is not that of its records. */
  readonly maxTimestamp?: number
}

/** How many bytes `writeVarint` writes for a value. */
export function varintBytes(value: number): number {
  let raw = value >= 0 ? value * 2 : -value * 2 - 1
  let bytes = 1
  for (; raw >= 0x80; raw = Math.floor(raw / 0x80)) bytes++
  return bytes
}

/** Writes a zigzag varint (or varlong, up to 2^53) at `at` and returns where it ended. */
export function writeVarint(buffer: Uint8Array, at: number, value: number): number {
  let raw = value >= 0 ? value * 2 : -value * 2 - 1
  for (; raw >= 0x80; raw = Math.floor(raw / 0x80)) buffer[at++] = (raw % 0x80) | 0x80
  buffer[at++] = raw
  return at
}

function fieldBytes(field: Uint8Array | null): number {
  return field === null ? 1 : varintBytes(field.length) + field.length
}

function writeField(buffer: Uint8Array, at: number, field: Uint8Array | null): number {
  if (field === null) return writeVarint(buffer, at, -1)
  const start = writeVarint(buffer, at, field.length)
  buffer.set(field, start)
  return start + field.length
}

function contentBytes(record: NewRecord): number {
  const headers = record.headers ?? []
  let bytes = fieldBytes(record.key) + fieldBytes(record.value) + varintBytes(headers.length)
  for (const header of headers) {
    const keyBytes = Buffer.byteLength(header.key)
    bytes += varintBytes(keyBytes) + keyBytes + fieldBytes(header.value)
  }
  return bytes
}

function writeContent(buffer: Uint8Array, at: number, record: NewRecord): number {
  const headers = record.headers ?? []
  at = writeField(buffer, at, record.key)
  at = writeField(buffer, at, record.value)
  at = writeVarint(buffer, at, headers.length)
  for (const header of headers) {
    at = writeField(buffer, at, Buffer.from(header.key))
    at = writeField(buffer, at, header.value)
  }
  return at
}

/** How many bytes the body of a record has whose content (key, value, headers) has `content` bytes. */
function bodyBytes(timestampDelta: number, offsetDelta: number, content: number): number {
  return 1 + varintBytes(timestampDelta) + varintBytes(offsetDelta) + content
}

/** Writes what stands before the content of a record and returns where that begins. */
function writePrefix(
  buffer: Uint8Array,
  at: number,
  body: number,
  timestampDelta: number,
  offsetDelta: number,
): number {
  at = writeVarint(buffer, at, body)
  buffer[at++] = 0
  at = writeVarint(buffer, at, timestampDelta)
  return writeVarint(buffer, at, offsetDelta)
}

/** A batch to be written. */
export interface BatchOptions extends BatchHeaderOptions {
  readonly records: readonly NewRecord[]
}

interface Layout {
  readonly baseOffset: number
  readonly baseTimestamp: number
  readonly lastOffset: number
  readonly maxTimestamp: number
  /** The size of each record's body. */
  readonly bodies: readonly number[]
  /** The size of all records. */
  readonly bytes: number
}

function layOut(options: BatchOptions): Layout {
  const { records } = options
  const baseOffset = options.baseOffset ?? 0
  const baseTimestamp = options.deleteHorizonMs ?? records[0]?.timestamp ?? batch.noTimestamp
  let lastOffset = baseOffset - 1
  let maxTimestamp = batch.noTimestamp
  let bytes = 0
  const bodies = records.map(record => {
    const offset = record.offset ?? lastOffset + 1
    if (offset <= lastOffset)
      throw new Error(`offset ${offset} of a record is not after ${lastOffset}, the one before it`)
    lastOffset = offset
    maxTimestamp = Math.max(maxTimestamp, record.timestamp)
    const body = bodyBytes(record.timestamp - baseTimestamp, offset - baseOffset, contentBytes(record))
    bytes += varintBytes(body) + body
    return body
  })
  return {
    baseOffset,
    baseTimestamp,
    lastOffset: options.lastOffset ?? lastOffset,
    maxTimestamp: options.maxTimestamp ?? options.logAppendTimeMs ?? maxTimestamp,
    bodies,
    bytes,
  }
}

function writeHeader(
  buffer: Uint8Array,
  count: number,
  layout: Omit<Layout, 'bodies' | 'bytes'>,
  options: BatchHeaderOptions,
) {
  const lastOffsetDelta = layout.lastOffset - layout.baseOffset
  if (lastOffsetDelta > 0x7fff_ffff)
    throw new Error(`a batch cannot reach from ${layout.baseOffset} to ${layout.lastOffset}`)
  batch.writeInt64(buffer, 0, layout.baseOffset)
  batch.writeInt32(buffer, 8, buffer.length - batch.logOverheadBytes)
  batch.writeInt32(buffer, 12, options.partitionLeaderEpoch ?? batch.noPartitionLeaderEpoch)
  buffer[16] = batch.currentMagic
  const attributes = batch.attributesOf({
    compressionCode: compressionCodeOf(options.compression ?? 'none'),
    timestampType: (options.logAppendTimeMs ?? null) === null ? 'CreateTime' : 'LogAppendTime',
    isTransactional: options.isTransactional ?? false,
    isControl: options.isControl ?? false,
    hasDeleteHorizon: (options.deleteHorizonMs ?? null) !== null,
  })
  batch.writeInt16(buffer, 21, attributes)
  batch.writeInt32(buffer, 23, lastOffsetDelta)
  batch.writeInt64(buffer, 27, layout.baseTimestamp)
  batch.writeInt64(buffer, 35, layout.maxTimestamp)
  batch.writeInt64(buffer, 43, options.producerId ?? batch.noProducerId)
  batch.writeInt16(buffer, 51, options.producerEpoch ?? batch.noProducerEpoch)
  batch.writeInt32(buffer, 53, options.baseSequence ?? batch.noSequence)
  batch.writeInt32(buffer, 57, count)
  batch.stampCrc(buffer, 0)
}

/** Replaces the records behind the header by what they deflate to. */
function deflated(buffer: Buffer, options: BatchHeaderOptions): Buffer {
  const type = options.compression ?? 'none'
  if (type === 'none' || buffer.length === batch.batchHeaderBytes) return buffer
  const records = compress(type, buffer.subarray(batch.batchHeaderBytes), options.compressionLevel)
  const result = Buffer.allocUnsafe(batch.batchHeaderBytes + records.length)
  result.set(records, batch.batchHeaderBytes)
  return result
}

/**
 * A v2 batch, byte for byte as Kafka's builder writes it (compressed ones read the same, but codecs differ in their
 * bytes). Records get the offsets that follow one another from `baseOffset`, or their own. With no records it is the
 * batch of 61 bytes that compaction leaves for a producer's last sequence. The codec must be loaded
 * (`loadCompression`).
 */
export function buildBatch(options: BatchOptions): Buffer {
  const { records } = options
  const layout = layOut(options)
  const buffer = Buffer.allocUnsafe(batch.batchHeaderBytes + layout.bytes)
  let at = batch.batchHeaderBytes
  let offset = layout.baseOffset - 1
  for (const [index, record] of records.entries()) {
    offset = record.offset ?? offset + 1
    const timestampDelta = record.timestamp - layout.baseTimestamp
    at = writePrefix(buffer, at, layout.bodies[index]!, timestampDelta, offset - layout.baseOffset)
    at = writeContent(buffer, at, record)
  }
  const result = deflated(buffer, options)
  writeHeader(result, records.length, layout, options)
  return result
}

/** A growing copy of records whose content stays as it is: what recompression and compaction write. */
export interface RecordCopier {
  /** Appends the record that the cursor read last, with other deltas. */
  append(cursor: RecordCursor, timestampDelta: number, offsetDelta: number): void
  readonly count: number
  /** The batch; `baseTimestamp`, `maxTimestamp` and `lastOffset` say what the deltas stand on and reach to. */
  finish(options: CopiedBatchOptions): Buffer
}

export interface CopiedBatchOptions extends BatchHeaderOptions {
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly lastOffset: number
}

/** Begins to copy records into a new batch; `bytesExpected` spares it growing. */
export function copyRecords(bytesExpected: number): RecordCopier {
  let buffer = Buffer.allocUnsafe(batch.batchHeaderBytes + bytesExpected + 64)
  let at = batch.batchHeaderBytes
  let count = 0
  return {
    append(cursor, timestampDelta, offsetDelta) {
      const content = cursor.position - cursor.contentStart
      const body = bodyBytes(timestampDelta, offsetDelta, content)
      const end = at + varintBytes(body) + body
      if (end > buffer.length) {
        const larger = Buffer.allocUnsafe(Math.max(end, buffer.length * 2))
        buffer.copy(larger, 0, 0, at)
        buffer = larger
      }
      at = writePrefix(buffer, at, body, timestampDelta, offsetDelta)
      buffer.set(cursor.buffer.subarray(cursor.contentStart, cursor.position), at)
      at = end
      count++
    },
    get count() {
      return count
    },
    finish(options) {
      const result = deflated(buffer.subarray(0, at), options)
      const { baseTimestamp, maxTimestamp, lastOffset } = options
      writeHeader(
        result,
        count,
        { baseOffset: options.baseOffset ?? 0, baseTimestamp, maxTimestamp, lastOffset },
        options,
      )
      return result
    },
  }
}
