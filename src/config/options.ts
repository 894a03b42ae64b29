import { groupsOptions } from './broker-options-groups.js'
import { kraftOptions } from './broker-options-kraft.js'
import { logOptions } from './broker-options-log.js'
import { metadataOptions } from './broker-options-metadata.js'
import { metricsOptions } from './broker-options-metrics.js'
import { networkOptions } from './broker-options-network.js'
import { oauthOptions } from './broker-options-oauth.js'
import { quorumOptions } from './broker-options-quorum.js'
import { quotaOptions } from './broker-options-quota.js'
import { replicationOptions } from './broker-options-replication.js'
import { securityOptions } from './broker-options-security.js'
import { serverOptions } from './broker-options-server.js'
import { shareCoordinatorOptions } from './broker-options-share-coordinator.js'
import { shareStreamsGroupsOptions } from './broker-options-share-streams-groups.js'
import { throttleOptions } from './broker-options-throttle.js'
import { tieredOptions } from './broker-options-tiered.js'
import { transactionOptions } from './broker-options-transaction.js'
import { clientMetricsOptions } from './client-metrics-options.js'
import { groupOptions } from './group-options.js'
import type { AnyOption, OptionScope, OptionTable, ValueOfOption } from './option.js'
import { topicOptions } from './topic-options.js'

/**
 * Every broker option. The order is the one in which Kafka declares them: DescribeConfigs shows options of one hash
 * bucket in this order.
 */
export const brokerOptions = {
  ...tieredOptions,
  ...serverOptions,
  ...kraftOptions,
  ...metadataOptions,
  ...networkOptions,
  ...replicationOptions,
  ...groupsOptions,
  ...shareStreamsGroupsOptions,
  ...logOptions,
  ...shareCoordinatorOptions,
  ...transactionOptions,
  ...quorumOptions,
  ...metricsOptions,
  ...quotaOptions,
  ...securityOptions,
  ...oauthOptions,
  ...throttleOptions,
}

type BrokerOptions = typeof brokerOptions

/** The name of a broker option that always has a value. */
export type BrokerOptionName = keyof BrokerOptions

/** The parsed values of all broker options by name. */
export type BrokerValues = { readonly [N in BrokerOptionName]: ValueOfOption<BrokerOptions[N]> }

/** The parsed values of all topic options by name. */
export type TopicValues = { readonly [N in keyof typeof topicOptions]: ValueOfOption<(typeof topicOptions)[N]> }

const TABLES: Readonly<Record<OptionScope, OptionTable>> = {
  broker: brokerOptions,
  topic: topicOptions,
  group: groupOptions,
  'client-metrics': clientMetricsOptions,
}

/** The options of one kind of resource. */
export function optionsOf(scope: OptionScope): OptionTable {
  return TABLES[scope]
}

/** The option of that name, or null when there is none. */
export function findOption(scope: OptionScope, name: string): AnyOption | null {
  const table = TABLES[scope]
  return Object.hasOwn(table, name) ? (table[name] as AnyOption) : null
}

const LISTENER_OPTION = /^listener\.name\.[^.]*\.(.*)$/

/** Options that stand behind the mechanism as well: listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config. */
const MECHANISM_OPTIONS = [
  'sasl.jaas.config',
  'sasl.login.callback.handler.class',
  'sasl.login.class',
  'sasl.server.callback.handler.class',
  'connections.max.reauth.ms',
]

/** Options that a listener may have for itself and that may nevertheless be set for the whole cluster. */
export const CLUSTER_WIDE_LISTENER_OPTIONS = ['max.connections', 'max.connection.creation.rate', 'num.network.threads']

/** What follows `listener.name.<listener>.`, or null where the name has no such beginning. */
export function listenerBaseName(name: string): string | null {
  return LISTENER_OPTION.exec(name)?.[1] ?? null
}

/**
 * The names under which the value of a broker option may be given, the strongest first: its units (log.retention.ms,
 * .minutes, .hours), or for a listener's option also the option of the whole broker.
 */
export function brokerSynonyms(name: string): readonly string[] {
  const synonyms = findOption('broker', name)?.synonyms
  if (synonyms !== undefined && synonyms.length > 0) return synonyms
  const base = listenerBaseName(name)
  if (base === null) return [name]
  return [name, MECHANISM_OPTIONS.find(option => base.endsWith(option)) ?? base]
}

/** The option that gives a broker option's name its type: for a listener's option that of the whole broker. */
export function brokerOptionOf(name: string): AnyOption | null {
  const exact = findOption('broker', name)
  if (exact !== null) return exact
  for (const synonym of brokerSynonyms(name)) {
    const option = findOption('broker', synonym)
    if (option !== null) return option
  }
  return null
}
