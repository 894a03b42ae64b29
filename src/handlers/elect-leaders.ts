import { ApiError, ErrorCode } from '#protocol/errors.js'
import { ElectLeaders, type ElectLeadersRequest, type ElectLeadersResponse } from '#protocol/messages/elect-leaders.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { electLeaders as electLeadersCommand } from '../controller/elect-leaders.js'
import { handler } from './handler.js'

/**
 * ElectLeaders 0-2.
 * Behaviour: answered by the controller: elects the preferred leaders of partitions, or unclean ones where there is
 *            none. Without a list, of all partitions; then those that need none are left out of the answer.
 * Versions:  1 unclean elections, top-level error code, 2 flexible.
 */
export const electLeaders = handler(
  ElectLeaders,
  async ({ controller }: { readonly controller: ControllerRequests }, request) => {
    try {
      const options = { timeoutMs: request.timeoutMs, untilPublished: true }
      return await controller.run(electLeadersCommand(request), options)
    } catch (error) {
      if (error instanceof ApiError) return failed(request, error)
      throw error
    }
  },
)

/** The error stands at the top and at each partition. */
function failed({ topicPartitions }: ElectLeadersRequest, { code, message }: ApiError): ElectLeadersResponse {
  const errorMessage = code === ErrorCode.INVALID_REQUEST ? message : null
  const replicaElectionResults = (topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map(partitionId => ({ partitionId, errorCode: code, errorMessage })),
  }))
  return { throttleTimeMs: 0, errorCode: code, replicaElectionResults }
}
