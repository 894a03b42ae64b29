import { api, array, int16, int32, type RequestOf, type ResponseOf, string, struct, uuid } from '../schema.js'

/** Deletes topics by name or id. */
export const DeleteTopics = api({
  key: 20,
  name: 'DeleteTopics',
  versions: '1-6',
  flexible: '4+',
  listeners: ['broker', 'controller'],
  request: {
    topics: array(struct({ name: string.nullable().default(null), topicId: uuid })).versions('6+'),
    topicNames: array(string).versions('0-5'),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32.default(0),
    responses: array(
      struct({
        name: string.nullable('6+'),
        topicId: uuid.versions('6+'),
        errorCode: int16,
        errorMessage: string.nullable().versions('5+').default(null),
      }),
    ),
  },
})

export interface DeleteTopicsRequest extends RequestOf<typeof DeleteTopics> {}
export interface DeleteTopicsResponse extends ResponseOf<typeof DeleteTopics> {}
