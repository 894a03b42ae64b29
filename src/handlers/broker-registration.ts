import { BrokerRegistration } from '#protocol/messages/broker-registration.js'
import { registerBroker } from '../controller/register-broker.js'
import type { BrokerHeartbeatServices } from './broker-heartbeat.js'
import { handler, OWN_PROCESS } from './handler.js'

/**
 * BrokerRegistration 0-4.
 * Behaviour: on controllers: a broker tells where it listens, what it can do and which log directories it has, and gets
 *            the epoch of its life. DUPLICATE_BROKER_REGISTRATION while another process with its id is alive.
 * Versions:  1 migration from ZooKeeper (refused), 2 log directories, 3 the epoch of its last life, which proves that
 *            it stopped cleanly, 4 features may have a lowest level of 0.
 */
export const brokerRegistration = handler(
  BrokerRegistration,
  async ({ controller, heartbeatWatch }: BrokerHeartbeatServices, request, { connectionId }) => {
    await heartbeatWatch?.registering?.(request.brokerId, request.incarnationId)
    // The broker beside this controller is to see in its image what it is told here.
    const untilPublished = connectionId === OWN_PROCESS
    return controller.run(registerBroker(request, connectionId === OWN_PROCESS), { untilPublished })
  },
)
