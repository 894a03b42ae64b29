import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopics } from '#src/controller/create-topics.js'
import { TestController } from './support.js'

type Topic = Parameters<typeof createTopics>[0]['topics'][number]

function topic(name: string, changes: Partial<Topic> = {}): Topic {
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...changes }
}

function one(controller: TestController, request: Topic, validateOnly = false) {
  const { response } = controller.run(createTopics({ topics: [request], timeoutMs: 1000, validateOnly }))
  return response.topics[0]!
}

function ready(options: Readonly<Record<string, string>> = {}): TestController {
  const controller = new TestController({ options })
  controller.addBrokers(1)
  return controller
}

const configs = (...entries: readonly (readonly [string, string | null])[]) =>
  entries.map(([name, value]) => ({ name, value }))
const assigned = (...partitions: readonly (readonly [number, readonly number[]])[]): Partial<Topic> => ({
  numPartitions: -1,
  replicationFactor: -1,
  assignments: partitions.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds: [...brokerIds] })),
})

/** Requests that Apache Kafka 4.4 refuses, each with its answer. */
const refusals: readonly (readonly [string, Topic, number, string])[] = [
  [
    'no partitions',
    topic('m', { numPartitions: 0 }),
    37,
    'Number of partitions was set to an invalid non-positive value.',
  ],
  [
    '-2 partitions',
    topic('m', { numPartitions: -2 }),
    37,
    'Number of partitions was set to an invalid non-positive value.',
  ],
  [
    'no replicas',
    topic('m', { replicationFactor: 0 }),
    38,
    'Replication factor must be larger than 0, or -1 to use the default value.',
  ],
  [
    'more replicas than brokers',
    topic('m', { replicationFactor: 2 }),
    38,
    'Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned.',
  ],
  ['an empty name', topic(''), 17, 'Topic name is invalid: the empty string is not allowed'],
  ['a dot', topic('.'), 17, "Topic name is invalid: '.' is not allowed"],
  ['two dots', topic('..'), 17, "Topic name is invalid: '..' is not allowed"],
  [
    'a blank in the name',
    topic('a b'),
    17,
    "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
  ],
  [
    'a letter that is not ASCII',
    topic('é'),
    17,
    "Topic name is invalid: 'é' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
  ],
  [
    'a name of 250 characters',
    topic('a'.repeat(250)),
    17,
    `Topic name is invalid: the length of '${'a'.repeat(250)}' is longer than the max allowed length 249`,
  ],
  ['a topic that is there', topic('x.y'), 36, "Topic 'x.y' already exists."],
  ['a name that differs by a dot', topic('x_y'), 17, "Topic 'x_y' collides with existing topic: x.y"],
  [
    'an assignment with a count',
    topic('m', { ...assigned([0, [1]]), numPartitions: 2 }),
    42,
    'A manual partition assignment was specified, but numPartitions was not set to -1.',
  ],
  [
    'an assignment with a factor',
    topic('m', { ...assigned([0, [1]]), replicationFactor: 1 }),
    42,
    'A manual partition assignment was specified, but replication factor was not set to -1.',
  ],
  [
    'an assignment that begins at 1',
    topic('m', assigned([1, [1]])),
    39,
    'partitions should be a consecutive 0-based integer sequence',
  ],
  [
    'an assignment at -1',
    topic('m', assigned([-1, [1]])),
    39,
    'partitions should be a consecutive 0-based integer sequence',
  ],
  [
    'an unknown broker',
    topic('m', assigned([0, [2]])),
    39,
    'The manual partition assignment includes broker 2, but no such broker is registered.',
  ],
  [
    'an empty assignment',
    topic('m', assigned([0, []])),
    39,
    'The manual partition assignment includes an empty replica list.',
  ],
  [
    'a broker twice',
    topic('m', assigned([0, [1, 1]])),
    39,
    'The manual partition assignment includes the broker 1 more than once.',
  ],
  [
    'a partition twice',
    topic('m', assigned([0, [1]], [0, [1]])),
    39,
    'Found multiple manual partition assignments for partition 0',
  ],
  ['an unknown option', topic('m', { configs: configs(['nope', '1']) }), 40, 'Unknown topic config name: nope'],
  [
    'an option that is not a number',
    topic('m', { configs: configs(['segment.bytes', 'x']) }),
    40,
    'Invalid value x for configuration segment.bytes: Not a number of type INT',
  ],
  [
    'an option without a value',
    topic('m', { configs: configs(['segment.bytes', null]) }),
    40,
    'Null value not supported for topic configs: segment.bytes',
  ],
  [
    'options that contradict each other',
    topic('m', { configs: configs(['min.compaction.lag.ms', '100'], ['max.compaction.lag.ms', '10']) }),
    40,
    'conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (10)',
  ],
]

