import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reader } from '#protocol/reader.js'
import { REFERENCE_BYTES_MIN, Writer } from '#protocol/writer.js'
import { SeededRandom, testSeed } from '../support/random.js'

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

/** A tree of sized parts as the writer writes it, and as plain buffers put together say it must be. */
function randomParts(random: SeededRandom, writer: Writer, depth: number): Buffer {
  const parts: Buffer[] = []
  for (let left = random.below(4); left > 0; left--) {
    if (depth > 0 && random.below(2) === 0) {
      let inner: Buffer = Buffer.alloc(0)
      writer.sized(() => {
        inner = randomParts(random, writer, depth - 1)
      })
      const size = new Writer()
      size.unsignedVarint(inner.length)
      parts.push(size.toBuffer(), inner)
    } else {
      const length = random.pick([0, 1, 5, 126, 127, 128, 300, REFERENCE_BYTES_MIN - 1, REFERENCE_BYTES_MIN, 20_000])
      const bytes = random.bytes(length)
      writer.bytes(bytes)
      parts.push(bytes)
    }
  }
  return Buffer.concat(parts)
}

test('what is written with its size has it in front, however long it is and whatever it refers to', () => {
  const random = new SeededRandom(testSeed())
  for (let round = 0; round < 1000; round++) {
    const writer = new Writer(Buffer.alloc(random.below(300)))
    const expected = randomParts(random, writer, 4)
    assert.equal(writer.length, expected.length)
    assert.ok(writer.toBuffer().equals(expected))
  }
})
