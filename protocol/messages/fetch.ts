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
  records,
  string,
  struct,
  uuid,
} from '../schema.js'

/** Reads record batches: of consumers, of followers, and of the members of the metadata quorum. */
export const Fetch = api({
  key: 1,
  name: 'Fetch',
  versions: '4-18',
  flexible: '12+',
  listeners: ['broker', 'controller'],
  request: {
    clusterId: string.nullable().versions('12+').tagged(0).default(null),
    replicaId: int32.versions('0-14').default(-1),
    replicaState: struct({ replicaId: int32.default(-1), replicaEpoch: int64.default(-1) })
      .versions('15+')
      .tagged(1),
    maxWaitMs: int32,
    minBytes: int32,
    maxBytes: int32.default(2147483647),
    isolationLevel: int8.default(0),
    sessionId: int32.versions('7+').default(0),
    sessionEpoch: int32.versions('7+').default(-1),
    topics: array(
      struct({
        topic: string.versions('0-12'),
        topicId: uuid.versions('13+'),
        partitions: array(
          struct({
            partition: int32,
            currentLeaderEpoch: int32.versions('9+').default(-1),
            fetchOffset: int64,
            lastFetchedEpoch: int32.versions('12+').default(-1),
            logStartOffset: int64.versions('5+').default(-1),
            partitionMaxBytes: int32,
            replicaDirectoryId: uuid.versions('17+').tagged(0),
            highWatermark: int64Unbounded.versions('18+').tagged(1).default(Infinity),
          }),
        ),
      }),
    ),
    forgottenTopicsData: array(
      struct({ topic: string.versions('7-12'), topicId: uuid.versions('13+'), partitions: array(int32) }),
    ).versions('7+'),
    rackId: string.versions('11+').default(''),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16.versions('7+'),
    sessionId: int32.versions('7+').default(0),
    responses: array(
      struct({
        topic: string.versions('0-12'),
        topicId: uuid.versions('13+'),
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
            highWatermark: int64,
            lastStableOffset: int64.default(-1),
            logStartOffset: int64.versions('5+').default(-1),
            divergingEpoch: struct({ epoch: int32.default(-1), endOffset: int64.default(-1) })
              .versions('12+')
              .tagged(0),
            currentLeader: struct({ leaderId: int32.default(-1), leaderEpoch: int32.default(-1) })
              .versions('12+')
              .tagged(1),
            snapshotId: struct({ endOffset: int64.default(-1), epoch: int32.default(-1) })
              .versions('12+')
              .tagged(2),
            abortedTransactions: array(struct({ producerId: int64, firstOffset: int64 })).nullable(),
            preferredReadReplica: int32.versions('11+').default(-1),
            records: records.nullable(),
          }),
        ),
      }),
    ),
    nodeEndpoints: array(struct({ nodeId: int32, host: string, port: int32, rack: string.nullable().default(null) }))
      .versions('16+')
      .tagged(0),
  },
})

export interface FetchRequest extends RequestOf<typeof Fetch> {}
export interface FetchResponse extends ResponseOf<typeof Fetch> {}
