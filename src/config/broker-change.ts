import { checkBrokerValues } from './broker-checks.js'
import { type BrokerConfig, brokerValuesOf } from './broker-config.js'
import { retentionMsOf } from './durations.js'
import { inHashOrder, trimText } from './java-text.js'
import { bareSecurityNames, type ConfigMap, overlay, perBrokerNames, readOnlyNames } from './layers.js'
import { longText } from './option.js'
import { type BrokerOptionName, type BrokerValues, brokerOptionOf, brokerOptions, listenerBaseName } from './options.js'
import { clientMessage } from './problem.js'
import { readNode } from './start.js'
import { invalidValue, isKnownClass, parseValue, splitList } from './values.js'

/**
 * What is wrong with a set of dynamic broker options, in Kafka's words, or null. Goes with INVALID_REQUEST.
 *
 * `proposed` would be all dynamic options of this broker (`perBroker`), or of the whole cluster. Without `broker`, as
 * for the options of another one, what would come out is not looked at.
 */
export function checkBrokerChange(proposed: ConfigMap, perBroker: boolean, broker: BrokerConfig | null): string | null {
  return (
    namesProblem(readOnlyNames(proposed), 'Cannot update these configs dynamically') ??
    namesProblem(
      bareSecurityNames(proposed),
      'These security configs can be dynamically updated only per-listener using the listener prefix',
    ) ??
    typesProblem(proposed) ??
    (perBroker
      ? null
      : namesProblem(
          perBrokerNames(proposed),
          'Cannot update these configs at default cluster level, broker id must be specified',
        )) ??
    (broker === null ? null : outcomeProblem(proposed, perBroker, broker))
  )
}

function namesProblem(names: readonly string[], message: string): string | null {
  return names.length === 0 ? null : `${message}: [${inHashOrder(names).join(', ')}]`
}

const DECLARED_ORDER = new Map(Object.keys(brokerOptions).map((name, index) => [name, index]))

/** The first value, in the order in which options are declared, that its option does not take. */
function typesProblem(proposed: ConfigMap): string | null {
  const base = (name: string): string => listenerBaseName(name) ?? name
  const order = (name: string): number => DECLARED_ORDER.get(base(name)) ?? 0
  for (const [name, text] of [...proposed].sort(([a], [b]) => order(a) - order(b))) {
    const option = brokerOptionOf(name)
    if (option === null) continue
    if (option.rule?.rule === 'list') {
      // In a file, and for a topic, what is there twice is dropped.
      const entries = splitList(trimText(text))
      if (new Set(entries).size < entries.length) return `Configuration '${base(name)}' values must not be duplicated.`
    }
    const parsed = parseValue(base(name), option, text)
    if (!parsed.ok) return parsed.message
  }
  return null
}

/** What would be wrong with the broker as a whole, and what would change by too much at a time. */
function outcomeProblem(proposed: ConfigMap, perBroker: boolean, broker: BrokerConfig): string | null {
  const effective = perBroker
    ? overlay(broker.staticConfig, broker.clusterConfig, proposed)
    : overlay(broker.staticConfig, proposed, broker.brokerConfig)
  const values = brokerValuesOf(effective)
  const problems = [...checkBrokerValues(values), ...readNode(values, effective).problems]
  if (problems[0] !== undefined) return clientMessage(problems[0])
  const step =
    connectionsProblem(broker, values, effective) ??
    threadsProblem(broker, values, proposed) ??
    cleanerThreadsProblem(broker.values['log.cleaner.threads'], values['log.cleaner.threads']) ??
    localRetentionProblem(broker.values, values) ??
    metricReportersProblem(values)
  if (step === null) return null
  // The words around it are how a Kafka broker passes the refusal of one of its parts on.
  const refusal = `org.apache.kafka.common.config.ConfigException: ${step}`
  return `Invalid value ${refusal} for configuration Invalid dynamic configuration`
}

/** No listener may be closed to every connection while the broker runs. */
const CONNECTION_OPTIONS = ['max.connections', 'max.connection.creation.rate'] as const

function connectionsProblem(broker: BrokerConfig, values: BrokerValues, effective: ConfigMap): string | null {
  const limit = (config: ConfigMap, all: BrokerValues, listener: string, option: (typeof CONNECTION_OPTIONS)[number]) =>
    Number(config.get(`listener.name.${listener.toLowerCase()}.${option}`) ?? all[option])
  for (const { name } of broker.node.brokerListeners) {
    for (const option of CONNECTION_OPTIONS) {
      const after = limit(effective, values, name, option)
      if (after <= 0 && after !== limit(broker.effective, broker.values, name, option))
        return `Invalid ${option} ${after}`
    }
  }
  return null
}

