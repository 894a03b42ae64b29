import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { ListOffsets } from '#protocol/messages/list-offsets.js'
import { buildBatch } from '#protocol/records/build.js'
import { produceTo, replicaSetting } from './replica-support.js'

const T = 1_700_000_000_000

interface Wanted {
  readonly topic?: string
  readonly partition?: number
  readonly timestamp: number
  readonly epoch?: number
  readonly isolationLevel?: number
  readonly replicaId?: number
}

function batchAt(...times: number[]): Buffer {
  return Buffer.from(
    buildBatch({ records: times.map(time => ({ timestamp: T + time, key: null, value: Buffer.from('v') })) }),
  )
}

/** Partition 0 has records at these times, partition 1 none. */
async function filled() {
  const setting = await replicaSetting()
  const { broker, client, clock } = setting
  broker.createTopic('t', 2)
  for (const times of [[0, 5, 3], [10], [2, 20]]) produceTo(client, batchAt(...times))
  const ask = async (wanted: Wanted, version = 7) => {
    client.send(ListOffsets, version, {
      replicaId: wanted.replicaId ?? -1,
      isolationLevel: wanted.isolationLevel ?? 0,
      topics: [
        {
          name: wanted.topic ?? 't',
          partitions: [
            {
              partitionIndex: wanted.partition ?? 0,
              timestamp: wanted.timestamp,
              currentLeaderEpoch: wanted.epoch ?? -1,
            },
          ],
        },
      ],
    })
    await clock.settle()
    const { errorCode, timestamp, offset, leaderEpoch } = client.receive(ListOffsets, version).topics[0]!.partitions[0]!
    return [errorName(errorCode), timestamp, offset, leaderEpoch]
  }
  return { ...setting, ask }
}

test('the special timestamps, each from its version on', async () => {
  const { ask } = await filled()
  for (let version = 1; version <= 11; version++) {
    const epoch = version >= 4 ? 0 : -1
    const unsupported = ['UNSUPPORTED_VERSION', -1, -1, -1]
    const found = (from: number, answer: unknown[]): unknown[] => (version >= from ? answer : unsupported)
    assert.deepEqual(await ask({ timestamp: -1 }, version), ['NONE', -1, 6, epoch], `latest ${version}`)
    assert.deepEqual(await ask({ timestamp: -2 }, version), ['NONE', -1, 0, epoch], `earliest ${version}`)
    assert.deepEqual(await ask({ timestamp: -3 }, version), found(7, ['NONE', T + 20, 5, 0]), `max ${version}`)
    assert.deepEqual(await ask({ timestamp: -4 }, version), found(8, ['NONE', -1, 0, 0]), `local ${version}`)
    assert.deepEqual(await ask({ timestamp: -5 }, version), found(9, ['NONE', -1, -1, -1]), `tiered ${version}`)
    assert.deepEqual(await ask({ timestamp: -6 }, version), found(11, ['NONE', -1, -1, -1]), `pending ${version}`)
    assert.deepEqual(await ask({ timestamp: -7 }, version), unsupported)
  }
})

test('by time: the first record that is not earlier, whatever comes after it', async () => {
  const { ask } = await filled()
  const expected: [number, number, number][] = [
    [-5, 0, 0],
    [0, 0, 0],
    [1, 5, 1],
    [5, 5, 1],
    [6, 10, 3],
    [10, 10, 3],
    [11, 20, 5],
    [20, 20, 5],
  ]
  for (const [asked, time, offset] of expected) {
    assert.deepEqual(await ask({ timestamp: T + asked }), ['NONE', T + time, offset, 0], `at ${asked}`)
  }
  assert.deepEqual(await ask({ timestamp: T + 21 }), ['NONE', -1, -1, -1])
  assert.deepEqual(await ask({ timestamp: 0 }), ['NONE', T, 0, 0])
  assert.deepEqual(await ask({ timestamp: 0, partition: 1 }), ['NONE', -1, -1, -1])
  assert.deepEqual(await ask({ timestamp: -3, partition: 1 }), ['NONE', -1, -1, -1])
  assert.deepEqual(await ask({ timestamp: -1, partition: 1 }), ['NONE', -1, 0, 0])
})

