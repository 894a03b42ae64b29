/** Records of `__transaction_state`. */
import { array, int8, int16, int32, int64, message, string, struct } from '../schema.js'

/** Key of the state of a transactional id. */
export const TransactionLogKey = message({
  name: 'TransactionLogKey',
  key: 0,
  versions: '0',
  flexible: 'none',
  fields: { transactionalId: string },
})

/** Value of the state of a transactional id. */
export const TransactionLogValue = message({
  name: 'TransactionLogValue',
  key: 0,
  versions: '0-1',
  flexible: '1+',
  fields: {
    producerId: int64,
    previousProducerId: int64.versions('1+').tagged(0).default(-1),
    nextProducerId: int64.versions('1+').tagged(1).default(-1),
    producerEpoch: int16,
    nextProducerEpoch: int16.versions('1+').tagged(3).default(-1),
    transactionTimeoutMs: int32,
    transactionStatus: int8,
    transactionPartitions: array(struct({ topic: string, partitionIds: array(int32) })).nullable(),
    transactionLastUpdateTimestampMs: int64,
    transactionStartTimestampMs: int64,
    clientTransactionVersion: int16.versions('1+').tagged(2).default(0),
  },
})
