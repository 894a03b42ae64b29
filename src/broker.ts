/** The one place where things are wired. */
import { areCompressionsAtHand, loadCompression } from '#protocol/records/compression.js'
import type { LogDirectory } from '#storage/log-directory.js'
import { LogError } from '#storage/log-error.js'
import { AddressOverrides } from './broker/address-overrides.js'
import { BrokerRole } from './broker/broker-role.js'
import { ControllerRole } from './broker/controller-role.js'
import { type NodeDirectories, openDirectories } from './broker/directories.js'
import { remedyOf } from './broker/disk-remedy.js'
import { DynamicConfig } from './broker/dynamic-config.js'
import { type BoundListener, NodeIdentity } from './broker/identity.js'
import { HandledRequests } from './broker/inner-requests.js'
import { knownController } from './broker/known-controller.js'
import { type LeavingParts, untilOthersHaveLeft } from './broker/leaving.js'
import { LocalController } from './broker/local-controller.js'
import type { BrokerPorts } from './broker/ports.js'
import { openQuorum } from './broker/quorum.js'
import { closedLimitsOf, limitsOf, listen, type NodeServices, openServer } from './broker/serving.js'
import { advertisedVersions, noController, snapshotOf, upgradeKRaftVersion } from './broker/support.js'
import { type ControllerPlace, QuorumControllerChannel } from './client/controller-channel.js'
import { Forwarder } from './client/forwarder.js'
import type { BrokerConfig } from './config/broker-config.js'
import { controllerHandlers } from './handlers/controller.js'
import type { RequestContext } from './handlers/handler.js'
import type { MetadataSubscriber } from './metadata/delta.js'
import type { MetadataImage } from './metadata/image.js'
import { METADATA_VERSION } from './metadata/metadata-version.js'
import { MetadataPublisher } from './metadata/publisher.js'
import { expectKnownFeatures } from './metadata/supported-features.js'
import type { RaftDriver } from './raft/driver.js'
import { BufferPool } from './runtime/buffer-pool.js'
import { MemoryBudget } from './runtime/memory-budget.js'
import { Turn } from './runtime/turn.js'
import type { Server } from './server/server.js'

/** A node of the cluster: a broker, a controller, or both in one. */
export interface Broker {
  /**
   * Opens the data directory (a new one is formatted), joins the quorum, recovers the logs and lets clients in. Rejects
   * with an error whose message names file or option and the remedy, or when it is stopped before it is ready.
   */
  start(): Promise<void>
  /**
   * Lets other brokers lead what this one leads, which needs an active controller, and serves no clients any more. The
   * first part of `stop`, for who stops many nodes: while they leave, all of their controllers are there.
   */
  leave(): Promise<void>
  /** Stops cleanly: a restart needs no recovery. Never rejects; may be called at any time, and again. */
  stop(): Promise<void>
  /** Lets go of everything without a goodbye, as a crash would. */
  abandon(): void
  /** Resolves with the reason when the broker can no longer go on. It does not stop by itself then. */
  readonly failed: Promise<Error>
  readonly nodeId: number
  /** The active controller by what this node knows; -1 when it knows none. */
  readonly activeControllerId: number
  readonly clusterId: string
  readonly logDirs: readonly string[]
  readonly listeners: readonly BoundListener[]
}

/** Requests to the active controller that may wait at a time. */
const CONTROLLER_CALLS_MAX = 10_000
/** How long a request that this process makes to itself may wait for its commit, ms. */
const DIRECT_CALL_MS_MAX = 30_000

