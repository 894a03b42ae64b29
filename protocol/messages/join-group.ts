import { api, array, bool, bytes, int16, int32, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** A member joins a classic group and waits for the rebalance. */
export const JoinGroup = api({
  key: 11,
  name: 'JoinGroup',
  versions: '0-9',
  flexible: '6+',
  listeners: ['broker'],
  request: {
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: int32.versions('1+').default(-1),
    memberId: string,
    groupInstanceId: string.nullable().versions('5+').default(null),
    protocolType: string,
    protocols: array(struct({ name: string, metadata: bytes })),
    reason: string.nullable().versions('8+').default(null),
  },
  response: {
    throttleTimeMs: int32.versions('2+'),
    errorCode: int16,
    generationId: int32.default(-1),
    protocolType: string.nullable().versions('7+').default(null),
    protocolName: string.nullable('7+'),
    leader: string,
    skipAssignment: bool.versions('9+').default(false),
    memberId: string,
    members: array(
      struct({ memberId: string, groupInstanceId: string.nullable().versions('5+').default(null), metadata: bytes }),
    ),
  },
})

export interface JoinGroupRequest extends RequestOf<typeof JoinGroup> {}
export interface JoinGroupResponse extends ResponseOf<typeof JoinGroup> {}
