import { api, array, int16, int32, int64, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** Lists transactions. */
export const ListTransactions = api({
  key: 66,
  name: 'ListTransactions',
  versions: '0-2',
  flexible: '0+',
  listeners: ['broker'],
  request: {
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilter: int64.versions('1+').default(-1),
    transactionalIdPattern: string.nullable().versions('2+').default(null),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    unknownStateFilters: array(string),
    transactionStates: array(struct({ transactionalId: string, producerId: int64, transactionState: string })),
  },
})

export interface ListTransactionsRequest extends RequestOf<typeof ListTransactions> {}
export interface ListTransactionsResponse extends ResponseOf<typeof ListTransactions> {}
