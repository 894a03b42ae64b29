import { api, array, int16, int32, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** Members leave a classic group. */
export const LeaveGroup = api({
  key: 13,
  name: 'LeaveGroup',
  versions: '0-5',
  flexible: '4+',
  listeners: ['broker'],
  request: {
    groupId: string,
    memberId: string.versions('0-2'),
    members: array(
      struct({
        memberId: string,
        groupInstanceId: string.nullable().default(null),
        reason: string.nullable().versions('5+').default(null),
      }),
    ).versions('3+'),
  },
  response: {
    throttleTimeMs: int32.versions('1+'),
    errorCode: int16,
    members: array(struct({ memberId: string, groupInstanceId: string.nullable(), errorCode: int16 })).versions('3+'),
  },
})

export interface LeaveGroupRequest extends RequestOf<typeof LeaveGroup> {}
export interface LeaveGroupResponse extends ResponseOf<typeof LeaveGroup> {}
