import { ErrorCode } from '#protocol/errors.js'
import type { AlterPartitionRequest } from '#protocol/messages/alter-partition.js'
import type { AssignReplicasToDirsRequest } from '#protocol/messages/assign-replicas-to-dirs.js'
import type { ControllerChannel } from '#src/client/controller-channel.js'
import type { PartitionImage } from '#src/metadata/image.js'
import { MetadataState } from '#src/metadata/metadata-state.js'
import { NO_PARTITION_CHANGE } from '#src/metadata/partition-state.js'
import type { MetadataRecord } from '#src/metadata/record.js'
import type { PartitionConfig } from '#src/replication/partition-config.js'
import type { ReplicationConfig } from '#src/replication/replication-config.js'
import type { Logger, LogLevel } from '#src/runtime/ports.js'
import type { LogDirectory } from '#storage/log-directory.js'
import { LoopNetwork } from './loop-network.js'
import { keepingLogger } from './quiet-logger.js'
import { SeededRandom } from './random.js'
import { ReplicaBroker } from './replica-broker.js'
import { SimDisk } from './sim-disk.js'
import { VirtualClock } from './virtual-clock.js'
import { WireClient } from './wire-client.js'

export interface ReplicaClusterOptions {
  readonly brokers?: number
  readonly seed?: number
  readonly config?: Partial<ReplicationConfig>
  readonly logDirs?: readonly string[]
  readonly rackOf?: (brokerId: number) => string | null
  readonly metadataVersion?: number
}

export interface ClusterNode {
  readonly id: number
  readonly broker: ReplicaBroker
  readonly disk: SimDisk
  readonly brokerEpoch: number
  isAlive: boolean
  /** How many of the controller's records it has. */
  applied: number
}

const PORT = 9092

/**
 * Brokers of server and replicas in one process on virtual time, with a controller that is always there and never wrong:
 * a list of metadata records, from which each broker learns with some delay.
 */
export class ReplicaCluster {
  readonly clock = new VirtualClock()
  readonly random: SeededRandom
  readonly network: LoopNetwork
  readonly logger = keepingLogger()
  readonly nodes = new Map<number, ClusterNode>()
  readonly image = new MetadataState()
  readonly records: MetadataRecord[] = []
  readonly topicIds = new Map<string, string>()
  readonly topicConfigs = new Map<string, Partial<PartitionConfig>>()
  metadataDelayMs: () => number = () => 1
  /** What the controller answers to AlterPartition instead of looking; for tests. */
  refusal: ErrorCode | null = null
  alterPartitions = 0
  readonly assignments: { readonly brokerId: number; readonly directoryId: string; readonly partition: number }[] = []
  readonly #options: ReplicaClusterOptions

  constructor(options: ReplicaClusterOptions = {}) {
    this.#options = options
    this.random = new SeededRandom(options.seed ?? 7)
    this.network = new LoopNetwork(this.clock)
    const name = 'metadata.version'
    const featureLevel = options.metadataVersion ?? 27
    this.write({ type: 'FeatureLevelRecord', version: 0, value: { name, featureLevel } })
    for (let id = 1; id <= (options.brokers ?? 3); id++) this.#start(id, new SimDisk())
  }

  static async start(options: ReplicaClusterOptions = {}): Promise<ReplicaCluster> {
    const cluster = new ReplicaCluster(options)
    await cluster.clock.advance(10)
    return cluster
  }

  node(id: number): ClusterNode {
    return this.nodes.get(id)!
  }

  /** The image of the controller. */
  partition(topic: string, index = 0): PartitionImage {
    return this.image.topics.partition(topic, index)!
  }

  /** A replica on a broker. */
  replica(id: number, topic: string, index = 0) {
    return this.node(id).broker.replicas.partitionOf(topic, index)
  }

  client(id: number): WireClient {
    return new WireClient(this.network.dial(hostOf(id), PORT))
  }

  #start(id: number, disk: SimDisk): void {
    const brokerEpoch = this.records.length + 1
    const broker = new ReplicaBroker({
      nodeId: id,
      clock: this.clock,
      random: new SeededRandom(this.random.below(2 ** 31)),
      logger: this.#loggerOf(id),
      network: this.network.of(hostOf(id)),
      disk,
      logDirs: this.#options.logDirs ?? ['/data'],
      config: { cleanerEnabled: false, ...this.#options.config },
      topicConfig: topic => this.topicConfigs.get(topic) ?? {},
      cluster: {
        network: this.network.of(hostOf(id)),
        controller: this.#channel(id),
        brokerEpoch: () => brokerEpoch,
        interBrokerListener: 'PLAINTEXT',
      },
    })
    const node: ClusterNode = { id, broker, disk, brokerEpoch, isAlive: true, applied: 0 }
    this.nodes.set(id, node)
    void broker.listen(PORT)
    this.#leaveInSync(id)
    this.write({
      type: 'RegisterBrokerRecord',
      version: 3,
      value: {
        brokerId: id,
        isMigratingZkBroker: false,
        incarnationId: this.random.uuid(),
        brokerEpoch,
        endPoints: [{ name: 'PLAINTEXT', host: hostOf(id), port: PORT, securityProtocol: 0 }],
        features: [],
        rack: this.#options.rackOf?.(id) ?? null,
        fenced: false,
        inControlledShutdown: false,
        logDirs: broker.directories.map(directoryIdOf).sort(),
        cordonedLogDirs: null,
      },
    })
    broker.replicas.startHousekeeping()
    this.#deliver(node)
    this.electAll()
  }

