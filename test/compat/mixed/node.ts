import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, pause } from '../cluster/started.js'
import { runOrThrow } from '../process.js'
import { answers } from '../wire.js'
import type { Programs } from './programs.js'

export type Kind = 'kafka' | 'ottla'
export type Roles = 'broker' | 'controller' | 'broker,controller'

/** What a node is, before it is there. */
export interface NodePlan {
  readonly kind: Kind
  readonly id: number
  readonly roles: Roles
  /** A controller that is made a voter later. */
  readonly joins?: boolean
}

/** Who the voters are, and how a new node's directory is formatted for them. */
export interface QuorumPlan {
  /** `static`: controller.quorum.voters, kraft.version 0. `dynamic`: the voters are in the metadata log. */
  readonly kind: 'static' | 'dynamic'
  /** Ids of the nodes that are voters from the beginning. */
  readonly voters: readonly number[]
}

export interface RoomPlan {
  readonly nodes: readonly NodePlan[]
  readonly quorum: QuorumPlan
  /** Log directories of each broker. Default: one. */
  readonly directories?: number
  /** The metadata.version that directories are formatted for. Default: the newest. */
  readonly releaseVersion?: string
  /** Options of all nodes, over those of every run. */
  readonly options: Readonly<Record<string, string>>
}

/** Where everything of a room lies. */
export interface Place {
  readonly folder: string
  /** Node n listens for clients on `port + 2 n`, for controllers on the port after it. */
  readonly port: number
  readonly clusterId: string
  readonly programs: Programs
}

const START_TIMEOUT_MS = 90_000
const STOP_TIMEOUT_MS = 60_000

/** A new node finds the voters of a dynamic quorum through these. */
function quorumOptions(node: NodePlan, plan: RoomPlan, place: Place): Record<string, string> {
  const controllers = plan.nodes.filter(node => node.roles.includes('controller'))
  const addressOf = (id: number) => `localhost:${place.port + 2 * id + 1}`
  if (plan.quorum.kind === 'dynamic' || node.joins === true) {
    return { 'controller.quorum.bootstrap.servers': controllers.map(({ id }) => addressOf(id)).join(',') }
  }
  return { 'controller.quorum.voters': plan.quorum.voters.map(id => `${id}@${addressOf(id)}`).join(',') }
}

/** Few partitions of internal topics, short sessions, and leaders that stay where they are until a check moves them. */
function optionsOf(
  node: NodePlan,
  plan: RoomPlan,
  place: Place,
  directories: readonly string[],
): Record<string, string> {
  const clientPort = place.port + 2 * node.id
  const isBroker = node.roles.includes('broker')
  const listeners = [
    ...(isBroker ? [`PLAINTEXT://localhost:${clientPort}`] : []),
    ...(node.roles.includes('controller') ? [`CONTROLLER://localhost:${clientPort + 1}`] : []),
  ]
  return {
    'process.roles': node.roles,
    'node.id': String(node.id),
    ...quorumOptions(node, plan, place),
    listeners: listeners.join(','),
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': directories.join(','),
    'default.replication.factor': '3',
    'min.insync.replicas': '2',
    'offsets.topic.num.partitions': '5',
    'transaction.state.log.num.partitions': '3',
    'share.coordinator.state.topic.num.partitions': '3',
    'group.initial.rebalance.delay.ms': '0',
    'broker.heartbeat.interval.ms': '1000',
    'broker.session.timeout.ms': '8000',
    'auto.leader.rebalance.enable': 'false',
    'replica.lag.time.max.ms': '10000',
    // More does not go into the memory that Kafka is given here.
    'log.cleaner.dedupe.buffer.size': '8388608',
    ...plan.options,
  }
}

/** One process of a room. It is started, ended and started again on the same directory. */
export class MixedNode {
  readonly kind: Kind
  readonly id: number
  readonly roles: Roles
  /** Whether it is a controller that is made a voter later. */
  readonly joins: boolean
  /** host:port for clients; '' for a node that is no broker. */
  readonly address: string
  /** host:port for controllers and tools; '' for a node that is no controller. */
  readonly controllerAddress: string
  /** The first of its log directories, which has the metadata log. */
  readonly data: string
  readonly directories: readonly string[]
  readonly logFile: string
  readonly properties: string
  readonly #plan: RoomPlan
  readonly #place: Place
  #process: ChildProcess | null = null

