import type { BrokerConfig } from './broker-config.js'
import { inHashOrder } from './java-text.js'
import type { ConfigMap } from './layers.js'
import type { OptionScope, OptionValue } from './option.js'
import { type BrokerOptionName, findOption, optionsOf } from './options.js'
import { type TopicOptionName, topicDefaults } from './topic-config.js'
import { parseValue, splitList } from './values.js'

interface ParsedOptions {
  readonly problem: string | null
  readonly values: ReadonlyMap<string, { readonly value: OptionValue; readonly text: string | null }>
}

/** Parses options in the order in which they are declared: the first that is wrong is the one that is named. */
function parseInOrder(scope: OptionScope, config: ConfigMap): ParsedOptions {
  const values = new Map<string, { readonly value: OptionValue; readonly text: string | null }>()
  for (const [name, option] of Object.entries(optionsOf(scope))) {
    const text = config.get(name)
    if (text === undefined) continue
    const parsed = parseValue(name, option, text)
    if (!parsed.ok) return { problem: parsed.message, values }
    values.set(name, parsed)
  }
  return { problem: null, values }
}

function unknownName(scope: OptionScope, config: ConfigMap): string | null {
  return inHashOrder([...config.keys()]).find(name => findOption(scope, name) === null) ?? null
}

/** What is wrong with the options that a topic would have, in Kafka's words, or null. Goes with INVALID_CONFIG. */
export function validateTopicConfigs(config: ConfigMap, broker: BrokerConfig): string | null {
  const unknown = unknownName('topic', config)
  if (unknown !== null) return `Unknown topic config name: ${unknown}`
  const { problem, values } = parseInOrder('topic', config)
  if (problem !== null) return problem
  const defaults = topicDefaults(broker)
  const topicValue = (name: TopicOptionName) => values.get(name) ?? defaults.get(name)
  const min = topicValue('min.compaction.lag.ms')
  const max = topicValue('max.compaction.lag.ms')
  if ((min?.value as number) > (max?.value as number)) {
    return `conflict topic config setting min.compaction.lag.ms (${min?.text}) > max.compaction.lag.ms (${max?.text})`
  }
  if (topicValue('remote.storage.enable')?.value === true) {
    return 'Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.'
  }
  return null
}

/** A group's option with the broker options that bound it; a bound that is null is not there. */
type GroupBounds = readonly [name: string, min: BrokerOptionName | null, max: BrokerOptionName | null]

const GROUP_BOUNDS: readonly GroupBounds[] = [
  ...(['consumer', 'share', 'streams'] as const).flatMap((kind): readonly GroupBounds[] =>
    (['heartbeat.interval.ms', 'session.timeout.ms', 'assignment.interval.ms'] as const).map(what => [
      `${kind}.${what}`,
      `group.${kind}.min.${what}`,
      `group.${kind}.max.${what}`,
    ]),
  ),
  [
    'share.record.lock.duration.ms',
    'group.share.min.record.lock.duration.ms',
    'group.share.max.record.lock.duration.ms',
  ],
  ['share.delivery.count.limit', 'group.share.min.delivery.count.limit', 'group.share.max.delivery.count.limit'],
  [
    'share.partition.max.record.locks',
    'group.share.min.partition.max.record.locks',
    'group.share.max.partition.max.record.locks',
  ],
  ['streams.num.standby.replicas', null, 'group.streams.max.standby.replicas'],
  ['streams.num.warmup.replicas', null, 'group.streams.max.warmup.replicas'],
  ['streams.task.offset.interval.ms', 'group.streams.min.task.offset.interval.ms', null],
]

