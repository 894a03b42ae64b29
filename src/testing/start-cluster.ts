import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadCompressionsWhenNeeded } from '#protocol/records/compression.js'
import { metaPropertiesName } from '#storage/meta-properties.js'
import { nodeDisk } from '#storage/node-disk.js'
import type { BrokerPorts } from '../broker/ports.js'
import { type Broker, createBroker } from '../broker.js'
import type { BrokerConfig } from '../config/broker-config.js'
import { clusterProfile } from '../config/profiles.js'
import { brokerConfigFrom } from '../config/start.js'
import { format, type InitialQuorum } from '../metadata/bootstrap.js'
import { formatOptionsOf } from '../metadata/node-format.js'
import type { Logger } from '../runtime/logger.js'
import { createNodeClock } from '../runtime/node/clock.js'
import { memoryShares } from '../runtime/node/memory.js'
import { createNodeNetwork } from '../runtime/node/network.js'
import { createNodeRandom } from '../runtime/node/random.js'
import { type ClusterFile, REPLICAS_MAX, readClusterFile, writeClusterFile } from './cluster-file.js'
import { HeldListeners } from './held-listeners.js'
import { NodeStart } from './node-start.js'
import { optionTexts } from './option-texts.js'
import type { Roles } from './roles.js'
import { RunDisk } from './run-disk.js'
import { silentLogger } from './silent-logger.js'

export interface StartClusterOptions {
  /**
   * How many nodes, each broker and controller in one; 3 by default, or as many as the directory has data of. Their ids
   * are 1, 2, 3 …
   */
  readonly brokers?: number
  /** The voters stand in `controller.quorum.voters` of each node, instead of in the log: they cannot change then. */
  readonly hasStaticVoters?: boolean
  /**
   * Where the data lies and stays, a folder a node. A cluster that was there before goes on with all of its nodes,
   * those that were added among them, and needs the ports of its controllers again: its voters know each other by
   * them. Without it, a temporary directory that `close` removes.
   */
  readonly dataDirectory?: string
  /** Options of server.properties for all nodes, over those of the embedded profile. */
  readonly options?: Readonly<Record<string, string>>
  /** Options of single nodes, over those. */
  readonly nodeOptions?: (nodeId: number) => Readonly<Record<string, string>>
  /** Where log lines go: anything with pino's methods, asked for a child a node. Nowhere unless given. */
  readonly logger?: Logger
}

export interface AddNodeOptions {
  /** `process.roles`; 'broker' by default. */
  readonly roles?: Roles
  /** Options of server.properties, over those of the cluster; not kept for when its directory is opened again. */
  readonly options?: Readonly<Record<string, string>>
}

/** One node of a cluster in this process. */
export interface ClusterNode {
  readonly nodeId: number
  /** 'host:port' of its listener for clients; '' for a controller without one. It stays the same. */
  readonly bootstrapServers: string
  /** 'host:port' of its listener for controllers and admin tools; '' for a broker that is no controller. */
  readonly bootstrapControllers: string
  readonly directory: string
  readonly isRunning: boolean
  /** Stops it in order: others lead what it led. */
  stop(): Promise<void>
  /** Ends it at once and without a goodbye, as `kill -9` would. */
  kill(): void
  /** Starts it again, with its data. Resolves when it answers clients. */
  start(): Promise<void>
  /** Takes its data away while it does not run, as a new disk would: it comes back as one that never was there. */
  replaceDisk(): void
}

/** A cluster that runs in this process. */
export interface EmbeddedCluster extends AsyncDisposable {
  /** 'host:port' of each node, separated by commas: what clients call bootstrap servers. */
  readonly bootstrapServers: string
  /** 'host:port' of each controller, for admin tools. */
  readonly bootstrapControllers: string
  readonly clusterId: string
  readonly nodes: readonly ClusterNode[]
  /** The id of the active controller, as the running nodes know it; -1 for none. */
  readonly activeControllerId: number
  /** Resolves with the error when a node can no longer go on; never otherwise. */
  readonly failed: Promise<Error>
  /** Adds a node; a controller is no voter until it is made one: AddRaftVoter, controller.quorum.auto.join.enable. */
  addNode(options?: AddNodeOptions): Promise<ClusterNode>
  /** Stops all nodes, closes every connection and file, and removes the temporary directory. May be called again. */
  close(): Promise<void>
}