  constructor(node: NodePlan, plan: RoomPlan, place: Place) {
    this.kind = node.kind
    this.id = node.id
    this.roles = node.roles
    this.joins = node.joins ?? false
    const port = place.port + 2 * node.id
    this.address = node.roles.includes('broker') ? `localhost:${port}` : ''
    this.controllerAddress = node.roles.includes('controller') ? `localhost:${port + 1}` : ''
    const home = join(place.folder, `${node.kind}-${node.id}`)
    mkdirSync(home, { recursive: true })
    this.data = join(home, 'data')
    const count = this.roles.includes('broker') ? (plan.directories ?? 1) : 1
    this.directories = Array.from({ length: count }, (_, i) => (i === 0 ? this.data : `${this.data}-${i + 1}`))
    this.logFile = join(home, 'log')
    this.properties = join(home, 'server.properties')
    this.#plan = plan
    this.#place = place
    const lines = Object.entries(optionsOf(node, plan, place, this.directories)).map(
      ([name, value]) => `${name}=${value}`,
    )
    writeFileSync(this.properties, `${lines.join('\n')}\n`)
  }

  get isRunning(): boolean {
    return this.#process !== null
  }

  /** How it is called in the lines of the report. */
  get name(): string {
    return `${this.kind === 'kafka' ? 'Kafka' : 'Ottla'} ${this.id}`
  }

  /** Prepares its directory as each kind's own command does. `joins`: as a node that is no voter yet. */
  async format(joins = false): Promise<void> {
    const { quorum } = this.#plan
    const flags = [this.properties, '--cluster-id', this.#place.clusterId]
    const { releaseVersion } = this.#plan
    if (releaseVersion !== undefined) flags.push('--release-version', releaseVersion)
    if (quorum.kind === 'dynamic' || this.joins) {
      const isVoter = !joins && quorum.voters.includes(this.id)
      const addressOf = (id: number) => `localhost:${this.#place.port + 2 * id + 1}`
      const voters = quorum.voters.map(id => `${id}@${addressOf(id)}:${directoryIdOf(id)}`)
      flags.push(...(isVoter ? ['--initial-controllers', voters.join(',')] : ['--no-initial-controllers']))
    }
    const { ottla, kafkaTool } = this.#place.programs
    if (this.kind === 'ottla') await runOrThrow(process.execPath, [ottla, 'format', ...flags])
    else await runOrThrow(...kafkaTool('kafka.tools.StorageTool', ['format', '--config', ...flags]))
  }

  /** Starts it on what is in its directory. Resolves when it answers. */
  async start(): Promise<void> {
    if (this.#process !== null) throw new Error(`${this.name} runs already`)
    const { kafkaServer, ottla } = this.#place.programs
    const ottlaArgs = [ottla, 'start', this.properties, '--log-level', 'debug', '--log-format', 'text']
    const command = this.kind === 'kafka' ? kafkaServer(this.properties) : [process.execPath, ...ottlaArgs]
    const log = openSync(this.logFile, 'a')
    const child = spawn('nice', ['-n', '5', ...command], { stdio: ['ignore', log, log] })
    closeSync(log)
    this.#process = child
    child.once('exit', () => {
      if (this.#process === child) this.#process = null
    })
    const address = this.address === '' ? this.controllerAddress : this.address
    const deadline = Date.now() + START_TIMEOUT_MS
    while (!(await answers(address))) {
      if (!this.isRunning) throw new Error(`${this.name} ended: see ${this.logFile}\n${this.lastLines()}`)
      if (Date.now() > deadline) throw new Error(`${this.name} does not answer at ${address}: see ${this.logFile}`)
      await pause(50)
    }
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Holds it, as if its machine had stopped. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  /** Lets it go on. */
  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  /** Asks it to end, and throws if it does not do so in order. */
  async stop(): Promise<void> {
    const code = await this.#end('SIGTERM')
    // A virtual machine that a signal ends in order has this status.
    const good = this.kind === 'kafka' ? [0, 143] : [0]
    if (!good.includes(code)) throw new Error(`${this.name} ended with ${code}: see ${this.logFile}`)
  }

  /** Removes what it stored, as if its disk was replaced; to be formatted again. */
  wipe(): void {
    if (this.isRunning) throw new Error(`${this.name} runs`)
    for (const directory of this.directories) rmSync(directory, { recursive: true, force: true })
  }

  lastLines(): string {
    return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-20).join('\n')
  }

  async #end(signal: NodeJS.Signals): Promise<number> {
    const child = this.#process
    if (child === null) return 0
    const ended = new Promise<number>(resolve => child.once('exit', code => resolve(code ?? -1)))
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    const code = await ended
    clearTimeout(late)
    if (isAlive(child.pid!)) throw new Error(`${this.name} is there after its end`)
    return code
  }
}

/** The directory id that the first voters are known by before their directories are there. */
export function directoryIdOf(id: number): string {
  return Buffer.alloc(16, 0x40 + id).toString('base64url')
}
