import { ask, inVersions, type Step } from './step.js'

const topic = (name: string, more: object = {}) => ({ name, numPartitions: 1, replicationFactor: 1, ...more })
const create = (version: number, topics: readonly object[], more: object = {}, step: Step = {}) =>
  ask('CreateTopics', version, { timeoutMs: 10_000, topics, ...more }, step)
const config = (name: string, value: string | null) => ({ name, value })

/** Values that topic options do not take, and some that they do. */
const CONFIGS: readonly (readonly [string, string | null])[] = [
  ['no.such.option', '1'],
  ['retention.ms', 'abc'],
  ['retention.ms', '-2'],
  ['retention.ms', '99999999999999999999'],
  ['retention.ms', ''],
  ['retention.ms', null],
  ['retention.ms', ' 1000 '],
  ['segment.bytes', '1'],
  ['segment.bytes', '1048575'],
  ['segment.bytes', '2147483648'],
  ['segment.ms', '0'],
  ['cleanup.policy', 'shred'],
  ['cleanup.policy', 'compact,delete'],
  ['cleanup.policy', 'delete,delete'],
  ['cleanup.policy', ''],
  ['compression.type', 'rar'],
  ['compression.type', 'zstd'],
  ['compression.gzip.level', '0'],
  ['compression.gzip.level', '10'],
  ['compression.zstd.level', '23'],
  ['compression.lz4.level', '18'],
  ['min.insync.replicas', '0'],
  ['min.cleanable.dirty.ratio', '1.5'],
  ['min.cleanable.dirty.ratio', 'x'],
  ['max.message.bytes', '-1'],
  ['message.timestamp.type', 'NoTime'],
  ['message.timestamp.type', 'LogAppendTime'],
  ['preallocate', 'maybe'],
  ['preallocate', 'TRUE'],
  ['flush.messages', '0'],
  ['min.compaction.lag.ms', '-1'],
  ['max.compaction.lag.ms', '0'],
  ['unclean.leader.election.enable', '1'],
  ['leader.replication.throttled.replicas', 'x'],
  ['leader.replication.throttled.replicas', '0:1'],
  ['leader.replication.throttled.replicas', '*'],
  ['index.interval.bytes', '-1'],
  ['segment.index.bytes', '3'],
  ['remote.storage.enable', 'true'],
  ['message.format.version', '2.0'],
]

export function topicSteps(): Step[] {
  return [
    ...createSteps(),
    ...configSteps(),
    ...metadataSteps(),
    ...describeSteps(),
    ...partitionSteps(),
    ...electionSteps(),
  ]
}

function createSteps(): Step[] {
  return [
    ...inVersions(2, 7, version => create(version, [topic(`made-v${version}`, { numPartitions: 3 })])),
    ...inVersions(2, 7, version => create(version, [topic(`made-v${version}`)], {}, { about: 'there already' })),
    ...inVersions(2, 7, version => create(version, [topic('only-checked')], { validateOnly: true })),
    ...inVersions(2, 7, version => create(version, [])),
    ...inVersions(4, 7, version =>
      create(version, [topic(`defaults-v${version}`, { numPartitions: -1, replicationFactor: -1 })]),
    ),
    ...inVersions(2, 3, version =>
      create(version, [topic(`defaults-v${version}`, { numPartitions: -1, replicationFactor: -1 })]),
    ),
    create(7, [topic('twice'), topic('twice')], {}, { about: 'twice in one request' }),
    create(4, [topic('twice'), topic('twice'), topic('once')], {}, { ignore: ['/topics'] }),
    ...['', '.', '..', 'a b', 'a/b', 'é', 'x'.repeat(249), 'x'.repeat(250), '__cluster_metadata'].map(name =>
      create(7, [topic(name)]),
    ),
    create(7, [topic('under_score')]),
    create(7, [topic('under.score')], {}, { about: 'collides with under_score' }),
    create(7, [topic('made_v7')], {}, { about: 'a dash collides with nothing' }),
    ...[0, -2, -100].flatMap(count => inVersions(6, 7, v => create(v, [topic('wrong', { numPartitions: count })]))),
    ...[0, -2, 2, 3, 32767].flatMap(factor =>
      inVersions(6, 7, v => create(v, [topic('wrong', { replicationFactor: factor })])),
    ),
    create(7, [topic('too-many', { numPartitions: 10_001 })]),
    create(7, [topic('wrong', { numPartitions: 0, replicationFactor: 0 })]),
    create(7, [topic('wrong', { configs: [config('no.such', '1')], numPartitions: 0 })]),
    ...assignmentSteps(),
    create(7, [topic('kept', { configs: [config('retention.ms', '3600000'), config('cleanup.policy', 'compact')] })]),
    create(5, [topic('kept-5', { configs: [config('segment.bytes', '1048576'), config('preallocate', 'true')] })]),
    create(2, [topic('kept-2', { configs: [config('segment.bytes', '1048576')] })]),
    create(7, [topic('same-twice', { configs: [config('segment.ms', '1000'), config('segment.ms', '2000')] })]),
    create(7, [topic('__consumer_offsets_like')]),
  ]
}

