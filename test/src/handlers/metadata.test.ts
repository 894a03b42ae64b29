import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { Metadata } from '#protocol/messages/metadata.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { createTopics } from '#src/controller/create-topics.js'
import { TopicMaker } from '#src/controller/internal-topics.js'
import { metadata } from '#src/handlers/metadata.js'
import { type CallOptions, call, TestCluster } from './admin-support.js'

type Request = Parameters<typeof call<typeof Metadata.request.fields, typeof Metadata.response.fields, unknown>>[3]

function begin(options: Readonly<Record<string, string>> = {}, brokers: readonly number[] = [1]) {
  const cluster = new TestCluster({ options }, brokers)
  const topicMaker = new TopicMaker({
    create: request => cluster.run(createTopics(request), { timeoutMs: request.timeoutMs, untilPublished: true }),
    image: () => cluster.image,
    config: cluster.config,
    timeoutMs: 1,
  })
  const services = { brokerId: 1, clusterId: 'cluster', metadata: cluster, config: cluster.config, topicMaker }
  const ask = (request: Request, callOptions?: CallOptions) => call(Metadata, metadata, services, request, callOptions)
  return { cluster, services, ask }
}

const byName = (...names: readonly string[]) => names.map(name => ({ name, topicId: ZERO_UUID }))
const byId = (...ids: readonly string[]) => ids.map(topicId => ({ name: null, topicId }))
const brief = (response: Awaited<ReturnType<ReturnType<typeof begin>['ask']>>) =>
  response.topics.map(topic => [topic.name, topic.errorCode, topic.partitions.length])

test('the whole answer, as the newest version has it', async () => {
  const { cluster, ask } = begin()
  const topicId = cluster.createTopic('t', 1)
  assert.deepEqual(await ask({ topics: byName('t') }), {
    throttleTimeMs: 0,
    brokers: [{ nodeId: 1, host: 'localhost', port: 9001, rack: null }],
    clusterId: 'cluster',
    controllerId: 1,
    topics: [
      {
        errorCode: 0,
        name: 't',
        topicId,
        isInternal: false,
        partitions: [
          {
            errorCode: 0,
            partitionIndex: 0,
            leaderId: 1,
            leaderEpoch: 0,
            replicaNodes: [1],
            isrNodes: [1],
            offlineReplicas: [],
          },
        ],
        topicAuthorizedOperations: -2147483648,
      },
    ],
    clusterAuthorizedOperations: -2147483648,
    errorCode: 0,
  })
})

test('an empty list asks for all in version 0 and for nothing after it, null for all', async () => {
  const { cluster, ask } = begin()
  cluster.createTopic('a')
  cluster.createTopic('b')
  assert.equal((await ask({ topics: [] }, { apiVersion: 0 })).topics.length, 2)
  assert.equal((await ask({ topics: [] }, { apiVersion: 1 })).topics.length, 0)
  assert.equal((await ask({ topics: null }, { apiVersion: 1 })).topics.length, 2)
})

test('a topic that is not there is created and stands in the same answer, ready for use', async () => {
  const { cluster, ask } = begin({ 'num.partitions': '2' })
  assert.deepEqual(brief(await ask({ topics: byName('new') })), [['new', 0, 2]])
  assert.equal(cluster.image.topics.byName('new')!.partitions[0]!.leader, 1)
  assert.deepEqual(cluster.asked, [{ timeoutMs: 1, untilPublished: true }])
})

test('below version 4 a topic is created without being asked', async () => {
  assert.deepEqual(brief(await begin().ask({ topics: byName('new') }, { apiVersion: 3 })), [['new', 0, 1]])
})

test('nothing is created where client or broker do not want it, nor for a request for all', async () => {
  const missing = [['nope', 3, 0]]
  assert.deepEqual(brief(await begin().ask({ topics: byName('nope'), allowAutoTopicCreation: false })), missing)
  const forbidding = begin({ 'auto.create.topics.enable': 'false' })
  assert.deepEqual(brief(await forbidding.ask({ topics: byName('nope') })), missing)
  assert.deepEqual(brief(await begin().ask({ topics: null })), [])
})

