import type { BrokerConfig } from './broker-config.js'
import { unitMsOf } from './durations.js'
import { inHashOrder, isInt } from './java-text.js'
import type { ConfigMap } from './layers.js'
import type { AnyOption, OptionScope } from './option.js'
import { brokerOptionOf, brokerSynonyms, findOption, optionsOf } from './options.js'
import { TOPIC_OPTION_NAMES, topicDefaults } from './topic-config.js'
import { CONFIG_TYPE_IDS, parseValue } from './values.js'

/** Where a value comes from, by DescribeConfigs' numbers. */
export const CONFIG_SOURCES = {
  topic: 1,
  dynamicBroker: 2,
  dynamicDefaultBroker: 3,
  staticBroker: 4,
  default: 5,
  dynamicBrokerLogger: 6,
  clientMetrics: 7,
  group: 8,
} as const

/** A value that is given somewhere, under the name that it has there. */
export interface DescribedSynonym {
  readonly name: string
  /** Null for secrets. */
  readonly value: string | null
  readonly source: number
}

/** One option of a resource, in the shape of DescribeConfigsResponse. */
export interface DescribedConfig {
  readonly name: string
  /** Null: no value, or a secret. */
  readonly value: string | null
  readonly readOnly: boolean
  readonly configSource: number
  readonly isSensitive: boolean
  readonly synonyms: readonly DescribedSynonym[]
  /** 0 for an option that nobody knows. */
  readonly configType: number
  readonly documentation: string | null
}

export interface DescribeQuestion {
  /** Names of the options to show; null or empty: all of them. */
  readonly keys: readonly string[] | null
  readonly includeSynonyms: boolean
  readonly includeDocumentation: boolean
}

/**
 * Why a resource cannot be described, in Kafka's words, or null. Goes with INVALID_REQUEST. Topics are the caller's:
 * their names have rules of their own. (An answer without an error has the empty text as its error message, not null.)
 */
export function undescribable(resourceType: number, resourceName: string, nodeId: number): string | null {
  switch (resourceType) {
    case 4:
    case 8: {
      const isLogger = resourceType === 8
      if (resourceName === '') return isLogger ? 'Broker id must not be empty' : null
      if (!isInt(resourceName)) return `Broker id must be an integer, but it is: ${resourceName}`
      if (Number(resourceName) === nodeId) return null
      const expected = isLogger ? `${nodeId} but` : `${nodeId} or empty string, but`
      return `Unexpected broker id, expected ${expected} received ${resourceName}`
    }
    case 16:
      return resourceName === '' ? 'Client metrics subscription name must not be empty' : null
    case 32:
      return resourceName === '' ? 'Group name must not be empty' : null
    default:
      return null
  }
}

const NO_SYNONYMS: readonly DescribedSynonym[] = []

/** Nobody knows whether an option that nobody knows is a secret, so it counts as one. */
function isSecret(option: AnyOption | null): boolean {
  return option === null || option.type === 'PASSWORD'
}

function typeIdOf(option: AnyOption | null): number {
  return option === null ? 0 : CONFIG_TYPE_IDS[option.type]
}

/** The text of a value as its option writes it; as it stands where the option does not take it. */
function canonicalText(name: string, option: AnyOption | null, text: string): string {
  const parsed = option === null ? null : parseValue(name, option, text)
  return parsed?.ok ? parsed.text : text
}

/** The options of a table that are shown even where they are not set, in Kafka's order. */
function shownNames(scope: OptionScope): readonly string[] {
  const names = Object.entries(optionsOf(scope)).filter(([, option]) => !option.internal && !option.dynamicOnly)
  return inHashOrder(names.map(([name]) => name))
}

/** Names that are set though they are not shown otherwise: they come first, in the order of all set names. */
function extraNames(set: Iterable<string>, shown: ReadonlySet<string>): readonly string[] {
  return inHashOrder([...set]).filter(name => !shown.has(name))
}

