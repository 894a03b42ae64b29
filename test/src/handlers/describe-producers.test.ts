import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { DescribeProducers } from '#protocol/messages/describe-producers.js'
import { batchOf, produceTo, replicaSetting } from './replica-support.js'

test('the producers of a partition are described, by its leader alone', async () => {
  const { broker, client } = await replicaSetting()
  broker.createTopic('t', 2)
  broker.createTopic('elsewhere', 1, { replicas: [2] })
  produceTo(client, batchOf(['a', 'b'], { producerId: 7, producerEpoch: 3, baseSequence: 0 }))
  const ask = (name: string, index: number) => {
    const request = { topics: [{ name, partitionIndexes: [index] }] }
    return client.ask(DescribeProducers, 0, request).topics[0]!.partitions[0]!
  }
  const { activeProducers, ...rest } = ask('t', 0)
  assert.deepEqual(rest, { partitionIndex: 0, errorCode: 0, errorMessage: null })
  assert.deepEqual(
    activeProducers.map(each => ({ ...each })),
    [
      {
        producerId: 7,
        producerEpoch: 3,
        lastSequence: 1,
        lastTimestamp: 1_700_000_000_000,
        coordinatorEpoch: -1,
        currentTxnStartOffset: -1,
      },
    ],
  )
  assert.deepEqual(ask('t', 1).activeProducers, [])
  const failures: [string, number, string, RegExp | null][] = [
    ['t', 9, 'UNKNOWN_TOPIC_OR_PARTITION', null],
    ['nope', 0, 'UNKNOWN_TOPIC_OR_PARTITION', /does not host this topic-partition/],
    ['elsewhere', 0, 'NOT_LEADER_OR_FOLLOWER', null],
    ['a/b', 0, 'INVALID_TOPIC_EXCEPTION', /^Topic name is invalid: 'a\/b' contains/],
  ]
  for (const [topic, partition, error, message] of failures) {
    const answer = ask(topic, partition)
    assert.equal(errorName(answer.errorCode), error)
    if (message === null) assert.equal(answer.errorMessage, null)
    else assert.match(answer.errorMessage!, message)
  }
})

test('the producers of a partition that is named twice are told once', async () => {
  const { broker, client } = await replicaSetting()
  broker.createTopic('t', 2)
  produceTo(client, batchOf(['a'], { producerId: 7, producerEpoch: 3, baseSequence: 0 }))
  const often = Array<number>(100_000).fill(0)
  const request = {
    topics: [
      { name: 't', partitionIndexes: [0, 1, ...often] },
      { name: 't', partitionIndexes: often },
    ],
  }
  const told = client
    .ask(DescribeProducers, 0, request)
    .topics.map(({ partitions }) =>
      partitions.map(({ partitionIndex, activeProducers }) => [partitionIndex, activeProducers.length]),
    )
  assert.deepEqual(told, [
    [
      [0, 1],
      [1, 0],
    ],
    [],
  ])
})

test('a name that is too long stands in messages in part', async () => {
  const { client } = await replicaSetting()
  const request = { topics: [{ name: 'x'.repeat(30_000), partitionIndexes: [0] }] }
  const { errorMessage } = client.ask(DescribeProducers, 0, request).topics[0]!.partitions[0]!
  assert.match(errorMessage!, /^Topic name is invalid: the length of 'x{300}\.\.\.' is longer than/)
})
