import { CreateTopics } from '#protocol/messages/create-topics.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { createTopics as createTopicsCommand } from '../controller/create-topics.js'
import { handler } from './handler.js'

/**
 * CreateTopics 2-7.
 * Behaviour: answered by the controller: each topic stands or falls for itself. When the answer comes, this broker
 *            serves the new topics: the next request may produce to them.
 * Versions:  4 partitions and replication factor of -1 stand for the defaults (as they do here below it), 5 flexible,
 *            partitions, replication factor and options of the new topic, 6 quotas, 7 topic id.
 */
export const createTopics = handler(
  CreateTopics,
  ({ controller }: { readonly controller: ControllerRequests }, request) =>
    controller.run(createTopicsCommand(request), { timeoutMs: request.timeoutMs, untilPublished: true }),
)
