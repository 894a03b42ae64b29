import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNodeRandom } from '#src/runtime/node/random.js'

test('numbers are within their bound, and every one of a small bound comes', () => {
  const random = createNodeRandom()
  const seen = new Set<number>()
  for (let i = 0; i < 2000; i++) {
    const value = random.below(7)
    assert.ok(Number.isInteger(value) && value >= 0 && value < 7)
    seen.add(value)
  }
  assert.equal(seen.size, 7)
  assert.equal(random.below(1), 0)
  assert.ok(random.below(2 ** 53 - 1) < 2 ** 53)
  for (const bad of [0, -1, 1.5, Number.NaN]) assert.throws(() => random.below(bad), RangeError)
})

test('uuids are of version 4, in 22 characters, and never look like an option', () => {
  const random = createNodeRandom()
  const seen = new Set<string>()
  for (let i = 0; i < 1000; i++) {
    const uuid = random.uuid()
    assert.match(uuid, /^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
    const bytes = Buffer.from(uuid, 'base64url')
    assert.equal(bytes[6]! >> 4, 4)
    assert.equal(bytes[8]! >> 6, 2)
    seen.add(uuid)
  }
  assert.equal(seen.size, 1000)
})
