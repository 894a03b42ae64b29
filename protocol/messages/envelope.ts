import { api, bytes, int16, type RequestOf, type ResponseOf } from '../schema.js'

/** Carries a request that a broker forwards to the active controller. */
export const Envelope = api({
  key: 58,
  name: 'Envelope',
  versions: '0',
  flexible: '0+',
  listeners: ['controller'],
  request: { requestData: bytes, requestPrincipal: bytes.nullable(), clientHostAddress: bytes },
  response: { responseData: bytes.nullable().default(null), errorCode: int16 },
})

export interface EnvelopeRequest extends RequestOf<typeof Envelope> {}
export interface EnvelopeResponse extends ResponseOf<typeof Envelope> {}