test('what is there comes first, then illegal names, then what was created', async () => {
  const { cluster, ask } = begin()
  cluster.createTopic('t')
  assert.deepEqual(brief(await ask({ topics: byName('new', 't', 'a b', 't', '') })), [
    ['t', 0, 1],
    ['', 17, 0],
    ['a b', 17, 0],
    ['new', 0, 1],
  ])
})

test('a topic that cannot be created is not there, one whose fate is open has no leader yet', async () => {
  const { cluster, services, ask } = begin()
  cluster.createTopic('x.y')
  assert.deepEqual(brief(await ask({ topics: byName('x_y') })), [['x_y', 3, 0]])
  assert.deepEqual(brief(await ask({ topics: byName('__cluster_metadata') })), [['__cluster_metadata', 3, 0]])
  for (const code of [ErrorCode.REQUEST_TIMED_OUT, ErrorCode.NOT_CONTROLLER]) {
    const topicMaker = { autoCreate: () => new Map([['z', Promise.reject(new ApiError(code))]]) }
    const answer = await call(Metadata, metadata, { ...services, topicMaker }, { topics: byName('z') })
    assert.deepEqual(brief(answer), [['z', 5, 0]])
  }
})

test('an internal topic is created as an internal one', async () => {
  const { cluster, ask } = begin({ 'offsets.topic.num.partitions': '3', 'offsets.topic.replication.factor': '1' })
  const { topics } = await ask({ topics: byName('__consumer_offsets') })
  assert.deepEqual([topics[0]!.isInternal, topics[0]!.partitions.length], [true, 3])
  assert.deepEqual(Object.fromEntries(cluster.image.configs.of(2, '__consumer_offsets')), {
    'compression.type': 'producer',
    'cleanup.policy': 'compact',
    'segment.bytes': '104857600',
  })
})

test('topics are found by id; one id is enough for names not to count', async () => {
  const { cluster, ask } = begin()
  const id = cluster.createTopic('t')
  const unknown = 'AAAAAAAAAAAAAAAAAAAABA'
  assert.deepEqual(brief(await ask({ topics: byId(id) })), [['t', 0, 1]])
  assert.deepEqual(brief(await ask({ topics: [{ name: 'zzz', topicId: id }] })), [['t', 0, 1]])
  assert.deepEqual(brief(await ask({ topics: [...byName('nope'), ...byId(id)] })), [['t', 0, 1]])
  const { topics } = await ask({ topics: byId(id, unknown), includeTopicAuthorizedOperations: true })
  assert.deepEqual(
    topics.map(topic => [topic.name, topic.topicId, topic.errorCode, topic.topicAuthorizedOperations]),
    [
      [null, unknown, 100, -2147483648],
      ['t', id, 0, 3576],
    ],
  )
})

test('requests without sense are refused as a whole', async () => {
  const { cluster, ask } = begin()
  const topicId = cluster.createTopic('t')
  const asked = (topics: Request['topics'], apiVersion: number) => ask({ topics }, { apiVersion })
  await assert.rejects(asked([{ name: 't', topicId }], 10), { code: 42 })
  await assert.rejects(asked(byId(topicId), 11), { code: 42 })
  await assert.rejects(asked([{ name: null, topicId: ZERO_UUID }], 10), { code: 42 })
  await assert.rejects(asked([{ name: null, topicId: ZERO_UUID }], 12), { code: -1 })
})

test('authorized operations are told to who asks', async () => {
  const { ask } = begin()
  const flags = { includeClusterAuthorizedOperations: true, includeTopicAuthorizedOperations: true }
  const answer = await ask({ topics: byName('a b'), ...flags }, { apiVersion: 8 })
  assert.deepEqual([answer.clusterAuthorizedOperations, answer.topics[0]!.topicAuthorizedOperations], [8096, 3576])
})

/** Topic t on broker 1 (leader) and 2. */
function withTwo() {
  const world = begin({}, [1, 2])
  const { controller } = world.cluster
  const partition = {
    replicas: [1, 2],
    isr: [1, 2],
    leader: 1,
    leaderEpoch: 0,
    partitionEpoch: 0,
    leaderRecoveryState: 0,
  }
  const empty = { removingReplicas: [], addingReplicas: [], eligibleLeaderReplicas: null, lastKnownElr: null }
  const directories = [1, 2].map(id => controller.image.cluster.broker(id)!.directories[0]!)
  const topicId = 'AAAAAAAAAAAAAAAAAAAABA'
  controller.append([
    { type: 'TopicRecord', version: 0, value: { name: 't', topicId } },
    { type: 'PartitionRecord', version: 2, value: { partitionId: 0, topicId, ...partition, ...empty, directories } },
  ])
  return world
}

