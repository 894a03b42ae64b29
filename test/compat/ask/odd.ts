import { stampCrc, writeInt16, writeInt32, writeInt64 } from '#protocol/records/batch.js'
import { buildBatch } from '#protocol/records/build.js'
import { ask, inVersions, type Step, untilLed } from './step.js'

/** What random requests have found: entries named twice, lists that are empty, sizes below zero, checks in another order. */
export function oddSteps(): Step[] {
  return [
    ask('CreateTopics', 7, {
      timeoutMs: 10_000,
      topics: ['odd', 'odd-too'].map(name => ({ name, numPartitions: 2, replicationFactor: 1 })),
    }),
    ask('CreateTopics', 7, {
      timeoutMs: 10_000,
      topics: [
        {
          name: 'odd-gzip',
          numPartitions: 1,
          replicationFactor: 1,
          configs: [{ name: 'compression.type', value: 'gzip' }],
        },
      ],
    }),
    ask(
      'Metadata',
      12,
      { topics: [{ name: 'odd' }], allowAutoTopicCreation: false },
      { save: { odd: '/topics/0/topicId' }, retry: { pointer: '/topics/0/errorCode', until: 0 } },
    ),
    ...untilLed('odd', 2),
    ...untilLed('odd-too', 2),
    ...untilLed('odd-gzip'),
    ...countSteps(),
    ...moveSteps(),
    ...optionSteps(),
    ...valueSteps(),
    ...featureSteps(),
    ...produceSteps(),
    ...readSteps(),
    ...otherwiseSteps(),
  ]
}

/** Ten thousand partitions are the limit of a request: of those that it would make. */
function countSteps(): Step[] {
  const create = (...topics: (readonly [name: string, numPartitions: number])[]) =>
    ask('CreateTopics', 7, {
      timeoutMs: 10_000,
      validateOnly: true,
      topics: topics.map(([name, numPartitions]) => ({ name, numPartitions, replicationFactor: 1 })),
    })
  const grow = (...topics: (readonly [name: string, count: number, assignments?: readonly object[]])[]) =>
    ask('CreatePartitions', 3, {
      timeoutMs: 10_000,
      validateOnly: true,
      topics: topics.map(([name, count, assignments = null]) => ({ name, count, assignments })),
    })
  return [
    create(['a b', 10_001], ['new', 1]),
    create(['odd', 10_001], ['new', 1]),
    create(['new', 10_001], ['new', 1], ['newer', 1]),
    create(['__cluster_metadata', 10_001], ['new', 1]),
    create(['__cluster_metadata', 1], ['__cluster_metadata', 1]),
    create(['new', -5], ['newer', 10_001]),
    grow(['odd', 6000], ['no-such-topic', 6000]),
    grow(['no-such-topic', 20_000], ['odd', 3]),
    grow(['no-such-topic', 2_147_483_647]),
    grow(['odd', 20_000, []]),
    grow(['odd', 20_000], ['odd', 3], ['odd-too', 3]),
    grow(['odd', 2_147_483_647], ['odd-too', -2_147_483_648]),
  ]
}

/** Leaders, replicas and directories. */
function moveSteps(): Step[] {
  const elect = (electionType: number, topicPartitions: readonly object[] | null) =>
    ask('ElectLeaders', 2, { electionType, timeoutMs: 10_000, topicPartitions })
  const reassign = (version: number, topics: readonly object[], more: object = {}) =>
    ask('AlterPartitionReassignments', version, { timeoutMs: 10_000, topics, ...more })
  const partition = (replicas: readonly number[] | null, name = 'odd', partitionIndex = 0) => [
    { name, partitions: [{ partitionIndex, replicas }] },
  ]
  const strict = { allowReplicationFactorChange: false }
  const move = (version: number, ...dirs: (readonly [path: string, topic: string, ...partitions: number[]])[]) =>
    ask('AlterReplicaLogDirs', version, {
      dirs: dirs.map(([path, name, ...partitions]) => ({ path, topics: [{ name, partitions }] })),
    })
  return [
    ...[9, -1].flatMap(type => [elect(type, []), elect(type, null), elect(type, [{ topic: 'odd', partitions: [] }])]),
    ...inVersions(0, 1, v => [null, [], [1], [2], [1, 1], [-1], [1, 2]].map(to => reassign(v, partition(to)))),
    ...[[1], [], [1, 2]].map(to => reassign(1, partition(to), strict)),
    ...inVersions(0, 1, v => reassign(v, partition([1], 'odd', 99))),
    ...inVersions(0, 1, v => reassign(v, partition([1], 'no-such-topic'))),
    ...inVersions(0, 1, v => reassign(v, [])),
    reassign(1, [], strict),
    reassign(1, partition([1]), { ...strict, timeoutMs: 0 }),
    ...inVersions(1, 2, v => move(v, ['/one', 'odd', 0, 0], ['/two', 'odd', 0])),
    ...inVersions(1, 2, v => move(v, ['/one', 'odd'], ['/one', 'odd-too', 0])),
    ask('UnregisterBroker', 0, { brokerId: 99 }),
    ask('UnregisterBroker', 0, { brokerId: -1 }),
    ...[[], ['X'], ['X', 'Y']].flatMap(names =>
      inVersions(0, 1, v =>
        ask('AddRaftVoter', v, {
          clusterId: null,
          voterId: 2,
          voterDirectoryId: 'AAAAAAAAAAAAAAAAAAABAA',
          listeners: names.map((name, port) => ({ name, host: 'localhost', port })),
        }),
      ),
    ),
  ]
}

