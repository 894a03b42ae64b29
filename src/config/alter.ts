import { checkBrokerChange } from './broker-change.js'
import type { BrokerConfig } from './broker-config.js'
import { isInt } from './java-text.js'
import { type ConfigMap, usableLayer } from './layers.js'
import type { OptionScope } from './option.js'
import { findOption } from './options.js'
import { validateClientMetricsConfigs, validateGroupConfigs, validateTopicConfigs } from './resource-checks.js'

/** The error codes with which a change of options is refused. */
export type ConfigErrorName = 'INVALID_CONFIG' | 'INVALID_REQUEST' | 'INVALID_TOPIC_EXCEPTION' | 'UNKNOWN_SERVER_ERROR'

export interface ConfigError {
  readonly name: ConfigErrorName
  readonly message: string | null
}

/** One operation of IncrementalAlterConfigs: 0 sets, 1 deletes, 2 appends to a list, 3 takes out of a list. */
export interface ConfigOperation {
  readonly name: string
  readonly configOperation: number
  readonly value: string | null
}

export const OPERATIONS = { set: 0, delete: 1, append: 2, subtract: 3 } as const

/** One option as AlterConfigs and CreateTopics name it. */
export interface NamedValue {
  readonly name: string
  readonly value: string | null
}

/** The outcome of a change: a record for each option that changes, or why nothing does. */
export type Altered =
  | {
      readonly ok: true
      /** All dynamic options of the resource from now on. */
      readonly config: ConfigMap
      /** The records to write; a value of null deletes. */
      readonly changes: readonly NamedValue[]
    }
  | { readonly ok: false; readonly error: ConfigError }

/** The resource that is to change. */
export interface AlterTarget {
  readonly scope: OptionScope
  /** As in the request: a topic, a group, a subscription, a node id, or empty for the whole cluster. */
  readonly resourceName: string
  /** Why no topic may have that name; null or absent if one may, and for other resources. */
  readonly topicNameProblem?: string | null
  /** The dynamic options that the resource has now, as the metadata log has them. */
  readonly current: ConfigMap
  /** The configuration of the broker that answers. */
  readonly broker: BrokerConfig
  /** The options are those of another broker: how far they may go from what it has now is for that one to say. */
  readonly isOfOtherBroker?: boolean
  /** Whether eligible leader replicas are on: then min.insync.replicas is the cluster's affair. */
  readonly eligibleLeaderReplicas: boolean
}

/** The message for two entries of one request that name the same resource; both get it, with INVALID_REQUEST. */
export const DUPLICATE_RESOURCE = 'Each resource must appear at most once.'

/** Kafka's limit on a value, in bytes. */
const VALUE_BYTES_MAX = 32_767

const RESOURCE_SCOPES: Readonly<Record<number, OptionScope>> = {
  2: 'topic',
  4: 'broker',
  16: 'client-metrics',
  32: 'group',
}

/** What a resource type of the protocol stands for, or null; loggers (8) have no options here. */
export function scopeOfResourceType(resourceType: number): OptionScope | null {
  return RESOURCE_SCOPES[resourceType] ?? null
}

/** The refusal for a resource type without a scope. */
export function unknownResourceType(resourceType: number): ConfigError {
  return invalidRequest(`Unknown resource type ${resourceType}`)
}

function invalidRequest(message: string): ConfigError {
  return { name: 'INVALID_REQUEST', message }
}

function invalidConfig(message: string): ConfigError {
  return { name: 'INVALID_CONFIG', message }
}

function refused(error: ConfigError): Altered {
  return { ok: false, error }
}

/** IncrementalAlterConfigs of one resource. Whether a topic exists is the caller's to say, after this. */
export function alterIncrementally(target: AlterTarget, operations: readonly ConfigOperation[]): Altered {
  // Brokers say at once that they are not who is meant; otherwise the operations are looked at first.
  const malformed = entriesProblem(operations) ?? brokerProblem(target)
  if (malformed !== null) return refused(malformed)
  const applied = applyIncremental(target.scope, target.current, operations)
  if (!applied.ok) return applied
  const misnamed = nameProblem(target)
  if (misnamed !== null) return refused(misnamed)
  return checked(target, applied.config, applied.changes)
}

