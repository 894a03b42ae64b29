import { api, array, int16, int32, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** Lists the groups that a broker coordinates. */
export const ListGroups = api({
  key: 16,
  name: 'ListGroups',
  versions: '0-5',
  flexible: '3+',
  listeners: ['broker'],
  request: { statesFilter: array(string).versions('4+'), typesFilter: array(string).versions('5+') },
  response: {
    throttleTimeMs: int32.versions('1+'),
    errorCode: int16,
    groups: array(
      struct({
        groupId: string,
        protocolType: string,
        groupState: string.versions('4+'),
        groupType: string.versions('5+'),
      }),
    ),
  },
})

export interface ListGroupsRequest extends RequestOf<typeof ListGroups> {}
export interface ListGroupsResponse extends ResponseOf<typeof ListGroups> {}
