import { crc32c } from '#protocol/records/crc32c.js'
import type {
  Connection,
  ConnectionHandler,
  ConnectOptions,
  Listener,
  ListenOptions,
  Millis,
  Network,
} from '#src/runtime/ports.js'
import type { SeededRandom } from '../support/random.js'
import type { Coverage } from './coverage.js'
import { ProcessGone, type SimProcess } from './process.js'
import type { Scheduler } from './scheduler.js'

/** What a socket takes before the peer has read it, and when `write` says that more is waiting than it should. */
const SOCKET_BYTES = 131_072
const HIGH_WATER_BYTES = 65_536
/** What all connections read into. */
const SHARED = Buffer.alloc(65_536)
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
interface Lane {
  last: Millis
  /** What waits for the way to be open again; null when nothing does. */
  held: (() => void)[] | null
}

function newLane(): Lane {
  return { last: 0, held: null }
}

type Segment = { readonly kind: 'data'; readonly bytes: Buffer } | { readonly kind: 'end' } | { readonly kind: 'reset' }

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

  get hasCuts(): boolean {
    for (const way of this.#ways.values()) if (way.isCut) return true
    return false
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
      scheduler.after(timeoutMs, process, 'connect timeout', () => fail(`no answer within ${timeoutMs} ms`, 'ETIMEDOUT'))
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

  #pair(from: string, client: SimProcess, to: string, port: number, server: SimProcess): [SimConnection, SimConnection] {
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
  }

  /** A connection breaks in the middle; returns false when there is none. */
  breakOne(): boolean {
    const all = [...this.#connections].filter(connection => !connection.isGone && connection.hostName !== connection.peerHost)
    if (all.length === 0) return false
    this.random.pick(all).breakNow()
    return true
  }
}

/** One end of a connection. */
export class SimConnection implements Connection {
  readonly process: SimProcess
  readonly hostName: string
  readonly peerHost: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localPort: number
  peer!: SimConnection
  /** The lane of what comes to this end. */
  readonly incoming = newLane()
  readonly #network: SimNetwork
  #handler: ConnectionHandler | null = null
  #received: Segment[] = []
  #isReading = false
  #isDelivering = false
  /** Bytes that this end has sent and the other has not read. */
  #unread = 0
  #waiting: { readonly chunks: readonly Uint8Array[]; readonly bytes: number; readonly done: (() => void) | undefined }[] = []
  #waitingBytes = 0
  #wantsDrain = false
  #hasEnded = false
  #peerHasEnded = false
  /** The socket is closed, or its process is gone. */
  #isGone = false
  #isClosed = false

  constructor(
    network: SimNetwork,
    process: SimProcess,
    hostName: string,
    peerHost: string,
    remotePort: number,
    localPort: number,
  ) {
    this.#network = network
    this.process = process
    this.hostName = hostName
    this.peerHost = peerHost
    this.remoteAddress = peerHost
    this.remotePort = remotePort
    this.localPort = localPort
  }

  get isGone(): boolean {
    return this.#isGone
  }

  get hasUnread(): boolean {
    return this.#received.length > 0
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler
    this.#isReading = true
    if (this.#isClosed) handler.onClose(null)
    else this.#deliverSoon()
  }

  resume(): void {
    if (this.#isReading || this.#isGone || this.#handler === null) return
    this.#isReading = true
    this.#deliverSoon()
  }

  get bytesWaiting(): number {
    return this.#waitingBytes
  }

  write(chunks: readonly Uint8Array[], done?: () => void): boolean {
    if (this.process.isDead) return false
    if (this.#isGone || this.#hasEnded) {
      done?.()
      return false
    }
    try {
      this.process.effect()
    } catch (error) {
      if (error instanceof ProcessGone) return false
      throw error
    }
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    this.#waiting.push({ chunks, bytes, done })
    this.#waitingBytes += bytes
    // Mostly the system takes it at once; sometimes only later, and then the chunks must not change meanwhile.
    if (this.#waiting.length > 1 || this.#network.random.below(16) === 0) {
      this.#network.scheduler.after(this.#network.random.next(), this.process, 'sent', () => this.#push())
    } else {
      this.#push()
    }
    if (this.#waitingBytes < HIGH_WATER_BYTES) return true
    this.#wantsDrain = true
    return false
  }

  /** The system takes what it has room for. */
  #push(): void {
    while (this.#waiting.length > 0 && this.#unread < SOCKET_BYTES && !this.#isGone) {
      const { chunks, bytes, done } = this.#waiting.shift()!
      this.#waitingBytes -= bytes
      this.#unread += bytes
      this.#transmit({ kind: 'data', bytes: Buffer.concat(chunks) })
      done?.()
    }
    if (this.#waiting.length > 0 || this.#isGone) return
    if (this.#hasEnded) this.#sendEnd()
    if (!this.#wantsDrain) return
    this.#wantsDrain = false
    this.#network.scheduler.at(this.#network.scheduler.now, this.process, 'drain', () => {
      if (!this.#isGone) this.#handler?.onDrain()
    })
  }

  #transmit(segment: Segment): void {
    const { peer } = this
    const way = this.#network.way(this.hostName, this.peerHost)
    const network = this.#network
    // What was written while the process waited for a device leaves after that.
    const start = Math.max(network.scheduler.now, this.process.busyUntil)
    const lane = peer.incoming
    lane.last = Math.max(lane.last, segment.kind === 'data' && !this.process.isDead ? start : 0)
    network.travel(way, lane, segment.kind, () => peer.#arrive(segment))
  }

  #arrive(segment: Segment): void {
    const network = this.#network
    if (this.#isGone) {
      // A machine that runs answers for a socket that it does not know any more.
      const isUp = network.host(this.hostName)?.isUp === true
      if (segment.kind !== 'data' || !isUp) return
      const { peer } = this
      network.travel(network.way(this.hostName, this.peerHost), peer.incoming, 'reset', () => peer.#arrive({ kind: 'reset' }))
      return
    }
    if (segment.kind === 'reset') this.#received = [segment]
    else this.#received.push(segment)
    if (segment.kind === 'reset') this.#isReading = true
    this.#deliverSoon()
  }

  #deliverSoon(): void {
    if (this.#isDelivering || this.#received.length === 0 || !this.#isReading || this.#handler === null) return
    this.#isDelivering = true
    const { scheduler } = this.#network
    scheduler.at(scheduler.now, this.process, 'data', () => {
      this.#isDelivering = false
      this.#deliver()
    })
  }

  #deliver(): void {
    while (this.#received.length > 0 && this.#isReading && !this.#isGone) {
      const segment = this.#received[0]!
      if (segment.kind === 'reset') {
        this.#close(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
        return
      }
      if (segment.kind === 'end') {
        this.#received.shift()
        this.#peerHasEnded = true
        this.end()
        return
      }
      this.#deliverBytes(segment.bytes)
      if (this.process.isDead) return
    }
  }

  /** Hands on as much of the first segment as one read takes. */
  #deliverBytes(bytes: Buffer): void {
    const { random, scheduler } = this.#network
    const target = this.#handler!.nextBuffer?.() ?? SHARED
    // Now and then a read brings less than there is.
    const wanted = random.below(8) === 0 ? 1 + random.below(bytes.length) : bytes.length
    const length = Math.min(wanted, target.length, bytes.length)
    bytes.copy(target, 0, 0, length)
    if (length === bytes.length) this.#received.shift()
    else this.#received[0] = { kind: 'data', bytes: bytes.subarray(length) }
    scheduler.mix(crc32c(target, 0, length))
    const { peer } = this
    peer.#unread -= length
    if (peer.#waiting.length > 0 && !peer.#isGone && peer.#unread < SOCKET_BYTES / 2) {
      scheduler.after(0.1, peer.process, 'sent', () => peer.#push())
    }
    if (!this.#handler!.onData(target, 0, length)) this.#isReading = false
    // Bytes are valid only during the call: whoever kept a view of the shared buffer sees other ones now.
    if (target === SHARED) SHARED.fill(0xee, 0, length)
  }

  end(): void {
    if (this.#hasEnded || this.#isGone || this.process.isDead) return
    this.#hasEnded = true
    if (this.#waiting.length === 0) this.#sendEnd()
  }

  #sendEnd(): void {
    this.#transmit({ kind: 'end' })
    if (!this.#peerHasEnded) {
      // What a peer still sends is of no interest, but its end is.
      this.#isReading = true
      this.#deliverSoon()
      return
    }
    this.#closeSoon(null)
  }

  destroy(): void {
    if (this.#isGone || this.process.isDead) return
    const how = this.hasUnread ? 'reset' : 'end'
    this.#transmit({ kind: how })
    this.#closeSoon(null)
  }

  #closeSoon(error: Error | null): void {
    this.#isGone = true
    const { scheduler } = this.#network
    scheduler.at(scheduler.now, this.process, 'close', () => this.#close(error))
  }

  #close(error: Error | null): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isGone = true
    this.#received = []
    this.#network.forget(this)
    for (const { done } of this.#waiting.splice(0)) done?.()
    this.#waitingBytes = 0
    this.#handler?.onClose(error)
  }

  /** The process is gone and with it the socket: nobody here is told, the other end as `how` says. */
  vanish(how: 'end' | 'reset' | 'silence'): void {
    if (this.#isGone) {
      this.#network.forget(this)
      return
    }
    if (how !== 'silence') this.#transmit({ kind: how })
    this.#isGone = true
    this.#isClosed = true
    this.#received = []
    this.#waiting = []
    this.#network.forget(this)
  }

  /** Both ends see a reset. */
  breakNow(): void {
    const { peer } = this
    this.#arrive({ kind: 'reset' })
    if (!peer.#isGone) peer.#arrive({ kind: 'reset' })
  }
}
