import { api, array, int16, int32, type RequestOf, type ResponseOf, string, struct, uuid } from '../schema.js'

/** Deletes the start offsets of a share group. */
export const DeleteShareGroupOffsets = api({
  key: 92,
  name: 'DeleteShareGroupOffsets',
  versions: '0',
  flexible: '0+',
  listeners: ['broker'],
  request: { groupId: string, topics: array(struct({ topicName: string })) },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.nullable().default(null),
    responses: array(
      struct({ topicName: string, topicId: uuid, errorCode: int16, errorMessage: string.nullable().default(null) }),
    ),
  },
})

export interface DeleteShareGroupOffsetsRequest extends RequestOf<typeof DeleteShareGroupOffsets> {}
export interface DeleteShareGroupOffsetsResponse extends ResponseOf<typeof DeleteShareGroupOffsets> {}
