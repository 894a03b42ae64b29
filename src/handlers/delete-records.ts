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
 *            when
 *            all live replicas have done so. Not for topics that are only compacted, and not for Kafka's own.
 * Versions:  1 throttling, 2 flexible.
 */
export const deleteRecords = handler(
  DeleteRecords,
  async ({ replicas }: { readonly replicas: ReplicaManager }, { topics, timeoutMs }) => {
    const answers = topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(partitions.map(each => answerOf(replicas, name, each, timeoutMs))),
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
    const partition = replicas.partitionOf(topic, partitionIndex)
    if (isInternalTopic(topic)) {
      return { partitionIndex, lowWatermark: -1, errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION }
    }
    const lowWatermark = await replicas.deleteRecords(partition, offset, timeoutMs)
    return { partitionIndex, lowWatermark, errorCode: ErrorCode.NONE }
  } catch (error) {
    if (!isExpectedError(error)) throw error
    return { partitionIndex, lowWatermark: -1, errorCode: errorCodeOf(error) }
  }
}
