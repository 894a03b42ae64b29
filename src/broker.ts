/** The one place where things are wired. */
import { loadCompression } from '#protocol/records/compression.js'
import type { LogDirectory } from '#storage/log-directory.js'
import { CoordinatorLeadership, coordinatorLocator, type Groups, openGroups } from './broker/coordinators.js'
import { type NodeDirectories, openDirectories } from './broker/directories.js'
import { DirectoryLoader } from './broker/directory-loader.js'
import { DynamicConfig } from './broker/dynamic-config.js'
import { type BoundListener, NodeIdentity, registeredFeatures } from './broker/identity.js'
import type { BrokerPorts } from './broker/ports.js'
import { openQuorum } from './broker/quorum.js'
import { replicationConfigOf } from './broker/replication-config.js'
import { limitsOf, listen, openServer } from './broker/serving.js'
import {
  advertisedVersions,
  directoryIdOf,
  previousBrokerEpoch,
  snapshotOf,
  topicLookup,
  upgradeKRaftVersion,
} from './broker/support.js'
import type { BrokerConfig } from './config/broker-config.js'
import { allocateProducerIds } from './controller/allocate-producer-ids.js'
import { processHeartbeat } from './controller/broker-heartbeat.js'
import { ControllerDriver } from './controller/controller-driver.js'
import { TopicMaker } from './controller/internal-topics.js'
import { registerBroker } from './controller/register-broker.js'
import { registerController } from './controller/register-controller.js'
import { BrokerLifecycle } from './metadata/broker-lifecycle.js'
import { ControllerRegistrar } from './metadata/controller-registrar.js'
import type { MetadataSubscriber } from './metadata/delta.js'
import type { MetadataImage } from './metadata/image.js'
import { METADATA_VERSION } from './metadata/metadata-version.js'
import { ProducerIdBlocks } from './metadata/producer-id-blocks.js'
import { MetadataPublisher } from './metadata/publisher.js'
import { expectKnownFeatures } from './metadata/supported-features.js'
import type { RaftDriver } from './raft/driver.js'
import { ReplicaManager } from './replication/replica-manager.js'
import { BufferPool } from './runtime/buffer-pool.js'
import { MemoryBudget } from './runtime/memory-budget.js'
import { Turn } from './runtime/turn.js'
import type { Server } from './server/server.js'

/** A node of the cluster: a broker and a controller in one. */
export interface Broker {
  /**
   * Opens the data directory (a new one is formatted), joins the quorum, recovers the logs and lets clients in. Rejects
   * with an error whose message names file or option and the remedy.
   */
  start(): Promise<void>
  /** Stops cleanly: a restart needs no recovery. Never rejects; may be called at any time, and again. */
  stop(): Promise<void>
  /** Lets go of everything without a goodbye, as a crash would. */
  abandon(): void
  /** Resolves with the reason when the broker can no longer go on. It does not stop by itself then. */
  readonly failed: Promise<Error>
  readonly nodeId: number
  readonly clusterId: string
  readonly logDirs: readonly string[]
  readonly listeners: readonly BoundListener[]
}

/** Commands of users that may wait for the controller at a time. */
const CONTROLLER_REQUESTS_MAX = 10_000
/** How long a broker that stops waits for the controller to let it go, ms. */
const CONTROLLED_SHUTDOWN_MS_MAX = 5000

/** Makes a broker of its options and ports; `start` sets it going. */
export function createBroker(config: BrokerConfig, ports: BrokerPorts): Broker {
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<Error>(resolve => {
    fail = resolve
  })
  const identity = new NodeIdentity(config, ports.hostname)
  let running: Node | null = null
  let stopping: Promise<void> | null = null
  let clusterId = ''
  return {
    failed,
    nodeId: config.node.nodeId,
    logDirs: config.node.logDirs,
    get clusterId() {
      return clusterId
    },
    get listeners() {
      return identity.listeners
    },
    start: async () => {
      running = new Node(config, ports, identity, fail)
      clusterId = running.clusterId
      await Promise.race([running.start(), failed.then(error => Promise.reject(error))])
    },
    stop: () => {
      stopping ??= running?.stop() ?? Promise.resolve()
      return stopping
    },
    abandon: () => running?.abandon(),
  }
}

/** The parts of a node and how they hang together. */
class Node {
  readonly clusterId: string
  readonly #config: BrokerConfig
  readonly #ports: BrokerPorts
  readonly #identity: NodeIdentity
  readonly #fail: (error: Error) => void
  readonly #directories: NodeDirectories
  readonly #publisher: MetadataPublisher
  readonly #dynamic: DynamicConfig
  readonly #quorum: RaftDriver
  readonly #controller: ControllerDriver
  readonly #groups: Groups
  readonly #replicas: ReplicaManager
  readonly #lifecycle: BrokerLifecycle
  readonly #registrar: ControllerRegistrar
  readonly #server: Server
  readonly #turn = new Turn()
  readonly #pool = new BufferPool()
  readonly #budget: MemoryBudget
  /** Clients are let in. */
  #isOpen = false