test('a replica that is away is offline, and in version 0 not there at all', async () => {
  const { cluster, ask } = withTwo()
  cluster.controller.heartbeat(2, { wantFence: true })
  const at = async (apiVersion: number) => {
    const answer = await ask({ topics: byName('t') }, { apiVersion })
    const { errorCode, replicaNodes, isrNodes, offlineReplicas } = answer.topics[0]!.partitions[0]!
    return [answer.brokers.length, errorCode, replicaNodes, isrNodes, offlineReplicas]
  }
  assert.deepEqual(await at(0), [1, 9, [1], [1], []])
  assert.deepEqual(await at(4), [1, 0, [1, 2], [1], []])
  assert.deepEqual(await at(5), [1, 0, [1, 2], [1], [2]])
})

test('who sees all brokers fenced, itself too, names itself: it answers', async () => {
  const { cluster, ask } = withTwo()
  const at = async (listenerName = 'PLAINTEXT') => {
    const answer = await ask({ topics: byName('t') }, { apiVersion: 13, listenerName })
    return [answer.brokers.map(({ nodeId }) => nodeId), answer.controllerId, answer.topics[0]!.partitions[0]!.leaderId]
  }
  cluster.controller.heartbeat(1, { wantFence: true })
  assert.deepEqual(await at(), [[2], 2, 2])
  cluster.controller.heartbeat(2, { wantFence: true })
  assert.deepEqual(await at(), [[1], -1, -1])
  assert.deepEqual(await at('OTHER'), [[], -1, -1])
})

test('a leader that is not on the listener is told by version', async () => {
  const { ask } = withTwo()
  const at = async (apiVersion: number) => {
    const answer = await ask({ topics: byName('t') }, { apiVersion, listenerName: 'OTHER' })
    const { errorCode, leaderId } = answer.topics[0]!.partitions[0]!
    return [answer.brokers.length, answer.controllerId, errorCode, leaderId]
  }
  assert.deepEqual(await at(5), [0, -1, 5, -1])
  assert.deepEqual(await at(6), [0, -1, 72, -1])
})

test('a partition without a leader has none to offer', async () => {
  const { cluster, ask } = begin()
  cluster.createTopic('t')
  cluster.controller.heartbeat(1, { wantFence: true })
  const { topics } = await ask({ topics: byName('t') })
  const { errorCode, leaderId, leaderEpoch } = topics[0]!.partitions[0]!
  assert.deepEqual([errorCode, leaderId, leaderEpoch], [5, -1, 1])
})

test('many who ask for the same new topic make it once', async () => {
  const { cluster, ask } = begin()
  const answers = await Promise.all([1, 2, 3].map(() => ask({ topics: byName('new') })))
  assert.deepEqual(answers.map(brief), [[['new', 0, 1]], [['new', 0, 1]], [['new', 0, 1]]])
  assert.equal(cluster.asked.length, 1)
})

test('every version can be written', async () => {
  const { cluster, ask } = begin()
  cluster.createTopic('t')
  for (let apiVersion = 0; apiVersion <= 13; apiVersion++) {
    assert.deepEqual(brief(await ask({ topics: byName('t') }, { apiVersion })), [['t', 0, 1]])
  }
})

test('as many illegal names as a request has room for are looked through once, not once for each', async () => {
  const { ask } = begin()
  const names = Array.from({ length: 200_000 }, (_, index) => `?${index}`)
  for (const allowAutoTopicCreation of [true, false]) {
    const { topics } = await ask(
      { topics: names.map(name => ({ name, topicId: ZERO_UUID })), allowAutoTopicCreation },
      { apiVersion: 9 },
    )
    assert.equal(topics.length, names.length)
    assert.ok(topics.every(({ errorCode }) => errorCode === ErrorCode.INVALID_TOPIC_EXCEPTION))
  }
})
