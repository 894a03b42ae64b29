import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alterIncrementally, scopeOfResourceType } from '#src/config/alter.js'
import type { BrokerConfig } from '#src/config/broker-config.js'
import {
  type DescribedConfig,
  type DescribeQuestion,
  describeBroker,
  describeClientMetrics,
  describeClusterDefault,
  describeCreatedTopic,
  describeGroup,
  describeTopic,
  undescribable,
} from '#src/config/describe.js'
import type { ConfigMap } from '#src/config/layers.js'
import { RECORDED_PROPERTIES, recorded, started } from './recorded.js'

type RecordedSynonym = readonly [name: string, value: string | null, source: number]

/** name, value, readOnly, configType; where it is more than a plain default: configSource, isSensitive, synonyms. */
type RecordedConfig =
  | readonly [string, string | null, number, number]
  | readonly [string, string | null, number, number, number, number, readonly RecordedSynonym[]]

interface RecordedLine {
  readonly static?: Readonly<Record<string, string>>
  readonly topics?: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly clusterDefault?: Readonly<Record<string, string>>
  readonly created?: string
  readonly alter?: readonly [number, string]
  readonly operations?: readonly (readonly [string, number, string | null])[]
  readonly about?: string
  readonly describe?: readonly [number, string]
  readonly keys?: readonly string[] | null
  readonly synonyms?: boolean
  readonly configs?: readonly unknown[]
}

/** A cluster of one broker that replays what was done to the recorded one. */
class ReplayedCluster {
  readonly #topics = new Map<string, ConfigMap>()
  readonly #others = new Map<string, ConfigMap>()
  #broker: BrokerConfig

  constructor(first: RecordedLine) {
    for (const [name, configs] of Object.entries(first.topics ?? {})) {
      this.#topics.set(name, new Map(Object.entries(configs)))
    }
    const cluster = new Map(Object.entries(first.clusterDefault ?? {}))
    this.#broker = started(first.static ?? {}).withDynamic(cluster, new Map()).config
  }

  get broker(): BrokerConfig {
    return this.#broker
  }

  topic(name: string): ConfigMap {
    return this.#topics.get(name) ?? new Map()
  }

