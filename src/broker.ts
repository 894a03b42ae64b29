/** The one place where things are wired. */
import type { LogDirectory } from '#storage/log-directory.js'
import { CoordinatorLeadership, coordinatorLocator, openGroups } from './broker/coordinators.js'
import { openDirectories } from './broker/directories.js'
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
import { ProducerIdBlocks } from './metadata/producer-id-blocks.js'
import { MetadataPublisher } from './metadata/publisher.js'
import { ReplicaManager } from './replication/replica-manager.js'
import { BufferPool } from './runtime/buffer-pool.js'
import { MemoryBudget } from './runtime/memory-budget.js'
import { Turn } from './runtime/turn.js'

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
  let running: RunningBroker | null = null
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
      running = assemble(config, ports, identity, fail)
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

interface RunningBroker {
  readonly clusterId: string
  start(): Promise<void>
  stop(): Promise<void>
  abandon(): void
}

function assemble(
  config: BrokerConfig,
  ports: BrokerPorts,
  identity: NodeIdentity,
  fail: (error: Error) => void,
): RunningBroker {
  const { clock, random, logger } = ports
  const { node } = config
  const onDirectoryFailure = (directory: LogDirectory, error: Error): void => directoryFailed(directory, error)
  const directories = openDirectories(config, ports, onDirectoryFailure)
  const { clusterId } = directories
  const publisher = new MetadataPublisher(fail, { waitsForLeader: true })
  const image = () => publisher.image
  let isOpen = false
  const dynamic = new DynamicConfig(config, logger, changed => {
    // Before the broker is ready nobody is let in.
    if (isOpen) server.updateLimits(limitsOf(changed))
  })
  const current = () => dynamic.current
  const quorum = openQuorum(config, ports, directories, identity.controllerListeners, fail)
  const controller = new ControllerDriver({
    identity: { nodeId: node.nodeId, clusterId, supportedFeatures: registeredFeatures(null) },
    staticConfig: config,
    kraftVersion: () => quorum.kraftVersion,
    random,
    log: quorum,
    published: publisher,
    clock,
    logger: logger.child({ room: 'controller' }),
    requestsMax: CONTROLLER_REQUESTS_MAX,
  })
  const turn = new Turn()
  const pool = new BufferPool()
  const budget = new MemoryBudget(ports.flightBytesMax)
  const groups = openGroups(current, image, ports.groupBytesMax, ports)
  const coordinators = new CoordinatorLeadership(groups, () => clock.wallTime())
  const replicas = new ReplicaManager({
    nodeId: node.nodeId,
    directories: directories.data,
    clock,
    logger: logger.child({ room: 'replicas' }),
    random,
    turn,
    pool,
    budget,
    config: replicationConfigOf(current),
    configOf: topic => dynamic.ofTopic(topic),
    onLeadership: (partition, isLeader) => coordinators.onLeadership(partition, isLeader),
  })
  const incarnationId = random.uuid()
  const lifecycle = new BrokerLifecycle({
    registration: () => ({
      brokerId: node.nodeId,
      clusterId,
      incarnationId,
      listeners: identity.brokerListeners,
      features: registeredFeatures(image().features),
      rack: node.rack,
      isMigratingZkBroker: false,
      logDirs: directories.data
        .filter(({ offline }) => offline === null)
        .map(directoryIdOf)
        .sort(),
      previousBrokerEpoch: previousBrokerEpoch(directories.data),
    }),
    controller: {
      register: request => controller.run(registerBroker(request, true)),
      heartbeat: request => controller.run(processHeartbeat(request)),
    },
    metadataOffset: () => publisher.publishedOffset,
    clock,
    logger,
    heartbeatIntervalMs: config.get('broker.heartbeat.interval.ms'),
    registrationTimeoutMs: config.get('initial.broker.registration.timeout.ms'),
    onFault: fail,
  })
  const registrar = new ControllerRegistrar({
    controllerId: node.nodeId,
    incarnationId,
    listeners: [],
    register: request => controller.run(registerController({ ...request, listeners: identity.controllerListeners })),
    clock,
    logger,
  })
  const topicMaker = new TopicMaker({ controller, image, config: current, timeoutMs: config.get('request.timeout.ms') })
  const producerIds = new ProducerIdBlocks(() =>
    controller.run(allocateProducerIds({ brokerId: node.nodeId, brokerEpoch: lifecycle.epoch })),
  )
  const server = openServer({
    ports,
    turn,
    pool,
    budget,
    config,
    writeGathered: () => replicas.appends.write(),
    services: {
      brokerId: node.nodeId,
      clusterId,
      metadata: publisher,
      config: current,
      topicMaker,
      controller,
      activeController: () => (controller.isActive ? node.nodeId : quorum.leader.leaderId),
      loggers: ports.loggers,
      producerIds,
      replicas,
      groups,
      advertised: advertisedVersions(image, config.get('unstable.api.versions.enable'), clusterId, node.nodeId),
      topics: topicLookup(image),
      coordinators: coordinatorLocator(image, topicMaker),
      upgradeKRaftVersion: upgradeKRaftVersion(quorum),
    },
  })
  function directoryFailed(directory: LogDirectory, error: Error): void {
    const isMetadata = directory === directories.metadata
    replicas.onDirectoryFailure(directory, error)
    const offline = directories.data.filter(each => each.offline !== null)
    if (isMetadata) fail(new Error(`the directory of the metadata log failed: ${error.message}`, { cause: error }))
    else if (offline.length === directories.data.length) {
      fail(new Error(`all log directories failed: ${error.message}`, { cause: error }))
    } else lifecycle.setOfflineDirectories(offline.map(directoryIdOf))
  }
  const loader = new DirectoryLoader(directories.data, dynamic, clock, logger)
  for (const subscriber of [dynamic, loader, replicas, coordinators, registrar]) publisher.subscribe(subscriber)
  return {
    clusterId,
    start: async () => {
      await listen(server, config, identity)
      quorum.register(publisher)
      quorum.register(controller)
      quorum.setSnapshotSource(() => snapshotOf(publisher))
      quorum.start()
      lifecycle.start()
      await lifecycle.setReady()
      replicas.startHousekeeping()
      isOpen = true
      server.updateLimits(limitsOf(current()))
    },
    stop: async () => {
      await lifecycle.stop(CONTROLLED_SHUTDOWN_MS_MAX)
      registrar.close()
      await server.close()
      groups.close()
      controller.close()
      await quorum.close().catch((error: unknown) => logger.error({ err: error }, 'the quorum was not left in order'))
      publisher.close()
      await replicas.close(lifecycle.epoch)
      if (!directories.data.includes(directories.metadata))
        await directories.metadata.close(-1, log => log.logEndOffset)
    },
    abandon: () => {
      lifecycle.close()
      registrar.close()
      void server.close()
      groups.close()
      controller.close()
      publisher.close()
      replicas.housekeeping.close()
      for (const directory of directories.all) directory.abandon()
    },
  }
}
