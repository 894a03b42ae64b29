import { ApiError, ErrorCode } from '#protocol/errors.js'
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '#protocol/messages/assign-replicas-to-dirs.js'
import { isOnlineDirectory } from '../metadata/directory-id.js'
import type { TopicImage } from '../metadata/image.js'
import { metadataAllows } from '../metadata/metadata-version.js'
import type { MetadataRecord } from '../metadata/record.js'
import { isActiveBroker } from './cluster-view.js'
import type { Command, ControllerContext } from './command.js'
import { type SequentialChanges, sequentialChanges } from './partition-changer.js'
import { checkBrokerEpoch } from './register-broker.js'

/**
 * A broker says in which of its log directories its replicas are; one that it does not have online takes them offline.
 * What that does to leaders and ISRs follows behind all directories.
 */
export function assignReplicasToDirs(request: AssignReplicasToDirsRequest): Command<AssignReplicasToDirsResponse> {
  return context => {
    const { brokerId, brokerEpoch } = request
    if (!metadataAllows(context.image.features.metadataVersion, 'directoryAssignment')) {
      throw new ApiError(ErrorCode.UNSUPPORTED_VERSION, 'Directory assignment is not supported yet.')
    }
    checkBrokerEpoch(context, brokerId, brokerEpoch)
    const assigner = new Assigner(context, brokerId)
    const directories = request.directories.map(({ id, topics }) => ({
      id,
      topics: topics.map(({ topicId, partitions }) => ({
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: assigner.assign(id, topicId, partitionIndex),
        })),
      })),
    }))
    return { records: assigner.finish(), response: { throttleTimeMs: 0, errorCode: ErrorCode.NONE, directories } }
  }
}

interface Offline {
  readonly topic: TopicImage
  readonly partitionId: number
}

/** Collects the records of one request. */
class Assigner {
  readonly #context: ControllerContext
  readonly #brokerId: number
  readonly #changes: SequentialChanges
  readonly #records: MetadataRecord[] = []
  /** Replicas that went offline, by topic and partition: the last word on each counts. */
  readonly #offline = new Map<string, Offline>()

  constructor(context: ControllerContext, brokerId: number) {
    this.#context = context
    this.#brokerId = brokerId
    this.#changes = sequentialChanges(context)
  }

  assign(directory: string, topicId: string, partitionId: number): ErrorCode {
    const { topics, cluster } = this.#context.image
    const topic = topics.byId(topicId)
    if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_ID
    const partition = this.#changes.partition(topic, partitionId)
    if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if (!partition.replicas.includes(this.#brokerId)) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    const directories = new Map([[this.#brokerId, directory]])
    const record = this.#changes.change(topic, partitionId, { target: { directories }, election: 'online' })
    if (record !== null) this.#records.push(record)
    const key = `${topicId}:${partitionId}`
    this.#offline.delete(key)
    if (!isOnlineDirectory(directory, cluster.broker(this.#brokerId)!.directories)) {
      this.#offline.set(key, { topic, partitionId })
    }
    return ErrorCode.NONE
  }

  /** The records, once all is assigned. */
  finish(): readonly MetadataRecord[] {
    const { cluster } = this.#context.image
    const isActive = (id: number): boolean => id !== this.#brokerId && isActiveBroker(cluster, id)
    for (const { topic, partitionId } of this.#offline.values()) {
      const isr = this.#changes.partition(topic, partitionId)!.isr.filter(replica => replica !== this.#brokerId)
      const record = this.#changes.change(topic, partitionId, { target: { isr }, isActive })
      if (record !== null) this.#records.push(record)
    }
    return this.#records
  }
}
