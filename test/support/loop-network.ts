import type {
  Connection,
  ConnectionHandler,
  ConnectOptions,
  Listener,
  ListenOptions,
  Network,
} from '#src/runtime/ports.js'
import { FakeTransport } from './fake-network.js'
import type { VirtualClock } from './virtual-clock.js'

const SHARED_BYTES = 65_536

/** Nodes of one process that reach each other by name, with latency, over links that a test may cut. */
export class LoopNetwork {
  readonly clock: VirtualClock
  latencyMs: () => number = () => 1
  readonly #hosts = new Map<string, Map<number, (connection: Connection) => void>>()
  readonly #ends = new Set<LoopEnd>()
  readonly #cut = new Set<string>()

  constructor(clock: VirtualClock) {
    this.clock = clock
  }

  /** The network as a node sees it. */
  of(host: string): Network {
    return {
      listen: (options, onConnection) => this.#listen(host, options, onConnection),
      connect: options => this.#connect(host, options),
      addressOf: name => Promise.resolve(name),
    }
  }

  /** A client of the test comes to a node. */
  dial(host: string, port: number): FakeTransport {
    const onConnection = this.#hosts.get(host)?.get(port)
    if (onConnection === undefined) throw new Error(`nobody listens on ${host}:${port}`)
    const transport = new FakeTransport()
    onConnection(transport)
    return transport
  }

  /** Everything that a node has open ends, and it listens no more. */
  remove(host: string): void {
    this.#hosts.delete(host)
    for (const end of [...this.#ends]) if (end.host === host || end.peerHost === host) end.break()
  }

  /** Nothing comes through between two nodes; connections stay, as if packets were lost. */
  cut(a: string, b: string): void {
    this.#cut.add(`${a} ${b}`)
    this.#cut.add(`${b} ${a}`)
  }

  heal(): void {
    this.#cut.clear()
    // What was held back is lost with its connections.
    for (const end of [...this.#ends]) {
      if (!end.hasLost) continue
      end.break()
      end.peer?.break()
    }
  }

  isCut(a: string, b: string): boolean {
    return this.#cut.has(`${a} ${b}`)
  }

  #listen(host: string, { port }: ListenOptions, onConnection: (connection: Connection) => void): Promise<Listener> {
    const ports = this.#hosts.get(host) ?? new Map<number, (connection: Connection) => void>()
    this.#hosts.set(host, ports)
    ports.set(port, onConnection)
    return Promise.resolve({ port, close: () => Promise.resolve(void ports.delete(port)) })
  }

  async #connect(from: string, { host, port, timeoutMs }: ConnectOptions): Promise<Connection> {
    const cut = this.isCut(from, host)
    await this.#wait(cut ? timeoutMs : this.latencyMs())
    const onConnection = this.#hosts.get(host)?.get(port)
    if (cut || onConnection === undefined) throw new Error(`cannot connect to ${host}:${port}`)
    const here = new LoopEnd(this, from, host)
    const there = new LoopEnd(this, host, from)
    here.peer = there
    there.peer = here
    this.#ends.add(here).add(there)
    onConnection(there)
    return here
  }

  #wait(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.at(this.clock.now() + ms, resolve))
  }

  forget(end: LoopEnd): void {
    this.#ends.delete(end)
  }
}

/** One end of a connection between two nodes. */
class LoopEnd implements Connection {
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 1
  readonly localPort = 1
  readonly bytesWaiting = 0
  readonly bytesLeaving = 0
  readonly host: string
  readonly peerHost: string
  peer: LoopEnd | null = null
  hasLost = false
  readonly #network: LoopNetwork
  #handler: ConnectionHandler | null = null
  readonly #incoming: Buffer[] = []
  #isPaused = false
  #isClosed = false
  #lastAt = 0
  readonly #shared = Buffer.alloc(SHARED_BYTES)

  constructor(network: LoopNetwork, host: string, peerHost: string) {
    this.#network = network
    this.host = host
    this.peerHost = peerHost
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler
    if (this.#isClosed) handler.onClose(null)
    else this.#deliver()
  }

  write(chunks: readonly Uint8Array[], done?: () => void): boolean {
    const bytes = Buffer.concat(chunks)
    done?.()
    const { peer } = this
    if (this.#isClosed || peer === null) return false
    if (this.#network.isCut(this.host, this.peerHost)) {
      this.hasLost = true
      return true
    }
    const { clock, latencyMs } = this.#network
    // In order, whatever the latency.
    this.#lastAt = Math.max(this.#lastAt, clock.now() + latencyMs())
    clock.at(this.#lastAt, () => peer.#receive(bytes))
    return true
  }

  #receive(bytes: Buffer): void {
    if (this.#isClosed) return
    if (this.#network.isCut(this.host, this.peerHost)) {
      this.hasLost = true
      return
    }
    this.#incoming.push(bytes)
    this.#deliver()
  }

  #deliver(): void {
    const handler = this.#handler
    while (handler !== null && !this.#isPaused && !this.#isClosed && this.#incoming.length > 0) {
      const bytes = this.#incoming.shift()!
      const direct = handler.nextBuffer?.() ?? null
      const target = direct ?? this.#shared
      const length = Math.min(bytes.length, target.length)
      bytes.copy(target, 0, 0, length)
      if (length < bytes.length) this.#incoming.unshift(bytes.subarray(length))
      if (!handler.onData(target, 0, length)) this.#isPaused = true
      if (direct === null) this.#shared.fill(0xee, 0, length)
    }
  }

  resume(): void {
    this.#isPaused = false
    this.#network.clock.soon(() => this.#deliver())
  }

  end(): void {
    this.destroy()
  }

  destroy(): void {
    if (this.#isClosed) return
    this.#close()
    const { peer } = this
    const { clock, latencyMs } = this.#network
    // A cut link says nothing of the end either.
    if (peer !== null && !this.#network.isCut(this.host, this.peerHost)) {
      this.#lastAt = Math.max(this.#lastAt, clock.now() + latencyMs())
      clock.at(this.#lastAt, () => peer.break())
    } else if (peer !== null) peer.hasLost = true
  }

  /** The connection is over, without a word from this end. */
  break(): void {
    this.#close()
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#network.forget(this)
    this.#network.clock.soon(() => this.#handler?.onClose(null))
  }
}
