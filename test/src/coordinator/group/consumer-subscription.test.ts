import assert from 'node:assert/strict'
import { test } from 'node:test'
import { subscribedTopicsOf } from '#src/coordinator/group/consumer-subscription.js'
import { subscription } from './group-script.js'

test('the topics of all members are taken together', () => {
  assert.deepEqual(
    subscribedTopicsOf([subscription('a', 'b'), subscription('b', 'c'), subscription()]),
    new Set(['a', 'b', 'c']),
  )
})

test('later versions begin as the first does', () => {
  const later = Buffer.concat([subscription('a'), Buffer.from([1, 2, 3])])
  later.writeInt16BE(9)
  assert.deepEqual(subscribedTopicsOf([later]), new Set(['a']))
})

test('what cannot be read makes everything unknown', () => {
  const cut = subscription('a').subarray(0, 8)
  for (const bytes of [Buffer.alloc(0), Buffer.from([0]), Buffer.from('??'), cut]) {
    assert.equal(subscribedTopicsOf([subscription('a'), bytes]), null)
  }
})
