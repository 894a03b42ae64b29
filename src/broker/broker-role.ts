import { ApiError, ErrorCode, errorName } from '#protocol/errors.js'
import { AllocateProducerIds } from '#protocol/messages/allocate-producer-ids.js'
import { BrokerHeartbeat } from '#protocol/messages/broker-heartbeat.js'
import { BrokerRegistration } from '#protocol/messages/broker-registration.js'
import { CreateTopics, type CreateTopicsRequest, type CreateTopicsResponse } from '#protocol/messages/create-topics.js'
import type { LogDirectory } from '#storage/log-directory.js'
import type { ControllerChannel } from '../client/controller-channel.js'
import type { Forwarder } from '../client/forwarder.js'
import type { BrokerConfig } from '../config/broker-config.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { createTopics } from '../controller/create-topics.js'
import { TopicMaker } from '../controller/internal-topics.js'
import { WatchedController } from '../handlers/watched-controller.js'
import { BrokerLifecycle } from '../metadata/broker-lifecycle.js'
import type { MetadataDelta, MetadataSubscriber } from '../metadata/delta.js'
import type { MetadataImage } from '../metadata/image.js'
import { ProducerIdBlocks } from '../metadata/producer-id-blocks.js'
import type { MetadataPublisher } from '../metadata/publisher.js'
import { ReplicaManager } from '../replication/replica-manager.js'
import type { BufferPool } from '../runtime/buffer-pool.js'
import type { MemoryBudget } from '../runtime/memory-budget.js'
import type { Turn } from '../runtime/turn.js'
import { CoordinatorLeadership, coordinatorLocator, type Groups, openGroups } from './coordinators.js'
import type { NodeDirectories } from './directories.js'
import { DirectoryLoader } from './directory-loader.js'
import type { DynamicConfig } from './dynamic-config.js'
import { type NodeIdentity, registeredFeatures } from './identity.js'
import { type LeavingParts, whileControlled } from './leaving.js'
import type { BrokerPorts } from './ports.js'
import { RegisteredGate } from './registered-gate.js'
import { LiveReplicationConfig } from './replication-config.js'
import { directoryIdOf, previousBrokerEpoch, topicLookup } from './support.js'

/** How long a broker that stops waits for the controller to let it go, ms. */
const CONTROLLED_SHUTDOWN_MS_MAX = 5000
/** How long a block of producer ids may take, ms. */
const PRODUCER_IDS_MS_MAX = 5000

export interface BrokerRoleParts {
  readonly config: BrokerConfig
  readonly ports: BrokerPorts
  readonly identity: NodeIdentity
  readonly directories: NodeDirectories
  readonly clusterId: string
  readonly incarnationId: string
  readonly publisher: MetadataPublisher
  readonly dynamic: DynamicConfig
  readonly turn: Turn
  readonly pool: BufferPool
  readonly budget: MemoryBudget
  /** For what the broker says of itself: registration and heartbeats. */
  readonly lifecycleChannel: ControllerChannel
  /** For changes of in-sync replicas and of directories. */
  readonly replicationChannel: ControllerChannel
  /** For everything else. */
  readonly controllerChannel: ControllerChannel
  readonly forwarder: Forwarder
  /** The controller in this process; one that is never active where there is none. */
  readonly controller: ControllerRequests
  readonly leaving: LeavingParts
  readonly fail: (error: Error) => void
}

