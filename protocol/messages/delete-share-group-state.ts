import { api, array, int16, int32, type RequestOf, type ResponseOf, string, struct, uuid } from '../schema.js'

/** Deletes the state of share partitions. */
export const DeleteShareGroupState = api({
  key: 86,
  name: 'DeleteShareGroupState',
  versions: '0',
  flexible: '0+',
  listeners: ['broker'],
  request: {
    groupId: string,
    topics: array(struct({ topicId: uuid, partitions: array(struct({ partition: int32 })) })),
  },
  response: {
    results: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({ partition: int32, errorCode: int16, errorMessage: string.nullable().default(null) }),
        ),
      }),
    ),
  },
})

export interface DeleteShareGroupStateRequest extends RequestOf<typeof DeleteShareGroupState> {}
export interface DeleteShareGroupStateResponse extends ResponseOf<typeof DeleteShareGroupState> {}
