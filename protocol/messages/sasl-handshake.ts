import { api, array, int16, type RequestOf, type ResponseOf, string } from '../schema.js'

/** Chooses a SASL mechanism. */
export const SaslHandshake = api({
  key: 17,
  name: 'SaslHandshake',
  versions: '0-1',
  flexible: 'none',
  listeners: ['broker', 'controller'],
  request: { mechanism: string },
  response: { errorCode: int16, mechanisms: array(string) },
})

export interface SaslHandshakeRequest extends RequestOf<typeof SaslHandshake> {}
export interface SaslHandshakeResponse extends ResponseOf<typeof SaslHandshake> {}