  /** Lines with the node and the time that they are of. */
  #loggerOf(node: number): Logger {
    const { logger, clock } = this
    const at = (level: LogLevel) => (fields: object, message: string) => {
      logger[level]({ node, now: clock.now(), ...fields }, message)
    }
    return {
      trace: at('trace'),
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      fatal: at('fatal'),
      child: () => this.#loggerOf(node),
    }
  }

  /** Writes metadata, which brokers learn of a little later. */
  write(...records: MetadataRecord[]): void {
    for (const record of records) {
      this.records.push(record)
      this.image.replay(record)
    }
    this.image.setPosition(this.records.length, 1)
    this.image.takeDelta()
    for (const node of this.nodes.values()) {
      this.clock.at(this.clock.now() + this.metadataDelayMs(), () => this.#deliver(node))
    }
  }

  #deliver(node: ClusterNode): void {
    if (!node.isAlive || node.applied === this.records.length) return
    for (const record of this.records.slice(node.applied)) node.broker.metadata.replay(record)
    node.applied = this.records.length
    node.broker.publish()
  }

  createTopic(name: string, replicas: readonly number[], config: Partial<PartitionConfig> = {}, partitions = 1): void {
    const topicId = this.random.uuid()
    this.topicIds.set(name, topicId)
    this.topicConfigs.set(name, config)
    const records: MetadataRecord[] = [{ type: 'TopicRecord', version: 0, value: { name, topicId } }]
    for (let partitionId = 0; partitionId < partitions; partitionId++) {
      records.push({
        type: 'PartitionRecord',
        version: 2,
        value: {
          partitionId,
          topicId,
          replicas: [...replicas],
          isr: [...replicas],
          removingReplicas: [],
          addingReplicas: [],
          leader: replicas[0]!,
          leaderRecoveryState: 0,
          leaderEpoch: 0,
          partitionEpoch: 0,
          directories: replicas.map(id => this.#directoryOf(id)),
          eligibleLeaderReplicas: null,
          lastKnownElr: null,
        },
      })
    }
    this.write(...records)
  }

  #directoryOf(id: number): string {
    const { directories } = this.node(id).broker
    return directories.length === 1 ? directoryIdOf(directories[0]!) : 'AAAAAAAAAAAAAAAAAAAAAQ'
  }

  deleteTopic(name: string): void {
    this.write({ type: 'RemoveTopicRecord', version: 0, value: { topicId: this.topicIds.get(name)! } })
    this.topicIds.delete(name)
  }

  /** Changes a partition; a leader that is named begins a new epoch. */
  change(
    topic: string,
    partitionId: number,
    change: { leader?: number; isr?: readonly number[]; replicas?: readonly number[]; adding?: readonly number[] },
  ): void {
    this.write({
      type: 'PartitionChangeRecord',
      version: 2,
      value: {
        partitionId,
        topicId: this.topicIds.get(topic)!,
        ...NO_PARTITION_CHANGE,
        isr: change.isr === undefined ? null : [...change.isr],
        leader: change.leader ?? NO_PARTITION_CHANGE.leader,
        replicas: change.replicas === undefined ? null : [...change.replicas],
        addingReplicas: change.adding === undefined ? null : [...change.adding],
        directories: change.replicas === undefined ? null : change.replicas.map(id => this.#directoryOf(id)),
      },
    })
  }

  *#partitions(): Generator<[string, number, PartitionImage]> {
    for (const { name, partitions } of [...this.image.topics.all()]) {
      for (const [index, partition] of [...partitions].entries()) yield [name, index, partition]
    }
  }

  /** A broker is no longer in sync anywhere, as the controller sees to when it is fenced or comes back. */
  #leaveInSync(id: number): void {
    for (const [topic, index, { isr, leader }] of this.#partitions()) {
      if (!isr.includes(id)) continue
      const others = isr.filter(each => each !== id)
      const isLed = leader === id
      if (others.length === 0) {
        if (isLed) this.change(topic, index, { leader: -1 })
      } else this.change(topic, index, { isr: others, ...(isLed ? { leader: this.#eligible(others) } : {}) })
    }
  }

  #eligible(isr: readonly number[]): number {
    return isr.find(id => this.nodes.get(id)?.isAlive === true) ?? -1
  }

  /** Partitions without a leader get one of those in sync, if it is alive. */
  electAll(): void {
    for (const [topic, index, { isr, leader }] of this.#partitions()) {
      if (leader !== -1) continue
      const next = this.#eligible(isr)
      if (next !== -1) this.change(topic, index, { leader: next })
    }
  }

  /** Brokers are ended without a goodbye; the controller notices at once. */
  kill(id: number): void {
    this.stopSilently(id)
    this.fence(id)
  }

  /** The same, but the controller notices nothing. */
  stopSilently(id: number): void {
    const node = this.node(id)
    node.isAlive = false
    this.network.remove(hostOf(id))
    node.broker.replicas.halt()
  }

  fence(id: number): void {
    this.#leaveInSync(id)
    this.write(fencing(id, this.node(id).brokerEpoch, 1))
  }

  unfence(id: number): void {
    this.write(fencing(id, this.node(id).brokerEpoch, -1))
  }

  /** Starts a broker again with what was written, or with what was on the device when the power went (`seed`). */
  restart(id: number, powerLossSeed: number | null = null): void {
    const { disk } = this.node(id)
    this.#start(id, powerLossSeed === null ? disk.killed() : disk.crashed(powerLossSeed))
  }

  #channel(id: number): ControllerChannel {
    const answer = (name: string, request: unknown): unknown =>
      name === 'AlterPartition'
        ? this.#alterPartition(request as AlterPartitionRequest)
        : this.#assign(request as AssignReplicasToDirsRequest)
    return {
      call: (api, request) =>
        new Promise(resolve => {
          const node = this.nodes.get(id)
          this.clock.at(this.clock.now() + this.metadataDelayMs(), () => {
            if (node?.isAlive !== true) return
            const response = answer(api.name, request)
            this.clock.at(this.clock.now() + this.metadataDelayMs(), () => resolve(response as never))
          })
        }),
    }
  }

  #alterPartition({ brokerId, brokerEpoch, topics }: AlterPartitionRequest): unknown {
    this.alterPartitions++
    if (this.image.cluster.broker(brokerId)?.epoch !== brokerEpoch) {
      return { errorCode: ErrorCode.STALE_BROKER_EPOCH, topics: [] }
    }
    return {
      errorCode: 0,
      topics: topics.map(({ topicId, partitions }) => ({
        topicId,
        partitions: partitions.map(each => {
          const errorCode = this.refusal ?? this.#judge(brokerId, topicId, each)
          if (errorCode === ErrorCode.NONE) {
            const { name } = this.image.topics.byId(topicId)!
            this.change(name, each.partitionIndex, { isr: each.newIsrWithEpochs.map(member => member.brokerId) })
          }
          const now = this.image.topics.partitionById(topicId, each.partitionIndex)
          const { leader: leaderId = -1, leaderEpoch = -1, partitionEpoch = -1, isr = [] } = now ?? {}
          return { partitionIndex: each.partitionIndex, errorCode, leaderId, leaderEpoch, partitionEpoch, isr }
        }),
      })),
    }
  }

  #judge(
    brokerId: number,
    topicId: string,
    proposal: AlterPartitionRequest['topics'][number]['partitions'][number],
  ): ErrorCode {
    const partition = this.image.topics.partitionById(topicId, proposal.partitionIndex)
    if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_ID
    if (proposal.leaderEpoch < partition.leaderEpoch) return ErrorCode.FENCED_LEADER_EPOCH
    if (partition.leader !== brokerId) return ErrorCode.INVALID_REQUEST
    if (proposal.partitionEpoch < partition.partitionEpoch) return ErrorCode.INVALID_UPDATE_VERSION
    for (const { brokerId: id, brokerEpoch } of proposal.newIsrWithEpochs) {
      const broker = this.image.cluster.broker(id)
      if (broker === undefined || broker.fenced) return ErrorCode.INELIGIBLE_REPLICA
      if (brokerEpoch !== -1 && brokerEpoch !== broker.epoch) return ErrorCode.INELIGIBLE_REPLICA
    }
    return ErrorCode.NONE
  }

  #assign({ brokerId, directories }: AssignReplicasToDirsRequest): unknown {
    return {
      errorCode: 0,
      directories: directories.map(({ id, topics }) => ({
        id,
        topics: topics.map(({ topicId, partitions }) => ({
          topicId,
          partitions: partitions.map(({ partitionIndex }) => {
            this.assignments.push({ brokerId, directoryId: id, partition: partitionIndex })
            this.#writeDirectory(topicId, partitionIndex, brokerId, id)
            return { partitionIndex, errorCode: 0 }
          }),
        })),
      })),
    }
  }

  #writeDirectory(topicId: string, partitionId: number, brokerId: number, directoryId: string): void {
    const partition = this.image.topics.byId(topicId)?.partitions[partitionId]
    if (partition === undefined) return
    const { replicas, directories: before } = partition
    const directories = replicas.map((id, index) => (id === brokerId ? directoryId : before[index]!))
    const value = { ...NO_PARTITION_CHANGE, partitionId, topicId, directories }
    this.write({ type: 'PartitionChangeRecord', version: 2, value })
  }
}

function hostOf(id: number): string {
  return `node-${id}`
}

function directoryIdOf(directory: LogDirectory): string {
  return directory.metaProperties!.directoryId!
}

function fencing(brokerId: number, brokerEpoch: number, fenced: number): MetadataRecord {
  const value = { brokerId, brokerEpoch, fenced, inControlledShutdown: 0, logDirs: [], cordonedLogDirs: null }
  return { type: 'BrokerRegistrationChangeRecord', version: 2, value } as MetadataRecord
}
