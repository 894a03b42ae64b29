import { api, array, int8, int16, int32, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** Finds the broker that coordinates a group, a transaction or a share partition. */
export const FindCoordinator = api({
  key: 10,
  name: 'FindCoordinator',
  versions: '0-6',
  flexible: '3+',
  listeners: ['broker'],
  request: {
    key: string.versions('0-3'),
    keyType: int8.versions('1+').default(0),
    coordinatorKeys: array(string).versions('4+'),
  },
  response: {
    throttleTimeMs: int32.versions('1+'),
    errorCode: int16.versions('0-3'),
    errorMessage: string.nullable().versions('1-3'),
    nodeId: int32.versions('0-3'),
    host: string.versions('0-3'),
    port: int32.versions('0-3'),
    coordinators: array(
      struct({
        key: string,
        nodeId: int32,
        host: string,
        port: int32,
        errorCode: int16,
        errorMessage: string.nullable(),
      }),
    ).versions('4+'),
  },
})

export interface FindCoordinatorRequest extends RequestOf<typeof FindCoordinator> {}
export interface FindCoordinatorResponse extends ResponseOf<typeof FindCoordinator> {}
