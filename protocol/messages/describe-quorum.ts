import {
  api,
  array,
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

const ReplicaState = struct({
  replicaId: int32,
  replicaDirectoryId: uuid.versions('2+'),
  logEndOffset: int64,
  lastFetchTimestamp: int64.versions('1+').default(-1),
  lastCaughtUpTimestamp: int64.versions('1+').default(-1),
})

/** Describes the state of the metadata quorum. */
export const DescribeQuorum = api({
  key: 55,
  name: 'DescribeQuorum',
  versions: '0-2',
  flexible: '0+',
  listeners: ['broker', 'controller'],
  request: { topics: array(struct({ topicName: string, partitions: array(struct({ partitionIndex: int32 })) })) },
  response: {
    errorCode: int16,
    errorMessage: string.nullable().versions('2+'),
    topics: array(
      struct({
        topicName: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            errorMessage: string.nullable().versions('2+'),
            leaderId: int32,
            leaderEpoch: int32,
            highWatermark: int64,
            currentVoters: array(ReplicaState),
            observers: array(ReplicaState),
          }),
        ),
      }),
    ),
    nodes: array(
      struct({ nodeId: int32, listeners: array(struct({ name: string, host: string, port: uint16 })) }),
    ).versions('2+'),
  },
})

export interface DescribeQuorumRequest extends RequestOf<typeof DescribeQuorum> {}
export interface DescribeQuorumResponse extends ResponseOf<typeof DescribeQuorum> {}