test('errors and epochs are those of Kafka', async () => {
  const { ask, broker } = await filled()
  broker.createTopic('elsewhere', 1, { replicas: [2] })
  const nothing = [-1, -1, -1]
  assert.deepEqual(await ask({ timestamp: -1, partition: 9 }), ['UNKNOWN_TOPIC_OR_PARTITION', ...nothing])
  assert.deepEqual(await ask({ timestamp: -1, partition: -1 }), ['UNKNOWN_TOPIC_OR_PARTITION', ...nothing])
  assert.deepEqual(await ask({ timestamp: -1, topic: 'nope' }, 1), ['UNKNOWN_TOPIC_OR_PARTITION', ...nothing])
  assert.deepEqual(await ask({ timestamp: -3, topic: 'nope' }, 6), ['UNSUPPORTED_VERSION', ...nothing])
  assert.deepEqual(await ask({ timestamp: -1, isolationLevel: 5 }), ['UNKNOWN_SERVER_ERROR', ...nothing])
  assert.deepEqual(await ask({ timestamp: -1, topic: 'elsewhere' }), ['NOT_LEADER_OR_FOLLOWER', ...nothing])
  assert.deepEqual(await ask({ timestamp: -1, epoch: 0 }), ['NONE', -1, 6, 0])
  assert.deepEqual(await ask({ timestamp: -1, epoch: 5 }), ['UNKNOWN_LEADER_EPOCH', ...nothing])
  assert.deepEqual(await ask({ timestamp: -1, epoch: -2 }), ['FENCED_LEADER_EPOCH', ...nothing])
  assert.deepEqual(await ask({ timestamp: -1, isolationLevel: 1 }), ['NONE', -1, 6, 0])
  assert.deepEqual(await ask({ timestamp: -1, replicaId: 5 }), ['NONE', -1, 6, 0])
})

test('a partition that is named twice is INVALID_REQUEST, once', async () => {
  const { client, clock } = await filled()
  const partitions = [
    { partitionIndex: 0, timestamp: -1 },
    { partitionIndex: 1, timestamp: -1 },
    { partitionIndex: 0, timestamp: -2 },
  ]
  for (const topics of [[partitions], [partitions.slice(0, 2), partitions.slice(2)]]) {
    const named = topics.map(each => ({ name: 't', partitions: each }))
    client.send(ListOffsets, 7, { replicaId: -1, isolationLevel: 0, topics: named })
  }
  await clock.settle()
  client.receive(ListOffsets, 7)
  const answers = client.receive(ListOffsets, 7).topics[0]!.partitions
  assert.deepEqual(
    answers.map(({ partitionIndex, errorCode }) => [partitionIndex, errorName(errorCode)]),
    [
      [0, 'INVALID_REQUEST'],
      [1, 'NONE'],
    ],
  )
})

test('consumers see what is committed, others the end; a new leader that does not know yet says so', async () => {
  const { ask, broker, client } = await filled()
  broker.createTopic('u', 1, { replicas: [1, 2], isr: [1, 2], config: {} })
  produceTo(client, batchAt(1, 2, 3), { topic: 'u', acks: 1 })
  assert.deepEqual(await ask({ topic: 'u', timestamp: -1 }), ['NONE', -1, 0, 0])
  assert.deepEqual(await ask({ topic: 'u', timestamp: -1, replicaId: 2 }), ['NONE', -1, 3, 0])
  assert.deepEqual(await ask({ topic: 'u', timestamp: T }), ['NONE', -1, -1, -1])
  broker.changePartition('u', 0, { leader: 2 })
  broker.changePartition('u', 0, { leader: 1 })
  assert.deepEqual(await ask({ topic: 'u', timestamp: -1 }, 5), ['OFFSET_NOT_AVAILABLE', -1, -1, -1])
  assert.deepEqual(await ask({ topic: 'u', timestamp: -1 }, 4), ['LEADER_NOT_AVAILABLE', -1, -1, -1])
  assert.deepEqual(await ask({ topic: 'u', timestamp: T }, 5), ['OFFSET_NOT_AVAILABLE', -1, -1, -1])
  assert.equal((await ask({ topic: 'u', timestamp: -2 }, 5))[0], 'NONE')
})

test('after records were deleted the start is where they end', async () => {
  const { ask, broker } = await filled()
  broker.replicas.partitionOf('t', 0).deleteRecords(2)
  assert.deepEqual(await ask({ timestamp: -2 }), ['NONE', -1, 2, 0])
  assert.deepEqual(await ask({ timestamp: T }), ['NONE', T + 3, 2, 0])
  broker.replicas.partitionOf('t', 0).deleteRecords(-1)
  assert.deepEqual(await ask({ timestamp: -2 }), ['NONE', -1, 6, 0])
  assert.deepEqual(await ask({ timestamp: 0 }), ['NONE', -1, -1, -1])
})

test('topics without partitions get no answer', async () => {
  const { client, clock } = await filled()
  client.send(ListOffsets, 7, { replicaId: -1, isolationLevel: 0, topics: [{ name: 't', partitions: [] }] })
  await clock.settle()
  assert.deepEqual(client.receive(ListOffsets, 7).topics, [])
})