const TOPIC = 2
const BROKER = 4
const BROKER_LOGGER = 8
const CLIENT_METRICS = 16
const GROUP = 32

type Entry = readonly [name: string, operation: number, value: string | null]

const alter = (resourceType: number, resourceName: string, ...entries: Entry[]) =>
  ask('IncrementalAlterConfigs', 1, {
    validateOnly: true,
    resources: [
      {
        resourceType,
        resourceName,
        configs: entries.map(([name, configOperation, value]) => ({ name, configOperation, value })),
      },
    ],
  })

/** Which of several mistakes is told. */
function optionSteps(): Step[] {
  const missing: Entry = ['retention.ms', 0, null]
  const twice: Entry[] = [
    ['retention.ms', 0, '1'],
    ['retention.ms', 0, '2'],
  ]
  const replace = (resourceType: number, resourceName: string, ...values: (string | null)[]) =>
    ask('AlterConfigs', 2, {
      validateOnly: true,
      resources: [{ resourceType, resourceName, configs: values.map(value => ({ name: 'retention.ms', value })) }],
    })
  return [
    ...[TOPIC, CLIENT_METRICS, GROUP, 99].flatMap(type =>
      ['a b', '', 'no-such-name'].flatMap(name => [
        alter(type, name, ['retention.ms', 2, '1']),
        alter(type, name, ['retention.ms', 9, '1']),
        alter(type, name, missing),
        alter(type, name, ...twice),
        alter(type, name, ['no.such', 0, '1']),
        alter(type, name),
      ]),
    ),
    ...['1', '', '2', 'x', '-1', '+1', '01', '2147483648'].flatMap(name => [
      alter(BROKER, name, ['no.such', 2, 'x']),
      alter(BROKER, name, ['num.io.threads', 9, 'x']),
      alter(BROKER, name, ['num.io.threads', 0, null]),
      alter(BROKER_LOGGER, name, ['root', 0, null]),
      alter(BROKER_LOGGER, name, ['root', 2, null]),
      alter(BROKER_LOGGER, name, ['root', 1, null]),
      alter(BROKER_LOGGER, name, ['root', 0, 'INFO'], ['root', 0, 'DEBUG']),
      ask('DescribeConfigs', 4, {
        resources: [{ resourceType: BROKER, resourceName: name, configurationKeys: ['node.id'] }],
      }),
      ask('DescribeConfigs', 4, {
        resources: [{ resourceType: BROKER_LOGGER, resourceName: name, configurationKeys: ['no.such'] }],
      }),
    ]),
    ...[TOPIC, BROKER, GROUP, BROKER_LOGGER].flatMap(type => [
      replace(type, 'a b', null),
      replace(type, 'a b', '1', '2'),
      replace(type, '', null),
    ]),
  ]
}

