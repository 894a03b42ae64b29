/** One step of the script: what `kafka ask` takes, a JSON object a line. */
export interface Step {
  readonly about?: string
  readonly api?: string
  readonly version?: number
  readonly request?: object
  readonly on?: string
  readonly client?: string
  readonly nowait?: boolean
  readonly wait?: number
  readonly save?: Readonly<Record<string, string>>
  readonly ignore?: readonly string[]
  readonly retry?: { readonly pointer: string; readonly until: unknown }
  readonly sleep?: number
  readonly close?: string
  readonly receive?: string
  readonly raw?: string
}

/**
 * What is different in every two clusters, whoever made them: not compared. `*` stands for any index, a plain name for the
 * field wherever it is.
 */
export const IDENTITIES: readonly string[] = [
  'host',
  'port',
  'clusterId',
  'topicId',
  'throttleTimeMs',
  'memberId',
  'leader',
  'finalizedFeaturesEpoch',
]

/** A request; what tells two clusters apart is never compared. */
export function ask(api: string, version: number, request: object = {}, more: Step = {}): Step {
  return { api, version, request, ...more, ignore: [...IDENTITIES, ...(more.ignore ?? [])] }
}

/** The same request in several versions. */
export function inVersions(from: number, to: number, make: (version: number) => Step | readonly Step[]): Step[] {
  const steps: Step[] = []
  for (let version = from; version <= to; version++) steps.push(...[make(version)].flat())
  return steps
}

/** Waits until both brokers lead these partitions: a busy Kafka tells of a topic, and leads it a moment later. */
export function untilLed(topic: string, partitions = 1): Step[] {
  return Array.from({ length: partitions }, (_, partitionIndex) =>
    ask(
      'ListOffsets',
      5,
      { topics: [{ name: topic, partitions: [{ partitionIndex, timestamp: -1 }] }] },
      { retry: { pointer: '/topics/0/partitions/0/errorCode', until: 0 } },
    ),
  )
}