  alter(type: number, name: string, operations: readonly (readonly [string, number, string | null])[]): void {
    const scope = scopeOfResourceType(type)
    assert.ok(scope)
    const key = `${type} ${name}`
    const ofBroker = name === '' ? this.#broker.clusterConfig : this.#broker.brokerConfig
    const current = scope === 'broker' ? ofBroker : (this.#others.get(key) ?? new Map())
    const altered = alterIncrementally(
      { scope, resourceName: name, current, broker: this.#broker, eligibleLeaderReplicas: true },
      operations.map(([option, configOperation, value]) => ({ name: option, configOperation, value })),
    )
    assert.ok(altered.ok)
    if (scope !== 'broker') {
      this.#others.set(key, altered.config)
      return
    }
    const cluster = name === '' ? altered.config : this.#broker.clusterConfig
    const applied = this.#broker.withDynamic(cluster, name === '' ? this.#broker.brokerConfig : altered.config)
    assert.deepEqual(applied.ignored, [])
    this.#broker = applied.config
  }

  describe(type: number, name: string, question: DescribeQuestion): readonly DescribedConfig[] {
    const overrides = this.#others.get(`${type} ${name}`) ?? new Map()
    if (type === 2) return describeTopic(this.#broker, this.topic(name), question)
    if (type === 32) return describeGroup(this.#broker, overrides, question)
    if (type === 16) return describeClientMetrics(overrides, question)
    return name === '' ? describeClusterDefault(this.#broker, question) : describeBroker(this.#broker, question)
  }
}

function shorten(config: DescribedConfig): RecordedConfig {
  const synonyms = config.synonyms.map(({ name, value, source }): RecordedSynonym => [name, value, source])
  const [first] = synonyms
  const start = [config.name, config.value, Number(config.readOnly), config.configType] as const
  const isDefault = first !== undefined && first[0] === config.name && first[1] === config.value && first[2] === 5
  const isPlain = synonyms.length === 1 ? isDefault : synonyms.length === 0 && config.value === null
  if (config.configSource === 5 && !config.isSensitive && isPlain) return start
  return [...start, config.configSource, Number(config.isSensitive), synonyms]
}

test('options are shown as Kafka shows them: values, sources, synonyms and order', () => {
  const [first, ...lines] = recorded<RecordedLine>('describe.jsonl')
  assert.ok(first)
  const cluster = new ReplayedCluster(first)
  for (const line of lines) {
    if (line.alter !== undefined) cluster.alter(line.alter[0], line.alter[1], line.operations ?? [])
    if (line.created !== undefined) {
      const created = describeCreatedTopic(cluster.broker, cluster.topic(line.created))
      const shown = created.map(({ name, value, configSource }) => [name, value, configSource])
      assert.deepEqual(shown, line.configs, line.created)
    }
    if (line.describe === undefined) continue
    const [type, name] = line.describe
    const includeSynonyms = line.synonyms ?? false
    const question = { keys: line.keys ?? null, includeSynonyms, includeDocumentation: false }
    assert.deepEqual(cluster.describe(type, name, question).map(shorten), line.configs, line.about)
  }
})

const SHORT: DescribeQuestion = { keys: null, includeSynonyms: false, includeDocumentation: false }

test('synonyms and documentation are left out unless they are asked for', () => {
  const broker = started(RECORDED_PROPERTIES)
  const overrides = new Map([['segment.bytes', '2097152']])
  for (const includeSynonyms of [false, true]) {
    for (const includeDocumentation of [false, true]) {
      const question = { keys: ['segment.bytes', 'max.message.bytes'], includeSynonyms, includeDocumentation }
      const described = describeTopic(broker, overrides, question)
      assert.deepEqual(
        described.map(({ name }) => name),
        ['segment.bytes', 'max.message.bytes'],
      )
      assert.deepEqual(
        described.map(({ synonyms }) => synonyms.length),
        includeSynonyms ? [2, 1] : [0, 0],
      )
      assert.ok(described.every(({ documentation }) => (documentation !== null) === includeDocumentation))
    }
  }
})

test('no keys are all keys, and unknown keys are none', () => {
  const broker = started(RECORDED_PROPERTIES)
  assert.equal(describeTopic(broker, new Map(), { ...SHORT, keys: [] }).length, 37)
  assert.deepEqual(describeTopic(broker, new Map(), { ...SHORT, keys: ['made.up'] }), [])
})

test('topics without options of their own share one answer', () => {
  const broker = started(RECORDED_PROPERTIES)
  assert.equal(describeTopic(broker, new Map(), SHORT), describeTopic(broker, new Map(), SHORT))
})

test('a resource that cannot be described is refused in the words of Kafka', () => {
  const refusals = [
    [4, '2', 'Unexpected broker id, expected 1 or empty string, but received 2'],
    [4, 'x', 'Broker id must be an integer, but it is: x'],
    [4, '', null],
    [4, '1', null],
    [8, '2', 'Unexpected broker id, expected 1 but received 2'],
    [8, '', 'Broker id must not be empty'],
    [16, '', 'Client metrics subscription name must not be empty'],
    [32, '', 'Group name must not be empty'],
    [32, 'a-group', null],
  ] as const
  for (const [type, name, message] of refusals) assert.equal(undescribable(type, name, 1), message)
})

test('a secret is never shown, whatever its option is called', () => {
  const broker = started({ ...RECORDED_PROPERTIES, 'ssl.key.password': 'hush', 'made.up': 'hush' })
  const question = { keys: null, includeSynonyms: true, includeDocumentation: true }
  assert.ok(!JSON.stringify(describeBroker(broker, question)).includes('hush'))
})

test("a group's option that is not shown unless it is set is shown as it was set", () => {
  const overrides = new Map([
    ['consumer.assignor.offload.enable', ' FALSE '],
    ['consumer.session.timeout.ms', ' 050000 '],
  ])
  const question = { keys: null, includeSynonyms: false, includeDocumentation: false }
  const shown = describeGroup(started(RECORDED_PROPERTIES), overrides, question)
  const values = new Map(shown.map(({ name, value }) => [name, value]))
  assert.equal(values.get('consumer.assignor.offload.enable'), ' FALSE ')
  assert.equal(values.get('consumer.session.timeout.ms'), '50000')
})
