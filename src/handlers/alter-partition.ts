import { AlterPartition } from '#protocol/messages/alter-partition.js'
import { alterPartition as alterPartitionCommand } from '../controller/alter-partition.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { handler } from './handler.js'

/**
 * AlterPartition 2-3.
 * Behaviour: on controllers: the leaders on a broker propose the in-sync replicas of their partitions. The errors of a
 *            partition tell its leader what to do: go back (INELIGIBLE_REPLICA), wait for metadata
 *            (FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION, NEW_LEADER_ELECTED), look for another controller
 *            (NOT_CONTROLLER).
 * Versions:  3 the epochs of the replicas' brokers.
 */
export const alterPartition = handler(
  AlterPartition,
  ({ controller }: { readonly controller: ControllerRequests }, request, { apiVersion }) =>
    controller.run(alterPartitionCommand(request, apiVersion)),
)
