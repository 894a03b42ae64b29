import { AlterConfigs, type AlterConfigsRequest } from '#protocol/messages/alter-configs.js'
import { alterLegacy } from '../config/alter.js'
import { legacyAlterConfigs } from '../controller/alter-configs.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import type { SplitRequest } from './forwarded.js'
import { handler } from './handler.js'
import { type OwnOptionsServices, splitOptions } from './own-options.js'

/**
 * AlterConfigs 0-2.
 * Behaviour: replaces all dynamic options of topics, brokers, the cluster, groups and client metrics subscriptions;
 *            what is not named is deleted. Answered by the controller, in force when the answer comes. Each resource
 *            stands or falls for itself; two entries for one both fall (Kafka never answers then).
 * Versions:  2 flexible.
 */
export const alterConfigs = handler(
  AlterConfigs,
  ({ controller }: { readonly controller: ControllerRequests }, { resources, validateOnly }, { listenerKind }) =>
    controller.run(legacyAlterConfigs(resources, validateOnly, listenerKind), { untilPublished: true }),
)

/** Nothing of it is for the node that was asked alone; but this is asked first whether it can live with it. */
export function splitLegacy(request: AlterConfigsRequest, services: OwnOptionsServices): SplitRequest {
  return splitOptions(request, services, alterLegacy, () => false)
}
