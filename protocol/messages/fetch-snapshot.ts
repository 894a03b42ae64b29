import {
  api,
  array,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  records,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.js'

/** Reads a chunk of a snapshot of the metadata log. */
export const FetchSnapshot = api({
  key: 59,
  name: 'FetchSnapshot',
  versions: '0-1',
  flexible: '0+',
  listeners: ['controller'],
  request: {
    clusterId: string.nullable().tagged(0).default(null),
    replicaId: int32.default(-1),
    maxBytes: int32.default(2147483647),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: int32,
            snapshotId: struct({ endOffset: int64, epoch: int32 }),
            position: int64,
            replicaDirectoryId: uuid.versions('1+').tagged(0),
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
        name: string,
        partitions: array(
          struct({
            index: int32,
            errorCode: int16,
            snapshotId: struct({ endOffset: int64, epoch: int32 }),
            currentLeader: struct({ leaderId: int32, leaderEpoch: int32 }).tagged(0),
            size: int64,
            position: int64,
            unalignedRecords: records,
          }),
        ),
      }),
    ),
    nodeEndpoints: array(struct({ nodeId: int32, host: string, port: uint16 }))
      .versions('1+')
      .tagged(0),
  },
})

export interface FetchSnapshotRequest extends RequestOf<typeof FetchSnapshot> {}
export interface FetchSnapshotResponse extends ResponseOf<typeof FetchSnapshot> {}