  /** Throws what `openDirectories` and `openQuorum` throw; nothing is left open then. */
  constructor(config: BrokerConfig, ports: BrokerPorts, identity: NodeIdentity, fail: (error: Error) => void) {
    this.#config = config
    this.#ports = ports
    this.#identity = identity
    this.#fail = fail
    this.#budget = new MemoryBudget(ports.flightBytesMax)
    this.#directories = openDirectories(config, ports, (directory, error) => this.#onDirectoryFailure(directory, error))
    this.clusterId = this.#directories.clusterId
    this.#publisher = new MetadataPublisher(fail, { waitsForLeader: true })
    this.#dynamic = new DynamicConfig(config, ports.logger, changed => this.#onOptions(changed))
    try {
      this.#quorum = openQuorum(config, ports, this.#directories, identity.controllerListeners, fail)
    } catch (error) {
      for (const directory of this.#directories.all) directory.abandon()
      throw error
    }
    this.#controller = this.#makeController()
    this.#groups = openGroups(this.#options, this.#image, ports.groupBytesMax, ports)
    const coordinators = new CoordinatorLeadership(this.#groups, () => ports.clock.wallTime())
    this.#replicas = this.#makeReplicas(coordinators)
    const incarnationId = ports.random.uuid()
    this.#lifecycle = this.#makeLifecycle(incarnationId)
    this.#registrar = this.#makeRegistrar(incarnationId)
    this.#server = this.#makeServer()
    const loader = new DirectoryLoader(this.#directories.data, this.#dynamic, ports.clock, ports.logger)
    const features: MetadataSubscriber = {
      name: 'features',
      onMetadata: (delta, image) => {
        const { metadataVersion, levels } = image.features
        if (delta.features.size > 0) expectKnownFeatures([[METADATA_VERSION, metadataVersion], ...levels])
      },
    }
    const subscribers = [features, this.#dynamic, loader, this.#replicas, coordinators, this.#registrar]
    for (const subscriber of subscribers) this.#publisher.subscribe(subscriber)
  }

  readonly #options = (): BrokerConfig => this.#dynamic.current
  readonly #image = (): MetadataImage => this.#publisher.image

  async start(): Promise<void> {
    // A codec that is loaded while the disk works is there when the first batch of it comes.
    const zstd = loadCompression('zstd').catch((error: unknown) => this.#ports.logger.warn({ err: error }, 'no zstd'))
    await listen(this.#server, this.#config, this.#identity)
    this.#quorum.register(this.#publisher)
    this.#quorum.register(this.#controller)
    this.#quorum.register({
      onSnapshot: () => {},
      onCommitted: () => {},
      onLeaderChange: () => {
        this.#lifecycle.controllerChanged()
        this.#registrar.controllerChanged()
      },
    })
    this.#quorum.setSnapshotSource(() => snapshotOf(this.#publisher))
    this.#quorum.start()
    this.#lifecycle.start()
    await this.#lifecycle.setReady()
    await zstd
    this.#replicas.startHousekeeping()
    this.#isOpen = true
    this.#server.updateLimits(limitsOf(this.#options()))
  }

  async stop(): Promise<void> {
    const { logger } = this.#ports
    const { data, metadata } = this.#directories
    await this.#lifecycle.stop(CONTROLLED_SHUTDOWN_MS_MAX)
    this.#registrar.close()
    await this.#server.close()
    this.#groups.close()
    this.#controller.close()
    try {
      await this.#quorum.close()
    } catch (error) {
      logger.error({ err: error }, 'the metadata quorum was not left in order')
    }
    this.#publisher.close()
    await this.#replicas.close(this.#lifecycle.epoch)
    if (!data.includes(metadata)) await metadata.close(-1, log => log.logEndOffset)
  }

  abandon(): void {
    this.#lifecycle.close()
    this.#registrar.close()
    void this.#server.close()
    this.#groups.close()
    this.#controller.close()
    this.#publisher.close()
    this.#replicas.halt()
    for (const directory of this.#directories.all) directory.abandon()
  }

  #onOptions(changed: BrokerConfig): void {
    // Before the broker is ready nobody is let in.
    if (this.#isOpen) this.#server.updateLimits(limitsOf(changed))
  }

  /** One of several data directories may fail, and the others go on. */
  #onDirectoryFailure(failed: LogDirectory, error: Error): void {
    const { data, metadata } = this.#directories
    this.#replicas.onDirectoryFailure(failed, error)
    const offline = data.filter(directory => directory.offline !== null)
    if (failed === metadata) {
      this.#fail(new Error(`the directory of the metadata log failed: ${error.message}`, { cause: error }))
    } else if (offline.length === data.length) {
      this.#fail(new Error(`all log directories failed: ${error.message}`, { cause: error }))
    } else {
      this.#lifecycle.setOfflineDirectories(offline.map(directoryIdOf))
    }
  }

  #makeController(): ControllerDriver {
    const { clock, random, logger } = this.#ports
    const nodeId = this.#config.node.nodeId
    return new ControllerDriver({
      identity: { nodeId, clusterId: this.clusterId, supportedFeatures: registeredFeatures(null) },
      staticConfig: this.#config,
      kraftVersion: () => this.#quorum.kraftVersion,
      random,
      log: this.#quorum,
      published: this.#publisher,
      clock,
      logger: logger.child({ room: 'controller' }),
      requestsMax: CONTROLLER_REQUESTS_MAX,
    })
  }

  #makeReplicas(coordinators: CoordinatorLeadership): ReplicaManager {
    const { clock, random, logger } = this.#ports
    return new ReplicaManager({
      nodeId: this.#config.node.nodeId,
      directories: this.#directories.data,
      clock,
      logger: logger.child({ room: 'replicas' }),
      random,
      turn: this.#turn,
      pool: this.#pool,
      budget: this.#budget,
      config: replicationConfigOf(this.#options),
      configOf: topic => this.#dynamic.ofTopic(topic),
      onLeadership: (partition, isLeader) => coordinators.onLeadership(partition, isLeader),
    })
  }

  #makeLifecycle(incarnationId: string): BrokerLifecycle {
    const { clock, logger } = this.#ports
    const { node } = this.#config
    const directories = this.#directories.data
    return new BrokerLifecycle({
      registration: () => ({
        brokerId: node.nodeId,
        clusterId: this.clusterId,
        incarnationId,
        listeners: this.#identity.brokerListeners,
        features: registeredFeatures(this.#image().features),
        rack: node.rack,
        isMigratingZkBroker: false,
        logDirs: directories
          .filter(({ offline }) => offline === null)
          .map(directoryIdOf)
          .sort(),
        previousBrokerEpoch: previousBrokerEpoch(directories),
      }),
      // The controller lives in this process: direct calls, answered when this node's own image shows the change.
      controller: {
        register: request => this.#controller.run(registerBroker(request, true), { untilPublished: true }),
        heartbeat: request => this.#controller.run(processHeartbeat(request), { untilPublished: true }),
      },
      metadataOffset: () => this.#publisher.publishedOffset,
      clock,
      logger,
      heartbeatIntervalMs: this.#config.get('broker.heartbeat.interval.ms'),
      registrationTimeoutMs: this.#config.get('initial.broker.registration.timeout.ms'),
      onFault: this.#fail,
    })
  }

  #makeRegistrar(incarnationId: string): ControllerRegistrar {
    const { clock, logger } = this.#ports
    return new ControllerRegistrar({
      controllerId: this.#config.node.nodeId,
      incarnationId,
      listeners: () => this.#identity.controllerListeners,
      register: request => this.#controller.run(registerController(request)),
      clock,
      logger,
    })
  }

  #makeServer(): Server {
    const { nodeId } = this.#config.node
    const controller = this.#controller
    const topicMaker = new TopicMaker({
      controller,
      image: this.#image,
      config: this.#options,
      timeoutMs: this.#config.get('request.timeout.ms'),
    })
    const allocate = () => controller.run(allocateProducerIds({ brokerId: nodeId, brokerEpoch: this.#lifecycle.epoch }))
    const unstableVersions = this.#config.get('unstable.api.versions.enable')
    return openServer({
      ports: this.#ports,
      turn: this.#turn,
      pool: this.#pool,
      budget: this.#budget,
      config: this.#config,
      writeGathered: () => this.#replicas.appends.write(),
      services: {
        brokerId: nodeId,
        clusterId: this.clusterId,
        metadata: this.#publisher,
        config: this.#options,
        topicMaker,
        controller,
        activeController: () => (controller.isActive ? nodeId : this.#quorum.leader.leaderId),
        loggers: this.#ports.loggers,
        producerIds: new ProducerIdBlocks(allocate),
        replicas: this.#replicas,
        groups: this.#groups,
        quorum: this.#quorum,
        advertised: advertisedVersions(this.#image, this.#quorum, unstableVersions, this.clusterId),
        topics: topicLookup(this.#image),
        coordinators: coordinatorLocator(this.#image, topicMaker),
        upgradeKRaftVersion: upgradeKRaftVersion(this.#quorum),
      },
    })
  }
}
