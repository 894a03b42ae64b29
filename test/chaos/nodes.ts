import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { answers } from '../compat/wire.js'
import type { ProxyNetwork } from './proxy.js'

/** What differs from the defaults: short sessions, small files, so that much happens in little time. */
const OPTIONS: Readonly<Record<string, string>> = {
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'offsets.topic.num.partitions': '5',
  'offsets.topic.replication.factor': '3',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  'auto.create.topics.enable': 'false',
  'unclean.leader.election.enable': 'false',
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'replica.lag.time.max.ms': '4000',
  'replica.socket.timeout.ms': '3000',
  'controller.socket.timeout.ms': '3000',
  'request.timeout.ms': '3000',
  'leader.imbalance.check.interval.seconds': '5',
  'log.segment.bytes': '1048576',
  'log.index.interval.bytes': '1024',
  'metadata.log.max.record.bytes.between.snapshots': '20000',
  'log.retention.ms': '-1',
}

/** How long a node may take to answer after its start, and to end after SIGTERM, ms. */
const START_MS_MAX = 60_000
const STOP_MS_MAX = 40_000
const POLL_MS = 10
export const SESSION_TIMEOUT_MS = Number(OPTIONS['broker.session.timeout.ms'])

export interface NodeOptions {
  readonly id: number
  readonly host: string
  /** First of ten ports: 0 and 1 are where the node listens, 2 and 3 the doors before them. */
  readonly port: number
  /** Of the run: logs and data lie below it. */
  readonly folder: string
  /** Holds `dist/bundle`. */
  readonly program: string
  readonly clusterId: string
  /** The doors of all controllers, host:port. */
  readonly controllers: readonly string[]
  readonly proxy: ProxyNetwork
  /** Options over those of this file. */
  readonly overrides: Readonly<Record<string, string>>
  readonly onUnexpectedEnd: (text: string) => void
}

/**
 * The program as it is now, in a folder of its own: a build while it runs must not change what is started again.
 * What it imports from outside of the bundle is found through a link.
 */
export function copyProgram(folder: string): string {
  const program = join(folder, 'program')
  mkdirSync(join(program, 'dist'), { recursive: true })
  cpSync(resolve('dist/bundle'), join(program, 'dist', 'bundle'), { recursive: true })
  cpSync(resolve('package.json'), join(program, 'package.json'))
  symlinkSync(resolve('node_modules'), join(program, 'node_modules'))
  return program
}

/** One process of the cluster, broker and controller in one, and what is done to it. */
export class Node {
  readonly id: number
  readonly options: NodeOptions
  readonly data: string
  readonly logFile: string
  readonly #properties: string
  #child: ChildProcess | null = null
  #ended: Promise<string> = Promise.resolve('')
  #mayEnd = true
  /** It has answered since its start; before that a signal may end it as any program. */
  #isReady = false
  isFrozen = false

