import { ApiError, ErrorCode } from '#protocol/errors.js'
import { Metadata, type MetadataRequest, type MetadataResponse } from '#protocol/messages/metadata.js'
import { ZERO_UUID } from '#protocol/schema.js'
import type { BrokerConfig } from '../config/broker-config.js'
import { inHashOrder } from '../config/java-text.js'
import { INTERNAL_TOPICS, type TopicMaker } from '../controller/internal-topics.js'
import { topicNameProblem } from '../controller/topic-name.js'
import type { PublishedMetadata } from '../metadata/delta.js'
import type { BrokerRegistration, ClusterImage, MetadataImage, PartitionImage, TopicImage } from '../metadata/image.js'
import { inOrderOfScalaSet, topicsInOrder } from './answer-order.js'
import { CLUSTER_OPERATIONS, NOT_ASKED, TOPIC_OPERATIONS } from './authorized-operations.js'
import {
  controllerForClients,
  endpointOf,
  isReachable,
  leaderFor,
  offlineReplicas,
  reachableBrokers,
} from './cluster-endpoints.js'
import { handler, type RequestContext } from './handler.js'

export interface MetadataServices {
  readonly brokerId: number
  readonly clusterId: string
  readonly metadata: PublishedMetadata
  readonly config: () => BrokerConfig
  readonly topicMaker: Pick<TopicMaker, 'autoCreate'>
}

type ResponseTopic = MetadataResponse['topics'][number]

/**
 * Metadata 0-13.
 * Behaviour: the brokers of the listener, and topics with leaders, replicas and ISR: those asked for by name or by id,
 *            or all. A name that is not there is created where broker and client allow it, and stands in this very
 *            answer (Kafka answers UNKNOWN_TOPIC_OR_PARTITION and lets the client ask again). Any broker is named as
 *            controller. Where Kafka would name no broker at all, this one names itself: see `brokersFor`.
 * Versions:  0 empty list = all topics; replicas that are away make REPLICA_NOT_AVAILABLE. 1 null = all, racks,
 *            internal flag, 2 cluster id, 3 throttle time, 4 auto-creation is the client's choice, 5 offline replicas,
 *            6 LISTENER_NOT_FOUND, 7 leader epochs, 8 authorized operations (those of the cluster up to 10), 9
 *            flexible, 10 topic ids in answers, 12 in requests, 13 top-level error code.
 */
export const metadata = handler(Metadata, async (services: MetadataServices, request, context) => {
  const { brokerId, clusterId, metadata: published } = services
  const { apiVersion, listenerName } = context
  checkTopics(request, apiVersion)
  const wanted = request.topics === null || (apiVersion === 0 && request.topics.length === 0) ? null : request.topics
  const topics = await topicsOf(services, request, wanted, context)
  if (request.includeTopicAuthorizedOperations) {
    for (const topic of topics) {
      if (topic.errorCode !== ErrorCode.UNKNOWN_TOPIC_ID) topic.topicAuthorizedOperations = TOPIC_OPERATIONS
    }
  }
  // Only now: creating a topic took time.
  const { cluster } = published.image
  const brokers = brokersFor(cluster, listenerName, brokerId).map(broker => {
    const { host, port } = endpointOf(broker, listenerName)!
    return { nodeId: broker.id, host, port, rack: broker.rack }
  })
  return {
    throttleTimeMs: 0,
    brokers,
    clusterId,
    controllerId: controllerForClients(cluster, listenerName, brokerId),
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : NOT_ASKED,
    errorCode: ErrorCode.NONE,
  }
})

/**
 * Never none where there is one: when all brokers are told to stop at once, the last of them sees all fenced, itself
 * too, while it still answers. Clients of librdkafka from 2.10 on drop every broker that an answer does not name, those
 * they were configured with as well, and some never find back.
 */
function brokersFor(cluster: ClusterImage, listenerName: string, brokerId: number): readonly BrokerRegistration[] {
  const reachable = reachableBrokers(cluster, listenerName)
  if (reachable.length > 0) return reachable
  const own = cluster.broker(brokerId)
  return own !== undefined && endpointOf(own, listenerName) !== undefined ? [own] : []
}

