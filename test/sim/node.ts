import type { BrokerPorts } from '#src/broker/ports.js'
import { createBroker } from '#src/broker.js'
import type { BrokerConfig } from '#src/config/broker-config.js'
import { brokerConfigFrom } from '#src/config/start.js'
import type { InitialQuorum } from '#src/metadata/bootstrap.js'
import { format } from '#src/metadata/bootstrap.js'
import { formatOptionsOf } from '#src/metadata/node-format.js'
import type { Logger, LogLevel, Millis } from '#src/runtime/ports.js'
import type { SeededRandom } from '../support/random.js'
import { type DiskChange, SimDisk } from '../support/sim-disk.js'
import { type MachineClock, machineClock, ProcessGone, SimClock, SimProcess, simRandom } from './process.js'
import type { World } from './world.js'

/** What the disk of a machine is like at this moment. */
export interface DiskMood {
  /** How long the device takes for a sync, ms: from, and up to so much more. */
  syncMs: readonly [Millis, Millis]
  /** One I/O in so many fails; Infinity: none. */
  errorOneIn: number
  isFull: boolean
}

const AT_EFFECT = 'killed at an effect'

const MOOD: DiskMood = { syncMs: [0.05, 1], errorOneIn: Infinity, isFull: false }

export const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg'

export type NodeState = 'off' | 'starting' | 'up' | 'stopping'

/** A machine with a disk, on which a broker may run. */
export class SimNode {
  readonly id: number
  readonly hostName: string
  readonly clock: MachineClock
  readonly mood: DiskMood = { ...MOOD }
  readonly config: BrokerConfig
  disk = new SimDisk()
  state: NodeState = 'off'
  process: SimProcess | null = null
  /** How often it was started. */
  incarnation = 0
  /** The disk failed or was full since the process began: it may end by itself. */
  hadDiskFault = false
  /** The machine has no power. */
  isPowered = true
  /** Nobody starts it again until then. */
  restartAt: Millis = 0
  /** The id of the directory of its metadata log. */
  directoryId = ''
  /** Directories of which nothing can be read or written until the node is started again. */
  readonly failedDirectories = new Set<string>()
  /** The directories of its data by their ids. */
  readonly #pathById = new Map<string, string>()
  readonly #world: World
  readonly #random: SeededRandom
  readonly #operatorRandom: SeededRandom
  #stop: (() => Promise<void>) | null = null
  /** Somebody has been called who starts it again. */
  #hasOperator = false

  constructor(world: World, id: number, properties: ReadonlyMap<string, string>) {
    this.#world = world
    this.id = id
    this.hostName = `node${id}`
    this.#random = world.randomOf(`node ${id}`)
    this.#operatorRandom = world.randomOf(`operator ${id}`)
    this.clock = machineClock(this.#random)
    const loaded = brokerConfigFrom({ properties })
    if (!loaded.ok) throw new Error(loaded.lines.join('\n'))
    this.config = loaded.config
    world.network.addHost(this.hostName)
  }

  /** Whether so much of its disk has failed that a process may end by itself. */
  get mayEnd(): boolean {
    const { metadataLogDir, logDirs } = this.config.node
    const failed = this.failedDirectories
    // It does not start without knowing whose a directory is.
    if (this.state === 'starting' && failed.size > 0) return true
    return this.hadDiskFault || failed.has(metadataLogDir) || logDirs.every(path => failed.has(path))
  }

  get isRunning(): boolean {
    return this.process !== null
  }

  /** What `ottla format` does, on an empty disk. */
  format(clusterId: string, quorum: InitialQuorum): void {
    const ports = {
      disk: this.disk,
      wallTime: () => Math.floor(this.clock.wallZero + this.#world.scheduler.now),
      uuid: () => this.#random.uuid(),
    }
    format(formatOptionsOf(this.config, { clusterId, quorum, ignoreFormatted: true }), ports)
    const { metadataLogDir, logDirs } = this.config.node
    this.directoryId = this.#idOf(metadataLogDir)
    for (const path of logDirs) this.#pathById.set(this.#idOf(path), path)
  }

  #idOf(directory: string): string {
    const properties = this.disk.readFile(`${directory}/meta.properties`).toString()
    return /^directory\.id=(.*)$/m.exec(properties)?.[1] ?? ''
  }

  /** Where a data directory is; '' for one that is not, or not any more, of this node. */
  pathOf(directoryId: string): string {
    return this.#pathById.get(directoryId) ?? ''
  }

  /** Begins a process; it runs its own way from here on. */
  start(): void {
    if (this.process !== null || !this.isPowered) return
    const { scheduler, network } = this.#world
    const process: SimProcess = new SimProcess(`n${this.id}`, () => this.#die(process, AT_EFFECT))
    this.process = process
    this.state = 'starting'
    this.incarnation++
    this.hadDiskFault = false
    this.failedDirectories.clear()
    this.#hasOperator = false
    network.machineBack(this.hostName)
    this.#attach(process)
    this.#world.note(`n${this.id}`, `start ${this.incarnation}`)
    scheduler.after(this.#random.next() * 50, process, 'boot', () => {
      void this.#main(process)
    })
  }

  /** What the command `ottla start` does. */
  async #main(process: SimProcess): Promise<void> {
    const world = this.#world
    const ports = this.#ports(process)
    let broker: ReturnType<typeof createBroker>
    try {
      broker = createBroker(this.config, ports)
      this.#stop = () => broker.stop()
      await broker.start()
    } catch (error) {
      // Told to stop before it was ready, it ends when it has stopped.
      if (process.isDead || this.state === 'stopping') return
      world.onExit(this, `would not start: ${describe(error)}`)
      this.#die(process, 'exit')
      return
    }
    if (process.isDead) return
    if (this.state === 'starting') this.state = 'up'
    world.note(`n${this.id}`, 'up')
    const error = await broker.failed
    if (process.isDead) return
    broker.abandon()
    world.onExit(this, `failed: ${describe(error)}`)
    this.#die(process, 'exit')
  }

