import { ApiError } from '#protocol/errors.js'
import type { PartitionLog } from '#storage/log.js'
import type { LogDirectory } from '#storage/log-directory.js'
import { LogError } from '#storage/log-error.js'
import type { MetadataDelta, MetadataSubscriber, TopicChange } from '../metadata/delta.js'
import { DirectoryId } from '../metadata/directory-id.js'
import { type MetadataImage, type PartitionImage, ResourceType } from '../metadata/image.js'
import type { BufferPool } from '../runtime/buffer-pool.js'
import type { MemoryBudget } from '../runtime/memory-budget.js'
import { ParkingPlace } from '../runtime/parked.js'
import type { Clock, Logger, Millis, Random } from '../runtime/ports.js'
import { inSlices } from '../runtime/slices.js'
import type { Turn } from '../runtime/turn.js'
import { type BrokerView, brokerViewOf } from './broker-view.js'
import { Cleaning } from './cleaning.js'
import type { ClusterLink } from './cluster-link.js'
import { ClusterReplication } from './cluster-replication.js'
import { DelayedDeletions } from './delayed-deletions.js'
import type { FetchParameters } from './fetch-parameters.js'
import type { FetchPartition } from './fetch-partition.js'
import { FetchSessions } from './fetch-session.js'
import { Fetching } from './fetching.js'
import { FutureReplicas } from './future-replicas.js'
import { GatheredAppends } from './gathered-appends.js'
import { Housekeeping } from './housekeeping.js'
import { Partition, type PartitionHost } from './partition.js'
import type { PartitionConfig } from './partition-config.js'
import type { LeaderHint } from './produce-reply.js'
import { Producing, type TransactionVerifier } from './producing.js'
import { addChores } from './replica-chores.js'
import { guard, ReplicaPlacement } from './replica-placement.js'
import type { ReplicationConfig } from './replication-config.js'
import { apiError } from './replication-error.js'
import { absenceCode, type HostedTopic, TopicIndex } from './topic-index.js'

export interface ReplicaManagerOptions {
  readonly nodeId: number
  /** The log directories of the broker, loaded; offline ones included. */
  readonly directories: readonly LogDirectory[]
  readonly clock: Clock
  readonly logger: Logger
  readonly random: Random
  readonly turn: Turn
  readonly pool: BufferPool
  readonly budget: MemoryBudget
  readonly config: ReplicationConfig
  /** The options of a topic as they are now. */
  readonly configOf: (topic: string) => PartitionConfig
  /** Transactions; null while they have no engine. */
  readonly verifier?: TransactionVerifier | null
  /** The way to the other brokers and to the controller; left out: there is nobody else. */
  readonly cluster?: ClusterLink | null
  /** This broker began to lead a partition, in a new epoch perhaps, or stopped. Called when that is done. */
  readonly onLeadership?: (partition: Partition, isLeader: boolean) => void
}

/** Requests that may wait: fetches, produces, deletions of records. */
const PARKED_MAX = 200_000
/** How long replicas are made or removed before others get their turn, ms. */
const SLICE_MS: Millis = 10

/**
 * The replicas of this broker: made, moved and removed as the metadata says, written to and read from by the handlers.
 *
 *   metadata -> onMetadata -> Partition (leader, follower) -> PartitionLog in a LogDirectory
 *   Produce  -> producing  -> Partition.appendFromClient   -> appends.write at the end of the turn
 *   Fetch    -> fetching   -> the log, or a place in the partition's list of those that wait
 */
