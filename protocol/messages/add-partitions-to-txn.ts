import { api, array, bool, int16, int32, int64, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

const AddPartitionsToTxnTopic = struct({ name: string, partitions: array(int32) })

const AddPartitionsToTxnPartitionResult = struct({ partitionIndex: int32, partitionErrorCode: int16 })

const AddPartitionsToTxnTopicResult = struct({
  name: string,
  resultsByPartition: array(AddPartitionsToTxnPartitionResult),
})

/** Adds partitions to a transaction. */
export const AddPartitionsToTxn = api({
  key: 24,
  name: 'AddPartitionsToTxn',
  versions: '0-5',
  flexible: '3+',
  listeners: ['broker'],
  request: {
    transactions: array(
      struct({
        transactionalId: string,
        producerId: int64,
        producerEpoch: int16,
        verifyOnly: bool.default(false),
        topics: array(AddPartitionsToTxnTopic),
      }),
    ).versions('4+'),
    v3AndBelowTransactionalId: string.versions('0-3'),
    v3AndBelowProducerId: int64.versions('0-3'),
    v3AndBelowProducerEpoch: int16.versions('0-3'),
    v3AndBelowTopics: array(AddPartitionsToTxnTopic).versions('0-3'),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16.versions('4+'),
    resultsByTransaction: array(
      struct({ transactionalId: string, topicResults: array(AddPartitionsToTxnTopicResult) }),
    ).versions('4+'),
    resultsByTopicV3AndBelow: array(AddPartitionsToTxnTopicResult).versions('0-3'),
  },
})

export interface AddPartitionsToTxnRequest extends RequestOf<typeof AddPartitionsToTxn> {}
export interface AddPartitionsToTxnResponse extends ResponseOf<typeof AddPartitionsToTxn> {}
