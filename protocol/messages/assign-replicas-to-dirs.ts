import { api, array, int16, int32, int64, type RequestOf, type ResponseOf, struct, uuid } from '../schema.js'

/** Tells the controller which log directory holds which replica. */
export const AssignReplicasToDirs = api({
  key: 73,
  name: 'AssignReplicasToDirs',
  versions: '0',
  flexible: '0+',
  listeners: ['controller'],
  request: {
    brokerId: int32,
    brokerEpoch: int64.default(-1),
    directories: array(
      struct({
        id: uuid,
        topics: array(struct({ topicId: uuid, partitions: array(struct({ partitionIndex: int32 })) })),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    directories: array(
      struct({
        id: uuid,
        topics: array(
          struct({ topicId: uuid, partitions: array(struct({ partitionIndex: int32, errorCode: int16 })) }),
        ),
      }),
    ),
  },
})

export interface AssignReplicasToDirsRequest extends RequestOf<typeof AssignReplicasToDirs> {}
export interface AssignReplicasToDirsResponse extends ResponseOf<typeof AssignReplicasToDirs> {}
