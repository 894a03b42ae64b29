import { api, array, int16, int32, type RequestOf, type ResponseOf, string, struct, uint16, uuid } from '../schema.js'

/** A new leader of the quorum announces itself. */
export const BeginQuorumEpoch = api({
  key: 53,
  name: 'BeginQuorumEpoch',
  versions: '0-1',
  flexible: '1+',
  listeners: ['controller'],
  request: {
    clusterId: string.nullable().default(null),
    voterId: int32.versions('1+').default(-1),
    topics: array(
      struct({
        topicName: string,
        partitions: array(
          struct({ partitionIndex: int32, voterDirectoryId: uuid.versions('1+'), leaderId: int32, leaderEpoch: int32 }),
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

export interface BeginQuorumEpochRequest extends RequestOf<typeof BeginQuorumEpoch> {}
export interface BeginQuorumEpochResponse extends ResponseOf<typeof BeginQuorumEpoch> {}