export class ReplicaManager implements MetadataSubscriber, PartitionHost {
  readonly name = 'replicas'
  readonly nodeId: number
  readonly topics = new TopicIndex()
  readonly parking: ParkingPlace
  readonly sessions: FetchSessions
  readonly appends: GatheredAppends
  readonly producing: Producing
  readonly fetching: Fetching
  readonly housekeeping: Housekeeping
  readonly #options: ReplicaManagerOptions
  #image: MetadataImage | null = null
  readonly #brokers = brokerViewOf(() => this.#image)
  #waking: Partition[] = []
  /** Directories whose high watermarks are not all in the checkpoint. */
  readonly #moved: Partition[] = []
  readonly futures: FutureReplicas
  readonly #cleaning: Cleaning
  readonly #deletions: DelayedDeletions
  readonly #placement: ReplicaPlacement
  readonly #cluster: ClusterReplication | null
  /** Replicas whose leader changed with the metadata that is being applied. */
  readonly #turning = new Set<Partition>()
  /** Replicas that the metadata being applied wants here, and that are still to be made. */
  readonly #missing: { readonly topic: HostedTopic; readonly index: number; readonly image: PartitionImage }[] = []
  /** The first metadata is being applied: what it expects here was here before. */
  #isStarting = false
  #isHalted = false

