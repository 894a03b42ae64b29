import { api, array, int16, int32, int64, type RequestOf, type ResponseOf, string, struct, uuid } from '../schema.js'

/** Creates the state of share partitions. */
export const InitializeShareGroupState = api({
  key: 83,
  name: 'InitializeShareGroupState',
  versions: '0',
  flexible: '0+',
  listeners: ['broker'],
  request: {
    groupId: string,
    topics: array(
      struct({ topicId: uuid, partitions: array(struct({ partition: int32, stateEpoch: int32, startOffset: int64 })) }),
    ),
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

export interface InitializeShareGroupStateRequest extends RequestOf<typeof InitializeShareGroupState> {}
export interface InitializeShareGroupStateResponse extends ResponseOf<typeof InitializeShareGroupState> {}
