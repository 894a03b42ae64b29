import type { Connection, ConnectOptions, Listener, ListenOptions, Millis, Network } from '#src/runtime/ports.js'
import type { SeededRandom } from '../support/random.js'
import { SimConnection } from './connection.js'
import type { Coverage } from './coverage.js'
import type { SimProcess } from './process.js'
import type { Scheduler } from './scheduler.js'

/** How long after a way is open again what was held back arrives: the sender tries again now and then. */
const RETRANSMIT_MS = 200

/** A machine on the network. */
interface Host {
  readonly name: string
  isUp: boolean
  readonly listeners: Map<number, Listening>
}

interface Listening {
  readonly process: SimProcess
  readonly onConnection: (connection: Connection) => void
}

/** The way from one machine to another. */
interface Way {
  baseMs: Millis
  jitterMs: Millis
  /** What is sent stays on the way. */
  isCut: boolean
  /** One packet in so many is lost and sent again; Infinity: none. */
  lossOneIn: number
}

/** What goes one way in one order: the bytes of one direction of a connection. */
export interface Lane {
  last: Millis
  /** What waits for the way to be open again; null when nothing does. */
  held: (() => void)[] | null
}

export function newLane(): Lane {
  return { last: 0, held: null }
}

/** All machines, the ways between them, and the connections. */
export class SimNetwork {
  readonly scheduler: Scheduler
  readonly random: SeededRandom
  readonly coverage: Coverage
  readonly #hosts = new Map<string, Host>()
  readonly #ways = new Map<string, Way>()
  readonly #connections = new Set<SimConnection>()
  /** Lanes that wait until their way is open again. */
  readonly #stuck = new Map<Lane, Way>()
  #nextPort = 30_000

  constructor(scheduler: Scheduler, random: SeededRandom, coverage: Coverage) {
    this.scheduler = scheduler
    this.random = random
    this.coverage = coverage
  }

  addHost(name: string): void {
    this.#hosts.set(name, { name, isUp: true, listeners: new Map() })
  }

  host(name: string): Host | undefined {
    return this.#hosts.get(name)
  }

  way(from: string, to: string): Way {
    const key = `${from}>${to}`
    let way = this.#ways.get(key)
    if (way === undefined) {
      const baseMs = from === to ? 0.02 : 0.1 + this.random.next() * 0.9
      way = { baseMs, jitterMs: from === to ? 0.02 : 0.5, isCut: false, lossOneIn: Infinity }
      this.#ways.set(key, way)
    }
    return way
  }

  /** How long one packet takes. */
  delay(way: Way): Millis {
    const { lossOneIn, baseMs, jitterMs } = way
    const late = lossOneIn !== Infinity && this.random.below(lossOneIn) === 0
    if (late) this.coverage.count('packet lost and sent again')
    return baseMs + this.random.next() * jitterMs + (late ? RETRANSMIT_MS : 0)
  }

  cut(from: string, to: string): void {
    this.way(from, to).isCut = true
  }

  /** Opens a way; what was held back arrives after a while. */
  open(from: string, to: string): void {
    const way = this.way(from, to)
    if (!way.isCut) return
    way.isCut = false
    for (const [lane, its] of this.#stuck) {
      if (its !== way) continue
      this.#stuck.delete(lane)
      this.scheduler.after(this.random.next() * RETRANSMIT_MS, null, 'unstuck', () => this.#flow(way, lane))
    }
  }

  #flow(way: Way, lane: Lane): void {
    if (way.isCut) {
      this.#stuck.set(lane, way)
      return
    }
    const held = lane.held ?? []
    lane.held = null
    for (const arrive of held) arrive()
  }

