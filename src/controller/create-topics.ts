import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { CreateTopicsRequest, CreateTopicsResponse } from '#protocol/messages/create-topics.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { configsOfNewTopic } from '../config/alter.js'
import { describeCreatedTopic } from '../config/describe.js'
import type { ConfigMap } from '../config/layers.js'
import { type PartitionImage, ResourceType } from '../metadata/image.js'
import { partitionRecord } from '../metadata/image-to-records.js'
import type { MetadataRecord } from '../metadata/record.js'
import { clearElrRecords } from './alter-configs.js'
import { isElrEnabled } from './cluster-view.js'
import { type Command, type ControllerContext, USER_PARTITIONS_MAX, USER_RECORDS_MAX } from './command.js'
import { activeReplicas, checkManualAssignment, newPartition } from './replica-assignment.js'
import { ReplicaPlacement } from './replica-placement.js'
import { topicNameProblem } from './topic-name.js'

type RequestTopic = CreateTopicsRequest['topics'][number]
type ResponseTopic = CreateTopicsResponse['topics'][number]

/** No user may create it: it exists outside the metadata that it holds. */
const metadataTopic = '__cluster_metadata'

interface NewTopic {
  readonly records: readonly MetadataRecord[]
  readonly response: ResponseTopic
}

/**
 * Creates topics. Each stands or falls for itself; answers come in the order of the request, those for names that stand
 * in it twice, and for the metadata topic, at the end.
 */
export function createTopics(request: CreateTopicsRequest): Command<CreateTopicsResponse> {
  return context => {
    const { valid, refused } = splitRequest(request.topics)
    checkPartitionCount(context, valid)
    const records: MetadataRecord[] = []
    const topics = valid.map(topic => {
      try {
        const created = createTopic(context, topic)
        records.push(...created.records)
        return created.response
      } catch (error) {
        if (error instanceof ApiError) return failedTopic(topic.name, error.code, error.message)
        throw error
      }
    })
    if (records.length > USER_RECORDS_MAX) {
      throw new ApiError(ErrorCode.POLICY_VIOLATION, 'Unable to perform excessively large batch operation.')
    }
    return {
      records: request.validateOnly ? [] : records,
      response: { throttleTimeMs: 0, topics: [...topics, ...refused] },
    }
  }
}

/** The answer for a topic that is not created. */
export function failedTopic(name: string, errorCode: ErrorCode, errorMessage: string | null): ResponseTopic {
  return {
    name,
    topicId: ZERO_UUID,
    errorCode,
    errorMessage,
    topicConfigErrorCode: ErrorCode.NONE,
    numPartitions: -1,
    replicationFactor: -1,
    configs: [],
  }
}

function checkPartitionCount({ config }: ControllerContext, topics: readonly RequestTopic[]): void {
  let count = 0
  for (const { assignments, numPartitions } of topics) {
    if (assignments.length > 0) count += assignments.length
    else count += numPartitions === -1 ? config.get('num.partitions') : Math.max(0, numPartitions)
  }
  if (count > USER_PARTITIONS_MAX) {
    throw new ApiError(ErrorCode.POLICY_VIOLATION, 'Excessively large number of partitions per request.')
  }
}

function splitRequest(topics: readonly RequestTopic[]): { valid: RequestTopic[]; refused: ResponseTopic[] } {
  const counts = new Map<string, number>()
  for (const { name } of topics) counts.set(name, (counts.get(name) ?? 0) + 1)
  const refused: ResponseTopic[] = []
  for (const [name, count] of counts) {
    if (count > 1) refused.push(failedTopic(name, ErrorCode.INVALID_REQUEST, 'Duplicate topic name.'))
    else if (name === metadataTopic) {
      const message = `Creation of internal topic ${metadataTopic} is prohibited.`
      refused.push(failedTopic(name, ErrorCode.INVALID_REQUEST, message))
    }
  }
  const valid = topics.filter(({ name }) => counts.get(name) === 1 && name !== metadataTopic)
  return { valid, refused }
}

function createTopic(context: ControllerContext, topic: RequestTopic): NewTopic {
  const { image, config, random } = context
  const { name } = topic
  checkName(context, name)
  const altered = configsOfNewTopic(config, topic.configs)
  if (!altered.ok) throw new ApiError(ErrorCode[altered.error.name], altered.error.message ?? '')
  const partitions = topic.assignments.length > 0 ? assigned(context, topic) : placed(context, topic)
  const topicId = random.uuid()
  const { metadataVersion } = image.features
  const records: MetadataRecord[] = [{ type: 'TopicRecord', version: 0, value: { name, topicId } }]
  for (const { name: key, value } of altered.changes) {
    const record = { resourceType: ResourceType.TOPIC, resourceName: name, name: key, value }
    records.push({ type: 'ConfigRecord', version: 0, value: record })
  }
  if (isElrEnabled(image)) records.push(...clearElrRecords(records))
  for (const [number, partition] of partitions.entries()) {
    records.push(partitionRecord(topicId, number, partition, metadataVersion))
  }
  return { records, response: createdTopic(context, name, topicId, partitions, altered.config) }
}

