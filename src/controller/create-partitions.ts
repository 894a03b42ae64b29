import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { CreatePartitionsRequest, CreatePartitionsResponse } from '#protocol/messages/create-partitions.js'
import { inHashOrder } from '../config/java-text.js'
import type { TopicImage } from '../metadata/image.js'
import { partitionRecord } from '../metadata/image-to-records.js'
import type { MetadataRecord } from '../metadata/record.js'
import {
  type Command,
  type ControllerContext,
  type ItemError,
  itemError,
  itemErrorOf,
  NO_ERROR,
  USER_PARTITIONS_MAX,
  USER_RECORDS_MAX,
} from './command.js'
import { allInactive } from './create-topics.js'
import { activeReplicas, checkManualAssignment, newPartition } from './replica-assignment.js'
import { ReplicaPlacement } from './replica-placement.js'

type RequestTopic = CreatePartitionsRequest['topics'][number]

/**
 * Gives topics more partitions; `count` is the new total. Names that stand in the request twice are answered first. The
 * order of the answers is that of a hash table, as in Kafka.
 */
export function createPartitions(request: CreatePartitionsRequest): Command<CreatePartitionsResponse> {
  return context => {
    const byName = new Map<string, RequestTopic>()
    const duplicates = new Set<string>()
    for (const topic of request.topics) {
      if (byName.has(topic.name)) duplicates.add(topic.name)
      byName.set(topic.name, topic)
    }
    const names = inHashOrder([...byName.keys()].filter(name => !duplicates.has(name)))
    const topics = names.map(name => byName.get(name)!)
    checkCount(context, topics)
    const records: MetadataRecord[] = []
    const results = inHashOrder([...duplicates]).map(name => ({
      name,
      ...itemError(ErrorCode.INVALID_REQUEST, 'Duplicate topic name.'),
    }))
    for (const topic of topics) results.push({ name: topic.name, ...addTo(context, topic, records) })
    if (records.length > USER_RECORDS_MAX) {
      throw new ApiError(ErrorCode.POLICY_VIOLATION, 'Unable to perform excessively large batch operation.')
    }
    return { records: request.validateOnly ? [] : records, response: { throttleTimeMs: 0, results } }
  }
}

function checkCount({ image }: ControllerContext, topics: readonly RequestTopic[]): void {
  let additional = 0
  for (const { name, count } of topics) {
    const topic = image.topics.byName(name)
    // One that is not there gets no partitions.
    if (topic !== undefined) additional += Math.max(0, count - topic.partitions.length)
  }
  if (additional > USER_PARTITIONS_MAX) {
    throw new ApiError(ErrorCode.POLICY_VIOLATION, 'Excessively large number of additional partitions per request.')
  }
}

function addTo(context: ControllerContext, request: RequestTopic, records: MetadataRecord[]): ItemError {
  const topic = context.image.topics.byName(request.name)
  if (topic === undefined) return itemError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  try {
    records.push(...newPartitions(context, topic, request))
    return NO_ERROR
  } catch (error) {
    if (error instanceof ApiError) return itemErrorOf(error)
    throw error
  }
}

function newPartitions(context: ControllerContext, topic: TopicImage, request: RequestTopic): MetadataRecord[] {
  const { cluster, features } = context.image
  const present = topic.partitions.length
  const { name, count, assignments } = request
  if (count === present) {
    throw new ApiError(ErrorCode.INVALID_PARTITIONS, `Topic already has ${present} partition(s).`)
  }
  if (count < present) {
    const message = `The topic ${name} currently has ${present} partition(s); ${count} would not be an increase.`
    throw new ApiError(ErrorCode.INVALID_PARTITIONS, message)
  }
  const additional = count - present
  if (assignments !== null && assignments.length !== additional) {
    throw new ApiError(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `Attempted to add ${additional} additional partition(s), but only ${assignments.length} assignment(s) were ` +
        'specified.',
    )
  }
  const factor = topic.partitions[0]!.replicas.length
  const placements =
    assignments === null
      ? new ReplicaPlacement(cluster, context.random).place(additional, factor)
      : assignments.map(({ brokerIds }, i) => checked(context, brokerIds, factor, present + i))
  return placements.map((replicas, i) => {
    if (activeReplicas(cluster, replicas).length === 0) {
      const message =
        `Unable to replicate the partition ${factor} time(s): ` +
        'All brokers are currently fenced or in controlled shutdown.'
      throw new ApiError(ErrorCode.INVALID_REPLICATION_FACTOR, message)
    }
    return partitionRecord(topic.id, present + i, newPartition(cluster, replicas), features.metadataVersion)
  })
}

function checked({ image }: ControllerContext, replicas: readonly number[], factor: number, partition: number) {
  checkManualAssignment(image.cluster, replicas, factor)
  if (activeReplicas(image.cluster, replicas).length === 0) {
    throw new ApiError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, allInactive(partition))
  }
  return replicas
}