function checkTopics({ topics }: MetadataRequest, apiVersion: number): void {
  for (const { name, topicId } of topics ?? []) {
    if (apiVersion < 12 && name === null) {
      throw new ApiError(ErrorCode.INVALID_REQUEST, `Topic name can not be null for version ${apiVersion}`)
    }
    if (apiVersion < 12 && topicId !== ZERO_UUID) {
      const message = `Topic IDs are not supported in requests for version ${apiVersion}`
      throw new ApiError(ErrorCode.INVALID_REQUEST, message)
    }
    // Kafka has no better word for a topic that has neither.
    if (name === null && topicId === ZERO_UUID) throw new ApiError(ErrorCode.UNKNOWN_SERVER_ERROR)
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

async function topicsOf(
  services: MetadataServices,
  request: MetadataRequest,
  wanted: MetadataRequest['topics'],
  { apiVersion, listenerName }: RequestContext,
): Promise<Mutable<ResponseTopic>[]> {
  const { image } = services.metadata
  const describe = (topic: TopicImage): ResponseTopic => topicResponse(image.cluster, topic, listenerName, apiVersion)
  if (wanted === null) return topicsInOrder(image).map(describe)
  const ids = new Set(wanted.map(topic => topic.topicId).filter(id => id !== ZERO_UUID))
  // One id is enough for names not to count.
  if (ids.size > 0) return byId(image, ids, describe)
  const found: ResponseTopic[] = []
  const missing: string[] = []
  for (const name of inOrderOfScalaSet(wanted.map(topic => topic.name!))) {
    const topic = image.topics.byName(name)
    if (topic === undefined) missing.push(name)
    else found.push(describe(topic))
  }
  if (missing.length === 0) return found
  const mayCreate = request.allowAutoTopicCreation && services.config().get('auto.create.topics.enable')
  return [...found, ...(await missingTopics(services, inHashOrder(missing), mayCreate, listenerName, apiVersion))]
}

function byId(
  image: MetadataImage,
  ids: ReadonlySet<string>,
  describe: (topic: TopicImage) => ResponseTopic,
): ResponseTopic[] {
  const found: ResponseTopic[] = []
  const unknown: ResponseTopic[] = []
  for (const id of ids) {
    const topic = image.topics.byId(id)
    if (topic === undefined) unknown.push({ ...failure(null, ErrorCode.UNKNOWN_TOPIC_ID), topicId: id })
    else found.push(describe(topic))
  }
  return [...unknown, ...found]
}

/** Answers for names that are not there, after an attempt to create them where that is wanted. */
async function missingTopics(
  services: MetadataServices,
  names: readonly string[],
  mayCreate: boolean,
  listenerName: string,
  apiVersion: number,
): Promise<ResponseTopic[]> {
  const isLegal = (name: string): boolean => topicNameProblem(name) === null
  if (!mayCreate) {
    return names.map(name =>
      failure(name, isLegal(name) ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION),
    )
  }
  const legal: string[] = []
  const illegal: string[] = []
  for (const name of names) (isLegal(name) ? legal : illegal).push(name)
  const made = services.topicMaker.autoCreate(legal)
  const answers = legal.map(async name => {
    const errorCode = await made.get(name)!.then(() => ErrorCode.NONE, creationError)
    const { image } = services.metadata
    const topic = image.topics.byName(name)
    if (topic !== undefined) return topicResponse(image.cluster, topic, listenerName, apiVersion)
    return failure(name, errorCode === ErrorCode.NONE ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : errorCode)
  })
  return [...illegal.map(name => failure(name, ErrorCode.INVALID_TOPIC_EXCEPTION)), ...(await Promise.all(answers))]
}

/** It may yet come to be where nobody could say; otherwise it is just not there, as Kafka has it. */
function creationError(error: unknown): ErrorCode {
  const isOpen =
    error instanceof ApiError && (error.code === ErrorCode.REQUEST_TIMED_OUT || error.code === ErrorCode.NOT_CONTROLLER)
  return isOpen ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
}

function failure(name: string | null, errorCode: ErrorCode): ResponseTopic {
  const isInternal = name !== null && INTERNAL_TOPICS.includes(name)
  return { errorCode, name, topicId: ZERO_UUID, isInternal, partitions: [], topicAuthorizedOperations: NOT_ASKED }
}

function topicResponse(
  cluster: ClusterImage,
  topic: TopicImage,
  listenerName: string,
  apiVersion: number,
): ResponseTopic {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: INTERNAL_TOPICS.includes(topic.name),
    partitions: topic.partitions.map((partition, i) =>
      partitionResponse(cluster, partition, i, listenerName, apiVersion),
    ),
    topicAuthorizedOperations: NOT_ASKED,
  }
}

function partitionResponse(
  cluster: ClusterImage,
  partition: PartitionImage,
  partitionIndex: number,
  listenerName: string,
  apiVersion: number,
): ResponseTopic['partitions'][number] {
  const leader = leaderFor(cluster, partition, listenerName, apiVersion >= 6)
  // The first version has no list of those that are away: they are left out, and the partition says so.
  const shown = (replicas: readonly number[]): readonly number[] =>
    apiVersion > 0 ? replicas : replicas.filter(replica => isReachable(cluster.broker(replica), listenerName))
  const replicaNodes = shown(partition.replicas)
  const isrNodes = shown(partition.isr)
  const isShort = replicaNodes.length < partition.replicas.length || isrNodes.length < partition.isr.length
  const isAway = isShort && leader.errorCode === ErrorCode.NONE
  return {
    errorCode: isAway ? ErrorCode.REPLICA_NOT_AVAILABLE : leader.errorCode,
    partitionIndex,
    leaderId: leader.leaderId,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes,
    isrNodes,
    offlineReplicas: apiVersion < 5 ? [] : offlineReplicas(cluster, partition, listenerName),
  }
}
