import { api, array, bool, int16, int32, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

/** Begins, changes or cancels the reassignment of partitions. */
export const AlterPartitionReassignments = api({
  key: 45,
  name: 'AlterPartitionReassignments',
  versions: '0-1',
  flexible: '0+',
  listeners: ['broker', 'controller'],
  request: {
    timeoutMs: int32.default(60000),
    allowReplicationFactorChange: bool.versions('1+').default(true),
    topics: array(
      struct({
        name: string,
        partitions: array(struct({ partitionIndex: int32, replicas: array(int32).nullable().default(null) })),
      }),
    ),
  },
  response: {
    throttleTimeMs: int32.default(0),
    allowReplicationFactorChange: bool.versions('1+').default(true),
    errorCode: int16,
    errorMessage: string.nullable(),
    responses: array(
      struct({
        name: string,
        partitions: array(struct({ partitionIndex: int32, errorCode: int16, errorMessage: string.nullable() })),
      }),
    ),
  },
})

export interface AlterPartitionReassignmentsRequest extends RequestOf<typeof AlterPartitionReassignments> {}
export interface AlterPartitionReassignmentsResponse extends ResponseOf<typeof AlterPartitionReassignments> {}
