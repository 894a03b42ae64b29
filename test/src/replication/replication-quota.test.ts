import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReplicationQuota, ThrottledReplicas } from '#src/replication/replication-quota.js'

test('replicas are named as pairs of partition and broker, or all', () => {
  assert.equal(ThrottledReplicas.of([]), null)
  const some = ThrottledReplicas.of(['0:1', '3:2'])!
  assert.deepEqual([some.has(0, 1), some.has(3, 2), some.has(0, 2), some.has(1, 1)], [true, true, false, false])
  assert.equal(ThrottledReplicas.of(['*'])!.has(7, 7), true)
})

test('the limit is on the bytes of the windows that are kept', () => {
  let limit = 100
  const quota = new ReplicationQuota({ bytesPerSecondMax: () => limit, windowCount: 11, windowMs: 1000 })
  quota.record(900, 0)
  assert.equal(quota.isExceeded(0), false, 'ten windows stand behind it')
  quota.record(200, 500)
  assert.equal(quota.isExceeded(500), true)
  limit = Infinity
  assert.equal(quota.isExceeded(500), false)
  limit = 100
  assert.ok(quota.rate(10_999) < 101)
  assert.equal(quota.rate(20_000), 0, 'all windows have gone by')
  quota.record(100_000, 20_000)
  assert.equal(quota.isExceeded(20_000), true)
  assert.equal(quota.isExceeded(32_000), false)
})