/** AlterConfigs of one resource: the given options take the place of all that it has. */
export function alterLegacy(target: AlterTarget, given: readonly NamedValue[]): Altered {
  const malformed = entriesProblem(given) ?? brokerProblem(target) ?? nameProblem(target)
  if (malformed !== null) return refused(malformed)
  const config = new Map<string, string>()
  for (const { name, value } of given) if (value !== null) config.set(name, value)
  const set = [...config].filter(([name, value]) => isChange(target.scope, target.current.get(name), value))
  const deleted = [...target.current.keys()].filter(name => !config.has(name))
  const changes = [
    ...set.map(([name, value]): NamedValue => ({ name, value })),
    ...deleted.map((name): NamedValue => ({ name, value: null })),
  ]
  return checked(target, config, changes)
}

/** The options with which a topic is created. A name that comes twice has the value that comes last. */
export function configsOfNewTopic(broker: BrokerConfig, given: readonly NamedValue[]): Altered {
  const missing = given.filter(({ value }) => value === null).map(({ name }) => name)
  if (missing.length > 0) {
    return refused(invalidConfig(`Null value not supported for topic configs: ${missing.join(',')}`))
  }
  const config = new Map(given.map(({ name, value }) => [name, value as string]))
  const problem = tooLongProblem(config) ?? validateTopicConfigs(config, broker)
  if (problem !== null) return refused(invalidConfig(problem))
  return { ok: true, config, changes: [...config].map(([name, value]) => ({ name, value })) }
}

/** What is wrong with the entries of a resource, whatever it is; without an operation they set. Null if nothing is. */
export function entriesProblem(
  entries: readonly (NamedValue & { readonly configOperation?: number })[],
): ConfigError | null {
  const names = entries.map(({ name }) => name)
  if (new Set(names).size < names.length) return invalidRequest('Error due to duplicate config keys')
  const missing = entries.filter(
    ({ configOperation, value }) => value === null && configOperation !== OPERATIONS.delete,
  )
  if (missing.length === 0) return null
  return invalidRequest(`Null value not supported for : ${missing.map(({ name }) => name).join(', ')}`)
}

function nameProblem({ scope, resourceName, topicNameProblem }: AlterTarget): ConfigError | null {
  if (scope === 'topic' && resourceName === '') return invalidRequest('Default topic resources are not allowed.')
  if (scope === 'group' && resourceName === '') return invalidRequest('Default group resources are not allowed.')
  if (scope === 'client-metrics' && resourceName === '') return invalidRequest("Subscription name can't be empty")
  if (scope !== 'topic' || (topicNameProblem ?? null) === null) return null
  return { name: 'INVALID_TOPIC_EXCEPTION', message: topicNameProblem! }
}

function brokerProblem({ scope, resourceName, broker }: AlterTarget): ConfigError | null {
  if (scope !== 'broker' || resourceName === '') return null
  if (!isInt(resourceName)) {
    return invalidRequest(`Node id must be an integer, but it is: ${resourceName}`)
  }
  const nodeId = broker.node.nodeId
  if (Number(resourceName) === nodeId) return null
  return invalidRequest(`Unexpected broker id, expected ${nodeId}, but received ${resourceName}`)
}

/** Applies operations to the dynamic options of a resource, without looking at what comes out. */
export function applyIncremental(
  scope: OptionScope,
  current: ConfigMap,
  operations: readonly ConfigOperation[],
): Altered {
  const config = new Map(current)
  const changes: NamedValue[] = []
  for (const operation of operations) {
    const outcome = newValueOf(scope, current, operation)
    if (!outcome.ok) return outcome
    const { value } = outcome
    if (value === null) config.delete(operation.name)
    else config.set(operation.name, value)
    if (isChange(scope, current.get(operation.name), value)) changes.push({ name: operation.name, value })
  }
  return { ok: true, config, changes }
}

/** Brokers are told of a value that stays the same, too: that is how they reload a certificate. */
function isChange(scope: OptionScope, before: string | undefined, after: string | null): boolean {
  return scope === 'broker' || (before ?? null) !== after
}

function newValueOf(
  scope: OptionScope,
  current: ConfigMap,
  { name, configOperation, value }: ConfigOperation,
): { readonly ok: true; readonly value: string | null } | { readonly ok: false; readonly error: ConfigError } {
  switch (configOperation) {
    case OPERATIONS.set:
      return { ok: true, value }
    case OPERATIONS.delete:
      return { ok: true, value: null }
    case OPERATIONS.append:
    case OPERATIONS.subtract: {
      const error = listProblem(scope, name, configOperation === OPERATIONS.append ? 'append' : 'subtract')
      if (error !== null) return { ok: false, error }
      const before = splitParts(current.get(name) ?? findOption(scope, name)?.defaultText ?? '')
      const parts = javaSplit(value ?? '')
      const after = configOperation === OPERATIONS.append ? appended(scope, before, parts) : subtracted(before, parts)
      return { ok: true, value: after.join(',') }
    }
    default:
      if (scope === 'broker') {
        return { ok: false, error: invalidRequest(`Unknown operations type ${configOperation}`) }
      }
      return { ok: false, error: { name: 'UNKNOWN_SERVER_ERROR', message: null } }
  }
}

