import type { Api } from '#protocol/schema.js'
import type { Forwarder } from '../client/forwarder.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import type { Handler } from './handler.js'
import { WatchedController } from './watched-controller.js'

/** What it takes to send requests on to the active controller. */
export interface ForwardingServices {
  readonly forwarder: Pick<Forwarder, 'isLocal' | 'forward' | 'deadline'>
  /** The controller in this process; one that is never active where there is none. */
  readonly controller: ControllerRequests
}

/** A request in two parts, of which one is for this very broker. */
export interface SplitRequest {
  /** null: nothing is left for the controller. */
  readonly forController: object | null
  /** null: all of it is for the controller. */
  readonly forThisNode: object | null
  merge(fromController: object | null, fromThisNode: object | null): object
}

/**
 * The handler of a controller as brokers have it: where the active controller is in this process it answers directly,
 * otherwise the request is forwarded (KIP-590), and the answer given when this node's image shows what was done. That
 * there is no active controller, or another one all of a sudden, is no error for the client: it waits, until
 * `request.timeout.ms`.
 */
export function forwarded<Services, SplitServices = unknown>(
  inner: Handler<Services>,
  // biome-ignore lint/suspicious/noExplicitAny: a request of any API
  split?: (request: any, services: SplitServices) => SplitRequest,
): Handler<Services & SplitServices & ForwardingServices> {
  const api: Api = inner.api
  return {
    api: inner.api,
    handle: async (services, request, context) => {
      const { forwarder, controller } = services
      // One for both tries: that of this process may have taken a while before it was found not to be in charge.
      const deadline = forwarder.deadline()
      if (forwarder.isLocal) {
        const watched = new WatchedController(controller)
        let outcome: { readonly response: unknown } | { readonly error: unknown }
        try {
          outcome = { response: await inner.handle({ ...services, controller: watched }, request, context) }
        } catch (error) {
          outcome = { error }
        }
        if (!watched.wasLost) {
          if ('error' in outcome) throw outcome.error
          return outcome.response
        }
      }
      if (split === undefined) return forwarder.forward(api, context, request, deadline)
      const { forController, forThisNode, merge } = split(request, services)
      const remote = forController === null ? null : await forwarder.forward(api, context, forController, deadline)
      const local = forThisNode === null ? null : await inner.handle(services, forThisNode, context)
      return merge(remote, local)
    },
  }
}

/** The APIs that a broker may send on, by key: Kafka's. */
export const FORWARDABLE_KEYS: ReadonlySet<number> = new Set([
  19, 20, 30, 31, 33, 37, 38, 39, 40, 43, 44, 45, 46, 49, 51, 55, 57, 64, 80, 81, 94,
])