function checkName({ image }: ControllerContext, name: string): void {
  if (image.topics.byName(name) !== undefined) {
    throw new ApiError(ErrorCode.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`)
  }
  const collision = image.topics.collidingName(name)
  if (collision !== undefined) {
    const message = `Topic '${name}' collides with existing topic: ${collision}`
    throw new ApiError(ErrorCode.INVALID_TOPIC_EXCEPTION, message)
  }
  const problem = topicNameProblem(name)
  if (problem !== null) throw new ApiError(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
}

/** Partitions whose replicas the user has chosen. */
function assigned({ image: { cluster } }: ControllerContext, topic: RequestTopic): readonly PartitionImage[] {
  if (topic.replicationFactor !== -1) {
    const message = 'A manual partition assignment was specified, but replication factor was not set to -1.'
    throw new ApiError(ErrorCode.INVALID_REQUEST, message)
  }
  if (topic.numPartitions !== -1) {
    const message = 'A manual partition assignment was specified, but numPartitions was not set to -1.'
    throw new ApiError(ErrorCode.INVALID_REQUEST, message)
  }
  const refuse = (message: string): never => {
    throw new ApiError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
  }
  const partitions = new Map<number, PartitionImage>()
  let replicationFactor: number | null = null
  for (const { partitionIndex, brokerIds } of topic.assignments) {
    if (partitions.has(partitionIndex)) {
      refuse(`Found multiple manual partition assignments for partition ${partitionIndex}`)
    }
    checkManualAssignment(cluster, brokerIds, replicationFactor)
    replicationFactor = brokerIds.length
    if (activeReplicas(cluster, brokerIds).length === 0) refuse(allInactive(partitionIndex))
    partitions.set(partitionIndex, newPartition(cluster, brokerIds))
  }
  return Array.from(partitions, (_, number) => {
    return partitions.get(number) ?? refuse('partitions should be a consecutive 0-based integer sequence')
  })
}

/** The message for chosen replicas of which none could lead. */
export function allInactive(partition: number): string {
  return (
    `All brokers specified in the manual partition assignment for partition ${partition} are fenced or in controlled ` +
    'shutdown.'
  )
}

/** Partitions whose replicas are placed here. */
function placed({ image, config, random }: ControllerContext, topic: RequestTopic): readonly PartitionImage[] {
  if (topic.replicationFactor < -1 || topic.replicationFactor === 0) {
    const message = 'Replication factor must be larger than 0, or -1 to use the default value.'
    throw new ApiError(ErrorCode.INVALID_REPLICATION_FACTOR, message)
  }
  if (topic.numPartitions < -1 || topic.numPartitions === 0) {
    const message = 'Number of partitions was set to an invalid non-positive value.'
    throw new ApiError(ErrorCode.INVALID_PARTITIONS, message)
  }
  const count = topic.numPartitions === -1 ? config.get('num.partitions') : topic.numPartitions
  const factor = topic.replicationFactor === -1 ? config.get('default.replication.factor') : topic.replicationFactor
  const cannot = `Unable to replicate the partition ${factor} time(s): `
  let placements: readonly (readonly number[])[]
  try {
    placements = new ReplicaPlacement(image.cluster, random).place(count, factor)
  } catch (error) {
    if (error instanceof ApiError) throw new ApiError(error.code, cannot + error.message)
    throw error
  }
  return placements.map(replicas => {
    if (activeReplicas(image.cluster, replicas).length === 0) {
      const message = `${cannot}All brokers are currently fenced or in controlled shutdown.`
      throw new ApiError(ErrorCode.INVALID_REPLICATION_FACTOR, message)
    }
    return newPartition(image.cluster, replicas)
  })
}

function createdTopic(
  { config }: ControllerContext,
  name: string,
  topicId: string,
  partitions: readonly PartitionImage[],
  overrides: ConfigMap,
): ResponseTopic {
  return {
    name,
    topicId,
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    topicConfigErrorCode: ErrorCode.NONE,
    numPartitions: partitions.length,
    replicationFactor: partitions[0]!.replicas.length,
    configs: describeCreatedTopic(config, overrides),
  }
}