function assignmentSteps(): Step[] {
  const assigned = (name: string, assignments: readonly (readonly [number, readonly number[]])[], more: object = {}) =>
    topic(name, {
      numPartitions: -1,
      replicationFactor: -1,
      assignments: assignments.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds })),
      ...more,
    })
  return [
    create(7, [
      assigned('assigned', [
        [0, [1]],
        [1, [1]],
      ]),
    ]),
    create(7, [assigned('assigned-wrong', [[1, [1]]])], {}, { about: 'does not begin at 0' }),
    create(
      7,
      [
        assigned('assigned-wrong', [
          [0, [1]],
          [2, [1]],
        ]),
      ],
      {},
      { about: 'a hole' },
    ),
    create(
      7,
      [
        assigned('assigned-wrong', [
          [0, [1]],
          [0, [1]],
        ]),
      ],
      {},
      { about: 'twice' },
    ),
    create(7, [assigned('assigned-wrong', [[0, [1, 1]]])], {}, { about: 'the same broker twice' }),
    create(7, [assigned('assigned-wrong', [[0, [9]]])], {}, { about: 'an unknown broker' }),
    create(7, [assigned('assigned-wrong', [[0, []]])], {}, { about: 'no broker' }),
    create(7, [assigned('assigned-wrong', [[0, [-1]]])]),
    create(7, [assigned('assigned-wrong', [[0, [1]]], { numPartitions: 1 })], {}, { about: 'a count as well' }),
    create(7, [assigned('assigned-wrong', [[0, [1]]], { replicationFactor: 1 })], {}, { about: 'a factor as well' }),
  ]
}

function configSteps(): Step[] {
  return [
    ...CONFIGS.map(([name, value], index) =>
      create(7, [topic(`config-${index}`, { configs: [config(name, value)] })], { validateOnly: true }),
    ),
    ...CONFIGS.slice(0, 12).map(([name, value], index) =>
      create(4, [topic(`config-${index}`, { configs: [config(name, value)] })], { validateOnly: true }),
    ),
    create(
      7,
      [topic('lag', { configs: [config('min.compaction.lag.ms', '10'), config('max.compaction.lag.ms', '5')] })],
      { validateOnly: true },
    ),
    create(7, [topic('local', { configs: [config('local.retention.ms', '10'), config('retention.ms', '5')] })], {
      validateOnly: true,
    }),
  ]
}

function metadataSteps(): Step[] {
  const named = (...names: string[]) => names.map(name => ({ name }))
  const quiet = { allowAutoTopicCreation: false }
  return [
    ...inVersions(0, 13, v => ask('Metadata', v, { topics: named('made-v7'), ...(v >= 4 ? quiet : {}) })),
    ...inVersions(1, 13, v => ask('Metadata', v, { topics: [], ...(v >= 4 ? quiet : {}) }, { about: 'no topics' })),
    ...inVersions(4, 13, v => ask('Metadata', v, { topics: named('no-such-topic'), ...quiet })),
    ...inVersions(4, 13, v => ask('Metadata', v, { topics: named('a b'), ...quiet }, { about: 'not a name' })),
    ask('Metadata', 12, { topics: named(''), ...quiet }),
    ask('Metadata', 9, { topics: named('made-v7', 'made-v7'), ...quiet }, { ignore: ['/topics'] }),
    ...inVersions(8, 10, v =>
      ask('Metadata', v, { topics: named('made-v7'), includeClusterAuthorizedOperations: true, ...quiet }),
    ),
    ...inVersions(8, 13, v =>
      ask('Metadata', v, { topics: named('made-v7'), includeTopicAuthorizedOperations: true, ...quiet }),
    ),
    ask('Metadata', 12, { topics: named('made-v7'), ...quiet }, { save: { id: '/topics/0/topicId' } }),
    ...inVersions(12, 13, v => ask('Metadata', v, { topics: [{ name: null, topicId: '$id' }], ...quiet })),
    ...inVersions(12, 13, v =>
      ask('Metadata', v, { topics: [{ name: null, topicId: 'AAAAAAAAAAAAAAAAAAABAA' }], ...quiet }),
    ),
    ask(
      'Metadata',
      12,
      { topics: [{ name: null, topicId: '$id' }, { name: 'made-v6' }], ...quiet },
      { about: 'id and name' },
    ),
    ask(
      'Metadata',
      10,
      { topics: [{ name: 'made-v7', topicId: '$id' }], ...quiet },
      { about: 'an id before v12', on: 'm' },
    ),
    ask('Metadata', 11, { topics: [{ name: null }], ...quiet }, { about: 'neither', on: 'm' }),
    { close: 'm' },
    ask('Metadata', 12, { topics: [{ name: null }], ...quiet }, { about: 'neither', on: 'n' }),
    { close: 'n' },
  ]
}

