import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CreatePartitions } from '#protocol/messages/create-partitions.js'
import { createPartitions } from '#src/handlers/create-partitions.js'
import { call, TestCluster } from './admin-support.js'

test('partitions are added in every version, and the answer waits for this broker to show them', async () => {
  const cluster = new TestCluster()
  cluster.createTopic('t')
  for (let apiVersion = 0; apiVersion <= 3; apiVersion++) {
    const topics = [{ name: 't', count: 2 + apiVersion, assignments: null }]
    const request = { topics, timeoutMs: 9, validateOnly: false }
    const { results } = await call(CreatePartitions, createPartitions, { controller: cluster }, request, { apiVersion })
    assert.deepEqual(
      results.map(({ name, errorCode, errorMessage }) => [name, errorCode, errorMessage]),
      [['t', 0, null]],
    )
    assert.deepEqual(cluster.asked.pop(), { timeoutMs: 9, untilPublished: true })
  }
  assert.equal(cluster.image.topics.byName('t')!.partitions.length, 5)
})