  /** Some of these machines do not hear some others of them. */
  isCutAmong(hosts: readonly string[]): boolean {
    return hosts.some(from => hosts.some(to => this.#ways.get(`${from}>${to}`)?.isCut === true))
  }

  /** Bytes come to a machine whose sender does not wait for an answer any more. */
  countLate(to: string): void {
    if (this.#hosts.get(to)!.listeners.size > 0) this.coverage.count('request that its client has given up arrives')
  }

  openAll(): void {
    for (const key of this.#ways.keys()) {
      const [from, to] = key.split('>')
      this.open(from!, to!)
    }
  }

  /** All ways are as fast as they once were. */
  healWays(): void {
    for (const way of this.#ways.values()) {
      way.baseMs = Math.min(way.baseMs, 1)
      way.lossOneIn = Infinity
    }
  }

  /** Calls `arrive` after the delay of the way, or when it is open again; in the order of the calls for one lane. */
  travel(way: Way, lane: Lane, kind: string, arrive: () => void): void {
    lane.last = Math.max(lane.last, this.scheduler.now + this.delay(way))
    this.scheduler.at(lane.last, null, kind, () => {
      if (lane.held !== null) {
        lane.held.push(arrive)
      } else if (way.isCut) {
        this.coverage.count('packet held back by a cut')
        lane.held = [arrive]
        this.#stuck.set(lane, way)
      } else {
        arrive()
      }
    })
  }

  /** The network as one process on a machine has it. */
  port(hostName: string, process: SimProcess): Network {
    return {
      listen: (options, onConnection) => this.#listen(hostName, process, options, onConnection),
      connect: options => this.#connect(hostName, process, options),
      addressOf: host => Promise.resolve(host),
    }
  }

  #listen(
    hostName: string,
    process: SimProcess,
    options: ListenOptions,
    onConnection: (connection: Connection) => void,
  ): Promise<Listener> {
    const host = this.#hosts.get(hostName)!
    const port = options.port === 0 ? this.#nextPort++ : options.port
    if (host.listeners.has(port)) {
      return Promise.reject(new Error(`cannot listen on ${options.host}:${port}: the address is in use (EADDRINUSE)`))
    }
    host.listeners.set(port, { process, onConnection })
    return Promise.resolve({
      port,
      close: () => {
        if (host.listeners.get(port)?.process === process) host.listeners.delete(port)
        return Promise.resolve()
      },
    })
  }

  #connect(hostName: string, process: SimProcess, { host: to, port, timeoutMs }: ConnectOptions): Promise<Connection> {
    const { scheduler } = this
    if (process.isDead) return new Promise(() => {})
    const there = this.way(hostName, to)
    const back = this.way(to, hostName)
    const lane = newLane()
    return new Promise((resolve, reject) => {
      let isOver = false
      const fail = (why: string, code: string): void => {
        if (isOver) return
        isOver = true
        const cause = Object.assign(new Error(`${code} ${to}:${port}`), { code })
        reject(new Error(`cannot connect to ${to}:${port}: ${why}`, { cause }))
      }
      scheduler.after(timeoutMs, process, 'connect timeout', () =>
        fail(`no answer within ${timeoutMs} ms`, 'ETIMEDOUT'),
      )
      this.travel(there, lane, 'syn', () => {
        const host = this.#hosts.get(to)
        if (host === undefined || !host.isUp || isOver || process.isDead) return
        const listening = host.listeners.get(port)
        if (listening === undefined || listening.process.isDead) {
          this.travel(back, newLane(), 'refused', () => {
            scheduler.at(scheduler.now, process, 'refused', () => {
              this.coverage.count('connection refused')
              fail('connection refused (ECONNREFUSED)', 'ECONNREFUSED')
            })
          })
          return
        }
        const [client, server] = this.#pair(hostName, process, to, port, listening.process)
        scheduler.at(scheduler.now, listening.process, 'accept', () => {
          if (!server.isGone) listening.onConnection(server)
        })
        this.travel(back, client.incoming, 'connected', () => {
          if (process.isDead || isOver) return client.vanish('reset')
          scheduler.at(scheduler.now, process, 'connected', () => {
            if (isOver) return client.vanish('reset')
            isOver = true
            resolve(client)
          })
        })
      })
    })
  }

  #pair(
    from: string,
    client: SimProcess,
    to: string,
    port: number,
    server: SimProcess,
  ): [SimConnection, SimConnection] {
    const clientPort = this.#nextPort++
    const near = new SimConnection(this, client, from, to, port, clientPort)
    const far = new SimConnection(this, server, to, from, clientPort, port)
    near.peer = far
    far.peer = near
    this.#connections.add(near)
    this.#connections.add(far)
    return [near, far]
  }

  forget(connection: SimConnection): void {
    this.#connections.delete(connection)
  }

  /** The process is gone, its machine is not: peers are told as the operating system does it. */
  processDied(process: SimProcess): void {
    for (const host of this.#hosts.values()) {
      for (const [port, listening] of host.listeners) if (listening.process === process) host.listeners.delete(port)
    }
    for (const connection of [...this.#connections]) {
      if (connection.process === process) connection.vanish(connection.hasUnread ? 'reset' : 'end')
    }
  }

  /** The machine is gone: nobody is told anything. */
  machineDied(name: string): void {
    const host = this.#hosts.get(name)!
    host.isUp = false
    host.listeners.clear()
    for (const connection of [...this.#connections]) if (connection.hostName === name) connection.vanish('silence')
  }

  machineBack(name: string): void {
    this.#hosts.get(name)!.isUp = true
    for (const connection of this.#connections) if (connection.peerHost === name) connection.sendAgain()
  }

  /** A connection breaks in the middle; returns false when there is none. */
  breakOne(): boolean {
    const all = [...this.#connections].filter(
      connection => !connection.isGone && connection.hostName !== connection.peerHost,
    )
    if (all.length === 0) return false
    this.random.pick(all).breakNow()
    return true
  }
}
