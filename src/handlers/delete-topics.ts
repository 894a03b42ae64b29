import { ApiError, ErrorCode } from '#protocol/errors.js'
import { DeleteTopics, type DeleteTopicsRequest, type DeleteTopicsResponse } from '#protocol/messages/delete-topics.js'
import { ZERO_UUID } from '#protocol/schema.js'
import type { BrokerConfig } from '../config/broker-config.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { deleteTopics as deleteTopicsCommand } from '../controller/delete-topics.js'
import { handler } from './handler.js'

export interface DeleteTopicsServices {
  readonly controller: ControllerRequests
  readonly config: () => BrokerConfig
}

/**
 * DeleteTopics 1-6.
 * Behaviour: answered by the controller: each topic stands or falls for itself, in no particular order. When the answer
 *            comes, this broker does not serve the topics any more. `delete.topic.enable` forbids it altogether.
 * Versions:  3 TOPIC_DELETION_DISABLED (INVALID_REQUEST below), 4 flexible, 5 error messages, 6 by topic id.
 */
export const deleteTopics = handler(
  DeleteTopics,
  async ({ controller, config }: DeleteTopicsServices, request, { apiVersion }) => {
    if (!config().get('delete.topic.enable')) {
      return failed(request, apiVersion < 3 ? ErrorCode.INVALID_REQUEST : ErrorCode.TOPIC_DELETION_DISABLED)
    }
    try {
      const options = { timeoutMs: request.timeoutMs, untilPublished: true }
      return await controller.run(deleteTopicsCommand(request), options)
    } catch (error) {
      if (error instanceof ApiError) return failed(request, error.code)
      throw error
    }
  },
)

function failed({ topics, topicNames }: DeleteTopicsRequest, errorCode: ErrorCode): DeleteTopicsResponse {
  const responses = [
    ...topicNames.map(name => ({ name, topicId: ZERO_UUID, errorCode, errorMessage: null })),
    ...topics.map(({ name, topicId }) => ({ name, topicId, errorCode, errorMessage: null })),
  ]
  return { throttleTimeMs: 0, responses }
}
