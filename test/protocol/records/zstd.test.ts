import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  areCompressionsAtHand,
  compress,
  decompress,
  isCompressionLoaded,
  loadCompression,
  loadCompressionsWhenNeeded,
} from '#protocol/records/compression.js'

// Of this file alone: the codec belongs to the process.
test('zstd is loaded by the first batch that needs it, without waiting for anything', async () => {
  let reads = 0
  loadCompressionsWhenNeeded(path => {
    reads++
    return readFileSync(path)
  })
  assert.equal(areCompressionsAtHand(), true)
  assert.equal(reads, 0)
  const plain = Buffer.from('a record, '.repeat(1000))
  const deflated = compress('zstd', plain)
  assert.ok(deflated.length < 100)
  assert.deepEqual(decompress('zstd', deflated, plain.length), plain)
  assert.equal(isCompressionLoaded('zstd'), true)
  await loadCompression('zstd')
  assert.equal(reads, 1)
})
