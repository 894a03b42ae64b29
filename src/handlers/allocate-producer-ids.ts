import { AllocateProducerIds } from '#protocol/messages/allocate-producer-ids.js'
import { allocateProducerIds as allocateProducerIdsCommand } from '../controller/allocate-producer-ids.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { handler } from './handler.js'

/**
 * AllocateProducerIds 0.
 * Behaviour: on controllers: hands a broker the next block of a thousand producer ids; STALE_BROKER_EPOCH unless the
 *            broker is registered with the epoch that it gives.
 */
export const allocateProducerIds = handler(
  AllocateProducerIds,
  ({ controller }: { readonly controller: ControllerRequests }, request) =>
    controller.run(allocateProducerIdsCommand(request)),
)
