import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as batch from '#protocol/records/batch.js'
import { buildBatch } from '#protocol/records/build.js'
import { crc32c } from '#protocol/records/crc32c.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import { readRecords } from '#protocol/records/reader.js'

const record = { timestamp: 1_700_000_000_000, key: Buffer.from('k'), value: Buffer.from('v') }
const one = () => buildBatch({ records: [record] })

test('integers are written and read as Java does, int64 exactly up to 2^53', () => {
  const buffer = Buffer.alloc(16)
  for (const value of [0, 1, -1, 127, -128, 0x7fff, -0x8000]) {
    batch.writeInt16(buffer, 3, value)
    assert.equal(buffer.readInt16BE(3), value)
    assert.equal(batch.readInt16(buffer, 3), value)
  }
  for (const value of [0, 1, -1, 0x7fff_ffff, -0x8000_0000, 0x1234_5678]) {
    batch.writeInt32(buffer, 3, value)
    assert.equal(buffer.readInt32BE(3), value)
    assert.equal(batch.readInt32(buffer, 3), value)
  }
  const wide = [0, 1, -1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, -(2 ** 32), -(2 ** 32) - 1, 2 ** 53 - 1, -(2 ** 53) + 1]
  for (const value of wide) {
    batch.writeInt64(buffer, 3, value)
    assert.equal(buffer.readBigInt64BE(3), BigInt(value))
    assert.equal(batch.readInt64(buffer, 3), value)
  }
})

test('a batch is read where it lies, every field of its header', () => {
  const bytes = buildBatch({
    records: [
      { ...record, offset: 1_000_000_000_000_000 },
      { ...record, timestamp: record.timestamp + 5, offset: 1_000_000_000_000_004 },
    ],
    baseOffset: 1_000_000_000_000_000,
    partitionLeaderEpoch: 9,
    logAppendTimeMs: 1_800_000_000_000,
    producerId: 2 ** 53 - 1,
    producerEpoch: 32_767,
    baseSequence: 0x7fff_fffd,
    isTransactional: true,
  })
  const position = 5
  const buffer = Buffer.concat([Buffer.alloc(position, 0xaa), bytes, Buffer.alloc(7, 0xbb)])
  assert.equal(batch.sizeInBytes(buffer, position), bytes.length)
  assert.equal(batch.batchLength(buffer, position), bytes.length - 12)
  assert.equal(batch.magic(buffer, position), 2)
  assert.equal(batch.baseOffset(buffer, position), 1_000_000_000_000_000)
  assert.equal(batch.lastOffsetDelta(buffer, position), 4)
  assert.equal(batch.lastOffset(buffer, position), 1_000_000_000_000_004)
  assert.equal(batch.partitionLeaderEpoch(buffer, position), 9)
  assert.equal(batch.storedCrc(buffer, position), crc32c(bytes, 21, bytes.length))
  assert.ok(batch.hasValidCrc(buffer, position))
  assert.equal(batch.attributes(buffer, position), 0x18)
  assert.equal(batch.compressionCode(buffer, position), 0)
  assert.equal(batch.timestampType(buffer, position), 'LogAppendTime')
  assert.equal(batch.isTransactional(buffer, position), true)
  assert.equal(batch.isControl(buffer, position), false)
  assert.equal(batch.hasDeleteHorizon(buffer, position), false)
  assert.equal(batch.deleteHorizonMs(buffer, position), null)
  assert.equal(batch.baseTimestamp(buffer, position), record.timestamp)
  assert.equal(batch.maxTimestamp(buffer, position), 1_800_000_000_000)
  assert.equal(batch.producerId(buffer, position), 2 ** 53 - 1)
  assert.equal(batch.hasProducerId(buffer, position), true)
  assert.equal(batch.producerEpoch(buffer, position), 32_767)
  assert.equal(batch.baseSequence(buffer, position), 0x7fff_fffd)
  assert.equal(batch.lastSequence(buffer, position), 1, 'after 2^31 - 1 comes 0')
  assert.equal(batch.recordsCount(buffer, position), 2)
})

test('sequences come round after 2^31 - 1, and no sequence stays none', () => {
  assert.equal(batch.incrementSequence(0x7fff_ffff, 0), 0x7fff_ffff)
  assert.equal(batch.incrementSequence(0x7fff_ffff, 1), 0)
  assert.equal(batch.incrementSequence(0x7fff_fff0, 0x20), 0x10)
  assert.equal(batch.lastSequence(one(), 0), -1)
})

