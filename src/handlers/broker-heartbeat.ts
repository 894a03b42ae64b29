import { BrokerHeartbeat } from '#protocol/messages/broker-heartbeat.js'
import { processHeartbeat } from '../controller/broker-heartbeat.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { handler, OWN_PROCESS, type RequestContext } from './handler.js'

/** Whoever wants to know on which connections brokers are heard of. */
export interface HeartbeatWatch {
  /** A broker's heartbeat was accepted. */
  heard(brokerId: number, brokerEpoch: number, context: RequestContext): void
  /** A process wants to register as this broker: the one that is registered may turn out to be dead. */
  registering?(brokerId: number, incarnationId: string): Promise<void>
}

export interface BrokerHeartbeatServices {
  readonly controller: ControllerRequests
  readonly heartbeatWatch?: HeartbeatWatch
}

/**
 * BrokerHeartbeat 0-2.
 * Behaviour: on controllers: a broker lives, and says how far its image is and what it wants: to be let in, to be kept
 *            out, to stop. STALE_BROKER_EPOCH unless it is registered with the epoch that it gives.
 * Versions:  1 log directories that failed, 2 log directories that take no new replicas.
 */
export const brokerHeartbeat = handler(
  BrokerHeartbeat,
  async ({ controller, heartbeatWatch }: BrokerHeartbeatServices, request, context) => {
    const isThisProcess = context.connectionId === OWN_PROCESS
    // The broker beside this controller is to see in its image what it is told here.
    const options = { untilPublished: isThisProcess }
    const response = await controller.run(processHeartbeat(request, isThisProcess), options)
    heartbeatWatch?.heard(request.brokerId, request.brokerEpoch, context)
    return response
  },
)
