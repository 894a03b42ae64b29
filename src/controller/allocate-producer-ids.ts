import { ApiError, ErrorCode } from '#protocol/errors.js'
import type {
  AllocateProducerIdsRequest,
  AllocateProducerIdsResponse,
} from '#protocol/messages/allocate-producer-ids.js'
import type { Command } from './command.js'
import { checkBrokerEpoch } from './register-broker.js'

/** How many ids a broker gets at a time. */
export const PRODUCER_ID_BLOCK_SIZE = 1000

/** Hands a broker a block of producer ids that nobody else ever gets. */
export function allocateProducerIds(request: AllocateProducerIdsRequest): Command<AllocateProducerIdsResponse> {
  return context => {
    const { brokerId, brokerEpoch } = request
    checkBrokerEpoch(context, brokerId, brokerEpoch)
    const producerIdStart = context.image.producerIds.nextProducerId
    const nextProducerId = producerIdStart + PRODUCER_ID_BLOCK_SIZE
    if (!Number.isSafeInteger(nextProducerId)) {
      throw new ApiError(ErrorCode.UNKNOWN_SERVER_ERROR, 'All producer ids have been handed out')
    }
    return {
      records: [{ type: 'ProducerIdsRecord', version: 0, value: { brokerId, brokerEpoch, nextProducerId } }],
      response: {
        throttleTimeMs: 0,
        errorCode: ErrorCode.NONE,
        producerIdStart,
        producerIdLen: PRODUCER_ID_BLOCK_SIZE,
      },
    }
  }
}
