import { ApiError, ErrorCode } from '#protocol/errors.js'
import {
  DescribeTopicPartitions,
  type DescribeTopicPartitionsRequest,
  type DescribeTopicPartitionsResponse,
} from '#protocol/messages/describe-topic-partitions.js'
import { ZERO_UUID } from '#protocol/schema.js'
import type { BrokerConfig } from '../config/broker-config.js'
import { INTERNAL_TOPICS } from '../controller/internal-topics.js'
import { topicNameProblem } from '../controller/topic-name.js'
import type { PublishedMetadata } from '../metadata/delta.js'
import type { ClusterImage, PartitionImage, TopicsImage } from '../metadata/image.js'
import { TOPIC_OPERATIONS } from './authorized-operations.js'
import { leaderFor, offlineReplicas } from './cluster-endpoints.js'
import { handler } from './handler.js'

export interface DescribeTopicPartitionsServices {
  readonly metadata: PublishedMetadata
  readonly config: () => BrokerConfig
}

type ResponseTopic = NonNullable<DescribeTopicPartitionsResponse['topics']>[number]
type Cursor = NonNullable<DescribeTopicPartitionsResponse['nextCursor']>

/**
 * DescribeTopicPartitions 0.
 * Behaviour: topics in the order of their names, page by page: as many partitions as the client and
 *            `max.request.partition.size.limit` allow, then a cursor that says where the next page begins. The cursor
 *            of a request must be one of the topics asked for. An empty list asks for all topics. Authorized operations
 *            always.
 */
export const describeTopicPartitions = handler(
  DescribeTopicPartitions,
  ({ metadata, config }: DescribeTopicPartitionsServices, request, { listenerName }) => {
    const { topics: image, cluster } = metadata.image
    const { cursor } = request
    const limit = Math.min(config().get('max.request.partition.size.limit'), request.responsePartitionLimit)
    let left = Math.max(1, limit)
    const topics: ResponseTopic[] = []
    let nextCursor: Cursor | null = null
    for (const name of namesOf(image, request)) {
      if (left === 0) {
        nextCursor = { topicName: name, partitionIndex: 0 }
        break
      }
      const topic = image.byName(name)
      if (topic === undefined) {
        // Asked for all, what has gone meanwhile is not missed.
        if (request.topics.length > 0) topics.push(missing(name))
        continue
      }
      const from = cursor?.topicName === name ? cursor.partitionIndex : 0
      const to = Math.min(topic.partitions.length, from + left)
      const partitions = topic.partitions
        .slice(from, to)
        .map((partition, i) => describe(cluster, partition, from + i, listenerName))
      topics.push({ ...described(name, ErrorCode.NONE), topicId: topic.id, partitions })
      left -= partitions.length
      if (to < topic.partitions.length) {
        nextCursor = { topicName: name, partitionIndex: to }
        break
      }
    }
    return { throttleTimeMs: 0, topics, nextCursor }
  },
)

/** The topics from the cursor on. */
function namesOf(image: TopicsImage, { topics, cursor }: DescribeTopicPartitionsRequest): Iterable<string> {
  const start = cursor?.topicName ?? ''
  const names = topics.length === 0 ? image.sortedNames() : [...new Set(topics.map(topic => topic.name))].sort()
  if (cursor !== null) {
    if (topics.length > 0 && !names.includes(start)) {
      const message = `DescribeTopicPartitionsRequest topic list should contain the cursor topic: ${start}`
      throw new ApiError(ErrorCode.INVALID_REQUEST, message)
    }
    if (cursor.partitionIndex < 0) {
      const message = `DescribeTopicPartitionsRequest cursor partition must be valid: ${cursor.partitionIndex}`
      throw new ApiError(ErrorCode.INVALID_REQUEST, message)
    }
  }
  return start === '' ? names : names.slice(firstNotBefore(names, start))
}

function firstNotBefore(sorted: readonly string[], name: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < name) low = middle + 1
    else high = middle
  }
  return low
}

function missing(name: string): ResponseTopic {
  const isLegal = topicNameProblem(name) === null
  return described(name, isLegal ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION)
}

function described(name: string, errorCode: ErrorCode): ResponseTopic {
  return {
    errorCode,
    name,
    topicId: ZERO_UUID,
    isInternal: INTERNAL_TOPICS.includes(name),
    partitions: [],
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  }
}

function describe(cluster: ClusterImage, partition: PartitionImage, partitionIndex: number, listenerName: string) {
  return {
    // A partition without a leader is no error here, as in Kafka.
    errorCode: ErrorCode.NONE,
    partitionIndex,
    leaderId: leaderFor(cluster, partition, listenerName, true).leaderId,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: partition.replicas,
    isrNodes: partition.isr,
    eligibleLeaderReplicas: partition.elr,
    lastKnownElr: partition.lastKnownElr,
    offlineReplicas: offlineReplicas(cluster, partition, listenerName),
  }
}