for (const [what, request, code, message] of refusals) {
  test(`${what} is refused as Kafka refuses it`, () => {
    const controller = ready()
    one(controller, topic('x.y'))
    const before = controller.log.length
    const answer = one(controller, request)
    assert.deepEqual([answer.errorCode, answer.errorMessage], [code, message])
    assert.deepEqual([answer.numPartitions, answer.replicationFactor, answer.configs], [-1, -1, []])
    assert.equal(controller.log.length, before)
  })
}

test('a topic begins with its record, its options and its partitions, in this order', () => {
  const controller = ready()
  const request = topic('t', {
    numPartitions: 2,
    configs: configs(['retention.ms', '5'], ['segment.bytes', '1048576']),
  })
  const { records } = controller.run(createTopics({ topics: [request], timeoutMs: 1, validateOnly: false }))
  assert.deepEqual(
    records.map(record => record.type),
    ['TopicRecord', 'ConfigRecord', 'ConfigRecord', 'PartitionRecord', 'PartitionRecord'],
  )
  const { id } = controller.image.topics.byName('t')!
  assert.deepEqual(records[3]!.value, {
    partitionId: 0,
    topicId: id,
    replicas: [1],
    isr: [1],
    removingReplicas: [],
    addingReplicas: [],
    leader: 1,
    leaderRecoveryState: 0,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: [controller.image.cluster.broker(1)!.directories[0]],
    eligibleLeaderReplicas: null,
    lastKnownElr: null,
  })
})

test('the answer has id, counts and all options of the new topic', () => {
  const controller = ready()
  const answer = one(controller, topic('t', { numPartitions: 3, configs: configs(['retention.ms', '5']) }))
  assert.equal(answer.errorCode, 0)
  assert.equal(answer.topicId, controller.image.topics.byName('t')!.id)
  assert.deepEqual([answer.numPartitions, answer.replicationFactor], [3, 1])
  assert.equal(answer.configs!.length, 37)
  const retention = answer.configs!.find(entry => entry.name === 'retention.ms')
  const expected = { name: 'retention.ms', value: '5', readOnly: false, configSource: 1, isSensitive: false }
  assert.deepEqual(retention, expected)
  const names = answer.configs!.map(entry => entry.name)
  assert.deepEqual(names, names.toSorted())
})

test('-1 stands for the defaults of the cluster', () => {
  const controller = ready({ 'num.partitions': '4' })
  assert.equal(one(controller, topic('t', { numPartitions: -1, replicationFactor: -1 })).numPartitions, 4)
})

test('an option that is given twice has the last value', () => {
  const controller = ready()
  one(controller, topic('t', { configs: configs(['retention.ms', '100'], ['retention.ms', '200']) }))
  assert.equal(controller.image.configs.of(2, 't').get('retention.ms'), '200')
})

