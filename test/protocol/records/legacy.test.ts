import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as batch from '#protocol/records/batch.js'
import { type CompressionType, compress, compressionCodeOf } from '#protocol/records/compression.js'
import { crc32 } from '#protocol/records/crc32.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import {
  legacyBaseOffset,
  legacyHasValidCrc,
  legacyLastOffset,
  legacyMaxTimestamp,
  legacyTimestampType,
  readLegacyRecords,
} from '#protocol/records/legacy.js'
import { describeBatch, readRecords } from '#protocol/records/reader.js'

interface Message {
  readonly offset: number
  readonly magic: 0 | 1
  readonly attributes?: number
  readonly timestamp?: number
  readonly key?: Buffer | null
  readonly value?: Buffer | null
}

function field(bytes: Buffer | null): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(bytes === null ? -1 : bytes.length)
  return Buffer.concat([length, bytes ?? Buffer.alloc(0)])
}

function message({ offset, magic, attributes = 0, timestamp = 1000, key = null, value = null }: Message): Buffer {
  const time = Buffer.alloc(magic === 0 ? 0 : 8)
  if (magic === 1) batch.writeInt64(time, 0, timestamp)
  const body = Buffer.concat([Buffer.from([magic, attributes]), time, field(key), field(value)])
  const head = Buffer.alloc(16)
  batch.writeInt64(head, 0, offset)
  head.writeInt32BE(body.length + 4, 8)
  head.writeUInt32BE(crc32(body, 0, body.length), 12)
  return Buffer.concat([head, body])
}

function wrapper(inner: Buffer, type: CompressionType, options: Omit<Message, 'value'>): Buffer {
  const attributes = compressionCodeOf(type) | (options.attributes ?? 0)
  return message({ ...options, attributes, value: compress(type, inner) })
}

const generous = 1_000_000
const offsetsOf = (bytes: Buffer) => [...readLegacyRecords(bytes, 0, generous)].map(({ offset }) => offset)
const text = (name: string) => Buffer.from(name)

test('a plain message of magic 0 has no time, one of magic 1 has one', () => {
  const [old, newer] = [
    message({ offset: 7, magic: 0, value: text('v') }),
    message({ offset: 8, magic: 1, timestamp: 55, attributes: 0x08, key: text('k') }),
  ]
  assert.ok(legacyHasValidCrc(old, 0))
  assert.equal(legacyTimestampType(old, 0), 'NoTimestampType')
  assert.equal(legacyMaxTimestamp(old, 0), -1)
  assert.deepEqual(
    [...readRecords(old, 0)],
    [{ offset: 7, timestamp: -1, sequence: -1, key: null, value: text('v'), headers: [] }],
  )
  assert.equal(legacyTimestampType(newer, 0), 'LogAppendTime')
  assert.equal(describeBatch(newer, 0).maxTimestamp, 55)
  newer[newer.length - 1] = 1
  assert.equal(legacyHasValidCrc(newer, 0), false)
})

test('inner messages of magic 0 carry their offsets, whatever the wrapper says', () => {
  const inner = [3, 5, 9].map(offset => message({ offset, magic: 0, value: text(`${offset}`) }))
  const bytes = wrapper(Buffer.concat(inner), 'gzip', { offset: 9, magic: 0 })
  assert.deepEqual(offsetsOf(bytes), [3, 5, 9])
  assert.equal(legacyBaseOffset(bytes, 0, generous), 3)
  assert.equal(legacyLastOffset(bytes, 0), 9)
})

test('inner messages of magic 1 count from 0, and the wrapper has the offset of the last', () => {
  const inner = Buffer.concat([0, 1, 4].map(offset => message({ offset, magic: 1, timestamp: 10 + offset })))
  for (const type of ['gzip', 'snappy', 'lz4'] as const) {
    const bytes = wrapper(inner, type, { offset: 104, magic: 1 })
    assert.deepEqual(offsetsOf(bytes), [100, 101, 104], type)
    assert.equal(legacyBaseOffset(bytes, 0, generous), 100)
  }
  const old = wrapper(inner, 'gzip', { offset: 0, magic: 1 })
  assert.deepEqual(offsetsOf(old), [0, 1, 4], 'a wrapper at 0 leaves them as they are')
})

test('a wrapper with the time of the append gives it to all that it holds', () => {
  const inner = Buffer.concat([0, 1].map(offset => message({ offset, magic: 1, timestamp: offset })))
  const bytes = wrapper(inner, 'snappy', { offset: 11, magic: 1, timestamp: 777, attributes: 0x08 })
  assert.deepEqual(
    [...readRecords(bytes, 0)].map(({ timestamp }) => timestamp),
    [777, 777],
  )
})

test('an lz4 frame of magic 0 may have the checksum of the header wrong, one of magic 1 may not', () => {
  const break6 = (bytes: Buffer) => {
    const at = bytes.indexOf(Buffer.from('04224d18', 'hex')) + 6
    bytes[at] = bytes[at]! ^ 0xff
    return bytes
  }
  const of = (magic: 0 | 1) => break6(wrapper(message({ offset: 0, magic }), 'lz4', { offset: 0, magic }))
  assert.deepEqual(offsetsOf(of(0)), [0])
  assert.throws(() => offsetsOf(of(1)), /descriptor corrupted/)
})

test('wrappers that cannot be right are refused', () => {
  const inner = message({ offset: 3, magic: 1 })
  const refused = (bytes: Buffer, pattern: RegExp, kind = 'INVALID_RECORD') => {
    assert.throws(
      () => offsetsOf(bytes),
      error => {
        assert.ok(error instanceof InvalidRecordError, String(error))
        assert.equal(error.kind, kind)
        assert.match(error.message, pattern)
        return true
      },
    )
  }
  refused(wrapper(inner, 'gzip', { offset: 2, magic: 1 }), /wrapper offset '2' is less than .* '3'/)
  refused(wrapper(inner, 'gzip', { offset: 2, magic: 0 }), /magic 1 does not match wrapper magic 0/)
  refused(wrapper(Buffer.alloc(0), 'gzip', { offset: 2, magic: 1 }), /no inner records/)
  refused(message({ offset: 2, magic: 1, attributes: 1 }), /null value \(magic = 1\)/)
  refused(message({ offset: 2, magic: 1, attributes: 4, value: text('x') }), /compressionType .* zstd/)
  refused(message({ offset: 2, magic: 1, attributes: 5 }), /type id: 5/, 'UNSUPPORTED_COMPRESSION_TYPE')
  const nested = wrapper(inner, 'gzip', { offset: 3, magic: 1 })
  refused(wrapper(nested, 'gzip', { offset: 3, magic: 1 }), /must not be compressed/)
  refused(wrapper(inner.subarray(0, -1), 'gzip', { offset: 3, magic: 1 }), /no inner records/)
  refused(wrapper(Buffer.concat([inner, text('junk')]), 'gzip', { offset: 3, magic: 1 }), /invalid record structure/)
  const large = wrapper(Buffer.alloc(generous + 1), 'gzip', { offset: 3, magic: 1 })
  refused(large, /inflates to more than/, 'MESSAGE_TOO_LARGE')
})

test('fields that reach beyond their message are refused', () => {
  const bytes = message({ offset: 0, magic: 0, key: text('k'), value: text('v') })
  bytes.writeInt32BE(1000, 18)
  assert.throws(() => offsetsOf(bytes), /invalid record structure/)
  bytes.writeInt32BE(3, 18)
  assert.throws(() => offsetsOf(bytes), /invalid record structure/)
})