/** Thread pools grow to twice their size at most, and shrink to half of it. */
const THREAD_OPTIONS: readonly BrokerOptionName[] = [
  'num.io.threads',
  'num.replica.fetchers',
  'num.recovery.threads.per.data.dir',
  'background.threads',
  'num.network.threads',
  'remote.log.reader.threads',
  'remote.log.manager.copier.thread.pool.size',
  'remote.log.manager.expiration.thread.pool.size',
  'remote.log.manager.follower.thread.pool.size',
]

function threadsProblem(broker: BrokerConfig, values: BrokerValues, proposed: ConfigMap): string | null {
  for (const option of THREAD_OPTIONS) {
    const problem = threadStepProblem(option, broker.values[option] as number, values[option] as number)
    if (problem !== null) return problem
  }
  const networkThreads = 'num.network.threads'
  for (const [name, text] of proposed) {
    if (listenerBaseName(name) !== networkThreads) continue
    const before = broker.effective.get(name)
    const count = before === undefined ? broker.values[networkThreads] : Number(before)
    const problem = threadStepProblem(networkThreads, count, Number(text))
    if (problem !== null) return problem
  }
  return null
}

function threadStepProblem(option: string, before: number, after: number): string | null {
  const failed = `Dynamic thread count update validation failed for ${option}=${after}`
  if (after <= 0) return `${failed}, value should be at least 1`
  if (after < Math.trunc(before / 2)) return `${failed}, value should be at least half the current value ${before}`
  if (after > before * 2) return `${failed}, value should not be greater than double the current value ${before}`
  return null
}

function cleanerThreadsProblem(before: number, after: number): string | null {
  if (after < Math.trunc(before / 2)) {
    return `Log cleaner threads cannot be reduced to less than half the current value ${before}`
  }
  if (after > before * 2)
    return `Log cleaner threads cannot be increased to more than double the current value ${before}`
  return null
}

function localRetentionProblem(before: BrokerValues, after: BrokerValues): string | null {
  const options = [
    'log.local.retention.ms',
    'log.local.retention.bytes',
    'log.retention.bytes',
    'log.remote.copy.lag.ms',
    'log.remote.copy.lag.bytes',
  ] as const
  const changed = options.some(option => before[option] !== after[option])
  if (!changed && retentionMsOf(before) === retentionMsOf(after)) return null
  return (
    boundedByRetention(
      'log.local.retention.ms',
      after['log.local.retention.ms'],
      'log.retention.ms',
      retentionMsOf(after),
    ) ??
    boundedByRetention(
      'log.local.retention.bytes',
      after['log.local.retention.bytes'],
      'log.retention.bytes',
      after['log.retention.bytes'],
    ) ??
    boundedByLocal('ms', after['log.remote.copy.lag.ms'], after['log.local.retention.ms'], retentionMsOf(after)) ??
    boundedByLocal(
      'bytes',
      after['log.remote.copy.lag.bytes'],
      after['log.local.retention.bytes'],
      after['log.retention.bytes'],
    )
  )
}

/** A segment that is copied later than it may be deleted here would never be copied. -2 stands for all retention. */
function boundedByLocal(unit: 'ms' | 'bytes', lag: number, local: number, retention: number): string | null {
  const effective = local === -2 ? retention : local
  if (lag <= 0 || effective < 0 || lag <= effective) return null
  return invalidValue(
    `log.remote.copy.lag.${unit}`,
    longText(lag),
    `Value must not exceed log.local.retention.${unit} (effective value: ${longText(effective)})`,
  )
}

function boundedByRetention(name: string, local: number, retentionName: string, retention: number): string | null {
  if (retention <= -1 || local === -2) return null
  if (local === -1) {
    return invalidValue(name, local, `Value must not be -1 as ${retentionName} value is set as ${longText(retention)}.`)
  }
  if (local <= retention) return null
  return invalidValue(
    name,
    longText(local),
    `Value must not be more than ${retentionName} property value: ${longText(retention)}`,
  )
}

function metricReportersProblem(values: BrokerValues): string | null {
  if (values['metric.reporters'].every(isKnownClass)) return null
  return (
    'Validation of dynamic config update of Set(metric.reporters) failed with class class ' +
    'kafka.server.DynamicMetricsReporters'
  )
}
