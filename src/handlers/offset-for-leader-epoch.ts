import { ErrorCode } from '#protocol/errors.js'
import { OffsetForLeaderEpoch } from '#protocol/messages/offset-for-leader-epoch.js'
import type { ReplicaManager } from '../replication/replica-manager.js'
import { errorCodeOf, isExpectedError } from '../replication/replication-error.js'
import { handler } from './handler.js'

/**
 * OffsetForLeaderEpoch 2-4.
 * Behaviour: where the largest epoch ends that is not above the one asked for; -1 and -1 if that is not known. For
 *            followers and consumers that want to know whether what they read is still true.
 * Versions:  3 replica id, 4 flexible.
 */
export const offsetForLeaderEpoch = handler(
  OffsetForLeaderEpoch,
  ({ replicas }: { readonly replicas: ReplicaManager }, { topics }) => ({
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => {
        try {
          const replica = replicas.partitionOf(topic, partition)
          replica.requireLeader(currentLeaderEpoch)
          const end = replica.knowingLog.endOffsetOf(leaderEpoch)
          return { errorCode: ErrorCode.NONE, partition, leaderEpoch: end.epoch, endOffset: end.endOffset }
        } catch (error) {
          if (!isExpectedError(error)) throw error
          return { errorCode: errorCodeOf(error), partition, leaderEpoch: -1, endOffset: -1 }
        }
      }),
    })),
  }),
)
