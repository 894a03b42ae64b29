import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DescribeTopicPartitions } from '#protocol/messages/describe-topic-partitions.js'
import { describeTopicPartitions } from '#src/handlers/describe-topic-partitions.js'
import { call, TestCluster } from './admin-support.js'

interface Ask {
  readonly names?: readonly string[]
  readonly limit?: number
  readonly cursor?: readonly [string, number]
}

function begin(options: Readonly<Record<string, string>> = {}) {
  const cluster = new TestCluster({ options })
  cluster.createTopic('b', 2)
  cluster.createTopic('a', 2)
  cluster.createTopic('c', 1)
  const services = { metadata: cluster, config: cluster.config }
  const ask = async ({ names = [], limit = 100, cursor }: Ask) => {
    const response = await call(DescribeTopicPartitions, describeTopicPartitions, services, {
      topics: names.map(name => ({ name })),
      responsePartitionLimit: limit,
      cursor: cursor === undefined ? null : { topicName: cursor[0], partitionIndex: cursor[1] },
    })
    const topics = response.topics.map(topic => [
      topic.name,
      topic.errorCode,
      topic.partitions.map(partition => partition.partitionIndex).join(),
    ])
    const { nextCursor } = response
    return { topics, next: nextCursor === null ? null : [nextCursor.topicName, nextCursor.partitionIndex] }
  }
  return { cluster, services, ask }
}

/** Requests and answers; the same that Apache Kafka 4.4 gives. */
const cases: readonly (readonly [string, Ask, readonly unknown[], readonly unknown[] | null])[] = [
  [
    'topics in the order of their names, with what is not there',
    { names: ['c', 'nope', 'a b', 'a', 'a'] },
    [
      ['a', 0, '0,1'],
      ['a b', 17, ''],
      ['c', 0, '0'],
      ['nope', 3, ''],
    ],
    null,
  ],
  [
    'all of them',
    {},
    [
      ['a', 0, '0,1'],
      ['b', 0, '0,1'],
      ['c', 0, '0'],
    ],
    null,
  ],
  [
    'a page that ends within a topic',
    { limit: 3 },
    [
      ['a', 0, '0,1'],
      ['b', 0, '0'],
    ],
    ['b', 1],
  ],
  ['a page that ends with a topic', { limit: 2 }, [['a', 0, '0,1']], ['b', 0]],
  [
    'the last page',
    { limit: 3, cursor: ['b', 1] },
    [
      ['b', 0, '1'],
      ['c', 0, '0'],
    ],
    null,
  ],
  ['a page of named topics', { names: ['c', 'b'], limit: 1, cursor: ['b', 1] }, [['b', 0, '1']], ['c', 0]],
  ['a limit below one is one', { names: ['a'], limit: -1 }, [['a', 0, '0']], ['a', 1]],
  ['a cursor past the partitions', { names: ['a'], cursor: ['a', 7] }, [['a', 0, '']], null],
  ['a cursor past all topics', { cursor: ['zz', 0] }, [], null],
  ['a cursor at a topic that is gone', { cursor: ['bb', 5] }, [['c', 0, '0']], null],
  [
    'a cursor at a topic that is gone but named',
    { names: ['c', 'bb'], cursor: ['bb', 0] },
    [
      ['bb', 3, ''],
      ['c', 0, '0'],
    ],
    null,
  ],
]

for (const [what, request, topics, next] of cases) {
  test(what, async () => {
    assert.deepEqual(await begin().ask(request), { topics, next })
  })
}

test('cursors without sense are refused as a whole', async () => {
  const { ask } = begin()
  await assert.rejects(ask({ names: ['a'], cursor: ['b', 0] }), { code: 42 })
  await assert.rejects(ask({ names: ['a'], cursor: ['a', -1] }), { code: 42 })
})

test('the broker has a limit of its own', async () => {
  const { ask } = begin({ 'max.request.partition.size.limit': '1' })
  assert.deepEqual(await ask({}), { topics: [['a', 0, '0']], next: ['a', 1] })
})

test('a partition is told with all that is known of it', async () => {
  const { cluster, services } = begin()
  cluster.controller.heartbeat(1, { wantFence: true })
  const topics = [{ name: 'c' }]
  const response = await call(DescribeTopicPartitions, describeTopicPartitions, services, { topics })
  assert.deepEqual(response.topics[0], {
    errorCode: 0,
    name: 'c',
    topicId: cluster.image.topics.byName('c')!.id,
    isInternal: false,
    partitions: [
      {
        errorCode: 0,
        partitionIndex: 0,
        leaderId: -1,
        leaderEpoch: 1,
        replicaNodes: [1],
        isrNodes: [],
        eligibleLeaderReplicas: [1],
        lastKnownElr: [1],
        offlineReplicas: [1],
      },
    ],
    topicAuthorizedOperations: 3576,
  })
})