/** Makes a broker of its options and ports; `start` sets it going. */
export function createBroker(config: BrokerConfig, ports: BrokerPorts): Broker {
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<Error>(resolve => {
    fail = resolve
  })
  const identity = new NodeIdentity(config, ports.hostname)
  let running: Node | null = null
  let stopping: Promise<void> | null = null
  let endStart: (error: Error) => void = () => {}
  const ended = new Promise<Error>(resolve => {
    endStart = resolve
  })
  let clusterId = ''
  return {
    failed,
    nodeId: config.node.nodeId,
    logDirs: config.node.logDirs,
    get clusterId() {
      return clusterId
    },
    get activeControllerId() {
      return running?.activeControllerId ?? -1
    },
    get listeners() {
      return identity.listeners
    },
    start: async () => {
      running = new Node(config, ports, identity, fail)
      clusterId = running.clusterId
      await Promise.race([running.start(), Promise.race([failed, ended]).then(error => Promise.reject(error))])
    },
    leave: () => running?.leave() ?? Promise.resolve(),
    stop: () => {
      endStart(new Error('the node was stopped before it was ready'))
      stopping ??= running?.stop() ?? Promise.resolve()
      return stopping
    },
    abandon: () => {
      endStart(new Error('the node was abandoned before it was ready'))
      running?.abandon()
    },
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
  readonly #controller: ControllerRole | null
  readonly #broker: BrokerRole | null
  readonly #channels: QuorumControllerChannel[] = []
  readonly #forwarder: Forwarder
  readonly #requests: HandledRequests<NodeServices>
  readonly #services: NodeServices
  readonly #server: Server
  readonly #overrides: AddressOverrides
  readonly #turn = new Turn()
  readonly #pool = new BufferPool()
  readonly #budget: MemoryBudget
  /** Clients are let in. */
  #isOpen = false
  #leaving: Promise<void> | null = null

  /** Throws what `openDirectories` and `openQuorum` throw; nothing is left open then. */
  constructor(config: BrokerConfig, ports: BrokerPorts, identity: NodeIdentity, fail: (error: Error) => void) {
    this.#config = config
    this.#ports = ports
    this.#identity = identity
    this.#fail = fail
    this.#budget = new MemoryBudget(ports.flightBytesMax)
    this.#directories = openDirectories(config, ports, (directory, error) => this.#onDirectoryFailure(directory, error))
    this.clusterId = this.#directories.clusterId
    this.#publisher = new MetadataPublisher(fail, { waitsToCatchUp: true })
    this.#dynamic = new DynamicConfig(config, ports.logger, () => this.#onOptions())
    try {
      this.#quorum = openQuorum(config, ports, this.#directories, () => identity.controllerListeners, fail)
    } catch (error) {
      for (const directory of this.#directories.all) directory.abandon()
      throw error
    }
    const incarnationId = ports.random.uuid()
    this.#controller = this.#makeController(incarnationId)
    this.#requests = this.#makeRequests()
    const controllerChannel = this.#makeChannel('controller')
    this.#forwarder = this.#makeForwarder()
    this.#broker = this.#makeBroker(incarnationId, controllerChannel)
    this.#services = this.#makeServices()
    this.#overrides = new AddressOverrides(ports.network)
    this.#server = this.#makeServer()
    this.#subscribe(controllerChannel)
  }

  readonly #options = (): BrokerConfig => this.#dynamic.current
  readonly #image = (): MetadataImage => this.#publisher.image

  async start(): Promise<void> {
    // Unless it is loaded when needed: a codec that is loaded while the disk works is there when its first batch comes.
    const zstd = areCompressionsAtHand() ? null : loadCompression('zstd').catch(error => this.#warnOfZstd(error))
    await this.#overrides.update(this.#config)
    this.#server.updateLimits(closedLimitsOf(this.#config, this.#overrides))
    await listen(this.#server, this.#config, this.#identity)
    this.#quorum.register(this.#publisher)
    if (this.#controller !== null) this.#quorum.register(this.#controller.driver)
    this.#quorum.register({
      onSnapshot: () => {},
      onCommitted: () => {},
      onLeaderChange: leader => {
        for (const channel of this.#channels) channel.controllerChanged()
        this.#controller?.controllerChanged(leader)
        this.#broker?.controllerChanged()
      },
    })
    this.#quorum.setSnapshotSource(() => snapshotOf(this.#publisher))
    this.#quorum.start()
    // Controllers find each other before there is anything to serve.
    this.#server.updateLimits({ ...limitsOf(this.#config, this.#overrides), closedTo: 'broker' })
    await this.#broker?.start()
    await zstd
    this.#isOpen = true
    await this.#updateLimits()
  }

  get activeControllerId(): number {
    return this.#quorum.leaderPlace.leaderId
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  /** Who was let go is no broker any more, however long it stays as a controller: clients ask those who are. */
  async #leave(): Promise<void> {
    await this.#broker?.leave()
    await this.#server.closeListeners('broker')
  }

  #warnOfZstd(error: unknown): void {
    this.#ports.logger.warn({ err: error }, 'no zstd')
  }

  async stop(): Promise<void> {
    const { logger } = this.#ports
    await this.leave()
    if (this.#controller !== null) await untilOthersHaveLeft(this.#leavingParts)
    this.#broker?.closeGroups()
    this.#controller?.close()
    try {
      await this.#quorum.close()
    } catch (error) {
      logger.error({ err: error }, 'the metadata quorum was not left in order')
    }
    for (const channel of this.#channels) channel.close()
    await this.#server.close()
    this.#publisher.close()
    await this.#broker?.closeReplicas()
    await this.#closeDirectories()
  }

  abandon(): void {
    this.#quorum.abandon()
    for (const channel of this.#channels) channel.close()
    // As after a crash, nobody waits for it.
    void this.#server.close()
    this.#controller?.close()
    this.#publisher.close()
    this.#broker?.abandon()
    for (const directory of this.#directories.all) directory.abandon()
  }

  /** Those with partitions were closed with their replicas. */
  async #closeDirectories(): Promise<void> {
    const { data, all } = this.#directories
    for (const directory of all) {
      if (this.#broker === null || !data.includes(directory)) await directory.close(-1, log => log.logEndOffset)
    }
  }

  #onOptions(): void {
    // Before the broker is ready nobody is let in.
    if (this.#isOpen) void this.#updateLimits()
  }

  async #updateLimits(): Promise<void> {
    const limit = (): void => this.#server.updateLimits(limitsOf(this.#options(), this.#overrides))
    // The rest does not wait for a host to be found.
    limit()
    const { byAddress } = this.#overrides
    try {
      await this.#overrides.update(this.#options())
    } catch (error) {
      this.#ports.logger.error({ err: error }, 'limits on connections of single addresses stay as they were')
    }
    if (this.#overrides.byAddress !== byAddress) limit()
  }

  /** One of several data directories may fail, and the others go on. */
  #onDirectoryFailure(failed: LogDirectory, error: Error): void {
    const { data, metadata } = this.#directories
    const fail = (what: string): void => {
      const text = `${what}: ${error.message}. ${remedyOf(error)}, then start this node again.`
      this.#fail(new LogError('KAFKA_STORAGE_ERROR', text, { cause: error }))
    }
    if (failed === metadata) fail('the directory of the metadata log failed')
    else if (data.every(directory => directory.offline !== null)) fail('all log directories failed')
    this.#broker?.onDirectoryFailure(failed, error)
  }

  #makeController(incarnationId: string): ControllerRole | null {
    if (!this.#config.node.roles.controller) return null
    return new ControllerRole({
      config: this.#config,
      ports: this.#ports,
      identity: this.#identity,
      clusterId: this.clusterId,
      incarnationId,
      quorum: this.#quorum,
      publisher: this.#publisher,
    })
  }

  #makeRequests(): HandledRequests<NodeServices> {
    return new HandledRequests<NodeServices>({
      handlers: this.#controller === null ? [] : controllerHandlers,
      services: () => this.#services,
      unstableVersions: this.#config.get('unstable.api.versions.enable'),
      listenerName: this.#config.node.controllerListenerNames[0] ?? '',
      logger: this.#ports.logger.child({ room: 'server' }),
    })
  }

  /** Where the active controller is, by the leader of the quorum. */
  readonly #findController = (): ControllerPlace | null => {
    const { leaderId, address } = this.#quorum.leaderPlace
    if (leaderId === this.#config.node.nodeId) return { kind: 'local' }
    return leaderId === -1 || address === null ? null : { kind: 'remote', nodeId: leaderId, ...address }
  }

  get #leavingParts(): LeavingParts {
    return {
      nodeId: this.#config.node.nodeId,
      clock: this.#ports.clock,
      image: this.#image,
      hasController: () => this.#findController() !== null,
      isQuorumGone: () => this.#quorum.isMajorityGone,
    }
  }

  /** A connection to the active controller of its own, so that what is slow there holds up nothing else. */
  #makeChannel(purpose: string): QuorumControllerChannel {
    const { network, clock, logger } = this.#ports
    const channel = new QuorumControllerChannel({
      find: this.#findController,
      local: new LocalController(this.#controller?.driver ?? noController, this.#requests, DIRECT_CALL_MS_MAX),
      network,
      clock,
      logger,
      clientId: `${purpose}-${this.#config.node.nodeId}`,
      connectTimeoutMs: this.#config.get('socket.connection.setup.timeout.ms'),
      requestTimeoutMs: this.#config.get('request.timeout.ms'),
      callsMax: CONTROLLER_CALLS_MAX,
    })
    this.#channels.push(channel)
    return channel
  }

  #makeForwarder(): Forwarder {
    const { clock, logger } = this.#ports
    return new Forwarder({
      channel: this.#makeChannel('forwarding'),
      isLocal: () => this.#findController()?.kind === 'local',
      waitFor: offset => this.#publisher.beginWait(offset),
      clock,
      logger,
      requestTimeoutMs: this.#config.get('request.timeout.ms'),
    })
  }

  #makeBroker(incarnationId: string, controllerChannel: QuorumControllerChannel): BrokerRole | null {
    if (!this.#config.node.roles.broker) return null
    return new BrokerRole({
      config: this.#config,
      ports: this.#ports,
      identity: this.#identity,
      directories: this.#directories,
      clusterId: this.clusterId,
      incarnationId,
      publisher: this.#publisher,
      dynamic: this.#dynamic,
      turn: this.#turn,
      pool: this.#pool,
      budget: this.#budget,
      lifecycleChannel: this.#makeChannel('lifecycle'),
      replicationChannel: this.#makeChannel('replication'),
      controllerChannel,
      forwarder: this.#forwarder,
      controller: this.#controller?.driver ?? noController,
      leaving: this.#leavingParts,
      fail: this.#fail,
    })
  }

  #subscribe(channel: QuorumControllerChannel): void {
    const features: MetadataSubscriber = {
      name: 'features',
      onMetadata: (delta, image) => {
        const { metadataVersion, levels } = image.features
        if (delta.features.size > 0) expectKnownFeatures([[METADATA_VERSION, metadataVersion], ...levels])
      },
    }
    const registrar = this.#controller === null ? [] : [this.#controller.registerBy(channel)]
    const subscribers = [features, this.#dynamic, ...(this.#broker?.subscribers ?? []), ...registrar]
    for (const subscriber of subscribers) this.#publisher.subscribe(subscriber)
  }

  #makeServices(): NodeServices {
    const { nodeId } = this.#config.node
    const controller = this.#controller?.driver ?? noController
    const deadBrokers = this.#controller?.deadBrokers ?? null
    const unstableVersions = this.#config.get('unstable.api.versions.enable')
    const ofAll = {
      brokerId: nodeId,
      clusterId: this.clusterId,
      metadata: this.#publisher,
      config: this.#options,
      controller,
      knownController: (onClose: RequestContext['onClose']) =>
        knownController(this.#ports.clock, () => this.activeControllerId, onClose),
      loggers: this.#ports.loggers,
      quorum: this.#quorum,
      advertised: advertisedVersions(this.#image, this.#quorum, unstableVersions, this.clusterId),
      upgradeKRaftVersion: upgradeKRaftVersion(this.#quorum),
      forwarder: this.#forwarder,
      innerRequests: this.#requests,
      ...(deadBrokers === null ? {} : { heartbeatWatch: deadBrokers }),
    }
    // A node that is no broker serves none of the APIs that ask for the rest.
    return this.#broker === null ? (ofAll as unknown as NodeServices) : { ...ofAll, ...this.#broker.services }
  }

  #makeServer(): Server {
    return openServer({
      ports: this.#ports,
      turn: this.#turn,
      pool: this.#pool,
      budget: this.#budget,
      config: this.#config,
      overrides: this.#overrides,
      writeGathered: () => this.#broker?.replicas.appends.write(),
      services: this.#services,
    })
  }
}
