import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import { DescribeConfigs } from '#protocol/messages/describe-configs.js'
import { describeConfigs } from '#src/handlers/describe-configs.js'
import { call, TestCluster } from './admin-support.js'

const levels = new Map([['root', 'INFO']])
const loggers = { levels: () => levels, setLevel: () => {} }

function begin() {
  const cluster = new TestCluster()
  cluster.createTopic('t', 1, { 'retention.ms': '5' })
  const services = { brokerId: 1, metadata: cluster, config: cluster.config, loggers }
  return async (resources: readonly (readonly [number, string, ...string[]])[], more = {}, apiVersion = 4) => {
    const request = {
      resources: resources.map(([resourceType, resourceName, ...keys]) => {
        return { resourceType, resourceName, configurationKeys: keys.length === 0 ? null : keys }
      }),
      ...more,
    }
    const { results } = await call(DescribeConfigs, describeConfigs, services, request, { apiVersion })
    return results
  }
}

test('an option comes with its source, and with more for who asks', async () => {
  const ask = begin()
  const option = {
    name: 'retention.ms',
    value: '5',
    readOnly: false,
    configSource: 1,
    isSensitive: false,
    synonyms: [],
    configType: 5,
    documentation: null,
  }
  const [plain] = await ask([[2, 't', 'retention.ms']])
  assert.deepEqual(plain, { errorCode: 0, errorMessage: '', resourceType: 2, resourceName: 't', configs: [option] })
  const [rich] = await ask([[2, 't', 'retention.ms']], { includeSynonyms: true, includeDocumentation: true })
  assert.deepEqual(rich!.configs[0]!.synonyms[0], { name: 'retention.ms', value: '5', source: 1 })
  assert.match(rich!.configs[0]!.documentation!, /\w+/)
})

test('every kind of resource has options', async () => {
  const results = await begin()([
    [2, 't'],
    [4, '1'],
    [4, ''],
    [8, '1'],
    [16, 'm'],
    [32, 'g'],
  ])
  assert.deepEqual(
    results.map(result => [result.resourceType, result.errorCode, result.errorMessage]),
    [
      [2, 0, ''],
      [4, 0, ''],
      [4, 0, ''],
      [8, 0, ''],
      [16, 0, ''],
      [32, 0, ''],
    ],
  )
  assert.deepEqual(
    results.map(result => result.configs.length),
    [37, results[1]!.configs.length, 0, 1, 3, 21],
  )
  assert.ok(results[1]!.configs.length > 200)
  assert.deepEqual(results[3]!.configs[0], {
    name: 'root',
    value: 'INFO',
    readOnly: false,
    configSource: 6,
    isSensitive: false,
    synonyms: [],
    configType: 0,
    documentation: '',
  })
})

test('an empty list of keys asks for all, an unknown key for nothing', async () => {
  const ask = begin()
  assert.equal((await ask([[2, 't', 'nope']]))[0]!.configs.length, 0)
})

test('what cannot be described is refused as Kafka refuses it', async () => {
  const illegal =
    "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
  const cases: readonly (readonly [number, string, number, string])[] = [
    [2, 'nope', 3, ''],
    [2, 'a b', 17, illegal],
    [2, '', 17, 'Topic name is invalid: the empty string is not allowed'],
    [4, '2', 42, 'Unexpected broker id, expected 1 or empty string, but received 2'],
    [4, 'x', 42, 'Broker id must be an integer, but it is: x'],
    [8, '', 42, 'Broker id must not be empty'],
    [8, '2', 42, 'Unexpected broker id, expected 1 but received 2'],
    [16, '', 42, 'Client metrics subscription name must not be empty'],
    [32, '', 42, 'Group name must not be empty'],
  ]
  const results = await begin()(cases.map(([type, name]) => [type, name] as const))
  assert.deepEqual(
    results.map(({ resourceType, resourceName, errorCode, errorMessage }) => [
      resourceType,
      resourceName,
      errorCode,
      errorMessage,
    ]),
    cases.map(each => [...each]),
  )
})

test('one unknown kind of resource makes the whole request invalid', async () => {
  await assert.rejects(
    begin()([
      [2, 't'],
      [64, 'g'],
    ]),
    { code: 42, message: /^This most likely occurs because of/ },
  )
})

test('every version can be written', async () => {
  for (let version = 1; version <= 4; version++) {
    const [result] = await begin()([[2, 't', 'retention.ms']], {}, version)
    assert.equal(result!.configs[0]!.configSource, 1)
  }
})

test('what is named twice is answered once, with all the options that were asked for', async () => {
  const ask = begin()
  const shown = (results: Awaited<ReturnType<typeof ask>>) =>
    results.map(({ resourceName, configs }) => [resourceName, configs.map(({ name }) => name).sort()])
  const some = await ask([
    [2, 't', 'retention.ms'],
    [4, '', 'x'],
    [2, 't', 'cleanup.policy', 'retention.ms'],
  ])
  assert.deepEqual(shown(some), [
    ['t', ['cleanup.policy', 'retention.ms']],
    ['', []],
  ])
  const often = Array.from({ length: 200_000 }, () => [4, '1'] as const)
  const [all, ...others] = await ask([[4, '1', 'retention.ms'], ...often])
  assert.deepEqual([all!.configs.length > 100, others.length], [true, 0])
})

test('of groups without options of their own one request may name a thousand', async () => {
  const groups = Array.from({ length: 5000 }, (_, i) => [32, `g${i}`, 'none'] as const)
  const results = await begin()([...groups, [2, 't', 'retention.ms']])
  assert.equal(results.filter(({ errorCode }) => errorCode === ErrorCode.NONE).length, 1001)
  assert.equal(results.filter(({ errorCode }) => errorCode === ErrorCode.POLICY_VIOLATION).length, 4000)
  assert.equal(results.at(-1)!.configs.length, 1)
})
