import { checkBrokerValues } from './broker-checks.js'
import { retentionMsOf, rollJitterMsOf, rollMsOf } from './durations.js'
import { type ConfigMap, EMPTY_CONFIG, overlay, usableLayer } from './layers.js'
import type { Endpoint } from './listeners.js'
import type { OptionValue } from './option.js'
import { type BrokerOptionName, type BrokerValues, brokerOptionOf, brokerOptions } from './options.js'
import { clientMessage } from './problem.js'
import { type HostPort, parseValue } from './values.js'

/** A member of a fixed controller quorum. */
export interface QuorumVoter extends HostPort {
  readonly nodeId: number
}

/** What a node is and where it is found. Taken from the properties at start; nothing dynamic changes it. */
export interface NodeConfig {
  readonly nodeId: number
  readonly roles: { readonly broker: boolean; readonly controller: boolean }
  /** Everything in `listeners`, in that order. */
  readonly listeners: readonly Endpoint[]
  /** Those of `listeners` that clients and brokers use. */
  readonly brokerListeners: readonly Endpoint[]
  /** Those of `listeners` that controllers and brokers use to reach this controller. */
  readonly controllerListeners: readonly Endpoint[]
  /** What Metadata says. A port of 0 stands for the port that the listener of the same name got. */
  readonly advertisedListeners: readonly Endpoint[]
  /** What a controller registers. */
  readonly advertisedControllerListeners: readonly Endpoint[]
  readonly interBrokerListenerName: string
  /** The first is the one with which this node reaches a controller. */
  readonly controllerListenerNames: readonly string[]
  /** Empty: the quorum is changeable and its voters stand in the log. */
  readonly quorumVoters: readonly QuorumVoter[]
  readonly quorumBootstrapServers: readonly HostPort[]
  readonly logDirs: readonly string[]
  readonly metadataLogDir: string
  readonly rack: string | null
}

/** The outcome of applying dynamic options: the configuration in force from now on, and what was left out. */
export interface AppliedConfig {
  readonly config: BrokerConfig
  /** One line each for the log. */
  readonly ignored: readonly string[]
}

type ValueTable = Record<string, OptionValue>

let defaults: ValueTable | null = null

function defaultValues(): ValueTable {
  defaults ??= Object.fromEntries(
    Object.entries(brokerOptions).map(([name, option]) => {
      const parsed = option.defaultText === null ? null : parseValue(name, option, option.defaultText)
      return [name, parsed?.ok ? parsed.value : null]
    }),
  )
  return defaults
}

/** Parses what is set over the defaults. Values that cannot be parsed are left at their default: check them before. */
export function brokerValuesOf(effective: ConfigMap): BrokerValues {
  const values: ValueTable = { ...defaultValues() }
  for (const [name, text] of effective) {
    const option = Object.hasOwn(brokerOptions, name) ? brokerOptions[name as BrokerOptionName] : null
    const parsed = option === null ? null : parseValue(name, option, text)
    if (parsed?.ok) values[name] = parsed.value
  }
  return values as unknown as BrokerValues
}

/**
 * The options of one broker at one moment. Immutable: a dynamic change makes another one. Precedence, the strongest
 * first: this broker's dynamic options, the cluster's dynamic options, the properties at start, defaults.
 */
export class BrokerConfig {
  readonly node: NodeConfig
  /** The properties at start, with node.id and broker.id both. */
  readonly staticConfig: ConfigMap
  /** The dynamic options of the whole cluster, as far as they are usable. */
  readonly clusterConfig: ConfigMap
  /** The dynamic options of this broker, as far as they are usable. */
  readonly brokerConfig: ConfigMap
  /** The layers over one another, unknown names and listeners' options among them. */
  readonly effective: ConfigMap
  /** Every option by name. */
  readonly values: BrokerValues

  private constructor(node: NodeConfig, staticConfig: ConfigMap, clusterConfig: ConfigMap, brokerConfig: ConfigMap) {
    this.node = node
    this.staticConfig = staticConfig
    this.clusterConfig = clusterConfig
    this.brokerConfig = brokerConfig
    this.effective = overlay(staticConfig, clusterConfig, brokerConfig)
    this.values = brokerValuesOf(this.effective)
  }

  /** `staticConfig` must have passed the checks of a start. */
  static ofStatic(node: NodeConfig, staticConfig: ConfigMap): BrokerConfig {
    return new BrokerConfig(node, staticConfig, EMPTY_CONFIG, EMPTY_CONFIG)
  }

  get<N extends BrokerOptionName>(name: N): BrokerValues[N] {
    return this.values[name]
  }

  /** The value for one listener: `listener.name.<listener>.<name>` if that is set, otherwise the whole broker's. */
  getForListener<N extends BrokerOptionName>(listenerName: string, name: N): BrokerValues[N] {
    const full = `listener.name.${listenerName.toLowerCase()}.${name}`
    const text = this.effective.get(full)
    const option = text === undefined ? null : brokerOptionOf(full)
    const parsed = option === null || text === undefined ? null : parseValue(name, option, text)
    return parsed?.ok ? (parsed.value as BrokerValues[N]) : this.values[name]
  }

  /** Time after which a segment is closed, in ms. */
  get logRollMs(): number {
    return rollMsOf(this.values)
  }

  /** Largest random time taken off logRollMs, in ms. */
  get logRollJitterMs(): number {
    return rollJitterMsOf(this.values)
  }

  /** Age at which records are deleted, in ms; -1 for never. */
  get logRetentionMs(): number {
    return retentionMsOf(this.values)
  }

  /** Time after which a log is flushed, in ms; Infinity for never. */
  get logFlushIntervalMs(): number {
    return this.values['log.flush.interval.ms'] ?? this.values['log.flush.scheduler.interval.ms']
  }

  /**
   * The configuration with these dynamic options instead of the present ones. What cannot be used is left out; if the
   * rest does not fit together, the present dynamic options stay.
   */
  withDynamic(clusterConfig: ConfigMap, brokerConfig: ConfigMap): AppliedConfig {
    const cluster = usableLayer(clusterConfig, false)
    const broker = usableLayer(brokerConfig, true)
    const ignored = [...cluster.ignored, ...broker.ignored]
    const next = new BrokerConfig(this.node, this.staticConfig, cluster.config, broker.config)
    const problems = checkBrokerValues(next.values)
    if (problems.length === 0) return { config: next, ignored }
    const why = problems.map(clientMessage).join('; ')
    return { config: this, ignored: [...ignored, `the change of dynamic options is not applied: ${why}`] }
  }
}
