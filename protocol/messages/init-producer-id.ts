import { api, bool, int16, int32, int64, type RequestOf, type ResponseOf, string } from '../schema.js'

/** Gives a producer its id and epoch. */
export const InitProducerId = api({
  key: 22,
  name: 'InitProducerId',
  versions: '0-6',
  flexible: '2+',
  listeners: ['broker'],
  latestVersionUnstable: true,
  request: {
    transactionalId: string.nullable(),
    transactionTimeoutMs: int32,
    producerId: int64.versions('3+').default(-1),
    producerEpoch: int16.versions('3+').default(-1),
    enable2Pc: bool.versions('6+').default(false),
    keepPreparedTxn: bool.versions('6+').default(false),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    producerId: int64.default(-1),
    producerEpoch: int16,
    ongoingTxnProducerId: int64.versions('6+').default(-1),
    ongoingTxnProducerEpoch: int16.versions('6+').default(-1),
  },
})

export interface InitProducerIdRequest extends RequestOf<typeof InitProducerId> {}
export interface InitProducerIdResponse extends ResponseOf<typeof InitProducerId> {}
