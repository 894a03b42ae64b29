import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadCompression } from '#protocol/records/compression.js'
import { runSeed } from './run.js'

await loadCompression('zstd')

test('a run of one broker under faults keeps every promise, and is the same every time', async () => {
  const options = { nodes: 1, safetyMs: 3000 }
  const first = await runSeed(1, options)
  assert.equal(first.failure, null, `npm run sim -- --seed 1 --nodes 1: ${first.failure?.message}`)
  assert.ok(first.acknowledged > 0)
  const second = await runSeed(1, options)
  assert.equal(second.hash, first.hash)
  assert.equal(second.events, first.events)
})

test('a run of three brokers under faults keeps every promise, and is the same every time', async () => {
  const options = { nodes: 3, safetyMs: 3000, faults: ['kill', 'power', 'isolate', 'pause'] }
  const first = await runSeed(3, options)
  assert.equal(first.failure, null, `npm run sim -- --seed 3 --nodes 3: ${first.failure?.message}`)
  assert.ok(first.acknowledged > 0)
  const second = await runSeed(3, options)
  assert.equal(second.hash, first.hash)
  assert.equal(second.events, first.events)
})

test('different seeds are different runs', async () => {
  const options = { nodes: 1, safetyMs: 500 }
  const one = await runSeed(11, options)
  const other = await runSeed(12, options)
  assert.notEqual(one.hash, other.hash)
})