test('topics stand or fall alone, doubles and the metadata topic are answered last', () => {
  const controller = ready()
  const topics = ['dup', 'a', '__cluster_metadata', 'a b', 'dup', 'z'].map(name => topic(name))
  const { response } = controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
  assert.deepEqual(
    response.topics.map(({ name, errorCode, errorMessage }) => [name, errorCode, errorMessage]),
    [
      ['a', 0, null],
      [
        'a b',
        17,
        "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
      ],
      ['z', 0, null],
      ['dup', 42, 'Duplicate topic name.'],
      ['__cluster_metadata', 42, 'Creation of internal topic __cluster_metadata is prohibited.'],
    ],
  )
  assert.deepEqual(controller.image.topics.sortedNames(), ['a', 'z'])
})

test('two names that collide with each other but with none that is there are both created', () => {
  const controller = ready()
  const topics = [topic('c.d'), topic('c_d')]
  const { response } = controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
  assert.deepEqual(
    response.topics.map(answer => answer.errorCode),
    [0, 0],
  )
  assert.equal(one(controller, topic('c_d')).errorMessage, "Topic 'c_d' already exists.")
})

test('a deleted topic collides with nothing', () => {
  const controller = ready()
  one(controller, topic('x.y'))
  const topicId = controller.image.topics.byName('x.y')!.id
  controller.append([{ type: 'RemoveTopicRecord', version: 0, value: { topicId } }])
  assert.equal(one(controller, topic('x_y')).errorCode, 0)
})

test('validate only gives the same answer and writes nothing', () => {
  const controller = ready()
  const before = controller.log.length
  const answer = one(controller, topic('t', { numPartitions: 3 }), true)
  assert.deepEqual([answer.errorCode, answer.numPartitions], [0, 3])
  assert.notEqual(answer.topicId, 'AAAAAAAAAAAAAAAAAAAAAA')
  assert.equal(controller.log.length, before)
})

test('more than ten thousand partitions in one request are refused as a whole', () => {
  const controller = ready()
  const run =
    (...counts: readonly number[]) =>
    () =>
      controller.run(
        createTopics({
          topics: counts.map((numPartitions, i) => topic(`big${i}`, { numPartitions })),
          timeoutMs: 1,
          validateOnly: true,
        }),
      )
  const tooMany = { code: 44, message: 'Excessively large number of partitions per request.' }
  assert.throws(run(10_001), tooMany)
  assert.throws(run(6000, 6000), tooMany)
  assert.throws(run(10_000), { code: 44, message: 'Unable to perform excessively large batch operation.' })
  assert.equal(run(9999)().response.topics[0]!.errorCode, 0)
  const refused = ['twice', 'twice', '__cluster_metadata'].map(name => topic(name, { numPartitions: 20_000 }))
  const { response } = controller.run(
    createTopics({ topics: [...refused, topic('made')], timeoutMs: 1, validateOnly: true }),
  )
  assert.deepEqual(
    response.topics.map(({ name, errorCode }) => [name, errorCode]),
    [
      ['made', 0],
      ['twice', 42],
      ['__cluster_metadata', 42],
    ],
  )
})

test('only brokers that are unfenced and stay can hold the first replica', () => {
  const controller = new TestController()
  controller.register(1)
  assert.equal(
    one(controller, topic('t')).errorMessage,
    'Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have all their log directories cordoned.',
  )
  assert.equal(
    one(controller, topic('t', assigned([0, [1]]))).errorMessage,
    'All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled shutdown.',
  )
})

test('partitions of one topic must have as many replicas each', () => {
  const controller = new TestController()
  controller.addBrokers(1, 2)
  assert.equal(
    one(controller, topic('t', assigned([0, [1, 2]], [1, [1]]))).errorMessage,
    'The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with previous partitions, which have 2 replica(s).',
  )
})

test('fenced replicas are assigned but not in sync', () => {
  const controller = new TestController()
  controller.addBrokers(2)
  controller.register(1)
  one(controller, topic('t', assigned([0, [1, 2]])))
  const { replicas, isr, leader } = controller.image.topics.partition('t', 0)!
  assert.deepEqual({ replicas, isr, leader }, { replicas: [1, 2], isr: [2], leader: 2 })
})
