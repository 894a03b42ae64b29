import type { LogDirectory } from '#storage/log-directory.js'
import { DirectoryId } from '../metadata/directory-id.js'
import type { MetadataImage, PartitionImage } from '../metadata/image.js'
import { metadataAllows } from '../metadata/metadata-version.js'
import type { BufferPool } from '../runtime/buffer-pool.js'
import type { MemoryBudget } from '../runtime/memory-budget.js'
import type { Clock, Logger } from '../runtime/ports.js'
import type { Turn } from '../runtime/turn.js'
import type { ClusterLink } from './cluster-link.js'
import { DirectoryReporter } from './directory-reporter.js'
import { Following } from './following.js'
import { IsrManager } from './isr-manager.js'
import type { Partition } from './partition.js'
import type { ReplicationConfig } from './replication-config.js'
import { ReplicationQuota } from './replication-quota.js'
import type { TopicIndex } from './topic-index.js'

export interface ClusterReplicationParts {
  readonly nodeId: number
  readonly cluster: ClusterLink
  readonly clock: Clock
  readonly logger: Logger
  readonly turn: Turn
  readonly pool: BufferPool
  readonly budget: MemoryBudget
  readonly config: ReplicationConfig
  readonly topics: TopicIndex
  readonly image: () => MetadataImage | null
}

/** What replicas do with other brokers: follow leaders, keep in-sync replicas, tell the controller where they are. */
export class ClusterReplication {
  readonly following: Following
  readonly isrs: IsrManager
  readonly #reporter: DirectoryReporter
  readonly #nodeId: number
  readonly #image: () => MetadataImage | null

  constructor(parts: ClusterReplicationParts) {
    const { cluster, config, image } = parts
    this.#image = image
    const { nodeId, clock, logger, turn, pool, budget, topics } = parts
    this.#nodeId = nodeId
    const { controller, brokerEpoch, network, interBrokerListener } = cluster
    const quota = new ReplicationQuota({
      bytesPerSecondMax: () => config.followerBytesPerSecondMax,
      windowCount: config.quotaWindowCount,
      windowMs: config.quotaWindowMs,
    })
    this.following = new Following({
      nodeId,
      network,
      clock,
      logger,
      turn,
      pool,
      budget,
      config,
      quota,
      topics,
      brokerEpoch,
      interBrokerListener,
      versions: () => fetchVersionsOf(image()?.features.metadataVersion ?? 0),
    })
    const onSettled = (): void => turn.request()
    this.isrs = new IsrManager({ nodeId, brokerEpoch, controller, clock, logger, onSettled })
    this.#reporter = new DirectoryReporter({ nodeId, brokerEpoch, controller, clock, logger })
  }

  /**
   * Tells the controller that a replica is in a directory; `done` is called when it knows, or at once where directories
   * are not told.
   */
  reportDirectory({ topic, index }: Partition, directory: LogDirectory, done?: () => void): void {
    const directoryId = directory.metaProperties?.directoryId ?? null
    const isTold = metadataAllows(this.#image()?.features.metadataVersion ?? 0, 'directoryAssignment')
    if (directoryId === null || !isTold) done?.()
    else this.#reporter.report({ topicId: topic.id, partition: index, directoryId }, done)
  }

  /**
   * Tells the controller where a replica is if the metadata says otherwise: it may have gone and come back at once.
   * What moves is told of by who moves it.
   */
  expectDirectory(partition: Partition, { replicas, directories }: PartitionImage): void {
    const { directory, future, isOffline } = partition
    if (future !== null || isOffline) return
    const assigned = directories[replicas.indexOf(this.#nodeId)] ?? DirectoryId.UNASSIGNED
    if (directory.metaProperties?.directoryId !== assigned) this.reportDirectory(partition, directory)
  }

  close(): void {
    this.following.close()
    this.isrs.close()
    this.#reporter.close()
  }
}

/** From a level of metadata.version on, all brokers have these versions. */
const FETCH_VERSIONS: readonly (readonly [number, number])[] = [
  [27, 18],
  [21, 17],
  [19, 16],
  [10, 15],
  [9, 14],
  [0, 13],
]
const LIST_OFFSETS_VERSIONS: readonly (readonly [number, number])[] = [
  [29, 11],
  [25, 10],
  [21, 9],
  [9, 8],
  [0, 7],
]

/** The versions of Fetch and ListOffsets between brokers, as Kafka chooses them. */
export function fetchVersionsOf(metadataVersion: number): { readonly fetch: number; readonly listOffsets: number } {
  const from = (table: readonly (readonly [number, number])[]): number =>
    table.find(([level]) => level <= metadataVersion)![1]
  return { fetch: from(FETCH_VERSIONS), listOffsets: from(LIST_OFFSETS_VERSIONS) }
}
