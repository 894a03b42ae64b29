import { ask, inVersions, type Step } from './step.js'

const TOPIC = 2
const BROKER = 4
const BROKER_LOGGER = 8
const CLIENT_METRICS = 16
const GROUP = 32
const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

/** Kafka applies options a little after it has answered. */
const SETTLE: Step = { sleep: 300 }

/** Texts of documentation are ours, not Kafka's. */
const ignore = ['documentation']
const describe = (
  version: number,
  resourceType: number,
  resourceName: string,
  keys: readonly string[] | null,
  more = {},
) =>
  ask(
    'DescribeConfigs',
    version,
    { resources: [{ resourceType, resourceName, configurationKeys: keys }], ...more },
    { ignore },
  )
const alter = (
  version: number,
  resourceType: number,
  resourceName: string,
  configs: readonly (readonly [string, number, string | null])[],
  more: object = {},
) =>
  ask('IncrementalAlterConfigs', version, {
    resources: [
      {
        resourceType,
        resourceName,
        configs: configs.map(([name, configOperation, value]) => ({ name, configOperation, value })),
      },
    ],
    ...more,
  })
const replace = (version: number, resourceType: number, resourceName: string, configs: object, more: object = {}) =>
  ask('AlterConfigs', version, {
    resources: [
      { resourceType, resourceName, configs: Object.entries(configs).map(([name, value]) => ({ name, value })) },
    ],
    ...more,
  })

export function configSteps(): Step[] {
  const topic = 'configured'
  const synonyms = { includeSynonyms: true }
  return [
    ask('CreateTopics', 7, {
      timeoutMs: 10_000,
      topics: [
        { name: topic, numPartitions: 1, replicationFactor: 1, configs: [{ name: 'retention.ms', value: '1000' }] },
      ],
    }),
    ...inVersions(1, 4, v => describe(v, TOPIC, topic, null)),
    ...inVersions(1, 4, v => describe(v, TOPIC, topic, ['retention.ms', 'segment.bytes', 'no.such'], synonyms)),
    ...inVersions(1, 4, v => describe(v, TOPIC, 'no-such-topic', null)),
    describe(4, TOPIC, 'a b', null),
    describe(4, TOPIC, topic, []),
    describe(4, TOPIC, topic, null, synonyms),
    ...inVersions(1, 4, v =>
      describe(v, BROKER, '1', ['num.partitions', 'log.retention.hours', 'ssl.key.password'], synonyms),
    ),
    describe(
      4,
      BROKER,
      '1',
      ['log.retention.ms', 'message.max.bytes', 'compression.type', 'min.insync.replicas'],
      synonyms,
    ),
    describe(4, BROKER, '2', null),
    describe(4, BROKER, 'x', null),
    describe(4, BROKER, '', null),
    describe(4, GROUP, 'some-group', null),
    describe(4, GROUP, '', null),
    describe(4, CLIENT_METRICS, 'some-metrics', null),
    describe(4, CLIENT_METRICS, '', null),
    describe(4, BROKER_LOGGER, '2', null),
    describe(4, BROKER_LOGGER, 'x', null),
    describe(4, 99, 'x', null),
    ...incrementalSteps(topic),
    ...replaceSteps(topic),
    ...brokerSteps(),
    ask('ListConfigResources', 0, {}),
    ask('ListConfigResources', 1, {}, { about: 'all, in no order', ignore: ['/configResources'] }),
    ask('ListConfigResources', 1, { resourceTypes: [CLIENT_METRICS] }),
    ask('ListConfigResources', 1, { resourceTypes: [BROKER] }),
    ask('ListConfigResources', 1, { resourceTypes: [99] }),
    ask('ListConfigResources', 1, { resourceTypes: [GROUP] }),
  ]
}

