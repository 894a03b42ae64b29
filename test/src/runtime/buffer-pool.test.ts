import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BufferPool } from '#src/runtime/buffer-pool.js'

test('a buffer that was given back is used again for the same size', () => {
  const pool = new BufferPool()
  for (const bytes of [1, 16384, 16385, 20480, 65536, 1048576, 1048576 + 4096, 4 * 1048576]) {
    const buffer = pool.take(bytes)
    assert.ok(buffer.length >= bytes, `${bytes}`)
    assert.ok(buffer.length <= Math.max(20480, 2 * bytes + 4096), `${bytes} got ${buffer.length}`)
    pool.give(buffer)
    assert.equal(pool.take(bytes), buffer)
  }
})

test('a round size has room for a header without the next larger buffer', () => {
  assert.equal(new BufferPool().take(1048576 + 4000).length, 1048576 + 4096)
})

test('very large buffers are exact and are not kept', () => {
  const pool = new BufferPool()
  const buffer = pool.take(100_000_000)
  assert.equal(buffer.length, 100_000_000)
  pool.give(buffer)
  assert.equal(pool.idleBytes, 0)
})

test('what lies idle is bounded, and let go of in the course of time', () => {
  const pool = new BufferPool()
  const buffers = Array.from({ length: 100 }, () => pool.take(65536))
  for (const buffer of buffers) pool.give(buffer)
  assert.ok(pool.idleBytes <= 16 * 1048576)
  for (let i = 0; i < 20; i++) pool.trim()
  assert.equal(pool.idleBytes, 0)
})

test('what is in use now and then is kept', () => {
  const pool = new BufferPool()
  const buffer = pool.take(65536)
  pool.give(buffer)
  for (let i = 0; i < 5; i++) {
    assert.equal(pool.take(65536), buffer)
    pool.give(buffer)
    pool.trim()
  }
})
