import { api, array, int8, int16, int32, int64, type RequestOf, type ResponseOf, struct, uuid } from '../schema.js'

/** A partition leader asks the controller to change the in-sync replicas. */
export const AlterPartition = api({
  key: 56,
  name: 'AlterPartition',
  versions: '2-3',
  flexible: '0+',
  listeners: ['controller'],
  request: {
    brokerId: int32,
    brokerEpoch: int64.default(-1),
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            leaderEpoch: int32,
            newIsr: array(int32).versions('0-2'),
            newIsrWithEpochs: array(struct({ brokerId: int32, brokerEpoch: int64.default(-1) })).versions('3+'),
            leaderRecoveryState: int8.default(0),
            partitionEpoch: int32,
          }),
        ),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    topics: array(
      struct({
        topicId: uuid,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            leaderId: int32,
            leaderEpoch: int32,
            isr: array(int32),
            leaderRecoveryState: int8.default(0),
            partitionEpoch: int32,
          }),
        ),
      }),
    ),
  },
})

export interface AlterPartitionRequest extends RequestOf<typeof AlterPartition> {}
export interface AlterPartitionResponse extends ResponseOf<typeof AlterPartition> {}
