import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Altered,
  type AlterTarget,
  alterIncrementally,
  alterLegacy,
  applyIncremental,
  type ConfigOperation,
  configsOfNewTopic,
  OPERATIONS,
  scopeOfResourceType,
  unknownResourceType,
} from '#src/config/alter.js'
import type { BrokerConfig } from '#src/config/broker-config.js'
import { RECORDED_PROPERTIES, recorded, started } from './recorded.js'

interface RecordedAlter {
  readonly api: 'IncrementalAlterConfigs' | 'AlterConfigs' | 'CreateTopics'
  readonly type: number
  readonly resource: string
  readonly configs:
    | readonly (readonly [string, number, string | null])[]
    | readonly (readonly [string, string | null])[]
  readonly code: number
  readonly message: string | null
}

const CODES = { INVALID_CONFIG: 40, INVALID_REQUEST: 42, INVALID_TOPIC_EXCEPTION: 17, UNKNOWN_SERVER_ERROR: -1 }

/** What the recorded cluster had: eligible leader replicas on, and a topic with two options of its own. */
const CLUSTER = new Map([['min.insync.replicas', '1']])
const TOPIC = new Map([
  ['segment.bytes', '2097152'],
  ['cleanup.policy', 'compact, delete'],
])

function target(broker: BrokerConfig, type: number, resourceName: string): AlterTarget | null {
  const scope = scopeOfResourceType(type)
  if (scope === null) return null
  const current = scope === 'topic' ? TOPIC : scope === 'broker' && resourceName === '' ? CLUSTER : new Map()
  return { scope, resourceName, current, broker, eligibleLeaderReplicas: true }
}

function replay(broker: BrokerConfig, line: RecordedAlter): Altered {
  const resource = target(broker, line.type, line.resource)
  if (resource === null) return { ok: false, error: unknownResourceType(line.type) }
  if (line.api === 'IncrementalAlterConfigs') {
    const entries = line.configs as readonly (readonly [string, number, string | null])[]
    const operations = entries.map(([name, configOperation, value]) => ({ name, configOperation, value }))
    return alterIncrementally(resource, operations)
  }
  const entries = line.configs as readonly (readonly [string, string | null])[]
  const given = entries.map(([name, value]) => ({ name, value }))
  return line.api === 'AlterConfigs' ? alterLegacy(resource, given) : configsOfNewTopic(broker, given)
}

function recordedBroker(): BrokerConfig {
  return started(RECORDED_PROPERTIES).withDynamic(CLUSTER, new Map()).config
}

test('changes are taken and refused in the words of Kafka', () => {
  const broker = recordedBroker()
  for (const line of recorded<RecordedAlter>('alter.jsonl')) {
    const altered = replay(broker, line)
    const answer = altered.ok ? [0, null] : [CODES[altered.error.name], altered.error.message]
    assert.deepEqual(answer, [line.code, line.message], JSON.stringify(line))
  }
})

function incrementally(current: ReadonlyMap<string, string>, ...operations: readonly ConfigOperation[]): Altered {
  return applyIncremental('topic', current, operations)
}

function operation(name: string, configOperation: number, value: string | null): ConfigOperation {
  return { name, configOperation, value }
}

test('an append starts from the default and leaves out what is there already', () => {
  const append = operation('cleanup.policy', OPERATIONS.append, 'compact,delete')
  const altered = incrementally(new Map(), append)
  assert.deepEqual(altered, {
    ok: true,
    config: new Map([['cleanup.policy', 'delete,compact']]),
    changes: [{ name: 'cleanup.policy', value: 'delete,compact' }],
  })
})

test('taking everything out of a list leaves an empty list, not the default', () => {
  const altered = incrementally(new Map(), operation('cleanup.policy', OPERATIONS.subtract, 'delete'))
  assert.deepEqual(altered.ok && altered.changes, [{ name: 'cleanup.policy', value: '' }])
})

test('entries of a list count as they are written, white space and all', () => {
  const altered = incrementally(TOPIC, operation('cleanup.policy', OPERATIONS.append, 'delete'))
  assert.deepEqual(altered.ok && altered.changes, [{ name: 'cleanup.policy', value: 'compact, delete,delete' }])
})

test('a topic option that stays the same needs no record, a broker option does', () => {
  const same = operation('segment.bytes', OPERATIONS.set, '2097152')
  assert.deepEqual(applyIncremental('topic', TOPIC, [same]), { ok: true, config: TOPIC, changes: [] })
  const cluster = operation('min.insync.replicas', OPERATIONS.set, '1')
  const altered = applyIncremental('broker', CLUSTER, [cluster])
  assert.deepEqual(altered.ok && altered.changes, [{ name: 'min.insync.replicas', value: '1' }])
})

test('the older request deletes what it does not name', () => {
  const resource = target(recordedBroker(), 2, 'a-topic')
  assert.ok(resource)
  const altered = alterLegacy(resource, [
    { name: 'segment.bytes', value: '2097152' },
    { name: 'retention.ms', value: '5' },
  ])
  assert.deepEqual(altered, {
    ok: true,
    config: new Map([
      ['segment.bytes', '2097152'],
      ['retention.ms', '5'],
    ]),
    changes: [
      { name: 'retention.ms', value: '5' },
      { name: 'cleanup.policy', value: null },
    ],
  })
})

test('a value has a limit in bytes', () => {
  const resource = target(recordedBroker(), 2, 'a-topic')
  assert.ok(resource)
  const long = `0:${'1'.repeat(40_000)}`
  const altered = alterIncrementally(resource, [
    operation('leader.replication.throttled.replicas', OPERATIONS.set, long),
  ])
  assert.deepEqual(altered, {
    ok: false,
    error: {
      name: 'INVALID_CONFIG',
      message: 'The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.',
    },
  })
})

test("the cluster's compaction lag bounds a topic's", () => {
  const properties = { ...RECORDED_PROPERTIES, 'log.cleaner.max.compaction.lag.ms': '50' }
  const altered = configsOfNewTopic(started(properties), [{ name: 'min.compaction.lag.ms', value: '100' }])
  assert.equal(
    altered.ok ? null : altered.error.message,
    'conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (50)',
  )
})

test('a dynamic option that a broker cannot use does not stand in the way of others', () => {
  const broker = recordedBroker()
  const current = new Map([
    ['num.partitions', '5'],
    ['message.max.bytes', 'many'],
  ])
  const resource: AlterTarget = { scope: 'broker', resourceName: '1', current, broker, eligibleLeaderReplicas: true }
  assert.equal(alterIncrementally(resource, [operation('log.retention.ms', OPERATIONS.set, '5')]).ok, true)
  assert.equal(alterIncrementally(resource, [operation('num.partitions', OPERATIONS.set, '5')]).ok, false)
  assert.equal(alterIncrementally(resource, [operation('num.partitions', OPERATIONS.delete, null)]).ok, true)
})

test('a broker inside its own dynamic options can be changed step by step', () => {
  const first = recordedBroker().withDynamic(CLUSTER, new Map([['num.io.threads', '16']])).config
  const resource: AlterTarget = {
    scope: 'broker',
    resourceName: '1',
    current: first.brokerConfig,
    broker: first,
    eligibleLeaderReplicas: true,
  }
  assert.equal(alterIncrementally(resource, [operation('num.io.threads', OPERATIONS.set, '32')]).ok, true)
  assert.equal(alterIncrementally(resource, [operation('num.io.threads', OPERATIONS.set, '33')]).ok, false)
})
