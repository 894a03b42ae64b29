/** What consumers tell each other through JoinGroup and SyncGroup (the embedded consumer protocol). */
import { array, bytes, int32, message, string, struct } from './schema.js'

/** What a member subscribes to and owns. */
export const ConsumerProtocolSubscription = message({
  name: 'ConsumerProtocolSubscription',
  versions: '0-3',
  flexible: 'none',
  fields: {
    topics: array(string),
    userData: bytes.nullable().default(null),
    ownedPartitions: array(struct({ topic: string, partitions: array(int32) })).versions('1+'),
    generationId: int32.versions('2+').default(-1),
    rackId: string.nullable().versions('3+').default(null),
  },
})

/** What a member is assigned. */
export const ConsumerProtocolAssignment = message({
  name: 'ConsumerProtocolAssignment',
  versions: '0-3',
  flexible: 'none',
  fields: {
    assignedPartitions: array(struct({ topic: string, partitions: array(int32) })),
    userData: bytes.nullable().default(null),
  },
})
