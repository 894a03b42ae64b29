import { api, array, int16, int32, type RequestOf, type ResponseOf, string, struct, uint16, uuid } from '../schema.js'

/** A leader of the quorum resigns. */
export const EndQuorumEpoch = api({
  key: 54,
  name: 'EndQuorumEpoch',
  versions: '0-1',
  flexible: '1+',
  listeners: ['controller'],
  request: {
    clusterId: string.nullable().default(null),
    topics: array(
      struct({
        topicName: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            leaderId: int32,
            leaderEpoch: int32,
            preferredSuccessors: array(int32).versions('0'),
            preferredCandidates: array(struct({ candidateId: int32, candidateDirectoryId: uuid })).versions('1+'),
          }),
        ),
      }),
    ),
    leaderEndpoints: array(struct({ name: string, host: string, port: uint16 })).versions('1+'),
  },
  response: {
    errorCode: int16,
    topics: array(
      struct({
        topicName: string,
        partitions: array(struct({ partitionIndex: int32, errorCode: int16, leaderId: int32, leaderEpoch: int32 })),
      }),
    ),
    nodeEndpoints: array(struct({ nodeId: int32, host: string, port: uint16 }))
      .versions('1+')
      .tagged(0),
  },
})

export interface EndQuorumEpochRequest extends RequestOf<typeof EndQuorumEpoch> {}
export interface EndQuorumEpochResponse extends ResponseOf<typeof EndQuorumEpoch> {}