  constructor(options: NodeOptions) {
    const { id, host, port, folder, proxy } = options
    this.id = id
    this.options = options
    this.data = join(folder, `data-${id}`)
    this.logFile = join(folder, `node-${id}.log`)
    this.#properties = join(folder, `node-${id}.properties`)
    proxy.addDoor({ host, node: id, port: port + 2, target: port })
    proxy.addDoor({ host, node: id, port: port + 3, target: port + 1 })
    const own = {
      'process.roles': 'broker,controller',
      'node.id': String(id),
      'controller.quorum.bootstrap.servers': options.controllers.join(','),
      listeners: `PLAINTEXT://${host}:${port},CONTROLLER://${host}:${port + 1}`,
      'advertised.listeners': `PLAINTEXT://${this.address},CONTROLLER://${this.controllerAddress}`,
      'inter.broker.listener.name': 'PLAINTEXT',
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'log.dirs': join(this.data, 'log'),
    }
    const lines = Object.entries({ ...OPTIONS, ...own, ...options.overrides }).map(
      ([name, value]) => `${name}=${value}\n`,
    )
    writeFileSync(this.#properties, lines.join(''))
  }

  /** Where clients find it: its door. */
  get address(): string {
    return `${this.options.host}:${this.options.port + 2}`
  }

  get controllerAddress(): string {
    return `${this.options.host}:${this.options.port + 3}`
  }

  /** Where a controller of a dynamic quorum says that it is. */
  get controllerEndpoint(): { readonly name: string; readonly host: string; readonly port: number } {
    return { name: 'CONTROLLER', host: this.options.host, port: this.options.port + 3 }
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get pid(): number {
    return this.#child?.pid ?? -1
  }

  /** The id of its directory, as it was formatted. */
  directoryId(): string {
    const text = readFileSync(join(this.data, 'log', 'meta.properties'), 'utf8')
    const id = /^directory\.id=(.+)$/m.exec(text)?.[1]
    if (id === undefined) throw new Error(`node ${this.id} has no directory id:\n${text}`)
    return id
  }

  /** `initial`: the first voters, id@host:port:directory,...; null: it joins a quorum that is there. */
  format(initial: string | null): void {
    mkdirSync(this.data, { recursive: true })
    const quorum = initial === null ? ['--no-initial-controllers'] : ['--initial-controllers', initial]
    this.#run(['format', this.#properties, '--cluster-id', this.options.clusterId, ...quorum])
  }

  #run(args: readonly string[]): void {
    const main = join(this.options.program, 'dist', 'bundle', 'main.js')
    execFileSync(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  }

  /** Starts the process; resolves when it listens, its doors are open and it answers. */
  async start(): Promise<void> {
    const main = join(this.options.program, 'dist', 'bundle', 'main.js')
    const log = openSync(this.logFile, 'a')
    const args = [main, 'start', this.#properties, '--log-level', process.env.CHAOS_LOG_LEVEL ?? 'info']
    const child = spawn(process.execPath, [...args, '--log-format', 'json'], {
      // A node ends with the process that forked it, whose end closes the channel.
      stdio: ['ignore', log, log, 'ipc'],
      cwd: this.options.program,
      // A session of its own: Ctrl-C is for this process to see to, and a scheduler that shares time by sessions gives
      // each node a share, not all of them and their clients one.
      detached: true,
    })
    closeSync(log)
    this.#child = child
    this.#mayEnd = false
    this.#isReady = false
    this.isFrozen = false
    this.#ended = new Promise(resolve => {
      child.once('exit', (code, signal) => {
        this.options.proxy.shut(this.id)
        const how = code === null ? `by ${signal}` : `with status ${code}`
        if (!this.#mayEnd) this.options.onUnexpectedEnd(`node ${this.id} ended ${how} by itself: see ${this.logFile}`)
        resolve(how)
      })
    })
    await this.untilAnswers()
  }

  /** Resolves when it answers, its doors open; throws after the time. */
  async untilAnswers(): Promise<void> {
    const deadline = performance.now() + START_MS_MAX
    const { host, port, proxy } = this.options
    let isOpen = false
    for (;;) {
      if (!this.isRunning) throw new Error(`node ${this.id} does not start: see ${this.logFile}`)
      if (!isOpen && (await listens(host, port + 1))) {
        // The other nodes must reach it before it can be ready.
        await proxy.open(this.id)
        isOpen = true
      }
      if (isOpen && (await answers(`${host}:${port}`))) {
        this.#isReady = true
        return
      }
      if (performance.now() > deadline) throw new Error(`node ${this.id} does not answer: see ${this.logFile}`)
      await pause(POLL_MS)
    }
  }

  /** Ends the process as a crash does; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#mayEnd = true
    this.#child?.kill('SIGKILL')
    this.options.proxy.shut(this.id)
    await this.#ended
  }

  /** Asks the process to end. */
  async stop(): Promise<void> {
    this.#mayEnd = true
    this.#child?.kill('SIGTERM')
    const timer = setTimeout(() => {
      this.options.onUnexpectedEnd(`node ${this.id} did not end within ${STOP_MS_MAX} ms of SIGTERM`)
      this.#child?.kill('SIGKILL')
    }, STOP_MS_MAX)
    const how = await this.#ended
    clearTimeout(timer)
    if (how !== 'with status 0' && (this.#isReady || how !== 'by SIGTERM')) {
      this.options.onUnexpectedEnd(`node ${this.id} ended ${how} after SIGTERM: see ${this.logFile}`)
    }
  }

  /** From now on the process may end by itself, as one does whose disk is full. */
  allowEnd(): void {
    this.#mayEnd = true
  }

  freeze(): void {
    this.isFrozen = true
    this.#child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.isFrozen = false
    this.#child?.kill('SIGCONT')
  }

  /** Throws away all that it had on disk. */
  wipe(): void {
    rmSync(join(this.data, 'log'), { recursive: true, force: true })
  }

  get hasData(): boolean {
    return existsSync(join(this.data, 'log', 'meta.properties'))
  }
}

async function listens(host: string, port: number): Promise<boolean> {
  const { connect } = await import('node:net')
  return new Promise(resolve => {
    const socket = connect({ host, port })
    const end = (found: boolean) => {
      socket.destroy()
      resolve(found)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
