import { api, int16, int32, type RequestOf, type ResponseOf, string } from '../schema.js'

/** Removes the registration of a broker. */
export const UnregisterBroker = api({
  key: 64,
  name: 'UnregisterBroker',
  versions: '0',
  flexible: '0+',
  listeners: ['broker', 'controller'],
  request: { brokerId: int32 },
  response: { throttleTimeMs: int32.default(0), errorCode: int16, errorMessage: string.nullable() },
})

export interface UnregisterBrokerRequest extends RequestOf<typeof UnregisterBroker> {}
export interface UnregisterBrokerResponse extends ResponseOf<typeof UnregisterBroker> {}