  /** SIGTERM: resolves when the process is gone. */
  async stop(): Promise<void> {
    const { process } = this
    if (process === null || this.#stop === null || this.state === 'stopping') return
    this.state = 'stopping'
    this.#world.note(`n${this.id}`, 'SIGTERM')
    await this.#stop()
    if (!process.isDead) this.#die(process, 'exit')
  }

  /** SIGKILL: now, or just before the `effects`th effect from now on. */
  kill(effects = 0): void {
    const { process } = this
    if (process === null) return
    if (effects > 0) process.dieAtEffect = process.effects + effects
    else this.#die(process, 'SIGKILL')
  }

  /** SIGSTOP, and SIGCONT after some time. */
  pause(ms: Millis): void {
    const { process } = this
    if (process === null) return
    this.#world.note(`n${this.id}`, `SIGSTOP for ${Math.round(ms)} ms`)
    process.busyUntil = Math.max(process.busyUntil, this.#world.scheduler.now + ms)
  }

  #die(process: SimProcess, how: string): void {
    if (process.isDead) return
    process.isDead = true
    this.process = null
    this.#stop = null
    this.state = 'off'
    this.#world.note(`n${this.id}`, `gone: ${how}`)
    if (how === AT_EFFECT) this.#world.coverage.count('killed at an effect')
    this.disk.machine = null
    this.disk = this.disk.killed()
    this.#world.network.processDied(process)
    this.#world.onProcessGone(this)
  }

  /** The power fails: what the disk had not made durable is lost, or part of it. */
  powerOff(): void {
    const { process } = this
    this.isPowered = false
    this.#world.network.machineDied(this.hostName)
    this.#world.beforePowerLoss(this)
    if (process !== null) {
      process.isDead = true
      this.process = null
      this.#stop = null
    }
    this.state = 'off'
    this.disk.machine = null
    this.disk = this.disk.crashed(this.#random.below(2 ** 31))
    this.#world.coverage.count('file lost all that was not synced', this.disk.crash.lost)
    this.#world.coverage.count('last write torn', this.disk.crash.torn)
    this.#world.note(`n${this.id}`, 'power is off')
    this.#world.afterPowerLoss(this)
    this.#world.onProcessGone(this)
  }

  powerOn(): void {
    this.isPowered = true
  }

  /** The disk is replaced by an empty one. */
  replaceDisk(): void {
    this.#world.beforePowerLoss(this, true)
    this.disk = new SimDisk()
    this.#world.afterPowerLoss(this)
  }

  #attach(process: SimProcess): void {
    const world = this.#world
    const { scheduler } = world
    const random = this.#random
    const deviceMs = () => this.mood.syncMs[0] + random.next() * this.mood.syncMs[1]
    this.disk.keepsTrace = false
    this.disk.machine = {
      beforeIo: (what, bytes) => {
        process.effect()
        this.#maybeFail(what, bytes)
      },
      beforeRead: path => this.#maybeFail(`read ${path}`, 0),
      waitForDevice: what =>
        new Promise((resolve, reject) => {
          scheduler.after(deviceMs(), process, 'sync', () => {
            try {
              this.#maybeFail(what, 0)
              resolve()
            } catch (error) {
              reject(error as Error)
            }
          })
        }),
      blockOnDevice: () => {
        process.busyUntil = Math.max(process.busyUntil, scheduler.now) + deviceMs()
      },
      changed: (change: DiskChange) => {
        scheduler.mix(change.path.length)
        if (change.kind === 'write') scheduler.mix(change.bytes.length)
        world.onDiskChange(this, change)
      },
      wallTime: () => Math.floor(this.clock.wallZero + scheduler.now * this.clock.rate),
    }
  }

  /** `bytes`: of a write, part of which may be done when it fails. */
  #maybeFail(what: string, bytes: number): void {
    const { mood } = this
    if (this.failedDirectories.size > 0 && this.failedDirectories.has(directoryIn(what))) {
      this.#world.coverage.count('I/O in a directory that had failed')
      this.#callOperator()
      throw Object.assign(new Error(`EIO: i/o error, ${what}`), { code: 'EIO', done: this.#random.below(bytes + 1) })
    }
    const isGrowing = what.startsWith('write') || what.startsWith('create') || what.startsWith('makeDirectory')
    if (mood.isFull && isGrowing) {
      this.hadDiskFault = true
      this.#callOperator()
      this.#world.coverage.count('disk full')
      const done = this.#random.below(bytes + 1)
      if (done > 0) this.#world.coverage.count('write that failed half way')
      throw Object.assign(new Error(`ENOSPC: no space left on device, ${what}`), { code: 'ENOSPC', done })
    }
    if (mood.errorOneIn !== Infinity && this.#random.below(mood.errorOneIn) === 0) {
      this.hadDiskFault = true
      this.#callOperator()
      this.#world.coverage.count(what.startsWith('read') ? 'disk error at a read' : 'disk error')
      throw Object.assign(new Error(`EIO: i/o error, ${what}`), { code: 'EIO', done: this.#random.below(bytes + 1) })
    }
  }

  /** A directory that has failed is not used again before the next start, which somebody sees to. */
  #callOperator(): void {
    const { plan, scheduler } = this.#world
    if (this.#hasOperator || plan.directories.length === 1) return
    this.#hasOperator = true
    const { process } = this
    const random = this.#operatorRandom
    scheduler.after(random.pick([200, 3000, 10_000]) * random.next(), null, 'operator', () => {
      if (process === null || this.process !== process) return
      this.#world.note(`n${this.id}`, 'is started again for a directory that failed')
      if (random.below(2) === 0) this.kill()
      else void this.stop()
      // One that hangs meanwhile is killed.
      scheduler.after(15_000, null, 'operator', () => {
        if (this.process === process) this.kill()
      })
    })
  }

  #ports(process: SimProcess): BrokerPorts {
    const world = this.#world
    return {
      clock: new SimClock(world.scheduler, process, this.clock),
      random: simRandom(this.#random.below(2 ** 31)),
      network: world.network.port(this.hostName, process),
      disk: this.disk,
      logger: simLogger(world, process),
      loggers: { levels: () => new Map([['root', 'INFO']]), setLevel: () => {} },
      hostname: this.hostName,
      flightBytesMax: 64 * 1048576,
      groupBytesMax: 64 * 1048576,
    }
  }
}

/** The directory at the top that an I/O is done in. */
function directoryIn(what: string): string {
  return /\/[^/ ]+/.exec(what)?.[0] ?? ''
}

/** Log lines go into the trace: two runs of one seed must say the same. */
function simLogger(world: World, process: SimProcess): Logger {
  const at = (level: LogLevel) => (fields: object, message: string) => {
    if (process.isDead) return
    world.scheduler.note(process.name, `${level}: ${message} ${fieldsText(fields)}`)
    if (level === 'error' || level === 'fatal') world.onErrorLine(process.name, message, fields)
  }
  const ignore = (): void => {}
  const logger: Logger = {
    trace: ignore,
    debug: world.logsDebug ? at('debug') : ignore,
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    fatal: at('fatal'),
    child: () => logger,
  }
  return logger
}

function fieldsText(fields: object): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value instanceof Error ? describe(value) : JSON.stringify(value)}`)
    .join(' ')
}

export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof ProcessGone) return 'process gone'
  return error.cause === undefined ? error.message : `${error.message} (${describe(error.cause)})`
}
