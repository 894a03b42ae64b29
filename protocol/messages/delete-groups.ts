import { api, array, int16, int32, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** Deletes groups. */
export const DeleteGroups = api({
  key: 42,
  name: 'DeleteGroups',
  versions: '0-3',
  flexible: '2+',
  listeners: ['broker'],
  request: { groupsNames: array(string) },
  response: {
    throttleTimeMs: int32.default(0),
    results: array(
      struct({ groupId: string, errorCode: int16, errorMessage: string.nullable().versions('3+').default(null) }),
    ),
  },
})

export interface DeleteGroupsRequest extends RequestOf<typeof DeleteGroups> {}
export interface DeleteGroupsResponse extends ResponseOf<typeof DeleteGroups> {}
