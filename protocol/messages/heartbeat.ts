import { api, int16, int32, type RequestOf, type ResponseOf, string } from '../schema.js'

/** A member tells its coordinator that it lives, and learns whether the group rebalances. */
export const Heartbeat = api({
  key: 12,
  name: 'Heartbeat',
  versions: '0-4',
  flexible: '4+',
  listeners: ['broker'],
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.nullable().versions('3+').default(null),
  },
  response: { throttleTimeMs: int32.versions('1+'), errorCode: int16 },
})

export interface HeartbeatRequest extends RequestOf<typeof Heartbeat> {}
export interface HeartbeatResponse extends ResponseOf<typeof Heartbeat> {}