/** Keeps the options that were asked for. */
function withKeys(entries: readonly DescribedConfig[], question: DescribeQuestion): readonly DescribedConfig[] {
  if (question.keys === null || question.keys.length === 0) return entries
  const keys = new Set(question.keys)
  return entries.filter(described => keys.has(described.name))
}

/** Leaves out of an entry what was not asked for. */
function cut(described: DescribedConfig, question: DescribeQuestion): DescribedConfig {
  if (question.includeSynonyms && question.includeDocumentation) return described
  return {
    ...described,
    synonyms: question.includeSynonyms ? described.synonyms : NO_SYNONYMS,
    documentation: question.includeDocumentation ? described.documentation : null,
  }
}

function answer(entries: readonly DescribedConfig[], question: DescribeQuestion): readonly DescribedConfig[] {
  return withKeys(entries, question).map(described => cut(described, question))
}

/**
 * Where a broker option is given, the strongest first: each layer under each of its names. What stands above the first
 * mention of the very name is left out: it belongs to the listener or to the other unit that was asked about.
 */
function brokerMentions(broker: BrokerConfig, name: string, secret: boolean): readonly DescribedSynonym[] {
  const names = brokerSynonyms(name)
  const found: DescribedSynonym[] = []
  const look = (layer: ConfigMap, source: number): void => {
    for (const synonym of names) {
      const value = layer.get(synonym)
      if (value !== undefined) found.push({ name: synonym, value: secret ? null : value, source })
    }
  }
  look(broker.brokerConfig, CONFIG_SOURCES.dynamicBroker)
  look(broker.clusterConfig, CONFIG_SOURCES.dynamicDefaultBroker)
  look(broker.staticConfig, CONFIG_SOURCES.staticBroker)
  for (const synonym of names) {
    const option = findOption('broker', synonym)
    if (option === null || option.defaultText === null || option.dynamicOnly) continue
    found.push({ name: synonym, value: secret ? null : option.defaultText, source: CONFIG_SOURCES.default })
  }
  const first = found.findIndex(mention => mention.name === name)
  return first < 0 ? NO_SYNONYMS : found.slice(first)
}

interface Described {
  readonly value: string | null
  readonly readOnly: boolean
  readonly synonyms: readonly DescribedSynonym[]
}

function entry(name: string, option: AnyOption | null, described: Described): DescribedConfig {
  const isSensitive = isSecret(option)
  return {
    name,
    value: isSensitive ? null : described.value,
    readOnly: described.readOnly,
    configSource: described.synonyms[0]?.source ?? CONFIG_SOURCES.default,
    isSensitive,
    synonyms: described.synonyms,
    configType: typeIdOf(option),
    documentation: option?.doc ?? null,
  }
}

/** The options of this broker, those that nobody knows among them. */
export function describeBroker(broker: BrokerConfig, question: DescribeQuestion): readonly DescribedConfig[] {
  return withKeys(remembered(broker, 'broker', question, describeWholeBroker).cut, question)
}

function describeWholeBroker(broker: BrokerConfig): readonly DescribedConfig[] {
  const shown = shownNames('broker')
  const names = [...extraNames(broker.effective.keys(), new Set(shown)), ...shown]
  return names.map(name => {
    const option = brokerOptionOf(name)
    const exact = findOption('broker', name)
    const text = broker.effective.get(name) ?? exact?.defaultText ?? null
    const canonical = exact !== null && !exact.internal && !exact.dynamicOnly
    return entry(name, option, {
      value: text === null || !canonical ? text : canonicalText(name, exact, text),
      readOnly: exact === null || exact.mode === 'read-only',
      synonyms: brokerMentions(broker, name, isSecret(option)),
    })
  })
}

