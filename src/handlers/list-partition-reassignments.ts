import { ListPartitionReassignments } from '#protocol/messages/list-partition-reassignments.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { listPartitionReassignments as listCommand } from '../controller/reassignment.js'
import { handler } from './handler.js'

/**
 * ListPartitionReassignments 0.
 * Behaviour: answered by the controller: the moves of partitions that are under way, of the partitions asked for or of
 *            all; what is not there is left out. The timeout is not looked at, as in Kafka.
 */
export const listPartitionReassignments = handler(
  ListPartitionReassignments,
  ({ controller }: { readonly controller: ControllerRequests }, request) =>
    controller.run(({ image }) => ({ records: [], response: listCommand(image, request) })),
)