function incrementalSteps(topic: string): Step[] {
  return [
    ...inVersions(0, 1, v => alter(v, TOPIC, topic, [['retention.ms', SET, '2000']])),
    ...inVersions(0, 1, v => alter(v, TOPIC, topic, [['retention.ms', SET, 'abc']])),
    ...inVersions(0, 1, v => alter(v, TOPIC, 'no-such-topic', [['retention.ms', SET, '1']])),
    alter(1, TOPIC, topic, [['no.such', SET, '1']]),
    alter(1, TOPIC, topic, [['no.such', DELETE, null]]),
    alter(1, TOPIC, topic, [['retention.ms', SET, null]]),
    alter(1, TOPIC, topic, [['retention.ms', APPEND, '1']]),
    alter(1, TOPIC, topic, [['retention.ms', SUBTRACT, '1']]),
    alter(1, TOPIC, topic, [['retention.ms', 9, '1']]),
    alter(1, TOPIC, topic, [['cleanup.policy', APPEND, 'compact']]),
    SETTLE,
    describe(4, TOPIC, topic, ['cleanup.policy'], { includeSynonyms: true }),
    alter(1, TOPIC, topic, [['cleanup.policy', SUBTRACT, 'delete']]),
    SETTLE,
    describe(4, TOPIC, topic, ['cleanup.policy']),
    alter(1, TOPIC, topic, [['cleanup.policy', APPEND, 'shred']]),
    alter(1, TOPIC, topic, [
      ['segment.ms', SET, '5000'],
      ['segment.ms', SET, '6000'],
    ]),
    alter(1, TOPIC, topic, []),
    alter(1, TOPIC, '', [['segment.ms', SET, '1']]),
    alter(1, TOPIC, topic, [['segment.ms', SET, '5000']], { validateOnly: true }),
    SETTLE,
    describe(4, TOPIC, topic, ['segment.ms', 'retention.ms']),
    alter(1, TOPIC, topic, [['retention.ms', DELETE, null]]),
    SETTLE,
    describe(4, TOPIC, topic, ['retention.ms']),
    ask('IncrementalAlterConfigs', 1, {
      resources: [
        {
          resourceType: TOPIC,
          resourceName: topic,
          configs: [{ name: 'segment.ms', configOperation: SET, value: '1' }],
        },
        {
          resourceType: TOPIC,
          resourceName: topic,
          configs: [{ name: 'segment.ms', configOperation: SET, value: '2' }],
        },
      ],
    }),
    ask('IncrementalAlterConfigs', 1, { resources: [] }),
    alter(1, 99, 'x', [['a', SET, 'b']]),
    alter(1, GROUP, 'some-group', [['consumer.session.timeout.ms', SET, '50000']]),
    alter(1, GROUP, 'some-group', [['consumer.session.timeout.ms', SET, '1']]),
    alter(1, GROUP, 'some-group', [['no.such', SET, '1']]),
    alter(1, GROUP, '', [['consumer.session.timeout.ms', SET, '50000']]),
    describe(4, GROUP, 'some-group', ['consumer.session.timeout.ms']),
    alter(1, GROUP, 'some-group', [['consumer.session.timeout.ms', DELETE, null]]),
    alter(1, CLIENT_METRICS, 'some-metrics', [['interval.ms', SET, '1000']]),
    alter(1, CLIENT_METRICS, 'some-metrics', [['interval.ms', SET, '1']]),
    alter(1, CLIENT_METRICS, 'some-metrics', [['no.such', SET, '1']]),
    describe(4, CLIENT_METRICS, 'some-metrics', null),
    alter(1, CLIENT_METRICS, 'some-metrics', [['interval.ms', DELETE, null]]),
  ]
}

function replaceSteps(topic: string): Step[] {
  return [
    ...inVersions(0, 2, v => replace(v, TOPIC, topic, { 'segment.ms': '7000', 'retention.ms': '8000' })),
    SETTLE,
    describe(4, TOPIC, topic, ['segment.ms', 'retention.ms', 'cleanup.policy']),
    ...inVersions(0, 2, v => replace(v, TOPIC, topic, { 'segment.ms': '9000' })),
    SETTLE,
    describe(4, TOPIC, topic, ['segment.ms', 'retention.ms', 'cleanup.policy']),
    ...inVersions(0, 2, v => replace(v, TOPIC, topic, { 'segment.ms': 'x' })),
    ...inVersions(0, 2, v => replace(v, TOPIC, 'no-such-topic', { 'segment.ms': '1' })),
    replace(2, TOPIC, topic, { 'no.such': '1' }),
    replace(2, TOPIC, topic, { 'segment.ms': null }),
    replace(2, TOPIC, topic, {}, { validateOnly: true }),
    replace(2, TOPIC, topic, {}),
    SETTLE,
    describe(4, TOPIC, topic, ['segment.ms', 'retention.ms']),
    replace(2, 99, 'x', { a: 'b' }),
  ]
}

function brokerSteps(): Step[] {
  const synonyms = { includeSynonyms: true }
  return [
    alter(1, BROKER, '1', [['log.retention.ms', SET, '86400000']]),
    alter(1, BROKER, '', [['log.retention.ms', SET, '43200000']]),
    SETTLE,
    describe(4, BROKER, '1', ['log.retention.ms'], synonyms),
    describe(4, BROKER, '', ['log.retention.ms'], synonyms),
    describe(4, TOPIC, 'configured', ['retention.ms'], synonyms),
    alter(1, BROKER, '1', [['log.retention.ms', DELETE, null]]),
    alter(1, BROKER, '', [['log.retention.ms', DELETE, null]]),
    SETTLE,
    describe(4, BROKER, '1', ['log.retention.ms'], synonyms),
    alter(1, BROKER, '1', [['node.id', SET, '7']]),
    alter(1, BROKER, '1', [['no.such', SET, '7']]),
    alter(1, BROKER, '', [['process.roles', SET, 'broker']]),
    alter(1, BROKER, '2', [['log.retention.ms', SET, '1']]),
    alter(1, BROKER, 'x', [['log.retention.ms', SET, '1']]),
    alter(1, BROKER, '1', [['log.retention.ms', SET, 'x']]),
    alter(1, BROKER, '', [['log.cleaner.threads', SET, '0']]),
    alter(1, BROKER, '1', [['message.max.bytes', SET, '-1']]),
    alter(1, BROKER, '1', [['log.cleanup.policy', APPEND, 'compact']]),
    SETTLE,
    describe(4, BROKER, '1', ['log.cleanup.policy'], synonyms),
    alter(1, BROKER, '1', [['log.cleanup.policy', DELETE, null]]),
    SETTLE,
    alter(1, BROKER_LOGGER, '2', [['root', SET, 'INFO']]),
    alter(1, BROKER_LOGGER, '1', [['root', SET, 'LOUD']]),
    alter(1, BROKER_LOGGER, '1', [['root', DELETE, null]]),
    alter(1, BROKER, '', [['min.insync.replicas', SET, '2']]),
    SETTLE,
    describe(4, TOPIC, 'configured', ['min.insync.replicas'], synonyms),
    alter(1, BROKER, '', [['min.insync.replicas', SET, '1']]),
    alter(1, BROKER, '1', [['min.insync.replicas', SET, '2']]),
  ]
}
