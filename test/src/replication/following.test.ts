import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fetchVersionsOf } from '#src/replication/cluster-replication.js'
import { fetcherNumber } from '#src/replication/following.js'

test('a partition has the fetcher that Kafka would give it', () => {
  assert.equal(fetcherNumber('t', 0, 3), 3596 % 3)
  assert.equal(fetcherNumber('mix', 1, 4), 3_351_845 % 4)
  // The hash of this name is the least of all, which has no positive counterpart: it counts as 0.
  assert.equal(fetcherNumber('polygenelubricants', 0, 7), 0)
  for (let index = 0; index < 100; index++) {
    const number = fetcherNumber('any-topic', index, 5)
    assert.ok(number >= 0 && number < 5)
  }
})

test('versions between brokers go by metadata.version', () => {
  assert.deepEqual(fetchVersionsOf(7), { fetch: 13, listOffsets: 7 })
  assert.deepEqual(fetchVersionsOf(10), { fetch: 15, listOffsets: 8 })
  assert.deepEqual(fetchVersionsOf(21), { fetch: 17, listOffsets: 9 })
  assert.deepEqual(fetchVersionsOf(27), { fetch: 18, listOffsets: 10 })
  assert.deepEqual(fetchVersionsOf(33), { fetch: 18, listOffsets: 11 })
})