/** Values of a broker's options that it could not live with, or that are written in an uncommon way. */
function valueSteps(): Step[] {
  const set = (...values: (readonly [string, string])[]) =>
    ['1', ''].map(name => alter(BROKER, name, ...values.map(([option, value]): Entry => [option, 0, value])))
  const lag = 'log.remote.copy.lag'
  const ratio = (value: string) =>
    ask('CreateTopics', 7, {
      timeoutMs: 10_000,
      validateOnly: true,
      topics: [
        {
          name: 'ratio',
          numPartitions: 1,
          replicationFactor: 1,
          configs: [{ name: 'min.cleanable.dirty.ratio', value }],
        },
      ],
    })
  return [
    ...['max.connections', 'max.connection.creation.rate'].flatMap(option =>
      ['0', '-1', '1'].flatMap(value => [
        ...set([option, value]),
        ...set([`listener.name.plaintext.${option}`, value]),
      ]),
    ),
    ...set(['max.connections', '0'], ['listener.name.plaintext.max.connections', '5']),
    ...set(['max.connections', '0'], ['num.io.threads', '1000']),
    ...set([`${lag}.ms`, '604800000']),
    ...set([`${lag}.ms`, '604800001']),
    ...set([`${lag}.ms`, '2000'], ['log.local.retention.ms', '1000']),
    ...set([`${lag}.ms`, '2000'], ['log.retention.ms', '-1']),
    ...set([`${lag}.ms`, '-1'], ['log.local.retention.ms', '1000']),
    ...set([`${lag}.bytes`, '2000'], ['log.retention.bytes', '1000']),
    ...set([`${lag}.bytes`, '2000'], ['log.local.retention.bytes', '1000'], ['log.retention.bytes', '5000']),
    ...['delete,delete', ',', 'a,b,,', 'compact, compact'].flatMap(value => [
      ...set(['log.cleanup.policy', value]),
      ...set(['sasl.enabled.mechanisms', value]),
    ]),
    alter(BROKER, '1', ['log.cleanup.policy', 2, 'compact,compact']),
    ask('IncrementalAlterConfigs', 1, {
      resources: [
        {
          resourceType: GROUP,
          resourceName: 'odd',
          configs: [{ name: 'consumer.assignor.offload.enable', configOperation: 0, value: ' FALSE ' }],
        },
      ],
    }),
    { sleep: 300 },
    ask(
      'DescribeConfigs',
      4,
      { includeSynonyms: true, resources: [{ resourceType: GROUP, resourceName: 'odd', configurationKeys: null }] },
      { ignore: ['documentation'] },
    ),
    ...['0x1p-1', '0X1.8P-2f', '0x.8p0', '0x1', '.5', '0.5D', '+5e-1', '1e-400'].map(ratio),
  ]
}

function featureSteps(): Step[] {
  const update = (...updates: (readonly [feature: string, level: number, upgradeType: number])[]) =>
    ask('UpdateFeatures', 1, {
      timeoutMs: 10_000,
      validateOnly: true,
      featureUpdates: updates.map(([feature, maxVersionLevel, upgradeType]) => ({
        feature,
        maxVersionLevel,
        upgradeType,
      })),
    })
  const feature = 'metadata.version'
  return [
    update([feature, 7, 3], [feature, 32, -1]),
    update([feature, 32, -1], [feature, 33, 1]),
    update([feature, 99, 1], [feature, 33, 1]),
    update([feature, 99, 1], ['no.such', 1, 1]),
    update(['kraft.version', 9, 1], ['no.such', 1, 1]),
  ]
}

/** A batch that is too short for its header concerns its partition alone, and a partition that is not there comes first. */
function produceSteps(): Step[] {
  const now = Date.now()
  const good = Buffer.from(buildBatch({ records: [{ timestamp: now, key: null, value: Buffer.from('v') }] }))
  const changed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(good)
    change(bytes)
    return bytes
  }
  const bad = [
    changed(bytes => writeInt32(bytes, 8, 48)),
    changed(bytes => writeInt32(bytes, 8, 14)),
    changed(bytes => writeInt32(bytes, 8, 13)),
    changed(bytes => writeInt32(bytes, 8, 1000)),
    Buffer.concat([good, changed(bytes => writeInt32(bytes, 8, 48))]),
    changed(bytes => {
      writeInt16(bytes, 21, 0x80)
      writeInt64(bytes, 27, 0)
      stampCrc(bytes, 0)
    }),
  ]
  const send = (version: number, ...partitions: (readonly [name: string, index: number, records: Buffer])[]) =>
    ask('Produce', version, {
      acks: 1,
      timeoutMs: 10_000,
      topicData: partitions.map(([name, index, records]) => ({
        ...(version >= 13 ? { topicId: name === 'odd' ? '$odd' : 'AAAAAAAAAAAAAAAAAAABAA' } : { name }),
        partitionData: [{ index, records: { hex: records.toString('hex') } }],
      })),
    })
  const unheardOf = [
    changed(bytes => writeInt64(bytes, 27, -2)),
    changed(bytes => writeInt64(bytes, 43, -2)),
    changed(bytes => writeInt64(bytes, 43, 9)),
  ]
  for (const bytes of unheardOf) stampCrc(bytes, 0)
  const anew = unheardOf.flatMap(records => ['odd-gzip', 'odd-too'].map(name => send(12, [name, 0, records])))
  const refused = [3, 8, 12, 13].flatMap(v => [
    ...bad.flatMap(records => [
      send(v, ['odd', 0, records]),
      send(v, ['odd', 99, records]),
      send(v, ['no-such-topic', 0, records]),
      // By id the answers come in an order that chance makes.
      ...(v < 13 ? [send(v, ['odd', 1, good], ['no-such-topic', 0, records])] : []),
    ]),
  ])
  return [...anew, ...refused]
}

