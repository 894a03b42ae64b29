/** Metadata records as Kafka's own tool prints them, made comparable with records that were written here. */
import type { MetadataRecord } from '#src/metadata/record.js'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export type ShownRecord = {
  readonly type: string
  readonly version: number
  readonly data: Json
}

export function plain(value: object): Json {
  return JSON.parse(JSON.stringify(value))
}

/** Kafka keeps those as eligible leaders who are no replicas any more when a move ends; here they are not. */
export function withoutStrangers(record: ShownRecord): ShownRecord {
  const { replicas, eligibleLeaderReplicas: eligible, ...rest } = record.data as Record<string, readonly number[]>
  if (replicas === undefined || eligible === undefined) return record
  const left = eligible.filter(replica => replicas.includes(replica))
  return { ...record, data: { ...rest, replicas, ...(left.length === 0 ? {} : { eligibleLeaderReplicas: left }) } }
}

/** Neighbours of one kind in a comparable order. */
export function ordered(records: readonly Json[]): readonly Json[] {
  const runs: Json[][] = []
  for (const record of records as { type: string }[]) {
    const last = runs.at(-1)
    if ((last?.[0] as { type: string } | undefined)?.type === record.type) last!.push(record)
    else runs.push([record])
  }
  return runs.map(inAnyOrder)
}

/** Items in an order of their own, whatever the order of their fields. */
export function inAnyOrder(items: readonly Json[]): readonly Json[] {
  const text = (item: Json): string => {
    return JSON.stringify(item, (_key, value) => {
      const isStruct = value !== null && typeof value === 'object' && !Array.isArray(value)
      return isStruct ? Object.fromEntries(Object.entries(value).sort()) : value
    })
  }
  return items.toSorted((a, b) => (text(a) < text(b) ? -1 : 1))
}

/** Fields that are written only where they say something, and what they are otherwise. */
const silentValues: Readonly<Record<string, Readonly<Record<string, Json>>>> = {
  RegisterBrokerRecord: { logDirs: [], cordonedLogDirs: null },
  BrokerRegistrationChangeRecord: { fenced: 0, inControlledShutdown: 0, logDirs: [], cordonedLogDirs: null },
  PartitionRecord: { directories: [], leaderRecoveryState: 0, eligibleLeaderReplicas: null, lastKnownElr: null },
  PartitionChangeRecord: {
    ...{ isr: null, leader: -2, replicas: null, removingReplicas: null, addingReplicas: null, leaderRecoveryState: -1 },
    ...{ eligibleLeaderReplicas: null, lastKnownElr: null, directories: null },
  },
}

/** A record as Kafka's tool prints it. */
export function asKafkaShowsIt({ type, version, value }: MetadataRecord): ShownRecord {
  const silent = silentValues[type] ?? {}
  const isSilent = (key: string, item: unknown): boolean => {
    return key in silent && JSON.stringify(item) === JSON.stringify(silent[key])
  }
  const data = Object.fromEntries(Object.entries(value as object).filter(([key, item]) => !isSilent(key, item)))
  const name = type.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
  return { type: name, version, data: plain(data) }
}