/** What is wrong with the options that a group would have, in Kafka's words, or null. Goes with INVALID_CONFIG. */
export function validateGroupConfigs(config: ConfigMap, broker: BrokerConfig): string | null {
  const unknown = unknownName('group', config)
  if (unknown !== null) return `Unknown group config name: ${unknown}`
  const tags = splitList(config.get('streams.rack.aware.assignment.tags')?.trim() ?? '')
  if (new Set(tags).size < tags.length) {
    return 'streams.rack.aware.assignment.tags must not contain duplicate tag keys.'
  }
  const { problem, values } = parseInOrder('group', config)
  if (problem !== null) return problem
  for (const bounds of GROUP_BOUNDS) {
    const message = groupBoundsProblem(bounds, values.get(bounds[0])?.value, broker)
    if (message !== null) return message
  }
  for (const kind of ['consumer', 'share', 'streams'] as const) {
    const session = `${kind}.session.timeout.ms`
    const heartbeat = `${kind}.heartbeat.interval.ms`
    const sessionMs = values.get(session)?.value ?? broker.get(`group.${kind}.session.timeout.ms`)
    const heartbeatMs = values.get(heartbeat)?.value ?? broker.get(`group.${kind}.heartbeat.interval.ms`)
    if (sessionMs <= heartbeatMs) return `${session} must be greater than ${heartbeat}`
  }
  return groupNamesProblem(values, broker)
}

function groupBoundsProblem(
  [name, min, max]: GroupBounds,
  value: OptionValue | undefined,
  broker: BrokerConfig,
): string | null {
  if (typeof value !== 'number') return null
  const low = min === null ? null : (broker.get(min) as number)
  const high = max === null ? null : (broker.get(max) as number)
  if ((low === null || value >= low) && (high === null || value <= high)) return null
  if (low === null) return `${name} must be less than or equal to ${high}`
  if (high === null) return `${name} must be greater than or equal to ${low}`
  return `${name} must be in the range ${low} to ${high} inclusive.`
}

function groupNamesProblem(values: ParsedOptions['values'], broker: BrokerConfig): string | null {
  const assignor = values.get('streams.assignor.name')?.text ?? null
  const assignors = broker.get('group.streams.assignors')
  if (assignor !== null && !assignors.includes(assignor)) {
    return (
      `streams.assignor.name '${assignor}' is not a registered task assignor. Registered assignors are: ` +
      `[${assignors.join(', ')}].`
    )
  }
  const deadLetterTopic = 'errors.deadletterqueue.topic.name'
  if (values.get(deadLetterTopic)?.text?.startsWith('__')) {
    return `${deadLetterTopic}: DLQ topic name must not start with '__'`
  }
  return null
}

const MATCH_NAMES = [
  'client_instance_id',
  'client_id',
  'client_software_name',
  'client_software_version',
  'client_source_address',
  'client_source_port',
]

/** What is wrong with the options that a client metrics subscription would have, or null. */
export function validateClientMetricsConfigs(
  config: ConfigMap,
): { readonly name: 'INVALID_CONFIG' | 'INVALID_REQUEST'; readonly message: string } | null {
  const unknown = unknownName('client-metrics', config)
  if (unknown !== null) return { name: 'INVALID_REQUEST', message: `Unknown client metrics configuration: ${unknown}` }
  const { problem, values } = parseInOrder('client-metrics', config)
  if (problem !== null) return { name: 'INVALID_CONFIG', message: problem }
  const intervalMs = values.get('interval.ms')?.value
  if (typeof intervalMs === 'number' && (intervalMs < 100 || intervalMs > 3_600_000)) {
    const message = `Invalid value ${intervalMs} for interval.ms, interval must be between 100 and 3600000 (1 hour)`
    return { name: 'INVALID_REQUEST', message }
  }
  const patterns = (values.get('match')?.value ?? []) as readonly string[]
  const illegal = patterns.find(pattern => !isMatchPattern(pattern))
  return illegal === undefined
    ? null
    : { name: 'INVALID_CONFIG', message: `Illegal client matching pattern: ${illegal}` }
}

function isMatchPattern(pattern: string): boolean {
  const parts = pattern.replace(/=+$/, '').split('=')
  const [name = '', expression = ''] = parts
  if (parts.length !== 2 || !MATCH_NAMES.includes(name.trim())) return false
  try {
    new RegExp(expression.trim())
    return true
  } catch {
    // Which is what was asked; the client is told.
    return false
  }
}
