import {
  brokerOptionOf,
  brokerSynonyms,
  CLUSTER_WIDE_LISTENER_OPTIONS,
  findOption,
  listenerBaseName,
} from './options.js'
import { parseValue } from './values.js'

/** Option values as text by name, as properties files and ConfigRecords have them. */
export type ConfigMap = ReadonlyMap<string, string>

export const EMPTY_CONFIG: ConfigMap = new Map()

/**
 * Puts layers of broker options over one another, the weakest first. A value takes the place of its synonyms in the
 * layers below, so that a dynamic log.retention.ms beats a static log.retention.hours and the other way round.
 */
export function overlay(...layers: readonly ConfigMap[]): ConfigMap {
  const [first = EMPTY_CONFIG, ...rest] = layers
  const result = new Map(first)
  for (const layer of rest) {
    for (const [name, value] of layer) {
      // A listener's option does not take the place of the whole broker's, which other listeners may use.
      if (listenerBaseName(name) === null) for (const synonym of brokerSynonyms(name)) result.delete(synonym)
      result.set(name, value)
    }
  }
  return result
}

/** TLS stores change while the broker runs, but only for one listener at a time. */
const SECURITY_OPTIONS = new Set([
  'ssl.key.password',
  'ssl.keystore.certificate.chain',
  'ssl.keystore.key',
  'ssl.keystore.location',
  'ssl.keystore.password',
  'ssl.keystore.type',
  'ssl.truststore.certificates',
  'ssl.truststore.location',
  'ssl.truststore.password',
  'ssl.truststore.type',
])

/** Broker options that need a restart. Names that are no option at all may be set dynamically: plugins read them. */
export function readOnlyNames(config: ConfigMap): readonly string[] {
  return [...config.keys()].filter(name => findOption('broker', name)?.mode === 'read-only')
}

/** Broker options that may be set dynamically only with the prefix of a listener. */
export function bareSecurityNames(config: ConfigMap): readonly string[] {
  return [...config.keys()].filter(name => SECURITY_OPTIONS.has(name))
}

/** Broker options that cannot be the same for the whole cluster. */
export function perBrokerNames(config: ConfigMap): readonly string[] {
  return [...config.keys()].filter(name => {
    const base = listenerBaseName(name)
    if (base !== null) return !CLUSTER_WIDE_LISTENER_OPTIONS.includes(base)
    return findOption('broker', name)?.mode === 'per-broker'
  })
}

/** A dynamic layer as it may be used, and what had to be left out of it and why. */
export interface UsableLayer {
  readonly config: ConfigMap
  readonly ignored: readonly string[]
}

/**
 * Leaves out of a dynamic layer what cannot be used: the metadata log may hold values of other versions, or of a time
 * when other rules held. Kafka does the same.
 */
export function usableLayer(config: ConfigMap, perBroker: boolean): UsableLayer {
  if (config.size === 0) return { config, ignored: [] }
  const usable = new Map(config)
  const ignored: string[] = []
  const leaveOut = (names: readonly string[], why: string): void => {
    for (const name of names) if (usable.delete(name)) ignored.push(`${name} is ignored: ${why}`)
  }
  leaveOut(readOnlyNames(config), 'it cannot change while the broker runs')
  leaveOut(bareSecurityNames(config), 'it needs the prefix of a listener')
  if (!perBroker) leaveOut(perBrokerNames(config), 'it cannot be the same for the whole cluster')
  for (const [name, text] of [...usable]) {
    const option = brokerOptionOf(name)
    const parsed = option === null ? null : parseValue(listenerBaseName(name) ?? name, option, text)
    if (parsed !== null && !parsed.ok) leaveOut([name], parsed.message)
  }
  return { config: usable, ignored }
}
