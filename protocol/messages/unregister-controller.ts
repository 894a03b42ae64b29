import { api, int16, int32, type RequestOf, type ResponseOf, string } from '../schema.js'

/** Removes the registration of a controller (KIP-1312). */
export const UnregisterController = api({
  key: 94,
  name: 'UnregisterController',
  versions: '0',
  flexible: '0+',
  listeners: ['broker', 'controller'],
  request: { controllerId: int32 },
  response: { throttleTimeMs: int32.default(0), errorCode: int16, errorMessage: string.nullable() },
})

export interface UnregisterControllerRequest extends RequestOf<typeof UnregisterController> {}
export interface UnregisterControllerResponse extends ResponseOf<typeof UnregisterController> {}