function listProblem(scope: OptionScope, name: string, operation: 'append' | 'subtract'): ConfigError | null {
  const option = findOption(scope, name)
  if (scope === 'broker') {
    if (option === null || option.dynamicOnly) return invalidConfig(`Unknown config name: ${name}`)
    if (option.type === 'LIST') return null
    return invalidConfig(`Config value ${operation} is not allowed for config key: ${name}`)
  }
  if (scope === 'topic' && option?.type === 'LIST') return null
  return invalidConfig(`Can't ${operation.toUpperCase()} to key ${name} because its type is not LIST.`)
}

/** Commas at the end do not make entries, as in Java. */
function javaSplit(text: string): string[] {
  return text === '' ? [''] : text.replace(/,+$/, '').split(',')
}

function splitParts(text: string): string[] {
  return text.split(',').filter(part => part !== '')
}

function appended(scope: OptionScope, before: readonly string[], parts: readonly string[]): readonly string[] {
  // For brokers alone what comes twice in the request stays so, and is refused.
  if (scope === 'broker') return [...before, ...parts.filter(part => !before.includes(part))]
  const result = [...before]
  for (const part of parts) if (!result.includes(part)) result.push(part)
  return result
}

function subtracted(before: readonly string[], parts: readonly string[]): readonly string[] {
  const result = [...before]
  for (const part of parts) {
    const index = result.indexOf(part)
    if (index >= 0) result.splice(index, 1)
  }
  return result
}

function tooLongProblem(config: ConfigMap): string | null {
  for (const value of config.values()) {
    // A character takes at most three bytes, so most values need no counting.
    if (value.length * 3 <= VALUE_BYTES_MAX || new TextEncoder().encode(value).length <= VALUE_BYTES_MAX) continue
    return (
      'The configuration value cannot be added because it exceeds the maximum value size of ' +
      `${VALUE_BYTES_MAX} bytes.`
    )
  }
  return null
}

const MIN_ISR = 'min.insync.replicas'

/** With eligible leader replicas on, every broker must count with the same min.insync.replicas, and it must be set. */
function minIsrProblem(target: AlterTarget, changes: readonly NamedValue[]): string | null {
  const change = changes.find(({ name }) => name === MIN_ISR)
  if (change === undefined || target.scope !== 'broker' || !target.eligibleLeaderReplicas) return null
  if (target.resourceName !== '') return `Broker-level ${MIN_ISR} cannot be altered while ELR is enabled.`
  return change.value === null ? `Cluster-level ${MIN_ISR} cannot be removed while ELR is enabled.` : null
}

/** What a broker cannot use of its present dynamic options must not stand in the way of changing others. */
function withoutStale(
  target: AlterTarget,
  config: ConfigMap,
  changes: readonly NamedValue[],
  perBroker: boolean,
): ConfigMap {
  const usable = usableLayer(target.current, perBroker).config
  const changed = new Set(changes.map(({ name }) => name))
  return new Map([...config].filter(([name]) => changed.has(name) || usable.has(name)))
}

/** Looks at what a change would leave behind. */
function checked(target: AlterTarget, config: ConfigMap, changes: readonly NamedValue[]): Altered {
  if (target.scope === 'broker') {
    const perBroker = target.resourceName !== ''
    const problem = checkBrokerChange(
      withoutStale(target, config, changes, perBroker),
      perBroker,
      target.isOfOtherBroker === true ? null : target.broker,
    )
    if (problem !== null) return refused(invalidRequest(problem))
  }
  const problem = tooLongProblem(config) ?? minIsrProblem(target, changes)
  if (problem !== null) return refused(invalidConfig(problem))
  const error = resourceProblem(target, config)
  return error === null ? { ok: true, config, changes } : refused(error)
}

function resourceProblem(target: AlterTarget, config: ConfigMap): ConfigError | null {
  if (target.scope === 'client-metrics') return validateClientMetricsConfigs(config)
  if (target.scope === 'broker') return null
  const validate = target.scope === 'topic' ? validateTopicConfigs : validateGroupConfigs
  const problem = validate(config, target.broker)
  return problem === null ? null : invalidConfig(problem)
}
