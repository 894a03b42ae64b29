import { Metadata } from '#protocol/messages/metadata.js'
import { alterReplicaLogDirs } from '#src/handlers/alter-replica-log-dirs.js'
import { type AdvertisedVersions, apiVersions } from '#src/handlers/api-versions.js'
import { deleteRecords } from '#src/handlers/delete-records.js'
import { describeLogDirs } from '#src/handlers/describe-log-dirs.js'
import { describeProducers } from '#src/handlers/describe-producers.js'
import { fetch } from '#src/handlers/fetch.js'
import { handler } from '#src/handlers/handler.js'
import { listOffsets } from '#src/handlers/list-offsets.js'
import { offsetForLeaderEpoch } from '#src/handlers/offset-for-leader-epoch.js'
import { produce } from '#src/handlers/produce.js'
import { MetadataState } from '#src/metadata/metadata-state.js'
import type { ClusterLink } from '#src/replication/cluster-link.js'
import type { PartitionConfig } from '#src/replication/partition-config.js'
import { ReplicaManager } from '#src/replication/replica-manager.js'
import type { ReplicationConfig } from '#src/replication/replication-config.js'
import { BufferPool } from '#src/runtime/buffer-pool.js'
import { MemoryBudget } from '#src/runtime/memory-budget.js'
import type { Clock, Logger, Network, Random } from '#src/runtime/ports.js'
import { Turn } from '#src/runtime/turn.js'
import { type AnyHandler, advertisedApis } from '#src/server/api-table.js'
import { Dispatcher } from '#src/server/dispatcher.js'
import { Server, type ServerLimits } from '#src/server/server.js'
import type { Disk } from '#storage/disk.js'
import { defaultLogConfig } from '#storage/log-config.js'
import { type LogDirectory, openLogDirectory } from '#storage/log-directory.js'

/** A broker of server and replicas alone, whose metadata the test says. */
export interface ReplicaBrokerOptions {
  /** 1 unless given. */
  readonly nodeId?: number
  /** The way to other brokers. */
  readonly cluster?: ClusterLink
  /** Options of topics, beside those of `configs`. */
  readonly topicConfig?: (topic: string) => Partial<PartitionConfig>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly network: Network
  readonly disk: Disk
  readonly logDirs: readonly string[]
  readonly config?: Partial<ReplicationConfig>
  readonly limits?: Partial<ServerLimits>
  readonly memoryBytesMax?: number
  readonly unstableVersions?: boolean
  /** More handlers, for APIs of the test's own making. */
  readonly handlers?: readonly AnyHandler<unknown>[]
}

export const TEST_LIMITS: ServerLimits = {
  requestBytesMax: 104_857_600,
  inFlightRequestsMax: 1000,
  inFlightBytesMax: 16 * 1048576,
  unsentBytesMax: 2 * 1048576,
  connectionsMax: Infinity,
  connectionsMaxByListener: new Map(),
  protectedListener: null,
  connectionsPerIpMax: Infinity,
  connectionsPerIpOverrides: new Map(),
  idleMs: 600_000,
}

const TEST_CONFIG: ReplicationConfig = {
  fetchMaxBytes: 57_671_680,
  fetchSessionSlots: 1000,
  replicaFetchers: 1,
  replicaFetchWaitMsMax: 500,
  replicaFetchBytesMin: 1,
  replicaFetchBytesMax: 1_048_576,
  replicaFetchResponseBytesMax: 10_485_760,
  replicaFetchBackoffMs: 1000,
  replicaSocketTimeoutMs: 30_000,
  replicaSelectorClass: null,
  leaderBytesPerSecondMax: Infinity,
  followerBytesPerSecondMax: Infinity,
  quotaWindowCount: 11,
  quotaWindowMs: 1000,
  replicaLagMsMax: 30_000,
  retentionCheckMs: 300_000,
  checkpointMs: 60_000,
  highWatermarkCheckpointMs: 5000,
  producerExpirationMs: 86_400_000,
  producerExpirationCheckMs: 600_000,
  moveBytesPerSecondMax: Infinity,
  cleanerEnabled: true,
  cleanerBackoffMs: 15_000,
  cleanerDedupeBytesMax: 1_048_576,
  cleanerLoadFactor: 0.9,
  cleanerBytesPerSecondMax: Infinity,
}

export const DEFAULT_PARTITION_CONFIG: PartitionConfig = {
  ...defaultLogConfig,
  minInsyncReplicas: 1,
  maxDecompressedMessageBytes: 104_857_600,
}

const NODE_ID = 1