function describeSteps(): Step[] {
  const names = (...topics: string[]) => ({ topics: topics.map(name => ({ name })) })
  return [
    ask('DescribeTopicPartitions', 0, names('made-v7')),
    ask('DescribeTopicPartitions', 0, names('made-v7', 'made-v6', 'no-such-topic')),
    ask('DescribeTopicPartitions', 0, { ...names('made-v7', 'made-v6'), responsePartitionLimit: 2 }),
    ask('DescribeTopicPartitions', 0, { ...names('made-v7', 'made-v6'), responsePartitionLimit: 4 }),
    ask('DescribeTopicPartitions', 0, { ...names('made-v7', 'made-v6'), responsePartitionLimit: 3 }),
    ask('DescribeTopicPartitions', 0, { ...names('made-v7'), cursor: { topicName: 'made-v7', partitionIndex: 1 } }),
    ask('DescribeTopicPartitions', 0, { ...names('made-v7'), cursor: { topicName: 'made-v7', partitionIndex: -1 } }),
    ask('DescribeTopicPartitions', 0, { ...names('made-v7'), cursor: { topicName: 'made-v7', partitionIndex: 7 } }),
    ask('DescribeTopicPartitions', 0, {
      ...names('made-v6', 'made-v7'),
      cursor: { topicName: 'made-v65', partitionIndex: 0 },
    }),
    ask('DescribeTopicPartitions', 0, { ...names('made-v6'), responsePartitionLimit: 0 }),
    ask('DescribeTopicPartitions', 0, names('a b')),
    ...inVersions(0, 2, v => ask('DescribeCluster', v, {})),
    ...inVersions(0, 2, v => ask('DescribeCluster', v, { includeClusterAuthorizedOperations: true })),
    ...inVersions(1, 2, v => ask('DescribeCluster', v, { endpointType: 2 }, { about: 'a controller is asked for' })),
    ...inVersions(1, 2, v => ask('DescribeCluster', v, { endpointType: 3 }, { about: 'no such type' })),
    ask('DescribeCluster', 2, { includeFencedBrokers: true }),
  ]
}

function partitionSteps(): Step[] {
  const grow = (
    version: number,
    name: string,
    count: number,
    assignments: readonly object[] | null = null,
    more = {},
  ) =>
    ask('CreatePartitions', version, {
      topics: [{ name, count, assignments }],
      timeoutMs: 10_000,
      validateOnly: false,
      ...more,
    })
  return [
    ask('CreateTopics', 7, { timeoutMs: 10_000, topics: [topic('growing')] }),
    ...inVersions(0, 3, v => grow(v, 'growing', v + 2)),
    ...inVersions(0, 3, v => grow(v, 'growing', 2)),
    ...inVersions(0, 3, v => grow(v, 'growing', 5)),
    ...inVersions(0, 3, v => grow(v, 'no-such-topic', 5)),
    ...[0, -1, -5].map(count => grow(3, 'growing', count)),
    grow(3, 'growing', 20_000),
    grow(3, 'growing', 9, null, { validateOnly: true }),
    grow(3, 'growing', 6, [{ brokerIds: [1] }]),
    grow(3, 'growing', 7, [{ brokerIds: [1] }, { brokerIds: [1] }]),
    grow(3, 'growing', 8, [{ brokerIds: [7] }]),
    grow(3, 'growing', 8, [{ brokerIds: [1, 1] }]),
    grow(3, 'growing', 8, [{ brokerIds: [] }]),
    grow(3, 'growing', 8, []),
    ask('CreatePartitions', 3, {
      topics: [
        { name: 'growing', count: 9 },
        { name: 'growing', count: 10 },
      ],
      timeoutMs: 10_000,
    }),
    ask('CreatePartitions', 3, { topics: [], timeoutMs: 10_000 }),
    ask('Metadata', 12, { topics: [{ name: 'growing' }], allowAutoTopicCreation: false }),
  ]
}

