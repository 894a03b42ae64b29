import {
  api,
  array,
  int8,
  int16,
  int32,
  int64,
  int64Unbounded,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
} from '../schema.js'

/** Finds offsets by time or by a special timestamp. */
export const ListOffsets = api({
  key: 2,
  name: 'ListOffsets',
  versions: '1-11',
  flexible: '6+',
  listeners: ['broker'],
  request: {
    replicaId: int32,
    isolationLevel: int8.versions('2+'),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            currentLeaderEpoch: int32.versions('4+').default(-1),
            timestamp: int64Unbounded,
          }),
        ),
      }),
    ),
    timeoutMs: int32.versions('10+'),
  },
  response: {
    throttleTimeMs: int32.versions('2+'),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            timestamp: int64.default(-1),
            offset: int64.default(-1),
            leaderEpoch: int32.versions('4+').default(-1),
          }),
        ),
      }),
    ),
  },
})

export interface ListOffsetsRequest extends RequestOf<typeof ListOffsets> {}
export interface ListOffsetsResponse extends ResponseOf<typeof ListOffsets> {}
