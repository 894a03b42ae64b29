import type { NamedValue } from './alter.js'
import type { ConfigMap } from './layers.js'
import type { OptionScope } from './option.js'
import { brokerOptionOf, findOption } from './options.js'
import { parseValue } from './values.js'

/** Options that Kafka once had, and what became of them. */
const REMOVED_OPTIONS: Readonly<Record<string, string>> = {
  'zookeeper.connect': 'there is no ZooKeeper any more',
  'zookeeper.connection.timeout.ms': 'there is no ZooKeeper any more',
  'zookeeper.session.timeout.ms': 'there is no ZooKeeper any more',
  'inter.broker.protocol.version': 'the finalized metadata.version takes its place',
  'log.message.format.version': 'batches are always of the current format',
  'log.message.downconversion.enable': 'old formats are no longer served',
  'log.message.timestamp.difference.max.ms':
    'log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms take its place',
  'control.plane.listener.name': 'controller.listener.names takes its place',
  'broker.id.generation.enable': 'node.id must be given',
  'reserved.broker.max.id': 'node.id must be given',
  'offsets.commit.required.acks': 'commits always wait for all in-sync replicas',
  'delegation.token.master.key': 'delegation.token.secret.key takes its place',
  'group.coordinator.new.enable': 'there is only one group coordinator',
  'metadata.log.segment.min.bytes': 'internal.metadata.log.segment.bytes takes its place',
}

/** One line for each option that was set in vain: nobody knows it, or it has no effect here yet. */
export function startWarnings(given: ConfigMap, origins: ReadonlyMap<string, string>): readonly string[] {
  const warnings: string[] = []
  for (const [name, text] of given) {
    const warning = startWarning(name, text)
    const origin = origins.get(name)
    if (warning !== null) warnings.push(origin === undefined ? warning : `${origin}: ${warning}`)
  }
  return warnings
}

function startWarning(name: string, text: string): string | null {
  const option = brokerOptionOf(name)
  if (option === null) {
    const removed = REMOVED_OPTIONS[name]
    return removed === undefined
      ? `option ${name} is not known and is ignored`
      : `option ${name} no longer exists and is ignored: ${removed}`
  }
  if (option.dynamicOnly) return `option ${name} can only be set dynamically and is ignored here`
  return noEffectWarning('broker', name, text)
}

/** One line for each option of a dynamic change that was set in vain. */
export function changeWarnings(scope: OptionScope, changes: readonly NamedValue[]): readonly string[] {
  return changes.flatMap(({ name, value }) => {
    const warning = value === null ? null : noEffectWarning(scope, name, value)
    return warning === null ? [] : [warning]
  })
}

/** The line for an option whose value has no effect here yet; null where it has, or where the value is the default. */
function noEffectWarning(scope: OptionScope, name: string, text: string): string | null {
  const exact = findOption(scope, name)
  const option = exact ?? (scope === 'broker' ? brokerOptionOf(name) : null)
  if (option === null || option.acts === true) return null
  const parsed = parseValue(name, option, text)
  if (!parsed.ok || (exact !== null && parsed.text === option.defaultText)) return null
  if (option.acts === false) return `option ${name} has no effect yet`
  // What acts in part is worth a line only where it asks for the other part.
  return isServedPart(name, parsed.text) ? null : `option ${name} acts only in part yet: ${option.note}`
}

function isServedPart(name: string, text: string): boolean {
  switch (name) {
    case 'listener.security.protocol.map':
    case 'listeners':
      return true
    case 'group.coordinator.rebalance.protocols':
      return text === 'classic'
    case 'security.inter.broker.protocol':
      return text === 'PLAINTEXT'
    default:
      return false
  }
}
