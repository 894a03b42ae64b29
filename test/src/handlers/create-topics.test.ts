import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { createTopics } from '#src/handlers/create-topics.js'
import { call, TestCluster } from './admin-support.js'

const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }

test('topics are created in every version, and the answer waits for this broker to show them', async () => {
  for (let apiVersion = 2; apiVersion <= 7; apiVersion++) {
    const cluster = new TestCluster()
    const request = { topics: [topic, { ...topic, name: 'a b' }], timeoutMs: 77 }
    const { topics } = await call(CreateTopics, createTopics, { controller: cluster }, request, { apiVersion })
    assert.deepEqual(
      topics.map(({ name, errorCode }) => [name, errorCode]),
      [
        ['t', 0],
        ['a b', 17],
      ],
    )
    assert.deepEqual(cluster.asked, [{ timeoutMs: 77, untilPublished: true }])
    assert.equal(topics[0]!.configs!.length, apiVersion >= 5 ? 37 : 0)
    assert.deepEqual(topics[1]!.configs, [])
    const isTold = topics[0]!.topicId === cluster.image.topics.byName('t')!.id
    assert.equal(isTold, apiVersion >= 7)
  }
})