/** The dynamic options of the whole cluster: only what is set. */
export function describeClusterDefault(broker: BrokerConfig, question: DescribeQuestion): readonly DescribedConfig[] {
  const entries = inHashOrder([...broker.clusterConfig.keys()]).map(name => {
    const option = brokerOptionOf(name)
    const mentions = brokerMentions(broker, name, isSecret(option))
    return entry(name, option, {
      value: broker.clusterConfig.get(name) ?? null,
      readOnly: (findOption('broker', name)?.mode ?? 'read-only') === 'read-only',
      synonyms: mentions.filter(mention => mention.source === CONFIG_SOURCES.dynamicDefaultBroker),
    })
  })
  return answer(entries, question)
}

/** The options of a topic with these overrides. */
export function describeTopic(
  broker: BrokerConfig,
  overrides: ConfigMap,
  question: DescribeQuestion,
): readonly DescribedConfig[] {
  const base = remembered(broker, 'topic', question, describeTopicDefaults)
  // Most topics have few overrides or none, and a user interface asks for hundreds of topics at a time.
  if (overrides.size === 0) return withKeys(base.cut, question)
  const extras = [...overrides.keys()].every(name => base.names.has(name))
    ? []
    : extraNames(overrides.keys(), base.names).map(name =>
        cut(overridden(name, null, overrides.get(name) as string), question),
      )
  const entries = base.cut.map((described, index) => {
    const text = overrides.get(described.name)
    if (text === undefined) return described
    return cut(overridden(described.name, base.full[index] as DescribedConfig, text), question)
  })
  return withKeys(extras.length === 0 ? entries : [...extras, ...entries], question)
}

function overridden(name: string, base: DescribedConfig | null, text: string): DescribedConfig {
  const option = findOption('topic', name)
  const value = isSecret(option) ? null : canonicalText(name, option, text)
  const own = { name, value, source: CONFIG_SOURCES.topic }
  return entry(name, option, { value, readOnly: false, synonyms: [own, ...(base?.synonyms ?? [])] })
}

function describeTopicDefaults(broker: BrokerConfig): readonly DescribedConfig[] {
  const defaults = new Map<string, { readonly text: string | null }>(topicDefaults(broker))
  return shownNames('topic').map(name => {
    const option = findOption('topic', name)
    const serverName = option?.synonyms[0]
    return entry(name, option, {
      value: defaults.get(name)?.text ?? null,
      readOnly: false,
      synonyms: serverName === undefined ? NO_SYNONYMS : brokerMentions(broker, serverName, false),
    })
  })
}

/** The options of a group with these overrides; the broker's options of the same purpose are their defaults. */
export function describeGroup(
  broker: BrokerConfig,
  overrides: ConfigMap,
  question: DescribeQuestion,
): readonly DescribedConfig[] {
  const shown = shownNames('group')
  const names = [...extraNames(overrides.keys(), new Set(shown)), ...shown]
  const entries = names.map(name => {
    const option = findOption('group', name)
    const own = overrides.get(name)
    // An option that is not shown unless it is set is shown as it was set.
    const given = own === undefined || option?.internal ? own : canonicalText(name, option, own)
    const value = given ?? groupDefaultText(broker, name)
    const mentions = groupMentions(broker, name, option)
    const ownMention = { name, value: isSecret(option) ? null : value, source: CONFIG_SOURCES.group }
    return entry(name, option, {
      value,
      readOnly: false,
      synonyms: own === undefined ? mentions : [ownMention, ...mentions],
    })
  })
  return answer(entries, question)
}

function groupMentions(broker: BrokerConfig, name: string, option: AnyOption | null): readonly DescribedSynonym[] {
  const serverName = option?.synonyms[0]
  if (serverName !== undefined) return brokerMentions(broker, serverName, false)
  if (option === null || option.defaultText === null) return NO_SYNONYMS
  return [{ name, value: option.defaultText, source: CONFIG_SOURCES.default }]
}

function groupDefaultText(broker: BrokerConfig, name: string): string | null {
  const option = findOption('group', name)
  const serverName = option?.synonyms[0]
  if (serverName === undefined) return option?.defaultText ?? null
  const serverOption = findOption('broker', serverName)
  const text = broker.effective.get(serverName) ?? serverOption?.defaultText ?? null
  if (text === null || serverOption === null) return null
  const parsed = parseValue(serverName, serverOption, text)
  if (!parsed.ok) return null
  // A group has one assignor, the first of the broker's.
  return option?.type === 'STRING' && Array.isArray(parsed.value) ? (parsed.value[0] ?? null) : parsed.text
}

