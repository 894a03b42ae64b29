import { ErrorCode } from '#protocol/errors.js'
import { OffsetDelete } from '#protocol/messages/offset-delete.js'
import { ZERO_UUID } from '#protocol/schema.js'
import type { DeleteOffsetsCommand } from '../coordinator/group/group-commands.js'
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.js'
import { handler } from './handler.js'
import { PartitionResults } from './partition-results.js'
import type { TopicLookup } from './topic-lookup.js'

/**
 * OffsetDelete 0.
 * Behaviour: removes offsets of topics that no member reads (KIP-496); only of topics that there are.
 */
export const offsetDelete = handler(
  OffsetDelete,
  async ({ groups, topics }: { readonly groups: GroupCoordinator; readonly topics: TopicLookup }, request) => {
    const results = new PartitionResults(false)
    const accepted: DeleteOffsetsCommand['topics'][number][] = []
    for (const { name, partitions } of request.topics) {
      const known: number[] = []
      if (topics.topicIdOf(name) === undefined) results.add(name, ZERO_UUID, [])
      for (const { partitionIndex } of partitions) {
        if (topics.hasPartition(name, partitionIndex)) known.push(partitionIndex)
        else results.add(name, ZERO_UUID, [{ partitionIndex, errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION }])
      }
      if (known.length > 0) accepted.push({ name, partitions: known })
    }
    const answer = await groups.deleteOffsets({ groupId: request.groupId, topics: accepted })
    if (answer.errorCode !== ErrorCode.NONE) return answer
    return { errorCode: ErrorCode.NONE, topics: results.merge(answer.topics) }
  },
)