/**
 * Starts a cluster on the loopback interface and resolves when all of its nodes answer clients. It leaves no handle,
 * timer, file or signal handler behind once it is closed.
 *
 *     await using kafka = await startCluster({ brokers: 3 })
 *     const client = new Kafka({ brokers: kafka.bootstrapServers.split(',') })
 */
export async function startCluster(options: StartClusterOptions = {}): Promise<EmbeddedCluster> {
  const cluster = new Cluster(options)
  try {
    await cluster.start()
    return cluster
  } catch (error) {
    // Why it could not start says more than what went wrong afterwards.
    await cluster.close().catch(() => {})
    throw error
  }
}

const HOST = '127.0.0.1'
const STATIC: InitialQuorum = { kind: 'static' }

class Cluster implements EmbeddedCluster {
  readonly clusterId: string
  readonly nodes: Node[] = []
  readonly #options: StartClusterOptions
  readonly #temporary: string | null
  readonly #directory: string
  /** What was here before. */
  readonly #kept: ClusterFile | null
  readonly #hasStaticVoters: boolean
  readonly #ports: Omit<BrokerPorts, 'logger'>
  readonly #network = new HeldListeners(createNodeNetwork())
  readonly failed: Promise<Error>
  #fail: (error: Error) => void = () => {}
  #replicasMax = 1
  #closing: Promise<void> | null = null