function readSteps(): Step[] {
  const fetch = (version: number, partitions: readonly object[], more: object = {}, topic = 'odd') =>
    ask(
      'Fetch',
      version,
      {
        maxBytes: 100_000,
        ...(version >= 7 ? { sessionEpoch: -1 } : {}),
        topics: [{ ...(version >= 13 ? { topicId: '$odd' } : { topic }), partitions }],
        ...more,
      },
      { ignore: ['nodeEndpoints'] },
    )
  const at = (partition: number, fetchOffset: number, partitionMaxBytes: number) => ({
    partition,
    fetchOffset,
    partitionMaxBytes,
  })
  const none = (name: string) => ({ name, partitions: [] })
  return [
    ...[4, 7, 12].map(v => fetch(v, [at(0, 0, 1000)], {}, '')),
    ...[4, 12, 18].flatMap(v => [
      fetch(v, [at(1, 0, -1)]),
      fetch(v, [at(1, 2, -1)]),
      fetch(v, [at(1, 1_000_000, -1)]),
      fetch(v, [at(1, 0, 1000), at(0, 0, 1000)], { maxBytes: -1 }),
      ...[0, 1, 68, 70, 200].flatMap(maxBytes =>
        [0, 1].map(isolationLevel => fetch(v, [at(1, 0, 1000), at(0, 0, maxBytes)], { isolationLevel, maxBytes })),
      ),
    ]),
    ...inVersions(1, 11, v => ask('ListOffsets', v, { topics: [none('odd'), none('no-such-topic')] })),
    ...inVersions(0, 2, v => ask('DeleteRecords', v, { timeoutMs: 10_000, topics: [none('odd')] })),
  ]
}

/** What is answered otherwise on purpose: see allowed.ts. */
function otherwiseSteps(): Step[] {
  const records = buildBatch({ records: [{ timestamp: Date.now(), key: null, value: Buffer.from('v') }] })
  const data = { index: 0, records: { hex: Buffer.from(records).toString('hex') } }
  const zero = { topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitions: [{ partition: 0 }, { partition: 1 }] }
  return [
    ask(
      'Produce',
      12,
      { acks: 1, timeoutMs: 10_000, topicData: [{ name: 'odd-too', partitionData: [data, data] }] },
      { about: 'a partition twice' },
    ),
    ask('DescribeTopicPartitions', 0, { topics: [{ name: '' }] }, { about: 'an empty name' }),
    ask(
      'DescribeTopicPartitions',
      0,
      { topics: [{ name: 'odd' }], cursor: { topicName: 'odd', partitionIndex: 2_147_483_647 } },
      { about: 'the last cursor' },
    ),
    ask('Fetch', 13, { sessionEpoch: -1, topics: [zero] }, { about: 'the zero id twice' }),
    ask(
      'JoinGroup',
      3,
      {
        groupId: 'odd',
        sessionTimeoutMs: 30_000,
        rebalanceTimeoutMs: 1000,
        protocolType: 'consumer',
        protocols: ['00', '01'].map(hex => ({ name: 'range', metadata: { hex } })),
      },
      { about: 'a protocol twice', on: 'protocol-twice', wait: 2000 },
    ),
    { close: 'protocol-twice' },
  ]
}
