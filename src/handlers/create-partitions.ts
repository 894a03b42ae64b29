import { CreatePartitions } from '#protocol/messages/create-partitions.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { createPartitions as createPartitionsCommand } from '../controller/create-partitions.js'
import { handler } from './handler.js'

/**
 * CreatePartitions 0-3.
 * Behaviour: answered by the controller: the count of a topic is its new total. When the answer comes, this broker
 *            serves the new partitions.
 * Versions:  2 flexible, 3 quotas.
 */
export const createPartitions = handler(
  CreatePartitions,
  ({ controller }: { readonly controller: ControllerRequests }, request) =>
    controller.run(createPartitionsCommand(request), { timeoutMs: request.timeoutMs, untilPublished: true }),
)
