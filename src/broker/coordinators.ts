import { ApiError, ErrorCode } from '#protocol/errors.js'
import { compressionTypeOf } from '#protocol/records/compression.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import { LogError } from '#storage/log-error.js'
import type { BrokerConfig } from '../config/broker-config.js'
import { GROUP_TOPIC, type TopicMaker } from '../controller/internal-topics.js'
import type { GroupConfig } from '../coordinator/group/group-config.js'
import {
  createGroupCoordinator,
  type GroupCoordinator,
  type GroupCoordinatorControl,
} from '../coordinator/group/group-coordinator.js'
import type { ShardLog } from '../coordinator/shard-log.js'
import type { CoordinatorLocator } from '../handlers/find-coordinator.js'
import type { MetadataDelta, MetadataSubscriber } from '../metadata/delta.js'
import type { MetadataImage } from '../metadata/image.js'
import type { Partition } from '../replication/partition.js'
import { errorCodeOf } from '../replication/replication-error.js'
import type { BrokerPorts } from './ports.js'

/** Requests that may wait in one partition of a coordinator. */
const TICKETS_MAX = 100_000
const GROUP_KEY_TYPE = 0
const MINUTE_MS = 60_000

export type Groups = GroupCoordinator & GroupCoordinatorControl

/** The coordinator of groups, with the options as they are when they are asked for. */
export function openGroups(
  config: () => BrokerConfig,
  image: () => MetadataImage,
  stateBytesMax: number,
  { clock, random, logger }: BrokerPorts,
): Groups {
  const start = config()
  return createGroupCoordinator({
    config: new LiveGroupConfig(config),
    partitionCount: () =>
      image().topics.byName(GROUP_TOPIC)?.partitions.length ?? config().get('offsets.topic.num.partitions'),
    commitTimeoutMs: start.get('offsets.commit.timeout.ms'),
    loadBytesMax: start.get('offsets.load.buffer.size'),
    compression: compressionTypeOf(start.get('offsets.topic.compression.codec')),
    stateBytesMax,
    ticketsMax: TICKETS_MAX,
    clock,
    random,
    logger: logger.child({ room: 'groups' }),
  })
}

/** The options that the coordinator of groups acts on, as they are when they are asked for. */
class LiveGroupConfig implements GroupConfig {
  readonly #config: () => BrokerConfig

  constructor(config: () => BrokerConfig) {
    this.#config = config
  }

  get sessionTimeoutMsMin() {
    return this.#config().get('group.min.session.timeout.ms')
  }

  get sessionTimeoutMsMax() {
    return this.#config().get('group.max.session.timeout.ms')
  }

  get initialRebalanceDelayMs() {
    return this.#config().get('group.initial.rebalance.delay.ms')
  }

  get membersMax() {
    return this.#config().get('group.max.size')
  }

  get offsetMetadataBytesMax() {
    return this.#config().get('offset.metadata.max.bytes')
  }

  get offsetsRetentionMs() {
    return this.#config().get('offsets.retention.minutes') * MINUTE_MS
  }

  get offsetsRetentionCheckIntervalMs() {
    return this.#config().get('offsets.retention.check.interval.ms')
  }
}

/** A partition as the shard that lives in it sees it. */
export function shardLogOf(partition: Partition, wallTime: () => number): ShardLog {
  return {
    get batchBytesMax() {
      return partition.config.maxMessageBytes
    },
    get startOffset() {
      return partition.log.logStartOffset
    },
    get endOffset() {
      return partition.log.logEndOffset
    },
    read: (offset, bytesMax) => {
      const end = partition.log.logEndOffset
      return partition.log.read(offset, bytesMax, end, true)?.buffer ?? new Uint8Array(0)
    },
    append: batch => {
      try {
        const { baseOffset, lastOffset } = partition.appendFromCoordinator(batch, wallTime())
        return { baseOffset, lastOffset }
      } catch (error) {
        throw coordinatorWriteError(error)
      }
    },
    whenCommitted: (endOffset, done) => partition.whenCommitted({ endOffset, onReached: done, onLost: () => {} }),
  }
}

function coordinatorWriteError(error: unknown): unknown {
  if (error instanceof ApiError) return error
  if (error instanceof LogError) return new ApiError(errorCodeOf(error), error.message)
  if (error instanceof InvalidRecordError) return new ApiError(ErrorCode.UNKNOWN_SERVER_ERROR, error.message)
  return error
}

/** Tells the coordinators which partitions they have, and which topics are gone. */
export class CoordinatorLeadership implements MetadataSubscriber {
  readonly name = 'coordinators'
  readonly #groups: Groups
  readonly #wallTime: () => number
  /** The logs of partitions that are led: a new epoch of the same leader does not load anything again. */
  readonly #led = new Map<Partition, ShardLog>()

  constructor(groups: Groups, wallTime: () => number) {
    this.#groups = groups
    this.#wallTime = wallTime
  }

  onLeadership(partition: Partition, isLeader: boolean): void {
    if (partition.topic.name !== GROUP_TOPIC) return
    if (!isLeader) {
      this.#led.delete(partition)
      this.#groups.resign(partition.index)
      return
    }
    const log = this.#led.get(partition) ?? shardLogOf(partition, this.#wallTime)
    this.#led.set(partition, log)
    this.#groups.lead(partition.index, log)
  }

  onMetadata(delta: MetadataDelta): void {
    const deleted = [...delta.topics.values()].filter(({ after }) => after === null)
    if (deleted.length > 0) this.#groups.topicsDeleted(deleted.map(({ name, id }) => ({ name, topicId: id })))
  }
}

/** How FindCoordinator finds partitions of internal topics. */
export function coordinatorLocator(image: () => MetadataImage, topicMaker: TopicMaker): CoordinatorLocator {
  return {
    topicOf: keyType => (keyType === GROUP_KEY_TYPE ? GROUP_TOPIC : null),
    ensureInternalTopic: name => topicMaker.ensureInternalTopic(name),
    partitionCountOf: topic => image().topics.byName(topic)?.partitions.length ?? 0,
    leaderOf: (topic, partition, listenerName) => {
      const leader = image().topics.partition(topic, partition)?.leader ?? -1
      const broker = image().cluster.broker(leader)
      const endpoint = broker?.fenced === false ? broker.endpoints.find(({ name }) => name === listenerName) : undefined
      return endpoint === undefined ? null : { nodeId: leader, host: endpoint.host, port: endpoint.port }
    },
  }
}
