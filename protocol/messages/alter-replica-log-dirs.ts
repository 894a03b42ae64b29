import { api, array, int16, int32, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** Moves replicas between the log directories of a broker. */
export const AlterReplicaLogDirs = api({
  key: 34,
  name: 'AlterReplicaLogDirs',
  versions: '1-2',
  flexible: '2+',
  listeners: ['broker'],
  request: { dirs: array(struct({ path: string, topics: array(struct({ name: string, partitions: array(int32) })) })) },
  response: {
    throttleTimeMs: int32.default(0),
    results: array(
      struct({ topicName: string, partitions: array(struct({ partitionIndex: int32, errorCode: int16 })) }),
    ),
  },
})

export interface AlterReplicaLogDirsRequest extends RequestOf<typeof AlterReplicaLogDirs> {}
export interface AlterReplicaLogDirsResponse extends ResponseOf<typeof AlterReplicaLogDirs> {}