export class ReplicaBroker {
  readonly replicas: ReplicaManager
  readonly server: Server
  readonly turn = new Turn()
  readonly budget: MemoryBudget
  readonly metadata = new MetadataState()
  readonly directories: readonly LogDirectory[]
  readonly dispatcher: Dispatcher<unknown>
  /** Options of topics that differ from the defaults; change one and call `publish`. */
  readonly configs = new Map<string, Partial<PartitionConfig>>()
  readonly topicIds = new Map<string, string>()
  readonly #options: ReplicaBrokerOptions
  port = 0

  constructor(options: ReplicaBrokerOptions) {
    this.#options = options
    const { clock, logger, random, disk } = options
    const pool = new BufferPool()
    this.budget = new MemoryBudget(options.memoryBytesMax ?? 512 * 1048576)
    this.directories = options.logDirs.map((path, i) => this.#open(disk, path, i))
    const { nodeId = NODE_ID } = options
    this.replicas = new ReplicaManager({
      nodeId,
      cluster: options.cluster ?? null,
      directories: this.directories,
      clock,
      logger,
      random,
      turn: this.turn,
      pool,
      budget: this.budget,
      config: { ...TEST_CONFIG, ...options.config },
      configOf: topic => this.#configOf(topic),
    })
    const table: readonly AnyHandler<never>[] = [
      apiVersions,
      produce,
      fetch,
      listOffsets,
      offsetForLeaderEpoch,
      deleteRecords,
      describeLogDirs,
      alterReplicaLogDirs,
      describeProducers,
      metadataHandler,
      ...((options.handlers ?? []) as readonly AnyHandler<never>[]),
    ]
    const unstableVersions = options.unstableVersions ?? false
    const advertised: AdvertisedVersions = {
      apis: () => advertisedApis<never>(table, { unstableVersions }),
      supportedFeatures: () => [
        { name: 'metadata.version', minVersion: 7, maxVersion: 29 },
        { name: 'group.version', minVersion: 0, maxVersion: 1 },
      ],
      finalizedFeatures: () => ({ epoch: this.metadata.offset, levels: new Map([['metadata.version', 29]]) }),
      clusterId: 'MkU3OEVBNTcwNTJENDM2Qk',
      nodeId,
    }
    this.dispatcher = new Dispatcher<unknown>({
      broker: table as unknown as readonly AnyHandler<unknown>[],
      controller: [apiVersions] as unknown as readonly AnyHandler<unknown>[],
      services: { replicas: this.replicas, advertised, broker: this },
      clock,
      logger,
      unstableVersions,
      turn: this.turn,
      writeGathered: () => this.replicas.appends.write(),
    })
    this.server = new Server({
      network: options.network,
      clock,
      logger,
      turn: this.turn,
      pool,
      budget: this.budget,
      frames: this.dispatcher,
      limits: { ...TEST_LIMITS, ...options.limits },
    })
  }

  #open(disk: Disk, path: string, i: number): LogDirectory {
    const directory = openLogDirectory({
      disk,
      path,
      onFailure: (failed, error) => this.replicas.onDirectoryFailure(failed, error),
    })
    if (directory.metaProperties === null) {
      const { nodeId = NODE_ID } = this.#options
      const number = (nodeId - 1) * 1000 + i
      const directoryId = Buffer.from(`directory-${String(number).padStart(6, '0')}`).toString('base64url')
      directory.writeMetaProperties({ version: 1, clusterId: 'MkU3OEVBNTcwNTJENDM2Qk', nodeId, directoryId })
    }
    const nowMs = this.#options.clock.wallTime()
    for (const _ of directory.load(topic => this.#configOf(topic), nowMs));
    return directory
  }

  #configOf(topic: string): PartitionConfig {
    return { ...DEFAULT_PARTITION_CONFIG, ...this.#options.topicConfig?.(topic), ...this.configs?.get(topic) }
  }

  /** Opens the listener alone, for one whose metadata comes from elsewhere. */
  async listen(port: number): Promise<void> {
    this.port = await this.server.listen({ name: 'PLAINTEXT', kind: 'broker', host: '', port, backlog: 50 })
  }

  /** Registers another broker in the metadata, alive. */
  registerPeer(brokerId: number, brokerEpoch = 1): void {
    this.#register(brokerId, brokerEpoch, { name: 'PLAINTEXT', host: '127.0.0.1', port: 1, securityProtocol: 0 })
    this.publish()
  }

  /** Registers the broker in the metadata and opens its listener. */
  async start(listener: { host?: string; port?: number; kind?: 'broker' | 'controller' } = {}): Promise<number> {
    const { host = '127.0.0.1', port = 0, kind = 'broker' } = listener
    this.port = await this.server.listen({ name: 'PLAINTEXT', kind, host, port, backlog: 50 })
    this.#register(NODE_ID, 1, { name: 'PLAINTEXT', host, port: this.port, securityProtocol: 0 })
    this.publish()
    return this.port
  }

  #register(
    brokerId: number,
    brokerEpoch: number,
    endPoint: { name: string; host: string; port: number; securityProtocol: number },
  ): void {
    this.metadata.replay({
      type: 'RegisterBrokerRecord',
      version: 3,
      value: {
        brokerId,
        isMigratingZkBroker: false,
        incarnationId: 'AAAAAAAAAAAAAAAAAAAABA',
        brokerEpoch,
        endPoints: [endPoint],
        features: [],
        rack: null,
        fenced: false,
        inControlledShutdown: false,
        logDirs: [],
        cordonedLogDirs: null,
      },
    })
  }

  createTopic(name: string, partitions: number, options: TopicOptions = {}): string {
    const id = options.id ?? this.#options.random.uuid()
    this.topicIds.set(name, id)
    if (options.config !== undefined) this.configs.set(name, options.config)
    this.metadata.replay({ type: 'TopicRecord', version: 0, value: { name, topicId: id } })
    for (let index = 0; index < partitions; index++) {
      const replicas = options.replicas ?? [NODE_ID]
      this.metadata.replay({
        type: 'PartitionRecord',
        version: 2,
        value: {
          partitionId: index,
          topicId: id,
          replicas,
          isr: options.isr ?? replicas,
          removingReplicas: [],
          addingReplicas: [],
          leader: options.leader ?? replicas[0]!,
          leaderRecoveryState: 0,
          leaderEpoch: options.leaderEpoch ?? 0,
          partitionEpoch: 0,
          directories: replicas.map((_, i) => options.directories?.[i] ?? 'AAAAAAAAAAAAAAAAAAAAAQ'),
          eligibleLeaderReplicas: null,
          lastKnownElr: null,
        },
      })
    }
    this.publish()
    return id
  }

  /** Says something of a partition anew. */
  changePartition(
    topic: string,
    partitionId: number,
    change: { leader?: number; isr?: number[]; replicas?: number[] },
  ): void {
    this.metadata.replay({
      type: 'PartitionChangeRecord',
      version: 2,
      value: {
        partitionId,
        topicId: this.topicIds.get(topic)!,
        isr: change.isr ?? null,
        leader: change.leader ?? -2,
        replicas: change.replicas ?? null,
        removingReplicas: null,
        addingReplicas: null,
        leaderRecoveryState: -1,
        directories: change.replicas === undefined ? null : change.replicas.map(() => 'AAAAAAAAAAAAAAAAAAAAAQ'),
        eligibleLeaderReplicas: null,
        lastKnownElr: null,
      },
    })
    this.publish()
  }

  setConfig(topic: string, config: Partial<PartitionConfig>): void {
    this.configs.set(topic, config)
    this.metadata.replay({
      type: 'ConfigRecord',
      version: 0,
      value: { resourceType: 2, resourceName: topic, name: 'retention.ms', value: String(Math.random()) },
    })
    this.publish()
  }

  deleteTopic(name: string): void {
    this.metadata.replay({ type: 'RemoveTopicRecord', version: 0, value: { topicId: this.topicIds.get(name)! } })
    this.topicIds.delete(name)
    this.publish()
  }

  /** Lets the replicas act on what the metadata says now. */
  publish(): void {
    this.metadata.setPosition(this.metadata.offset + 1, 1)
    this.replicas.onMetadata(this.metadata.takeDelta(), this.metadata)
  }

  async close(): Promise<void> {
    await this.server.close()
    await this.replicas.close(1)
  }
}

export interface TopicOptions {
  readonly id?: string
  readonly config?: Partial<PartitionConfig>
  readonly replicas?: number[]
  readonly isr?: number[]
  readonly leader?: number
  readonly leaderEpoch?: number
  readonly directories?: string[]
}

/** Enough for clients that look for leaders. */
const metadataHandler = handler(Metadata, ({ broker }: { readonly broker: ReplicaBroker }, request) => ({
  brokers: [{ nodeId: NODE_ID, host: '127.0.0.1', port: broker.port, rack: null }],
  clusterId: 'MkU3OEVBNTcwNTJENDM2Qk',
  controllerId: NODE_ID,
  topics: [...broker.metadata.topics.all()]
    .filter(({ name }) => request.topics?.some(topic => topic.name === name) ?? true)
    .map(({ name, id, partitions }) => ({
      errorCode: 0,
      name,
      topicId: id,
      partitions: partitions.map(({ leader, leaderEpoch, replicas, isr }, partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        leaderId: leader,
        leaderEpoch,
        replicaNodes: replicas,
        isrNodes: isr,
      })),
    })),
}))
