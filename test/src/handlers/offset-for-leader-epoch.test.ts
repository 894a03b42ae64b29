import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { OffsetForLeaderEpoch } from '#protocol/messages/offset-for-leader-epoch.js'
import { batchOf, produceTo, replicaSetting } from './replica-support.js'

test('the end of the largest epoch that is not above the one asked for, in every version', async () => {
  const { broker, client } = await replicaSetting()
  broker.createTopic('t', 2, { leaderEpoch: 1 })
  broker.createTopic('elsewhere', 1, { replicas: [2] })
  produceTo(client, batchOf(['a', 'b']))
  // Another election, won by the same broker.
  broker.changePartition('t', 0, { leader: 1 })
  broker.changePartition('t', 0, { leader: 1 })
  produceTo(client, batchOf(['c']))
  const ask = (
    leaderEpoch: number,
    options: { partition?: number; current?: number; topic?: string; version?: number } = {},
  ) => {
    const { partition = 0, current = -1, topic = 't', version = 4 } = options
    const response = client.ask(OffsetForLeaderEpoch, version, {
      replicaId: -1,
      topics: [{ topic, partitions: [{ partition, currentLeaderEpoch: current, leaderEpoch }] }],
    })
    const answer = response.topics[0]!.partitions[0]!
    assert.equal(answer.partition, partition)
    return [errorName(answer.errorCode), answer.leaderEpoch, answer.endOffset]
  }
  for (const version of [2, 3, 4]) {
    assert.deepEqual(ask(1, { version }), ['NONE', 1, 2])
    assert.deepEqual(ask(2, { version }), ['NONE', 1, 2])
    assert.deepEqual(ask(3, { version }), ['NONE', 3, 3])
  }
  assert.deepEqual(ask(0), ['NONE', 0, 0])
  assert.deepEqual(ask(4), ['NONE', -1, -1])
  assert.deepEqual(ask(-1), ['NONE', -1, -1])
  assert.deepEqual(ask(1, { partition: 1 }), ['NONE', 1, 0])
  assert.deepEqual(ask(3, { current: 3 }), ['NONE', 3, 3])
  assert.deepEqual(ask(3, { current: 2 }), ['FENCED_LEADER_EPOCH', -1, -1])
  assert.deepEqual(ask(3, { current: 9 }), ['UNKNOWN_LEADER_EPOCH', -1, -1])
  assert.deepEqual(ask(3, { partition: 7 }), ['UNKNOWN_TOPIC_OR_PARTITION', -1, -1])
  assert.deepEqual(ask(3, { topic: 'nope' }), ['UNKNOWN_TOPIC_OR_PARTITION', -1, -1])
  assert.deepEqual(ask(3, { topic: 'elsewhere' }), ['NOT_LEADER_OR_FOLLOWER', -1, -1])
})