  constructor(options: ReplicaManagerOptions) {
    this.#options = options
    this.nodeId = options.nodeId
    const { clock, logger, turn, pool, budget, config } = options
    this.parking = new ParkingPlace(clock, PARKED_MAX)
    this.#deletions = new DelayedDeletions(this.parking)
    this.sessions = new FetchSessions(config.fetchSessionSlots, options.random)
    this.appends = new GatheredAppends((partition, error) => this.#onWriteFailure(partition, error))
    const leaderHint = (topic: HostedTopic, partition: number, listenerName: string): LeaderHint | null =>
      this.leaderHint(topic, partition, listenerName)
    this.producing = new Producing({
      topics: this.topics,
      appends: this.appends,
      parking: this.parking,
      clock,
      turn,
      logger,
      leaderHint,
      verifier: options.verifier ?? null,
    })
    this.fetching = new Fetching({
      topics: this.topics,
      sessions: this.sessions,
      parking: this.parking,
      pool,
      budget,
      clock,
      logger,
      maxBytes: () => config.fetchMaxBytes,
      leaderHint,
      onFollowerFetch: (asked, parameters) => this.#onFollowerFetch(asked, parameters),
      image: () => this.#image,
      nodeId: options.nodeId,
      config,
    })
    this.housekeeping = new Housekeeping(clock, logger)
    this.#cleaning = new Cleaning(this, options)
    this.futures = new FutureReplicas({
      clock,
      logger,
      bytesPerSecondMax: () => config.moveBytesPerSecondMax,
      onPromoted: (partition, from) => this.#onPromoted(partition, from),
      announce: (partition, directory, done) => {
        if (this.#cluster === null) done()
        else this.#cluster.reportDirectory(partition, directory, done)
      },
    })
    this.#placement = new ReplicaPlacement(options)
    const { cluster = null } = options
    const { topics } = this
    const image = (): MetadataImage | null => this.#image
    this.#cluster = cluster === null ? null : new ClusterReplication({ ...options, cluster, topics, image })
    turn.add('write', () => this.appends.write())
    turn.add('wake', () => this.#wake())
  }

  /** Begins with what is done now and then. After the first metadata. */
  startHousekeeping(): void {
    addChores(this.housekeeping, this, this.#options)
    this.#cleaning.start()
  }

  get brokers(): BrokerView {
    return this.#brokers
  }

  /** What replicas do with other brokers; null where there are none. */
  get cluster(): ClusterReplication | null {
    return this.#cluster
  }

  get directories(): readonly LogDirectory[] {
    return this.#options.directories
  }

  get replicaLagMsMax(): Millis {
    return this.#options.config.replicaLagMsMax
  }

  now(): Millis {
    return this.#options.clock.now()
  }

  wallTime(): Millis {
    return this.#options.clock.wallTime()
  }

  /** All replicas here. */
  *partitions(): Generator<Partition, void, void> {
    for (const topic of this.topics.all()) {
      for (const partition of topic.hosted) if (partition !== undefined) yield partition
    }
  }

  /** The replica here, by topic name; throws ApiError with the code of a partition that is not here. */
  partitionOf(topicName: string, index: number): Partition {
    const topic = this.topics.byName(topicName)
    if (topic === undefined) throw apiError('UNKNOWN_TOPIC_OR_PARTITION')
    const partition = topic.hosted[index]
    if (partition !== undefined) return partition
    throw new ApiError(absenceCode(topic, index))
  }

  /** Who leads a partition, and where clients of a listener reach it. */
  leaderHint(topic: HostedTopic, index: number, listenerName: string): LeaderHint | null {
    const image = this.#image
    const partition = image?.topics.partitionById(topic.id, index)
    if (image === null || partition === undefined) return null
    const { leader, leaderEpoch } = partition
    const broker = image.cluster.broker(leader)
    const endpoint = broker?.fenced === false ? broker.endpoints.find(({ name }) => name === listenerName) : undefined
    return {
      leaderId: leader,
      leaderEpoch,
      endpoint: endpoint === undefined ? null : { host: endpoint.host, port: endpoint.port, rack: broker!.rack },
    }
  }

  /** Quick, unless many replicas are made or removed: the files of those take their time, and others get their turn. */
  onMetadata(delta: MetadataDelta, image: MetadataImage): void | Promise<void> {
    const { clock } = this.#options
    return inSlices(this.#take(delta, image), { clock, sliceMs: SLICE_MS, isOver: () => this.#isHalted })
  }

  /** What is here follows the metadata in one piece; only who is made or removed may see others go first. */
  *#take(delta: MetadataDelta, image: MetadataImage): Generator<void, void, void> {
    const isFirst = this.#image === null
    this.#isStarting = isFirst
    this.#image = image
    if (isFirst) this.#placement.setStraysAside(image)
    for (const change of delta.topics.values()) {
      if (change.after !== null) continue
      this.#removeTopic(change)
      yield
    }
    for (const change of delta.topics.values()) if (change.after !== null) this.#changeTopic(change)
    this.#changeConfigs(delta)
    this.#turnReplicas(image)
    this.#changeBrokers(delta, image)
    for (const { topic, index, image: partition } of this.#missing.splice(0)) {
      this.#makeReplica(topic, index, partition)
      yield
    }
    this.#turnReplicas(image)
    if (isFirst) for (const directory of this.#placement.online()) guard(() => directory.checkpoint())
  }

  /** Lets those that follow fetch from where their leaders are now. */
  #turnReplicas(image: MetadataImage): void {
    const turned = [...this.#turning]
    this.#turning.clear()
    this.#cluster?.following.update(turned, image)
    for (const partition of turned) this.#deletions.onMoved(partition)
  }

  #changeBrokers({ brokers }: MetadataDelta, image: MetadataImage): void {
    if (brokers.size === 0) return
    this.#cluster?.following.brokersChanged(image)
    // A broker that is gone holds up nobody's deletion.
    this.#deletions.onAllMoved()
  }

  #removeTopic(change: TopicChange): void {
    const topic = this.topics.byId(change.id)
    if (topic === undefined) return
    this.topics.remove(topic)
    for (const partition of topic.hosted) if (partition !== undefined) this.#removeReplica(partition)
  }

  #removeReplica(partition: Partition): void {
    const led = partition.isLeader
    partition.goAway()
    this.#cluster?.following.stop(partition)
    this.#deletions.onMoved(partition)
    partition.topic.hosted[partition.index] = undefined
    this.#placement.count(partition.directory, -1)
    if (led) this.#options.onLeadership?.(partition, false)
    for (const { log, directory } of [partition, ...(partition.future === null ? [] : [partition.future])]) {
      if (directory.offline === null) guard(() => directory.deleteLog(log, this.wallTime()))
    }
  }

  #changeTopic({ name, id, partitions, after }: TopicChange): void {
    const count = after!.partitions.length
    const topic = this.topics.byId(id) ?? this.topics.add(name, id, count)
    topic.partitionCount = count
    for (const index of partitions) this.#changePartition(topic, index, after!.partitions[index]!)
  }

  #changePartition(topic: HostedTopic, index: number, image: PartitionImage): void {
    const known = topic.hosted[index]
    const isHere = image.replicas.includes(this.nodeId)
    if (!isHere) {
      topic.offline.delete(index)
      if (known !== undefined) this.#removeReplica(known)
      return
    }
    if (known === undefined) this.#missing.push({ topic, index, image })
    else this.#changeReplica(known, image, false)
  }