/** What a node does with the role broker. */
export class BrokerRole {
  readonly replicas: ReplicaManager
  readonly lifecycle: BrokerLifecycle
  readonly groups: Groups
  readonly #parts: BrokerRoleParts
  readonly #coordinators: CoordinatorLeadership
  readonly #topicMaker: TopicMaker
  #onUnfenced: () => void = () => {}
  /** This node's own image shows it unfenced: what clients are told of the cluster has it in it. */
  readonly #isSeenUnfenced = new Promise<void>(resolve => {
    this.#onUnfenced = resolve
  })
  #onClusterKnown: () => void = () => {}
  /** What it registers depends on what is finalized. */
  readonly #isClusterKnown = new Promise<void>(resolve => {
    this.#onClusterKnown = resolve
  })

  constructor(parts: BrokerRoleParts) {
    this.#parts = parts
    const { ports, dynamic } = parts
    const options = (): BrokerConfig => dynamic.current
    this.groups = openGroups(options, this.#image, ports.groupBytesMax, ports)
    this.#coordinators = new CoordinatorLeadership(this.groups, () => ports.clock.wallTime())
    this.replicas = this.#makeReplicas(options)
    this.lifecycle = this.#makeLifecycle()
    this.#topicMaker = new TopicMaker({
      create: request => this.#createTopics(request),
      image: this.#image,
      config: options,
      timeoutMs: parts.config.get('request.timeout.ms'),
    })
  }

  readonly #image = (): MetadataImage => this.#parts.publisher.image

  /** In the order in which they have to hear of changes. */
  get subscribers(): readonly MetadataSubscriber[] {
    const { config, directories, dynamic, incarnationId, ports } = this.#parts
    const loader = new DirectoryLoader(directories.data, dynamic, ports.clock, ports.logger)
    const own: MetadataSubscriber = {
      name: 'own registration',
      onMetadata: (delta, image) => this.#onRegistration(delta, image),
    }
    const acting = [loader, this.replicas, this.#coordinators]
    return [...new RegisteredGate(config.node.nodeId, incarnationId, acting).subscribers, own]
  }

  /** What the handlers of a broker use of it. */
  get services() {
    const { clusterId, controllerChannel, config, ports } = this.#parts
    const { nodeId: brokerId } = config.node
    const allocate = async () => {
      const request = { brokerId, brokerEpoch: this.lifecycle.epoch }
      const deadline = ports.clock.now() + PRODUCER_IDS_MS_MAX
      const { errorCode, ...block } = await controllerChannel.call(AllocateProducerIds, request, deadline)
      if (errorCode !== ErrorCode.NONE) throw new ApiError(errorCode as ErrorCode)
      return block
    }
    const onNoBlock = (error: unknown): void => {
      const reason = error instanceof ApiError ? errorName(error.code) : String(error)
      ports.logger.warn({ reason }, 'the controller gives no producer ids: clients that need one have to come again')
    }
    return {
      clusterId,
      topicMaker: this.#topicMaker,
      producerIds: new ProducerIdBlocks(allocate, onNoBlock),
      replicas: this.replicas,
      groups: this.groups,
      topics: topicLookup(this.#image),
      coordinators: coordinatorLocator(this.#image, this.#topicMaker),
    }
  }

  /** Joins the cluster; resolves when the broker is unfenced and its own image shows that. */
  async start(): Promise<void> {
    this.lifecycle.start()
    await this.lifecycle.setReady()
    await this.#isSeenUnfenced
    this.replicas.startHousekeeping()
  }

  controllerChanged(): void {
    this.lifecycle.controllerChanged()
  }

  /** Lets others lead what it leads. Never rejects. */
  async leave(): Promise<void> {
    await whileControlled(this.#parts.leaving, this.lifecycle.stop(CONTROLLED_SHUTDOWN_MS_MAX))
    this.lifecycle.close()
  }

  closeGroups(): void {
    this.groups.close()
  }

  /** Writes what is left to write. */
  closeReplicas(): Promise<void> {
    return this.replicas.close(this.lifecycle.epoch)
  }

  abandon(): void {
    this.lifecycle.close()
    this.groups.close()
    this.replicas.halt()
  }

  /** One of several data directories may fail, and the others go on. */
  onDirectoryFailure(failed: LogDirectory, error: Error): void {
    const { data } = this.#parts.directories
    this.replicas.onDirectoryFailure(failed, error)
    this.lifecycle.setOfflineDirectories(data.filter(directory => directory.offline !== null).map(directoryIdOf))
  }

  #onRegistration({ brokers }: MetadataDelta, image: MetadataImage): void {
    if (image.features.hasMetadataVersion) this.#onClusterKnown()
    const { incarnationId, config } = this.#parts
    const { nodeId } = config.node
    for (const { before, after } of brokers.values()) {
      const begins = after?.inControlledShutdown === true && before?.inControlledShutdown !== true
      // Only when all of this node has seen it.
      const heed = (): void => this.lifecycle.otherStops()
      // No image comes any more when this node stops, too.
      if (begins && after.id !== nodeId) this.#parts.publisher.waitFor(image.offset).then(heed, () => {})
    }
    const own = image.cluster.broker(nodeId)
    if (own === undefined || !brokers.has(nodeId)) return
    if (own.incarnationId !== incarnationId) this.lifecycle.seenOther(own.epoch)
    if (own.epoch !== this.lifecycle.epoch) return
    if (own.fenced) this.lifecycle.seenFenced()
    else this.#onUnfenced()
  }

  #makeReplicas(options: () => BrokerConfig): ReplicaManager {
    const { config, ports, directories, dynamic, turn, pool, budget, replicationChannel } = this.#parts
    const { clock, random, logger, network } = ports
    return new ReplicaManager({
      nodeId: config.node.nodeId,
      directories: directories.data,
      clock,
      logger: logger.child({ room: 'replicas' }),
      random,
      turn,
      pool,
      budget,
      config: new LiveReplicationConfig(options),
      configOf: topic => dynamic.ofTopic(topic),
      cluster: {
        network,
        controller: replicationChannel,
        brokerEpoch: () => this.lifecycle.epoch,
        interBrokerListener: config.node.interBrokerListenerName,
      },
      onLeadership: (partition, isLeader) => this.#coordinators.onLeadership(partition, isLeader),
    })
  }

  #makeLifecycle(): BrokerLifecycle {
    const { config, ports, identity, directories, clusterId, incarnationId, publisher, lifecycleChannel, fail } =
      this.#parts
    const { clock, logger } = ports
    const { node } = config
    const { data } = directories
    const answerMsMax = config.get('broker.session.timeout.ms') / 2
    const registration = () => ({
      brokerId: node.nodeId,
      clusterId,
      incarnationId,
      listeners: identity.brokerListeners,
      features: registeredFeatures(this.#image().features),
      rack: node.rack,
      isMigratingZkBroker: false,
      logDirs: data
        .filter(({ offline }) => offline === null)
        .map(directoryIdOf)
        .sort(),
      previousBrokerEpoch: previousBrokerEpoch(data),
    })
    return new BrokerLifecycle({
      registration,
      controller: {
        register: async () => {
          await this.#isClusterKnown
          return lifecycleChannel.call(BrokerRegistration, registration(), clock.now() + answerMsMax)
        },
        heartbeat: request => lifecycleChannel.call(BrokerHeartbeat, request, clock.now() + answerMsMax),
      },
      metadataOffset: () => publisher.publishedOffset,
      clock,
      logger,
      heartbeatIntervalMs: config.get('broker.heartbeat.interval.ms'),
      registrationTimeoutMs: config.get('initial.broker.registration.timeout.ms'),
      onFault: fail,
    })
  }

  /** By the active controller, wherever it is; answered when this node's image has the topics. */
  async #createTopics(request: CreateTopicsRequest): Promise<CreateTopicsResponse> {
    const { forwarder, controller, config } = this.#parts
    if (forwarder.isLocal) {
      const watched = new WatchedController(controller)
      try {
        const { timeoutMs } = request
        return await watched.run(createTopics(request), { timeoutMs, untilPublished: true })
      } catch (error) {
        if (!watched.wasLost) throw error
      }
    }
    const header = {
      apiVersion: CreateTopics.versions.to,
      correlationId: 0,
      clientId: `broker-${config.node.nodeId}`,
      clientAddress: '127.0.0.1',
    }
    return forwarder.forward(CreateTopics, header, request)
  }
}
