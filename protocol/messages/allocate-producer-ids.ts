import { api, int16, int32, int64, type RequestOf, type ResponseOf } from '../schema.js'

/** Hands a block of producer ids to a broker. */
export const AllocateProducerIds = api({
  key: 67,
  name: 'AllocateProducerIds',
  versions: '0',
  flexible: '0+',
  listeners: ['controller'],
  request: { brokerId: int32, brokerEpoch: int64.default(-1) },
  response: { throttleTimeMs: int32.default(0), errorCode: int16, producerIdStart: int64, producerIdLen: int32 },
})

export interface AllocateProducerIdsRequest extends RequestOf<typeof AllocateProducerIds> {}
export interface AllocateProducerIdsResponse extends ResponseOf<typeof AllocateProducerIds> {}
