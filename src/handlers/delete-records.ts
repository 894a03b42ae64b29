import { ErrorCode } from '#protocol/errors.js'
import { DeleteRecords, type DeleteRecordsRequest } from '#protocol/messages/delete-records.js'
import type { ReplicaManager } from '../replication/replica-manager.js'
import { errorCodeOf, isExpectedError } from '../replication/replication-error.js'
import { isInternalTopic } from '../replication/topic-index.js'
import { handler } from './handler.js'

type PartitionRequest = DeleteRecordsRequest['topics'][number]['partitions'][number]

/**
 * DeleteRecords 0-2.
 * Behaviour: raises the start of the log to an offset, -1 for the high watermark, and answers with the low watermark
 *            when all live replicas have done so. Not for topics that are only compacted, and not for Kafka's own. Of
 *            a partition that is named twice the last one counts; topics without partitions get no answer.
 * Versions:  1 throttling, 2 flexible.
 */
export const deleteRecords = handler(
  DeleteRecords,
  async ({ replicas }: { readonly replicas: ReplicaManager }, { topics, timeoutMs }) => {
    const byTopic = new Map<string, Map<number, PartitionRequest>>()
    for (const { name, partitions } of topics) {
      if (partitions.length === 0) continue
      const known = byTopic.get(name) ?? new Map<number, PartitionRequest>()
      byTopic.set(name, known)
      for (const partition of partitions) known.set(partition.partitionIndex, partition)
    }
    const answers = [...byTopic].map(async ([name, partitions]) => ({
      name,
      partitions: await Promise.all([...partitions.values()].map(each => answerOf(replicas, name, each, timeoutMs))),
    }))
    return { topics: await Promise.all(answers) }
  },
)

async function answerOf(
  replicas: ReplicaManager,
  topic: string,
  { partitionIndex, offset }: PartitionRequest,
  timeoutMs: number,
): Promise<{ partitionIndex: number; lowWatermark: number; errorCode: number }> {
  try {
    const partitionCount = replicas.topics.byName(topic)?.partitionCount ?? 0
    if (isInternalTopic(topic) && partitionIndex >= 0 && partitionIndex < partitionCount) {
      return { partitionIndex, lowWatermark: -1, errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION }
    }
    const partition = replicas.partitionOf(topic, partitionIndex)
    const lowWatermark = await replicas.deleteRecords(partition, offset, timeoutMs)
    return { partitionIndex, lowWatermark, errorCode: ErrorCode.NONE }
  } catch (error) {
    if (!isExpectedError(error)) throw error
    return { partitionIndex, lowWatermark: -1, errorCode: errorCodeOf(error) }
  }
}