function electionSteps(): Step[] {
  const one = (name: string, ...partitions: number[]) => [{ topic: name, partitions }]
  return [
    ...inVersions(0, 2, v => ask('ElectLeaders', v, { topicPartitions: one('made-v7', 0), timeoutMs: 10_000 })),
    ...inVersions(1, 2, v =>
      ask('ElectLeaders', v, { electionType: 1, topicPartitions: one('made-v7', 0), timeoutMs: 10_000 }),
    ),
    ...inVersions(0, 2, v => ask('ElectLeaders', v, { topicPartitions: one('made-v7', 99), timeoutMs: 10_000 })),
    ask('ElectLeaders', 2, { topicPartitions: one('no-such-topic', 0), timeoutMs: 10_000 }),
    ask('ElectLeaders', 2, { electionType: 5, topicPartitions: one('made-v7', 0), timeoutMs: 10_000 }),
    ask(
      'ElectLeaders',
      2,
      { topicPartitions: null, timeoutMs: 10_000 },
      { about: 'all, in no order', ignore: ['/replicaElectionResults'] },
    ),
    ask('ElectLeaders', 2, { topicPartitions: [], timeoutMs: 10_000 }),
    ask('ListPartitionReassignments', 0, { topics: null, timeoutMs: 10_000 }),
    ask('ListPartitionReassignments', 0, { topics: [], timeoutMs: 10_000 }),
    ask('ListPartitionReassignments', 0, { topics: null, timeoutMs: 0 }),
    ask('ListPartitionReassignments', 0, {
      topics: [{ name: 'made-v7', partitionIndexes: [0, 99] }],
      timeoutMs: 10_000,
    }),
    ask('ListPartitionReassignments', 0, {
      topics: [{ name: 'no-such-topic', partitionIndexes: [0] }],
      timeoutMs: 10_000,
    }),
  ]
}

/** The last steps of the script: what was made is deleted. */
export function deletionSteps(): Step[] {
  return [
    ...inVersions(1, 5, v => ask('DeleteTopics', v, { topicNames: [`made-v${v}`], timeoutMs: 10_000 })),
    ...inVersions(1, 5, v => ask('DeleteTopics', v, { topicNames: ['no-such-topic'], timeoutMs: 10_000 })),
    ask('DeleteTopics', 5, { topicNames: ['made-v6', 'made-v6'], timeoutMs: 10_000 }, { about: 'twice' }),
    ask('DeleteTopics', 5, { topicNames: [], timeoutMs: 10_000 }),
    ask('DeleteTopics', 6, { topics: [{ name: 'made-v7' }], timeoutMs: 10_000 }),
    ask('DeleteTopics', 6, { topics: [{ name: 'made-v7' }], timeoutMs: 10_000 }, { about: 'gone already' }),
    ask('DeleteTopics', 6, { topics: [{ name: null, topicId: '$id' }], timeoutMs: 10_000 }, { about: 'gone, by id' }),
    ask('DeleteTopics', 6, { topics: [{ name: null }], timeoutMs: 10_000 }, { about: 'neither name nor id' }),
    ask('DeleteTopics', 6, { topics: [{ name: 'kept', topicId: '$id' }], timeoutMs: 10_000 }, { about: 'name and id' }),
    ask('DeleteTopics', 6, { topics: [{ name: '' }], timeoutMs: 10_000 }),
    ask(
      'Metadata',
      12,
      { topics: [{ name: 'made-v7' }], allowAutoTopicCreation: false },
      { about: 'deleted: a busy Kafka learns it a moment later', retry: { pointer: '/topics/0/errorCode', until: 3 } },
    ),
  ]
}