test('stamping an offset and an epoch leaves the checksum alone', () => {
  const bytes = one()
  const before = Buffer.from(bytes)
  batch.stamp(bytes, 0, 123_456_789_012, 42)
  assert.equal(batch.baseOffset(bytes, 0), 123_456_789_012)
  assert.equal(batch.partitionLeaderEpoch(bytes, 0), 42)
  assert.ok(batch.hasValidCrc(bytes, 0))
  assert.deepEqual(bytes.subarray(16), before.subarray(16))
})

test('stamping the time of the append changes what readers see and renews the checksum', () => {
  const bytes = one()
  batch.stampLogAppendTime(bytes, 0, 1_800_000_000_123)
  assert.ok(batch.hasValidCrc(bytes, 0))
  assert.equal([...readRecords(bytes, 0)][0]?.timestamp, 1_800_000_000_123)
  assert.equal(batch.baseTimestamp(bytes, 0), record.timestamp, 'the bytes of the records keep their own')
  batch.stampMaxTimestamp(bytes, 0, record.timestamp)
  assert.deepEqual(bytes, one(), 'and back')
})

test('attributes that are written anew lose the bits that mean nothing', () => {
  for (const stamp of [batch.stampLogAppendTime, batch.stampMaxTimestamp]) {
    const bytes = one()
    const plain = one()
    bytes[21] = 0x12
    bytes[22] = bytes[22]! | 0x80
    stamp(bytes, 0, 1_800_000_000_123)
    stamp(plain, 0, 1_800_000_000_123)
    assert.deepEqual(bytes, plain)
  }
})

test('a batch that is shorter than its header has an extent, but no size', () => {
  const bytes = one()
  bytes.writeInt32BE(48, 8)
  assert.equal(batch.batchExtentAt(bytes, 0, bytes.length), 60)
  assert.equal(batch.batchExtentAt(bytes, 0, 59), 0)
  assert.throws(() => batch.batchSizeAt(bytes, 0, bytes.length), /the size 60 is smaller/)
  bytes.writeInt32BE(13, 8)
  assert.throws(() => batch.batchExtentAt(bytes, 0, bytes.length), /less than the minimum record overhead/)
})

test('the batches of a buffer are found one after the other, up to a cut tail', () => {
  const bytes = one()
  const three = Buffer.concat([bytes, bytes, bytes])
  for (let cut = 0; cut < bytes.length; cut++) {
    const positions = [...batch.batchPositions(three.subarray(0, three.length - cut))]
    assert.deepEqual(positions, cut === 0 ? [0, 70, 140] : [0, 70], `${cut} bytes cut`)
  }
  assert.deepEqual([...batch.batchPositions(three, 70, 140)], [70], 'nor past the end that is given')
})

test('where no batch can begin, it says so instead of guessing', () => {
  const broken = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(one())
    change(bytes)
    return () => [...batch.batchPositions(bytes)]
  }
  const corrupt = (pattern: RegExp) => (error: unknown) => {
    assert.ok(error instanceof InvalidRecordError)
    assert.equal(error.kind, 'CORRUPT_MESSAGE')
    assert.match(error.message, pattern)
    return true
  }
  assert.throws(
    broken(bytes => bytes.writeInt32BE(13, 8)),
    corrupt(/Record size 13 is less than the minimum/),
  )
  assert.throws(
    broken(bytes => bytes.writeInt32BE(-2, 8)),
    corrupt(/Record size -2 is less than the minimum/),
  )
  assert.throws(
    broken(bytes => bytes.writeInt8(3, 16)),
    corrupt(/Invalid magic found in record: 3/),
  )
  assert.throws(
    broken(bytes => bytes.writeInt8(-1, 16)),
    corrupt(/Invalid magic found in record: -1/),
  )
  assert.throws(
    broken(bytes => bytes.writeInt32BE(48, 8)),
    corrupt(/the size 60 is smaller than .* 61/),
  )
  assert.deepEqual(broken(bytes => bytes.writeInt32BE(0x7fff_ffff, 8))(), [], 'a size beyond the bytes is a cut tail')
})
