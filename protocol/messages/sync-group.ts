import { api, array, bytes, int16, int32, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** The leader of a classic group hands out the assignment, members wait for theirs. */
export const SyncGroup = api({
  key: 14,
  name: 'SyncGroup',
  versions: '0-5',
  flexible: '4+',
  listeners: ['broker'],
  request: {
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: string.nullable().versions('3+').default(null),
    protocolType: string.nullable().versions('5+').default(null),
    protocolName: string.nullable().versions('5+').default(null),
    assignments: array(struct({ memberId: string, assignment: bytes })),
  },
  response: {
    throttleTimeMs: int32.versions('1+'),
    errorCode: int16,
    protocolType: string.nullable().versions('5+').default(null),
    protocolName: string.nullable().versions('5+').default(null),
    assignment: bytes,
  },
})

export interface SyncGroupRequest extends RequestOf<typeof SyncGroup> {}
export interface SyncGroupResponse extends ResponseOf<typeof SyncGroup> {}
