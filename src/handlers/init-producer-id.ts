import { ApiError, ErrorCode } from '#protocol/errors.js'
import { InitProducerId, type InitProducerIdRequest } from '#protocol/messages/init-producer-id.js'
import type { BrokerConfig } from '../config/broker-config.js'
import type { ProducerIdBlocks } from '../metadata/producer-id-blocks.js'
import { handler } from './handler.js'

export interface InitProducerIdServices {
  readonly producerIds: Pick<ProducerIdBlocks, 'next'>
  readonly config: () => BrokerConfig
}

/**
 * InitProducerId 0-5.
 * Behaviour: an idempotent producer gets a fresh id with epoch 0, also if it had one. A transactional one is checked as
 *            Kafka checks it, then refused with UNSUPPORTED_VERSION, on which clients give up at once: there is no
 *            transaction coordinator yet, and NOT_COORDINATOR would make them look for one for ever.
 * Versions:  2 flexible, 3 the producer's old id and epoch, 4 PRODUCER_FENCED, 5 TRANSACTION_ABORTABLE, 6 (not offered)
 *            two phase commit.
 */
export const initProducerId = handler(
  InitProducerId,
  async ({ producerIds, config }: InitProducerIdServices, request) => {
    const refusal = refusalOf(request, config())
    if (refusal !== null) return failed(refusal)
    try {
      return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, producerId: await producerIds.next(), producerEpoch: 0 }
    } catch (error) {
      if (error instanceof ApiError) return failed(error.code)
      throw error
    }
  },
)

function refusalOf(request: InitProducerIdRequest, config: BrokerConfig): ErrorCode | null {
  const { transactionalId, transactionTimeoutMs, producerId, producerEpoch } = request
  if ((producerId === -1) !== (producerEpoch === -1)) return ErrorCode.INVALID_REQUEST
  if (transactionalId === null) return null
  if (transactionalId === '') return ErrorCode.INVALID_REQUEST
  if (transactionTimeoutMs <= 0 || transactionTimeoutMs > config.get('transaction.max.timeout.ms')) {
    return ErrorCode.INVALID_TRANSACTION_TIMEOUT
  }
  return ErrorCode.UNSUPPORTED_VERSION
}

function failed(errorCode: ErrorCode) {
  return { throttleTimeMs: 0, errorCode, producerId: -1, producerEpoch: -1 }
}
