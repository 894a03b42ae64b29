import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reader } from '#protocol/reader.js'
import { REFERENCE_BYTES_MIN, Writer } from '#protocol/writer.js'

test('large byte fields are taken by reference, small ones are copied', () => {
  const large = Buffer.alloc(REFERENCE_BYTES_MIN, 1)
  const small = Buffer.from([7, 7])
  const writer = new Writer(Buffer.alloc(8))
  writer.int32(1)
  writer.bytes(large)
  writer.bytes(small)
  writer.int64(-2)
  assert.equal(writer.length, 4 + large.length + 2 + 8)
  const chunks = writer.finish()
  assert.equal(chunks.length, 3)
  assert.equal(chunks[1], large)
  assert.equal(Buffer.concat(chunks).length, 4 + large.length + 2 + 8)
})

test('whatever the first buffer is, growing keeps what was written', () => {
  for (let size = 0; size < 40; size++) {
    const writer = new Writer(Buffer.alloc(size))
    for (let i = 0; i < 10; i++) {
      writer.bool(true)
      writer.int16(-3)
      writer.int64(Number.MAX_SAFE_INTEGER)
      writer.unsignedVarint(0xffffffff)
      writer.float64(0.5)
      writer.utf8('é', 2)
    }
    const reader = new Reader(writer.toBuffer())
    for (let i = 0; i < 10; i++) {
      assert.equal(reader.bool(), true)
      assert.equal(reader.int16(), -3)
      assert.equal(reader.int64(), Number.MAX_SAFE_INTEGER)
      assert.equal(reader.unsignedVarint(), 0xffffffff)
      assert.equal(reader.float64(), 0.5)
      assert.equal(reader.string(2), 'é')
    }
    reader.finish()
  }
})

test('an int64 that a number cannot hold is refused, INT64_MAX of an unbounded one is Infinity', () => {
  const bytes = Buffer.from('7fffffffffffffff', 'hex')
  assert.throws(() => new Reader(bytes).int64(), /out of range/)
  assert.equal(new Reader(bytes).int64Unbounded(), Infinity)
  const writer = new Writer()
  writer.int64Unbounded(Infinity)
  assert.ok(writer.toBuffer().equals(bytes))
  assert.throws(() => new Writer().int64(2 ** 53), RangeError)
})
