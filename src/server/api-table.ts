import type { Api, ListenerKind } from '#protocol/schema.js'
import type { Handler } from '../handlers/handler.js'
import type { RawHandler } from '../handlers/raw-handler.js'

export type AnyHandler<Services> = Handler<Services> | RawHandler<Services>

type Consumer<H> = H extends AnyHandler<infer Services> ? (services: Services) => void : never

/** The services that all handlers of a table name, together. */
export type ServicesOf<Table extends readonly unknown[]> =
  Consumer<Table[number]> extends (services: infer Services) => void ? Services : never

/** One API as it is served on one kind of listener. */
export interface ServedApi<Services> {
  // biome-ignore lint/suspicious/noExplicitAny: any API at all
  readonly api: Api<any, any>
  readonly handler: AnyHandler<Services>
  readonly versionMin: number
  readonly versionMax: number
  readonly flexibleFrom: number
  /** Some field of the request is a view into the frame: the frame is copied before it is decoded. */
  readonly hasByteFields: boolean
}

/** One line of an ApiVersions answer. */
export interface AdvertisedApi {
  readonly apiKey: number
  readonly minVersion: number
  readonly maxVersion: number
}

const PRODUCE_KEY = 0

/** The highest version that is offered: the last one only if it is stable or unstable ones are wanted. */
export function versionMaxOf(api: Api, unstableVersions: boolean): number {
  return api.latestVersionUnstable && !unstableVersions ? api.versions.to - 1 : api.versions.to
}

/**
 * What ApiVersions answers for a table, in the order of the keys. Produce is said to begin with version 0, which nobody
 * serves any more: librdkafka before 2.12 takes a broker that says anything else for one without compression
 * (KAFKA-18659).
 */
export function advertisedApis<Services>(
  table: readonly AnyHandler<Services>[],
  options: { readonly unstableVersions: boolean },
): readonly AdvertisedApi[] {
  return table
    .map(({ api }) => ({
      apiKey: api.key,
      minVersion: api.key === PRODUCE_KEY ? 0 : api.versions.from,
      maxVersion: versionMaxOf(api, options.unstableVersions),
    }))
    .sort((a, b) => a.apiKey - b.apiKey)
}

/**
 * The table by API key. An API that Kafka does not serve on that kind of listener, or one listed twice, is a mistake.
 */
export function servedApis<Services>(
  table: readonly AnyHandler<Services>[],
  kind: ListenerKind,
  unstableVersions: boolean,
): (ServedApi<Services> | undefined)[] {
  const served: (ServedApi<Services> | undefined)[] = []
  for (const handler of table) {
    const { api } = handler
    if (served[api.key] !== undefined) throw new Error(`${api.name} is listed twice among the ${kind} handlers`)
    if (!api.listeners.includes(kind)) throw new Error(`${api.name} is not an API of a ${kind} listener`)
    served[api.key] = {
      api,
      handler,
      versionMin: api.versions.from,
      versionMax: versionMaxOf(api, unstableVersions),
      flexibleFrom: api.flexible.from > api.flexible.to ? Infinity : api.flexible.from,
      hasByteFields: hasBytes(api.request.fields),
    }
  }
  return served
}

function hasBytes(fields: Api['request']['fields']): boolean {
  return Object.values(fields).some(({ spec }) => specHasBytes(spec))
}

function specHasBytes(spec: Api['request']['fields'][string]['spec']): boolean {
  if (spec.kind === 'bytes' || spec.kind === 'records') return true
  if (spec.element !== null && specHasBytes(spec.element)) return true
  return spec.fields !== null && hasBytes(spec.fields)
}