  constructor(options: StartClusterOptions) {
    this.#options = options
    const disk = nodeDisk()
    const { dataDirectory } = options
    if (dataDirectory === '') throw new Error('dataDirectory: allowed is the path of a directory')
    this.#kept = dataDirectory === undefined ? null : readClusterFile(disk, dataDirectory)
    this.#temporary = dataDirectory === undefined ? mkdtempSync(join(tmpdir(), 'ottla-')) : null
    this.#directory = dataDirectory ?? this.#temporary!
    this.#hasStaticVoters = options.hasStaticVoters ?? this.#kept?.hasStaticVoters ?? false
    loadCompressionsWhenNeeded(path => readFileSync(path))
    this.failed = new Promise(resolve => {
      this.#fail = resolve
    })
    const random = createNodeRandom()
    this.clusterId = this.#kept?.clusterId ?? random.uuid()
    this.#ports = {
      clock: createNodeClock(),
      random,
      network: this.#network,
      disk,
      loggers: { levels: () => new Map([['root', 'INFO']]), setLevel: () => {} },
      hostname: hostname(),
      ...memoryShares(),
    }
  }

  get bootstrapServers(): string {
    return addresses(this.nodes.map(node => node.bootstrapServers))
  }

  get bootstrapControllers(): string {
    return addresses(this.nodes.map(node => node.bootstrapControllers))
  }

  get activeControllerId(): number {
    return Math.max(-1, ...this.nodes.map(node => node.activeControllerId))
  }

  async start(): Promise<void> {
    const { brokers } = this.#options
    if (brokers !== undefined && (!Number.isInteger(brokers) || brokers < 1)) {
      throw new RangeError(`brokers: ${brokers} is no number of nodes`)
    }
    if (this.#kept === null) await this.#begin(brokers ?? 3)
    else await this.#goOn(this.#kept)
  }

  async #begin(count: number): Promise<void> {
    this.#expectNew()
    this.#replicasMax = Math.min(REPLICAS_MAX, count)
    for (let nodeId = 1; nodeId <= count; nodeId++) {
      this.nodes.push(new Node(nodeId, 'broker,controller', await this.#network.hold(), this.#ports.random.uuid()))
    }
    const voters = this.nodes.map(node => `${node.nodeId}@${node.bootstrapControllers}:${node.directoryId}`).join(',')
    const quorum: InitialQuorum = this.#hasStaticVoters ? STATIC : { kind: 'initialControllers', voters }
    for (const node of this.nodes) this.#prepare(node, quorum, this.#options.options ?? {})
    this.#keep()
    await Promise.all(this.nodes.map(node => node.start()))
  }

  async #goOn({ nodes, hasStaticVoters, replicasMax }: ClusterFile): Promise<void> {
    const { brokers } = this.#options
    if (brokers !== undefined && brokers !== nodes.length) {
      throw new Error(`dataDirectory: ${this.#directory} has a cluster of ${nodes.length} nodes; brokers is ${brokers}`)
    }
    if (hasStaticVoters !== this.#hasStaticVoters) {
      throw new Error(`dataDirectory: ${this.#directory} has a cluster with hasStaticVoters: ${hasStaticVoters}`)
    }
    this.#replicasMax = replicasMax
    for (const { nodeId, roles, controllerPort } of nodes) {
      if (controllerPort !== 0) await this.#holdAgain(nodeId, controllerPort)
      this.nodes.push(new Node(nodeId, roles, controllerPort, this.#ports.random.uuid()))
    }
    for (const node of this.nodes) this.#prepare(node, this.#quorumOfJoining(node), this.#options.options ?? {})
    await Promise.all(this.nodes.map(node => node.start()))
  }

  async #holdAgain(nodeId: number, port: number): Promise<void> {
    try {
      await this.#network.hold(port)
    } catch (error) {
      const text = `the controller of node ${nodeId} is known to the others by its port, which somebody else has now`
      throw new Error(`dataDirectory: ${this.#directory}: ${text}: ${(error as Error).message}`, { cause: error })
    }
  }

  async addNode({ roles = 'broker', options = {} }: AddNodeOptions = {}): Promise<ClusterNode> {
    this.#expectOpen()
    if (roles !== 'broker' && this.#hasStaticVoters) throw new Error('voters that are static cannot be joined')
    const controllerPort = roles === 'broker' ? 0 : await this.#network.hold()
    // Another may have been added meanwhile.
    const nodeId = Math.max(0, ...this.nodes.map(node => node.nodeId)) + 1
    const node = new Node(nodeId, roles, controllerPort, this.#ports.random.uuid())
    this.nodes.push(node)
    try {
      this.#prepare(node, this.#quorumOfJoining(node), { ...this.#options.options, ...options })
      this.#keep()
      await node.start()
      return node
    } catch (error) {
      await this.#takeBack(node)
      throw error
    }
  }

  /** A node that could not be added is none: clients are not sent to it, and its place is free. */
  async #takeBack(node: Node): Promise<void> {
    node.retire()
    await node.stop()
    await this.#network.release(node.controllerPort)
    this.nodes.splice(this.nodes.indexOf(node), 1)
    rmSync(this.#directoryOf(node), { recursive: true, force: true })
    this.#keep()
  }

  #directoryOf({ nodeId }: Node): string {
    return join(this.#directory, `node-${nodeId}`)
  }

  /** What a node is formatted with that joins a quorum that there is. */
  #quorumOfJoining({ roles }: Node): InitialQuorum {
    return roles === 'broker' || this.#hasStaticVoters ? STATIC : { kind: 'noInitialControllers' }
  }

  /** Writes down what is needed to open the directory again. */
  #keep(): void {
    if (this.#temporary !== null) return
    const nodes = this.nodes.map(({ nodeId, roles, controllerPort }) => ({ nodeId, roles, controllerPort }))
    writeClusterFile(this.#ports.disk, this.#directory, {
      clusterId: this.clusterId,
      hasStaticVoters: this.#hasStaticVoters,
      replicasMax: this.#replicasMax,
      nodes,
    })
  }

  /** What is started afterwards, nobody would stop. */
  #expectOpen(): void {
    if (this.#closing !== null) throw new Error('the cluster is closed')
  }

  /** Data of which nothing says what cluster it is of: perhaps of one that was not begun to the end. */
  #expectNew(): void {
    const first = join(this.#directory, 'node-1')
    if (!this.#ports.disk.exists(join(first, metaPropertiesName))) return
    throw new Error(
      `dataDirectory: ${first} has data, and nothing beside it says of which cluster; take another directory`,
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    // While they leave, there is a controller that lets them go.
    const left = await Promise.allSettled(this.nodes.map(node => node.leave()))
    // One that cannot be stopped in order holds up no other.
    const stopped = await Promise.allSettled(this.nodes.map(node => node.stop()))
    await this.#network.release()
    if (this.#temporary !== null) rmSync(this.#temporary, { recursive: true, force: true })
    for (const outcome of [...left, ...stopped]) if (outcome.status === 'rejected') throw outcome.reason
  }

  /** Formats a node if it is new, and makes it ready to be started. */
  #prepare(node: Node, quorum: InitialQuorum, options: Readonly<Record<string, string>>): void {
    const directory = this.#directoryOf(node)
    const controllers = this.nodes.filter(other => other.bootstrapControllers !== '')
    const quorumOption = this.#hasStaticVoters
      ? ([
          'controller.quorum.voters',
          controllers.map(one => `${one.nodeId}@${one.bootstrapControllers}`).join(),
        ] as const)
      : (['controller.quorum.bootstrap.servers', addresses(controllers.map(one => one.bootstrapControllers))] as const)
    const own = { ...options, ...this.#options.nodeOptions?.(node.nodeId) }
    const ports = { ...this.#ports, logger: (this.#options.logger ?? silentLogger).child({ node: node.nodeId }) }
    const configOf = (brokerPort: number): BrokerConfig => {
      this.#expectOpen()
      const properties = new Map([
        ...Object.entries(clusterProfile(this.#replicasMax)),
        ...Object.entries(placeOf(node, brokerPort)),
        quorumOption,
        ['log.dirs', directory] as const,
        ...optionTexts(own),
      ])
      const loaded = brokerConfigFrom({ properties })
      if (!loaded.ok) throw new Error(loaded.lines.join('\n'))
      const { nodeId } = loaded.config.node
      if (nodeId !== node.nodeId) {
        throw new Error(
          `options: node.id=${nodeId}: allowed is ${node.nodeId}, the id that this node has in the cluster`,
        )
      }
      return loaded.config
    }
    const formatAs = (kind: InitialQuorum, directoryId: string): void =>
      formatNode(configOf(0), this.clusterId, directoryId, kind, ports)
    const replaceDisk = (): void => {
      this.#expectOpen()
      rmSync(directory, { recursive: true, force: true })
      formatAs(this.#quorumOfJoining(node), this.#ports.random.uuid())
    }
    formatAs(quorum, node.directoryId)
    node.prepare(directory, configOf, ports, { fail: this.#fail, replaceDisk })
  }
}

function addresses(all: readonly string[]): string {
  return all.filter(address => address !== '').join(',')
}

function placeOf({ nodeId, roles, controllerPort }: Node, brokerPort: number): Record<string, string> {
  const listeners: string[] = []
  if (roles !== 'controller') listeners.push(`PLAINTEXT://${HOST}:${brokerPort}`)
  if (roles !== 'broker') listeners.push(`CONTROLLER://${HOST}:${controllerPort}`)
  return { 'process.roles': roles, 'node.id': String(nodeId), listeners: listeners.join(',') }
}

function formatNode(
  config: BrokerConfig,
  clusterId: string,
  directoryId: string,
  quorum: InitialQuorum,
  { disk, clock, random }: BrokerPorts,
): void {
  let isFirst = true
  const uuid = (): string => {
    // The metadata directory of a new node is the first to ask.
    const id = isFirst ? directoryId : random.uuid()
    isFirst = false
    return id
  }
  format(formatOptionsOf(config, { clusterId, quorum, ignoreFormatted: true }), {
    disk,
    wallTime: () => clock.wallTime(),
    uuid,
  })
}

class Node implements ClusterNode {
  readonly nodeId: number
  readonly roles: Roles
  readonly controllerPort: number
  readonly directoryId: string
  directory = ''
  #brokerPort = 0
  /** From the beginning of its start to the beginning of its end. */
  #broker: Broker | null = null
  #disk: RunDisk | null = null
  #starting: NodeStart | null = null
  #stopping: Broker | null = null
  /** Resolves when the broker before has let go of its files and its ports. */
  #stopped: Promise<void> = Promise.resolve()
  #replaceDisk: () => void = () => {}
  #create: () => Broker = () => {
    throw new Error(`node ${this.nodeId} has no data yet`)
  }

  constructor(nodeId: number, roles: Roles, controllerPort: number, directoryId: string) {
    this.nodeId = nodeId
    this.roles = roles
    this.controllerPort = controllerPort
    this.directoryId = directoryId
  }

  get bootstrapServers(): string {
    return this.roles === 'controller' ? '' : `${HOST}:${this.#brokerPort}`
  }

  get bootstrapControllers(): string {
    return this.roles === 'broker' ? '' : `${HOST}:${this.controllerPort}`
  }

  get isRunning(): boolean {
    return this.#broker !== null
  }

  get activeControllerId(): number {
    return this.#broker?.activeControllerId ?? -1
  }

  prepare(
    directory: string,
    configOf: (brokerPort: number) => BrokerConfig,
    ports: BrokerPorts,
    { fail, replaceDisk }: { readonly fail: (error: Error) => void; readonly replaceDisk: () => void },
  ): void {
    this.directory = directory
    this.#replaceDisk = replaceDisk
    this.#create = () => {
      this.#disk = new RunDisk(ports.disk)
      const broker = createBroker(configOf(this.#brokerPort), { ...ports, disk: this.#disk.disk })
      void broker.failed.then(fail)
      return broker
    }
  }

  start(): Promise<void> {
    this.#starting ??= new NodeStart(own => this.#start(own))
    return this.#starting.ready
  }

  async #start(own: NodeStart): Promise<void> {
    try {
      await this.#stopped
      own.expectNotEnded()
      const broker = this.#create()
      this.#broker = broker
      await own.unlessEnded(broker.start())
      this.#brokerPort = broker.listeners.find(({ kind }) => kind === 'broker')?.port ?? 0
    } catch (error) {
      // Ended by somebody else, it may start again by now.
      if (this.#starting === own) await this.stop().catch(() => {})
      throw error
    }
  }

  /** It never starts again. */
  retire(): void {
    this.#create = () => {
      throw new Error(`node ${this.nodeId} could not be added to the cluster`)
    }
  }

  replaceDisk(): void {
    if (this.#broker !== null || this.#stopping !== null) throw new Error(`node ${this.nodeId} runs: stop it first`)
    this.#replaceDisk()
  }

  async leave(): Promise<void> {
    await this.#broker?.leave()
  }

  stop(): Promise<void> {
    const broker = this.#letGo('stopped')
    if (broker === null) return this.#stopped
    this.#stopping = broker
    const stopped = broker.stop()
    const over = (): void => {
      this.#stopping = null
    }
    this.#stopped = stopped.then(over, over)
    return stopped
  }

  kill(): void {
    const broker = this.#letGo('killed') ?? this.#stopping
    if (broker === null) return
    broker.abandon()
    this.#stopped = Promise.all([this.#stopped, this.#disk!.kill()]).then(() => {})
  }

  /** The broker that runs, or is starting and not waited for any more; null if there is none. */
  #letGo(how: string): Broker | null {
    const broker = this.#broker
    this.#starting?.end(new Error(`node ${this.nodeId} was ${how} before it was ready`))
    this.#starting = null
    this.#broker = null
    return broker
  }
}
