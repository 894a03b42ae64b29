import {
  api,
  array,
  bool,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.js'

/** A voter of the quorum asks for a vote or a pre-vote. */
export const Vote = api({
  key: 52,
  name: 'Vote',
  versions: '0-2',
  flexible: '0+',
  listeners: ['controller'],
  request: {
    clusterId: string.nullable().default(null),
    voterId: int32.versions('1+').default(-1),
    topics: array(
      struct({
        topicName: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            replicaEpoch: int32,
            replicaId: int32,
            replicaDirectoryId: uuid.versions('1+'),
            voterDirectoryId: uuid.versions('1+'),
            lastOffsetEpoch: int32,
            lastOffset: int64,
            preVote: bool.versions('2+'),
          }),
        ),
      }),
    ),
  },
  response: {
    errorCode: int16,
    topics: array(
      struct({
        topicName: string,
        partitions: array(
          struct({ partitionIndex: int32, errorCode: int16, leaderId: int32, leaderEpoch: int32, voteGranted: bool }),
        ),
      }),
    ),
    nodeEndpoints: array(struct({ nodeId: int32, host: string, port: uint16 }))
      .versions('1+')
      .tagged(0),
  },
})

export interface VoteRequest extends RequestOf<typeof Vote> {}
export interface VoteResponse extends ResponseOf<typeof Vote> {}
