import { ErrorCode } from '#protocol/errors.js'
import { OffsetCommit } from '#protocol/messages/offset-commit.js'
import { ZERO_UUID } from '#protocol/schema.js'
import type { CommitCommand } from '../coordinator/group/group-commands.js'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.js'
import { handler } from './handler.js'
import { PartitionResults } from './partition-results.js'
import type { TopicLookup } from './topic-lookup.js'

/**
 * OffsetCommit 2-10.
 * Behaviour: partitions that do not exist are refused one by one; the others are stored together or not at all. What
 *            has been refused comes first in the answer.
 * Versions:  3 throttle time, 5 no retention time any more, 6 leader epoch, 7 static members (KIP-345), 8 flexible,
 *            9 GROUP_ID_NOT_FOUND for a group that is not there (before: ILLEGAL_GENERATION), 10 topic ids for names.
 */
export const offsetCommit = handler(
  OffsetCommit,
  async (
    { groups, topics }: { readonly groups: GroupCoordinator; readonly topics: TopicLookup },
    request,
    { apiVersion },
  ) => {
    const usesIds = apiVersion >= 10
    const results = new PartitionResults(usesIds)
    const accepted: CommitCommand['topics'][number][] = []
    for (const { name: givenName, topicId: givenId, partitions } of request.topics) {
      const name = usesIds ? (topics.topicNameOf(givenId) ?? '') : givenName
      const topicId = usesIds ? givenId : (topics.topicIdOf(name) ?? ZERO_UUID)
      const refuse = (partition: { readonly partitionIndex: number }, errorCode: ErrorCode) =>
        results.add(name, topicId, [{ partitionIndex: partition.partitionIndex, errorCode }])
      if (usesIds ? name === '' : topicId === ZERO_UUID) {
        const errorCode = usesIds ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        results.add(name, topicId, [])
        for (const partition of partitions) refuse(partition, errorCode)
        continue
      }
      const known = partitions.filter(({ partitionIndex }) => topics.hasPartition(name, partitionIndex))
      for (const partition of partitions) {
        if (!topics.hasPartition(name, partition.partitionIndex))
          refuse(partition, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
      }
      if (known.length > 0) accepted.push({ name, topicId, partitions: known })
    }
    if (accepted.length === 0) return { topics: results.topics }
    const answer = await groups.commit({
      groupId: request.groupId,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      generationId: request.generationIdOrMemberEpoch,
      unknownGroupError: apiVersion >= 9 ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION,
      retentionTimeMs: request.retentionTimeMs,
      topics: accepted,
    })
    return { topics: results.merge(answer.topics) }
  },
)
