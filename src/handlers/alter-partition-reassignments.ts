import { ApiError } from '#protocol/errors.js'
import {
  AlterPartitionReassignments,
  type AlterPartitionReassignmentsRequest,
  type AlterPartitionReassignmentsResponse,
} from '#protocol/messages/alter-partition-reassignments.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { alterPartitionReassignments as alterPartitionReassignmentsCommand } from '../controller/reassignment.js'
import { handler } from './handler.js'

/**
 * AlterPartitionReassignments 0-1.
 * Behaviour: answered by the controller: begins, changes or (replicas null) cancels the move of partitions to other
 *            brokers; a move is done when all new replicas are in sync.
 * Versions:  1 the client may forbid a change of the replication factor.
 */
export const alterPartitionReassignments = handler(
  AlterPartitionReassignments,
  async ({ controller }: { readonly controller: ControllerRequests }, request) => {
    try {
      const options = { timeoutMs: request.timeoutMs, untilPublished: true }
      return await controller.run(alterPartitionReassignmentsCommand(request), options)
    } catch (error) {
      if (error instanceof ApiError) return failed(request, error)
      throw error
    }
  },
)

/** The error stands at the top and at each partition; what the client allowed is not told then. */
function failed(
  { topics }: AlterPartitionReassignmentsRequest,
  { code: errorCode }: ApiError,
): AlterPartitionReassignmentsResponse {
  const errorMessage = null
  const responses = topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode, errorMessage })),
  }))
  return { throttleTimeMs: 0, allowReplicationFactorChange: true, errorCode, errorMessage, responses }
}
