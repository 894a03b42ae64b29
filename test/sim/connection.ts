import { crc32c } from '#protocol/records/crc32c.js'
import type { Connection, ConnectionHandler } from '#src/runtime/ports.js'
import { newLane, type SimNetwork } from './network.js'
import { ProcessGone, type SimProcess } from './process.js'

/** What a socket takes before the peer has read it, and when `write` says that more is waiting than it should. */
const SOCKET_BYTES = 131_072
const HIGH_WATER_BYTES = 65_536
/** What all connections read into. */
const SHARED = Buffer.alloc(65_536)

type Segment = { readonly kind: 'data'; readonly bytes: Buffer } | { readonly kind: 'end' } | { readonly kind: 'reset' }

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
  #waiting: {
    readonly chunks: readonly Uint8Array[]
    readonly bytes: number
    readonly done: (() => void) | undefined
  }[] = []
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

  get bytesLeaving(): number {
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
      network.travel(network.way(this.hostName, this.peerHost), peer.incoming, 'reset', () =>
        peer.#arrive({ kind: 'reset' }),
      )
      return
    }
    // The same may have been sent again over another connection, and be there already.
    if (segment.kind === 'data' && this.peer.isGone) this.#network.countLate(this.hostName)
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

  /**
   * The peer's machine, which went without a word, is there again. Who goes on sending learns from it that nobody knows
   * the connection any more; who may not send more, because nothing was taken, learns it by sending that again.
   */
  sendAgain(): void {
    const { peer } = this
    if (this.#isGone || !peer.#isGone || this.#unread < SOCKET_BYTES) return
    this.#network.coverage.count('sent again to a machine that was without power')
    this.#transmit({ kind: 'data', bytes: Buffer.alloc(0) })
  }

  /** Both ends see a reset. */
  breakNow(): void {
    const { peer } = this
    this.#arrive({ kind: 'reset' })
    if (!peer.#isGone) peer.#arrive({ kind: 'reset' })
  }
}
