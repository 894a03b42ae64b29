import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IncrementalAlterConfigs } from '#protocol/messages/incremental-alter-configs.js'
import { incrementalAlterConfigs } from '#src/handlers/incremental-alter-configs.js'
import { call, TestCluster } from './admin-support.js'

function begin() {
  const cluster = new TestCluster()
  cluster.createTopic('t')
  const levels = new Map([
    ['root', 'INFO'],
    ['raft', 'INFO'],
  ])
  const loggers = {
    levels: () => levels,
    setLevel: (name: string, level: string | null) => void levels.set(name, level ?? levels.get('root')!),
  }
  const services = { brokerId: 1, controller: cluster, loggers }
  type Change = readonly [type: number, name: string, option: string, operation: number, value: string | null]
  const ask = async (changes: readonly Change[], validateOnly = false, apiVersion = 1) => {
    const resources = changes.map(([resourceType, resourceName, name, configOperation, value]) => {
      return { resourceType, resourceName, configs: [{ name, configOperation, value }] }
    })
    const request = { resources, validateOnly }
    const { responses } = await call(IncrementalAlterConfigs, incrementalAlterConfigs, services, request, {
      apiVersion,
    })
    return responses.map(({ resourceName, errorCode, errorMessage }) => [resourceName, errorCode, errorMessage])
  }
  return { cluster, levels, ask }
}

test('options go to the controller, levels stay here, answers come in the order of the request', async () => {
  const { cluster, levels, ask } = begin()
  const answers = await ask([
    [8, '1', 'raft', 0, 'DEBUG'],
    [2, 't', 'retention.ms', 0, '5'],
    [8, '1', 'raft', 0, 'DEBUG'],
    [2, 'nope', 'retention.ms', 0, '5'],
  ])
  const twice = 'Each resource must appear at most once.'
  assert.deepEqual(answers, [
    ['1', 42, twice],
    ['t', 0, null],
    ['1', 42, twice],
    ['nope', 3, "The topic 'nope' does not exist."],
  ])
  assert.equal(cluster.image.configs.of(2, 't').get('retention.ms'), '5')
  assert.deepEqual(cluster.asked, [{ untilPublished: true }])
  assert.equal(levels.get('raft'), 'INFO')
})

test('a level is set and taken back, in every version', async () => {
  const { levels, ask } = begin()
  assert.deepEqual(await ask([[8, '1', 'raft', 0, 'DEBUG']], true), [['1', 0, null]])
  assert.equal(levels.get('raft'), 'INFO')
  assert.deepEqual(await ask([[8, '1', 'raft', 0, 'DEBUG']], false, 0), [['1', 0, null]])
  assert.equal(levels.get('raft'), 'DEBUG')
  assert.deepEqual(await ask([[8, '1', 'raft', 1, null]]), [['1', 0, null]])
  assert.equal(levels.get('raft'), 'INFO')
})

test('levels that cannot be set are refused as Kafka refuses them', async () => {
  const { ask } = begin()
  const cases: readonly (readonly [string, string, number, string | null, number, string])[] = [
    ['1', 'nope', 0, 'INFO', 40, 'Logger nope does not exist!'],
    [
      '1',
      'root',
      0,
      'NOPE',
      40,
      'Cannot set the log level of root to NOPE as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN',
    ],
    ['1', 'root', 1, null, 42, 'Removing the log level of the root logger is not allowed'],
    ['1', 'root', 2, 'INFO', 42, 'APPEND operation is not allowed for the BROKER_LOGGER resource'],
    ['2', 'nope', 0, 'INFO', 42, 'Unexpected node id. Expected 1, but received 2'],
    ['', 'root', 0, 'INFO', 42, 'Node id must be an integer, but it is: '],
  ]
  for (const [name, logger, operation, value, code, message] of cases) {
    assert.deepEqual(await ask([[8, name, logger, operation, value]]), [[name, code, message]])
  }
})

test('nothing asked, nothing answered, nobody disturbed', async () => {
  const { cluster, ask } = begin()
  assert.deepEqual([await ask([]), cluster.asked], [[], []])
})

test('levels need a value, whoever is meant', async () => {
  const { ask } = begin()
  const missing = 'Null value not supported for : root'
  assert.deepEqual(await ask([[8, '1', 'root', 0, null]]), [['1', 42, missing]])
  assert.deepEqual(await ask([[8, '2', 'root', 2, null]]), [['2', 42, missing]])
})
