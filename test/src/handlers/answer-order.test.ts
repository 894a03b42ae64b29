import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inOrderOfHash, inOrderOfScalaSet, topicsInOrder } from '#src/handlers/answer-order.js'
import { TestCluster } from './admin-support.js'

/** What Apache Kafka 4.4 answers. */
const allTopics = ['x.y', 'm7', 'ok1', 'bc7', 'nope0', 'nope1', 'v2', 'nodup', 't1', 'v3', 'v4', 'as1', 'nope3']
const listed = ['m7', 't1', 'v2', 'v3', 'v4', 'as1', 'bc7', 'ok1', 'x.y', 'nodup', 'nope0', 'nope1', 'nope3']

test('all topics come in the order of those of Kafka, whenever they were created', () => {
  const cluster = new TestCluster()
  for (const name of listed.slice(1)) cluster.createTopic(name)
  assert.equal(topicsInOrder(cluster.image).length, listed.length - 1)
  cluster.createTopic('m7')
  assert.deepEqual(
    topicsInOrder(cluster.image).map(topic => topic.name),
    [...allTopics],
  )
})

test('names by hash', () => {
  assert.deepEqual(inOrderOfHash(allTopics), listed)
})

test('up to four names keep their order, more have that of a Scala set', () => {
  assert.deepEqual(inOrderOfScalaSet(['t2', 't1', 't2']), ['t2', 't1'])
  assert.deepEqual(inOrderOfScalaSet(['p1', 'p2', 't1', 'v2', 'v3', 'm7']), ['m7', 'v2', 'p2', 'v3', 't1', 'p1'])
})
