import assert from 'node:assert/strict'
import { test } from 'node:test'
import { incrementalAlterConfigs, legacyAlterConfigs } from '#src/controller/alter-configs.js'
import { createTopics } from '#src/controller/create-topics.js'
import { TestController, type TestControllerOptions } from './support.js'

const TOPIC = 2
const BROKER = 4
const SET = 0
const DELETE = 1
const APPEND = 2

function ready(options: TestControllerOptions = {}): TestController {
  const controller = new TestController(options)
  controller.addBrokers(1)
  const topics = [{ name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }]
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
  return controller
}

type Change = readonly [type: number, name: string, ...configs: readonly (readonly [string, number, string | null])[]]

function run(controller: TestController, changes: readonly Change[], validateOnly = false) {
  const resources = changes.map(([resourceType, resourceName, ...configs]) => ({
    resourceType,
    resourceName,
    configs: configs.map(([name, configOperation, value]) => ({ name, configOperation, value })),
  }))
  const { response, records } = controller.run(incrementalAlterConfigs(resources, validateOnly))
  return {
    records,
    answers: response.responses.map(answer => [answer.resourceName, answer.errorCode, answer.errorMessage]),
  }
}

test('options of a topic are set, appended to and deleted', () => {
  const controller = ready()
  const own = () => Object.fromEntries(controller.image.configs.of(TOPIC, 't'))
  run(controller, [[TOPIC, 't', ['retention.ms', SET, '5'], ['cleanup.policy', APPEND, 'compact']]])
  assert.deepEqual(own(), { 'retention.ms': '5', 'cleanup.policy': 'delete,compact' })
  run(controller, [[TOPIC, 't', ['retention.ms', DELETE, null]]])
  assert.deepEqual(own(), { 'cleanup.policy': 'delete,compact' })
})

test('a value that stays the same needs a record only for brokers', () => {
  const controller = ready()
  const topic: Change = [TOPIC, 't', ['retention.ms', SET, '5']]
  const broker: Change = [BROKER, '1', ['log.cleaner.backoff.ms', SET, '16000']]
  assert.equal(run(controller, [topic, broker]).records.length, 2)
  assert.equal(run(controller, [topic, broker]).records.length, 1)
})

test('resources stand or fall alone, in the order of the request', () => {
  const { answers } = run(ready(), [
    [TOPIC, 'nope', ['retention.ms', SET, '5']],
    [TOPIC, 't', ['retention.ms', SET, '5']],
    [TOPIC, 'a b', ['retention.ms', SET, '5']],
    [TOPIC, '', ['retention.ms', SET, '5']],
    [7, 'x', ['a', SET, 'b']],
    [BROKER, '2', ['log.cleaner.backoff.ms', SET, '1']],
  ])
  assert.deepEqual(answers, [
    ['nope', 3, "The topic 'nope' does not exist."],
    ['t', 0, null],
    [
      'a b',
      17,
      "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
    ],
    ['', 42, 'Default topic resources are not allowed.'],
    ['x', 42, 'Unknown resource type 7'],
    ['2', 42, 'Unexpected broker id, expected 1, but received 2'],
  ])
})

test('two entries for one resource both fall', () => {
  const change: Change = [TOPIC, 't', ['retention.ms', SET, '5']]
  const { answers, records } = run(ready(), [change, change, [BROKER, '']])
  const twice = 'Each resource must appear at most once.'
  assert.deepEqual(answers, [
    ['t', 42, twice],
    ['t', 42, twice],
    ['', 0, null],
  ])
  assert.deepEqual(records, [])
})

test('validate only gives the same answer and writes nothing', () => {
  const { answers, records } = run(ready(), [[TOPIC, 't', ['retention.ms', SET, '5']]], true)
  assert.deepEqual([answers, records], [[['t', 0, null]], []])
})

test('a new min.insync.replicas clears the eligible leader replicas, after all options', () => {
  const controller = ready()
  const types = (changes: readonly Change[]) =>
    run(controller, changes).records.map(record => {
      return record.type === 'ClearElrRecord' ? `clear '${record.value.topicName}'` : record.type
    })
  const topic: Change = [TOPIC, 't', ['min.insync.replicas', SET, '2']]
  assert.deepEqual(types([topic, [BROKER, '', ['min.insync.replicas', SET, '2']]]), [
    'ConfigRecord',
    'ConfigRecord',
    "clear 't'",
    "clear ''",
  ])
  assert.deepEqual(types([topic]), [])
})

test('without eligible leader replicas nothing is cleared', () => {
  const { records } = run(ready({ elr: 0 }), [[TOPIC, 't', ['min.insync.replicas', SET, '2']]])
  assert.deepEqual(
    records.map(record => record.type),
    ['ConfigRecord'],
  )
})

test('with eligible leader replicas, min.insync.replicas is the affair of the cluster', () => {
  const controller = ready()
  run(controller, [[BROKER, '', ['min.insync.replicas', SET, '1']]])
  assert.deepEqual(run(controller, [[BROKER, '', ['min.insync.replicas', DELETE, null]]]).answers, [
    ['', 40, 'Cluster-level min.insync.replicas cannot be removed while ELR is enabled.'],
  ])
  assert.deepEqual(run(controller, [[BROKER, '1', ['min.insync.replicas', SET, '1']]]).answers, [
    ['1', 40, 'Broker-level min.insync.replicas cannot be altered while ELR is enabled.'],
  ])
})

test('a dynamic option of the cluster is the default of the next topic', () => {
  const controller = ready()
  run(controller, [[BROKER, '', ['log.retention.ms', SET, '600000']]])
  const topics = [{ name: 'u', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }]
  const { response } = controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: true }))
  const retention = response.topics[0]!.configs!.find(entry => entry.name === 'retention.ms')!
  assert.deepEqual([retention.value, retention.configSource], ['600000', 3])
})

test('the old request replaces everything that a resource has', () => {
  const controller = ready()
  run(controller, [[TOPIC, 't', ['retention.ms', SET, '5'], ['segment.ms', SET, '6']]])
  const resources = [{ resourceType: TOPIC, resourceName: 't', configs: [{ name: 'retention.bytes', value: '7' }] }]
  const { response } = controller.run(legacyAlterConfigs(resources, false))
  assert.deepEqual(response.responses, [{ errorCode: 0, errorMessage: null, resourceType: TOPIC, resourceName: 't' }])
  assert.deepEqual(Object.fromEntries(controller.image.configs.of(TOPIC, 't')), { 'retention.bytes': '7' })
})

test('operations are looked at before names, and entries before both', () => {
  const notAList = "Can't APPEND to key retention.ms because its type is not LIST."
  const missing = 'Null value not supported for : retention.ms'
  const { answers } = run(ready(), [
    [TOPIC, 'a b', ['retention.ms', APPEND, '1']],
    [TOPIC, '', ['retention.ms', APPEND, '1']],
    [TOPIC, 'c d', ['retention.ms', SET, null]],
    [7, 'x', ['retention.ms', SET, null]],
    [7, 'y', ['retention.ms', SET, '1'], ['retention.ms', SET, '2']],
  ])
  assert.deepEqual(answers, [
    ['a b', 40, notAList],
    ['', 40, notAList],
    ['c d', 42, missing],
    ['x', 42, missing],
    ['y', 42, 'Error due to duplicate config keys'],
  ])
})
