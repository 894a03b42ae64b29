import { api, array, int8, int16, int32, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** Lists resources that have a configuration. */
export const ListConfigResources = api({
  key: 74,
  name: 'ListConfigResources',
  versions: '0-1',
  flexible: '0+',
  listeners: ['broker'],
  request: { resourceTypes: array(int8).versions('1+') },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    configResources: array(struct({ resourceName: string, resourceType: int8.versions('1+').default(16) })),
  },
})

export interface ListConfigResourcesRequest extends RequestOf<typeof ListConfigResources> {}
export interface ListConfigResourcesResponse extends ResponseOf<typeof ListConfigResources> {}