/** The options of a client metrics subscription with these overrides. */
export function describeClientMetrics(overrides: ConfigMap, question: DescribeQuestion): readonly DescribedConfig[] {
  const shown = shownNames('client-metrics')
  const names = [...extraNames(overrides.keys(), new Set(shown)), ...shown]
  const entries = names.map(name => {
    const option = findOption('client-metrics', name)
    const own = overrides.get(name)
    const value = own === undefined ? (option?.defaultText ?? null) : canonicalText(name, option, own)
    const ownMention = { name, value: isSecret(option) ? null : value, source: CONFIG_SOURCES.clientMetrics }
    return entry(name, option, { value, readOnly: false, synonyms: own === undefined ? NO_SYNONYMS : [ownMention] })
  })
  return answer(entries, question)
}

/** One option of a new topic, in the shape of CreateTopicsResponse. */
export interface CreatedTopicConfig {
  readonly name: string
  readonly value: string | null
  readonly readOnly: boolean
  readonly configSource: number
  readonly isSensitive: boolean
}

/**
 * The options of a topic that is being created, as CreateTopics answers them: by name, each value as it was written
 * where it was given, hours and minutes turned into ms.
 */
export function describeCreatedTopic(broker: BrokerConfig, overrides: ConfigMap): readonly CreatedTopicConfig[] {
  const created: CreatedTopicConfig[] = []
  for (const name of TOPIC_OPTION_NAMES) {
    const option = findOption('topic', name) as AnyOption
    const own = overrides.get(name)
    if (option.internal && own === undefined) continue
    const given = own === undefined ? givenInBroker(broker, option) : { value: own, source: CONFIG_SOURCES.topic }
    const { value, source } = given ?? { value: option.defaultText, source: CONFIG_SOURCES.default }
    created.push({ name, value, readOnly: false, configSource: source, isSensitive: false })
  }
  return created.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function givenInBroker(broker: BrokerConfig, option: AnyOption): { value: string; source: number } | null {
  const serverName = option.synonyms[0]
  if (serverName === undefined) return null
  const layers = [
    [broker.brokerConfig, CONFIG_SOURCES.dynamicBroker],
    [broker.clusterConfig, CONFIG_SOURCES.dynamicDefaultBroker],
    [broker.staticConfig, CONFIG_SOURCES.staticBroker],
  ] as const
  for (const [layer, source] of layers) {
    for (const synonym of brokerSynonyms(serverName)) {
      const text = layer.get(synonym)
      if (text === undefined) continue
      const unitMs = unitMsOf(synonym)
      return { value: unitMs === 1 ? text : String(Number(text) * unitMs), source }
    }
  }
  return null
}

interface Remembered {
  readonly names: ReadonlySet<string>
  readonly full: readonly DescribedConfig[]
  /** Without what the question leaves out. */
  readonly cut: readonly DescribedConfig[]
}

const memory = new WeakMap<BrokerConfig, Map<string, Remembered>>()

/** A BrokerConfig never changes, so what was described once stays true: four answers at most for each kind. */
function remembered(
  broker: BrokerConfig,
  what: 'broker' | 'topic',
  question: DescribeQuestion,
  describe: (broker: BrokerConfig) => readonly DescribedConfig[],
): Remembered {
  const key = `${what} ${question.includeSynonyms} ${question.includeDocumentation}`
  const answers = memory.get(broker) ?? new Map<string, Remembered>()
  memory.set(broker, answers)
  let known = answers.get(key)
  if (known === undefined) {
    const full = describe(broker)
    known = {
      names: new Set(full.map(({ name }) => name)),
      full,
      cut: Object.freeze(full.map(described => cut(described, question))),
    }
    answers.set(key, known)
  }
  return known
}
