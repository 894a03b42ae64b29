import type { BrokerValues } from './options.js'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** log.retention.ms, .minutes or .hours, the first that is set, in ms; -1 for anything negative. */
export function retentionMsOf(values: BrokerValues): number {
  const minutes = values['log.retention.minutes']
  const ms =
    values['log.retention.ms'] ?? (minutes === null ? values['log.retention.hours'] * HOUR_MS : minutes * MINUTE_MS)
  return ms < 0 ? -1 : ms
}

/** log.roll.ms or .hours, the first that is set, in ms. */
export function rollMsOf(values: BrokerValues): number {
  return values['log.roll.ms'] ?? values['log.roll.hours'] * HOUR_MS
}

/** log.roll.jitter.ms or .hours, the first that is set, in ms. */
export function rollJitterMsOf(values: BrokerValues): number {
  return values['log.roll.jitter.ms'] ?? values['log.roll.jitter.hours'] * HOUR_MS
}

/** How many ms one unit of an option is whose name ends in its unit: log.roll.hours, log.retention.minutes. */
export function unitMsOf(name: string): number {
  if (name.endsWith('.hours')) return HOUR_MS
  return name.endsWith('.minutes') ? MINUTE_MS : 1
}
