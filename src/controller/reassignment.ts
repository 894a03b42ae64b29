import { ApiError, ErrorCode } from '#protocol/errors.js'
import type {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '#protocol/messages/alter-partition-reassignments.js'
import type {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '#protocol/messages/list-partition-reassignments.js'
import type { MetadataImage, PartitionImage, TopicImage } from '../metadata/image.js'
import type { MetadataRecord } from '../metadata/record.js'
import { allowsUncleanElection } from './cluster-view.js'
import {
  type Command,
  type ControllerContext,
  type ItemError,
  itemErrorOf,
  NO_ERROR,
  USER_RECORDS_MAX,
} from './command.js'
import { type SequentialChanges, sequentialChanges } from './partition-changer.js'
import { checkManualAssignment } from './replica-assignment.js'
import { shownTopicName } from './topic-name.js'

/**
 * Begins, changes or cancels the move of partitions to other brokers:
 *
 *   replicas 1 2, target 2 3   ->  replicas 2 3 1, adding 3, removing 1   -- 3 in sync -->  replicas 2 3
 *                                          cancelled  ->  replicas 2 1
 */
export function alterPartitionReassignments(
  request: AlterPartitionReassignmentsRequest,
): Command<AlterPartitionReassignmentsResponse> {
  return context => {
    const records: MetadataRecord[] = []
    const changes = sequentialChanges(context)
    const { allowReplicationFactorChange } = request
    const responses = request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex, replicas }) => {
        const result = alterOne(context, changes, name, partitionIndex, replicas, allowReplicationFactorChange)
        if (result.record !== null) records.push(result.record)
        if (records.length > USER_RECORDS_MAX) {
          throw new ApiError(ErrorCode.POLICY_VIOLATION, 'Unable to perform excessively large batch operation.')
        }
        return { partitionIndex, ...result.error }
      }),
    }))
    // Kafka answers a request for nothing without looking: with a message that is empty instead of none.
    const isForNothing = request.topics.length === 0
    return {
      records,
      response: {
        throttleTimeMs: 0,
        allowReplicationFactorChange: isForNothing || allowReplicationFactorChange,
        errorCode: ErrorCode.NONE,
        errorMessage: isForNothing ? '' : null,
        responses,
      },
    }
  }
}

interface Altered {
  readonly record: MetadataRecord | null
  readonly error: ItemError
}

function alterOne(
  context: ControllerContext,
  changes: SequentialChanges,
  topicName: string,
  partitionIndex: number,
  replicas: readonly number[] | null,
  mayChangeFactor: boolean,
): Altered {
  try {
    const topic = context.image.topics.byName(topicName)
    if (topic === undefined) {
      const message = `Unable to find a topic named ${shownTopicName(topicName)}.`
      throw new ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message)
    }
    const partition = changes.partition(topic, partitionIndex)
    if (partition === undefined) {
      const message = `Unable to find partition ${topicName}:${partitionIndex}.`
      throw new ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message)
    }
    if (replicas === null && !isReassigning(partition)) {
      return { record: null, error: { errorCode: ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, errorMessage: null } }
    }
    const record =
      replicas === null
        ? cancel(context, changes, topic, partitionIndex, partition)
        : reassign(context, changes, topic, partitionIndex, partition, replicas, mayChangeFactor)
    return { record, error: NO_ERROR }
  } catch (error) {
    if (error instanceof ApiError) return { record: null, error: itemErrorOf(error) }
    throw error
  }
}

export function isReassigning(partition: PartitionImage): boolean {
  return partition.addingReplicas.length > 0 || partition.removingReplicas.length > 0
}

function cancel(
  context: ControllerContext,
  { change }: SequentialChanges,
  topic: TopicImage,
  partitionId: number,
  partition: PartitionImage,
) {
  const replicas = partition.replicas.filter(replica => !partition.addingReplicas.includes(replica))
  const isr = partition.isr.filter(replica => !partition.addingReplicas.includes(replica))
  const target = { replicas, isr, removingReplicas: [], addingReplicas: [] }
  if (isr.length > 0) return change(topic, partitionId, { target, election: 'online' })
  const [first] = replicas
  if (first === undefined) {
    const message = 'Invalid replica assignment: addingReplicas contains all replicas.'
    throw new ApiError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
  }
  // None of the old replicas is in sync any more: going back loses records.
  if (!allowsUncleanElection(context, topic.name)) {
    throw new ApiError(
      ErrorCode.INVALID_REPLICA_ASSIGNMENT,
      `Unable to revert partition assignment for ${topic.name}:${partitionId} because it would require an unclean ` +
        'leader election.',
    )
  }
  return change(topic, partitionId, { target: { ...target, isr: [first] }, election: 'unclean' })
}

function reassign(
  context: ControllerContext,
  { change }: SequentialChanges,
  topic: TopicImage,
  partitionId: number,
  partition: PartitionImage,
  replicas: readonly number[],
  mayChangeFactor: boolean,
) {
  checkManualAssignment(context.image.cluster, replicas, null)
  const settled = partition.replicas.filter(replica => !partition.removingReplicas.includes(replica))
  if (!mayChangeFactor && settled.length !== replicas.length) {
    throw new ApiError(
      ErrorCode.INVALID_REPLICATION_FACTOR,
      `The replication factor is changed from ${settled.length} to ${replicas.length}`,
    )
  }
  // Who is being added already still is. (Kafka leaves such a one among those that are added also where the new target
  // does not have it; the move back to where it began never ends then.)
  const isNew = (replica: number): boolean =>
    !partition.replicas.includes(replica) || partition.addingReplicas.includes(replica)
  const addingReplicas = replicas.filter(isNew).sort((a, b) => a - b)
  const removingReplicas = partition.replicas.filter(replica => !replicas.includes(replica)).sort((a, b) => a - b)
  const target = { replicas: [...replicas, ...removingReplicas], addingReplicas, removingReplicas }
  return change(topic, partitionId, { target, election: 'online' })
}

/** The moves that are under way, of the topics asked for or of all. */
export function listPartitionReassignments(
  image: MetadataImage,
  request: ListPartitionReassignmentsRequest,
): ListPartitionReassignmentsResponse {
  const topics: { name: string; partitions: ReturnType<typeof ongoing>[] }[] = []
  const list = (topic: TopicImage, numbers: Iterable<number>): void => {
    const partitions: ReturnType<typeof ongoing>[] = []
    for (const number of numbers) {
      const partition = topic.partitions[number]
      if (partition !== undefined && isReassigning(partition)) partitions.push(ongoing(number, partition))
    }
    if (partitions.length > 0) topics.push({ name: topic.name, partitions })
  }
  if (request.topics === null) for (const topic of image.topics.all()) list(topic, topic.partitions.keys())
  else {
    for (const { name, partitionIndexes } of request.topics) {
      const topic = image.topics.byName(name)
      if (topic !== undefined) list(topic, partitionIndexes)
    }
  }
  return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: null, topics }
}

function ongoing(partitionIndex: number, { replicas, addingReplicas, removingReplicas }: PartitionImage) {
  return { partitionIndex, replicas, addingReplicas, removingReplicas }
}
