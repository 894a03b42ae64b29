import type { Api, Fields, RequestOf, ResponseOf } from '#protocol/schema.js'

/** The connection id of requests that a node sends to itself. */
export const OWN_PROCESS = -1

/** What a handler may know of the request beyond its body. */
export interface RequestContext {
  /** The wire version: for the few handlers whose behaviour differs by it. */
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
  /** The name of the listener on which the request came, as in `listeners`. */
  readonly listenerName: string
  /** Which kind of listener that is. */
  readonly listenerKind: 'broker' | 'controller'
  /** The peer's address without a port: '127.0.0.1', '::1'. */
  readonly clientAddress: string
  /** A number that no other connection of this process has had; OWN_PROCESS for a request of this very process. */
  readonly connectionId: number
  /**
   * `forget` is called once when the connection is gone, so that what waits for it can be dropped; returns a function
   * that takes the call back.
   */
  onClose(forget: () => void): () => void
}

/** One API and what answers it. `Services` names what it uses of the broker. */
export interface Handler<Services> {
  // biome-ignore lint/suspicious/noExplicitAny: a table of handlers holds every shape
  readonly api: Api<any, any>
  // biome-ignore lint/suspicious/noExplicitAny: a table of handlers holds every shape
  readonly handle: (services: Services, request: any, context: RequestContext) => any
}

/**
 * Declares a handler: an API, and a function of the services that it names. The function may answer at once or later;
 * what it throws as ApiError becomes the error code of the response (see `errorResponse`), anything else
 * UNKNOWN_SERVER_ERROR.
 * Byte fields of `request` are views that are valid only until the function returns or first awaits, unless the
 * dispatcher says otherwise: copy what must stay.
 */
export function handler<Q extends Fields, R extends Fields, Services>(
  api: Api<Q, R>,
  handle: (
    services: Services,
    request: RequestOf<Api<Q, R>>,
    context: RequestContext,
  ) => ResponseOf<Api<Q, R>> | Promise<ResponseOf<Api<Q, R>>>,
): Handler<Services> {
  return { api, handle }
}