  #makeReplica(topic: HostedTopic, index: number, image: PartitionImage): void {
    const partition = this.#createReplica(topic, index, image, this.#options.configOf(topic.name))
    if (partition === null) topic.offline.add(index)
    else this.#changeReplica(partition, image, true)
  }

  #changeReplica(partition: Partition, image: PartitionImage, isNew: boolean): void {
    const wasLeader = partition.isLeader
    const epoch = partition.leaderEpoch
    guard(() => partition.apply(image))
    if (epoch !== partition.leaderEpoch || isNew) this.#turning.add(partition)
    else this.#deletions.onMoved(partition)
    if (!isNew) this.#cluster?.expectDirectory(partition, image)
    const changed = wasLeader !== partition.isLeader || (partition.isLeader && epoch !== partition.leaderEpoch)
    if (changed) this.#options.onLeadership?.(partition, partition.isLeader)
  }

  /** Null: the directory that it belongs to is offline. */
  #createReplica(topic: HostedTopic, index: number, image: PartitionImage, config: PartitionConfig): Partition | null {
    const assigned = image.directories[image.replicas.indexOf(this.nodeId)] ?? DirectoryId.UNASSIGNED
    try {
      const isExpected = this.#isStarting && this.#placement.isReliedOn(image)
      const place = { topic: topic.name, topicId: topic.id, index, assigned, isExpected }
      const directory = this.#placement.directoryFor(place)
      if (directory === null) return null
      const nowMs = this.wallTime()
      const log = directory.create({ topic: topic.name, partition: index, topicId: topic.id, config, nowMs })
      if (log.config !== config) log.updateConfig(config)
      const highWatermark = directory.checkpointedHighWatermarks.get(`${topic.name}-${index}`) ?? 0
      const partition = new Partition(this, topic, index, { log, directory, highWatermark }, config)
      topic.hosted[index] = partition
      this.#placement.count(directory, 1)
      this.futures.resumeIn(this.#placement.online(), partition)
      // The controller is told where the replica is, if it thinks otherwise.
      if (directory.metaProperties?.directoryId !== assigned) this.#cluster?.reportDirectory(partition, directory)
      return partition
    } catch (error) {
      if (!(error instanceof LogError)) throw error
      this.#options.logger.error({ err: error, topic: topic.name, partition: index }, 'a partition cannot be created')
      return null
    }
  }

  /** A replica has moved to another directory. */
  #onPromoted(partition: Partition, from: LogDirectory): void {
    this.#placement.count(from, -1)
    this.#placement.count(partition.directory, 1)
    this.#cluster?.following.touch(partition)
    if (!partition.isMoved) this.markMoved(partition)
    this.#options.logger.info({ partition: partition.name, directory: partition.directory.path }, 'a replica has moved')
  }

  replicaCount(directory: LogDirectory): number {
    return this.#placement.countOf(directory)
  }

  #changeConfigs({ configs }: MetadataDelta): void {
    const brokers = configs.some(({ type }) => type === ResourceType.BROKER)
    if (brokers) {
      this.#cluster?.following.optionsChanged(this.#image!)
      for (const topic of this.topics.all()) this.#updateConfig(topic)
      return
    }
    for (const { type, name } of configs) {
      const topic = type === ResourceType.TOPIC ? this.topics.byName(name) : undefined
      if (topic !== undefined) this.#updateConfig(topic)
    }
  }

  #updateConfig(topic: HostedTopic): void {
    const config = this.#options.configOf(topic.name)
    for (const partition of topic.hosted) partition?.updateConfig(config)
  }

  /** A directory failed: to be called as its `onFailure`. Its partitions answer KAFKA_STORAGE_ERROR from now on. */
  onDirectoryFailure(directory: LogDirectory, error: Error): void {
    this.#options.logger.error({ directory: directory.path }, error.message)
    for (const partition of this.partitions()) {
      this.futures.onDirectoryFailure(partition, directory)
      if (partition.directory !== directory) continue
      const led = partition.isLeader
      partition.goOffline()
      this.#cluster?.following.stop(partition)
      this.#deletions.onMoved(partition)
      if (led) this.#options.onLeadership?.(partition, false)
    }
  }

  markGathered(partition: Partition): void {
    this.appends.mark(partition)
    this.#options.turn.request()
  }

  markWaking(partition: Partition): void {
    if (partition.isWaking) return
    partition.isWaking = true
    this.#waking.push(partition)
    this.#options.turn.request()
  }

  markMoved(partition: Partition): void {
    partition.isMoved = true
    this.#moved.push(partition)
  }

  #wake(): void {
    if (this.#waking.length === 0) return
    const waking = this.#waking
    this.#waking = []
    for (const partition of waking) {
      partition.isWaking = false
      partition.wake()
    }
  }

  /** Writes the high watermarks of the directories in which some have moved. */
  async checkpointHighWatermarks(): Promise<void> {
    const directories = new Set<LogDirectory>()
    for (const partition of this.#moved.splice(0)) {
      partition.isMoved = false
      directories.add(partition.directory)
    }
    const online = [...directories].filter(({ offline }) => offline === null)
    await Promise.all(online.map(each => each.checkpointHighWatermarks(log => this.highWatermarkOf(log))))
  }

  /** null for a log that is not of a partition (yet). */
  highWatermarkOf(log: PartitionLog): number | null {
    const partition = this.topics.byName(log.topic)?.hosted[log.partition]
    return partition?.log === log ? partition.highWatermark : null
  }

  #onWriteFailure(partition: Partition, error: unknown): void {
    if (error instanceof LogError) return
    this.#options.logger.error({ err: error, partition: partition.name }, 'writing records failed for no known reason')
    partition.goOffline()
  }

  onSyncFailure(partition: Partition, log: PartitionLog, error: unknown): void {
    // A log that has been replaced or deleted meanwhile ends what was under way with it.
    if (partition.log !== log || partition.isGone) return
    this.#onWriteFailure(partition, error)
    // The directory is offline, and with it everybody who waits.
    if (!partition.isOffline) partition.goOffline()
    this.#options.turn.request()
  }

  #onFollowerFetch(asked: FetchPartition, { replicaId, replicaEpoch }: FetchParameters): void {
    const partition = asked.topic?.hosted[asked.index]
    const leader = partition?.leader
    if (partition === undefined || leader == null) return
    const { fetchOffset, followerLogStartOffset: logStartOffset } = asked
    const fetch = { fetchOffset, logStartOffset, brokerEpoch: replicaEpoch }
    leader.onFollowerFetch(replicaId, fetch, partition.log.logEndOffset, this.now())
    this.#cluster?.isrs.maybeExpand(partition, replicaId)
    partition.advanceHighWatermark()
    this.#deletions.onMoved(partition)
  }

  /** Retention has moved the start of a log. */
  onLogStartMoved(partition: Partition): void {
    partition.onStartMoved()
    if (partition.isLeader) this.#deletions.onMoved(partition)
    else this.#cluster?.following.touch(partition)
  }

  /**
   * Raises the start of a partition's log and waits until all its replicas have done so; resolves with the low
   * watermark. Rejects with ApiError (REQUEST_TIMED_OUT among them) or LogError.
   */
  deleteRecords(partition: Partition, offset: number, timeoutMs: Millis): Promise<number> {
    const to = partition.deleteRecords(offset)
    const { lowWatermark } = partition
    if (lowWatermark >= to) return Promise.resolve(lowWatermark)
    return this.#deletions.wait(partition, to, this.now() + timeoutMs)
  }

  /** Does nothing more by itself: no chores, no copies, no compaction, no deadlines. */
  halt(): void {
    this.#isHalted = true
    this.#cluster?.close()
    this.housekeeping.close()
    this.#cleaning.close()
    this.futures.close()
    this.parking.close()
  }

  /** Writes what is gathered, then closes the directories: clean, with the broker's epoch in the marker. */
  async close(brokerEpoch: number): Promise<void> {
    this.halt()
    this.appends.write()
    for (const directory of this.directories) {
      try {
        await directory.close(brokerEpoch, log => this.highWatermarkOf(log))
      } catch (error) {
        this.#options.logger.error({ err: error, directory: directory.path }, 'a log directory was not closed cleanly')
      }
    }
  }
}
