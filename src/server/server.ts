import type { ListenerKind } from '#protocol/schema.js'
import type { BufferPool } from '../runtime/buffer-pool.js'
import type { MemoryBudget } from '../runtime/memory-budget.js'
import type { Clock, Connection, Listener, Logger, Millis, Network, Timer } from '../runtime/ports.js'
import type { Turn } from '../runtime/turn.js'
import {
  type ConnectionHost,
  type ConnectionLimits,
  type FrameHandler,
  newPeekBuffer,
  ServerConnection,
} from './connection.js'
import {
  addressLimit,
  type ConnectionCountLimits,
  ConnectionCounts,
  type CountedConnection,
} from './connection-counts.js'
import { RateLimitedLog } from './rate-limited-log.js'

export interface ServerLimits extends ConnectionLimits, ConnectionCountLimits {
  /** `connections.max.idle.ms`; Infinity for never. */
  readonly idleMs: Millis
  /** Connections of this kind wait, unread, until it says something else: the node is not ready for them. */
  readonly closedTo?: ListenerKind | null
}

export interface ServerOptions {
  readonly network: Network
  readonly clock: Clock
  readonly logger: Logger
  readonly turn: Turn
  readonly pool: BufferPool
  /** Memory for frames and answers of all connections. */
  readonly budget: MemoryBudget
  readonly frames: FrameHandler
  readonly limits: ServerLimits
}

export interface ListenerOptions {
  /** As in `listeners`: 'PLAINTEXT'. */
  readonly name: string
  readonly kind: ListenerKind
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
  /** `socket.listen.backlog.size`. */
  readonly backlog: number
}

/** What happened at the doors of the server, added up. */
export interface ConnectionCounters {
  open: number
  accepted: number
  /** Closed because their address has too many. */
  refusedByIp: number
  /** Closed because too many waited for their turn, or to make room. */
  refusedByCount: number
  closedIdle: number
  /** Closed because they held memory that others waited for. */
  closedStalled: number
  /** Closed because of what they sent. */
  closedBad: number
}

/** Accepted, and not let in yet. */
interface WaitingConnection {
  readonly transport: Connection
  readonly options: ListenerOptions
}

/** Accepted connections that may wait for a place under `max.connections`. */
const WAITING_MAX = 1000
/** How often idle connections are looked for, at most and at least, ms. */
const SWEEP_MS_MAX = 5000
const SWEEP_MS_MIN = 50
/** While memory is short, a connection that holds some and has not moved for this long is closed, ms. */
const STALLED_MS = 10_000
/** Lines about bad requests, per second. */
const REFUSALS_PER_SECOND = 5

/**
 * The listeners of a broker and the connections that came in by them. One coarse timer looks after idle connections;
 * none has a timer of its own.
 */
export class Server implements ConnectionHost {
  readonly pool: BufferPool
  readonly budget: MemoryBudget
  readonly turn: Turn
  readonly frames: FrameHandler
  readonly peekBuffer = newPeekBuffer()
  coarseNow: Millis = 0
  readonly counters: ConnectionCounters = {
    open: 0,
    accepted: 0,
    refusedByIp: 0,
    refusedByCount: 0,
    closedIdle: 0,
    closedStalled: 0,
    closedBad: 0,
  }
  #limits: ServerLimits
  readonly #network: Network
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #refusals: RateLimitedLog
  #listeners: { readonly kind: ListenerKind; readonly listener: Listener }[] = []
  readonly #connections = new Set<ServerConnection>()
  readonly #counts = new ConnectionCounts()
  #waiting: WaitingConnection[] = []
  #nextId = 1
  #closing = false
  #sweepTimer: Timer | null = null

  #replying: ServerConnection[] = []
  #runnable: ServerConnection[] = []
  #written: Buffer[] = []

  constructor(options: ServerOptions) {
    this.#network = options.network
    this.#clock = options.clock
    this.#logger = options.logger
    this.turn = options.turn
    this.pool = options.pool
    this.budget = options.budget
    this.frames = options.frames
    this.#limits = options.limits
    this.#refusals = new RateLimitedLog(options.clock, options.logger, REFUSALS_PER_SECOND)
    this.turn.add('reply', () => this.#reply())
    this.turn.add('input', () => this.#takeUp())
    this.#sweepLater()
  }

  get limits(): ServerLimits {
    return this.#limits
  }

  /**
   * Dynamic options: they act on what comes from now on. Of all connections together there are never more than
   * `connectionsMax`, however: those that are too many are closed.
   */
  updateLimits(limits: ServerLimits): void {
    this.#limits = limits
    this.#closeExcess('broker')
    this.#closeExcess('controller')
    this.#admitWaiting()
  }

  /** Opens a listener; resolves with its port. */
  async listen(options: ListenerOptions): Promise<number> {
    const { name, host, port, backlog } = options
    const onAcceptError = (error: Error): void => {
      this.#refusals.error({ listener: name, error: error.message }, 'a connection could not be accepted')
    }
    const addressed = { host, port, backlog, onAcceptError }
    const listener = await this.#network.listen(addressed, transport => this.#accept(transport, options))
    // Closed meanwhile: nobody would close it later.
    if (this.#closing) await listener.close()
    else this.#listeners.push({ kind: options.kind, listener })
    return listener.port
  }

  /** The connections of this moment. */
  connections(): IterableIterator<ServerConnection> {
    return this.#connections.values()
  }

  /** Stops listening on the listeners of a kind and closes their connections; the others go on. */
  async closeListeners(kind: ListenerKind): Promise<void> {
    const isMeant = (one: { readonly kind: ListenerKind }): boolean => one.kind === kind
    const listeners = this.#listeners.filter(isMeant)
    this.#listeners = this.#listeners.filter(one => !isMeant(one))
    const closed = Promise.all(listeners.map(({ listener }) => listener.close()))
    for (const { transport } of this.#waiting.filter(({ options }) => isMeant(options))) transport.destroy()
    this.#waiting = this.#waiting.filter(({ options }) => !isMeant(options))
    for (const connection of [...this.#connections]) if (connection.listenerKind === kind) connection.close()
    await closed
  }

  /** Stops listening and closes every connection. */
  async close(): Promise<void> {
    this.#closing = true
    this.#sweepTimer?.cancel()
    const listeners = this.#listeners.splice(0)
    await Promise.all(listeners.map(({ listener }) => listener.close()))
    for (const { transport } of this.#waiting) transport.destroy()
    this.#waiting = []
    for (const connection of [...this.#connections]) connection.close()
  }

  #accept(transport: Connection, options: ListenerOptions): void {
    this.counters.accepted++
    if (this.#closing) {
      transport.destroy()
      return
    }
    const counted = countedOf(transport, options)
    if (this.#counts.hasPlace(counted, this.#limits) && this.#limits.closedTo !== options.kind) {
      this.#admit(transport, options)
    } else if (!this.#counts.mayHave(counted, this.#limits)) {
      this.#refuseByIp(transport)
    } else if (this.#waiting.length < WAITING_MAX) {
      this.#waiting.push({ transport, options })
    } else {
      this.counters.refusedByCount++
      const { connectionsMax } = this.#limits
      this.#refusals.warn({ connections: connectionsMax }, 'too many connections, closed the newest')
      transport.destroy()
    }
  }

  #refuseByIp(transport: Connection): void {
    const client = transport.remoteAddress
    const allowed = addressLimit(this.#limits, client)
    this.counters.refusedByIp++
    this.#refusals.info({ client, allowed }, 'too many connections from one address, closed the newest')
    transport.destroy()
  }

  /** Lets one in for which there is a place, if its address may have one more. */
  #admit(transport: Connection, options: ListenerOptions): void {
    const counted = countedOf(transport, options)
    if (!this.#counts.mayHave(counted, this.#limits)) {
      this.#refuseByIp(transport)
      return
    }
    const connection = new ServerConnection(this.#nextId++, transport, options.name, options.kind, this)
    this.#connections.add(connection)
    this.#counts.add(counted)
    this.counters.open = this.#connections.size
    transport.start(connection)
    this.#closeExcess(options.kind)
  }

  #admitWaiting(): void {
    if (this.#waiting.length === 0) return
    const { closedTo } = this.#limits
    const left: WaitingConnection[] = []
    for (const one of this.#waiting.splice(0)) {
      const { transport, options } = one
      const hasPlace = this.#counts.hasPlace(countedOf(transport, options), this.#limits)
      if (hasPlace && options.kind !== closedTo && !this.#closing) this.#admit(transport, options)
      else left.push(one)
    }
    this.#waiting.unshift(...left)
  }

  /** While there are too many, closes those that have been silent for the longest time, but none between brokers. */
  #closeExcess(kind: ListenerKind): void {
    const excess = this.#counts.excess(kind, this.#limits)
    if (excess === 0) return
    // What is closed counts until its socket is gone.
    let leaving = 0
    let mostSilent: ServerConnection | null = null
    for (const connection of this.#connections) {
      if (!this.#mayMakeRoom(connection, kind)) continue
      if (connection.closed) leaving++
      else if (mostSilent === null || connection.lastActive < mostSilent.lastActive) mostSilent = connection
    }
    const needed = excess - leaving
    // One that came makes one too many, and nothing is sorted for it: there may be very many, and others to come.
    if (needed === 1 && mostSilent !== null) this.#closeForRoom(mostSilent)
    if (needed <= 1) return
    const open = [...this.#connections].filter(each => !each.closed && this.#mayMakeRoom(each, kind))
    open.sort((a, b) => a.lastActive - b.lastActive)
    for (const connection of open.slice(0, needed)) this.#closeForRoom(connection)
  }

  #mayMakeRoom({ listenerKind, listenerName }: ServerConnection, kind: ListenerKind): boolean {
    return listenerKind === kind && listenerName !== this.#limits.protectedListener
  }

  #closeForRoom(connection: ServerConnection): void {
    this.counters.refusedByCount++
    this.#refusals.warn({ client: connection.clientAddress }, 'too many connections, closed the most silent')
    connection.close()
  }

  markReplying(connection: ServerConnection): void {
    if (!connection.isReplying) {
      connection.isReplying = true
      this.#replying.push(connection)
    }
    this.turn.request()
  }

  markRunnable(connection: ServerConnection): void {
    if (!connection.isRunnable) {
      connection.isRunnable = true
      this.#runnable.push(connection)
    }
    this.turn.request()
  }

  releaseAfterWrites(frame: Buffer): void {
    this.#written.push(frame)
    this.turn.request()
  }

  /** The stage 'reply': records have been written, answers go out. */
  #reply(): void {
    if (this.#written.length > 0) {
      const written = this.#written
      this.#written = []
      for (const frame of written) {
        this.pool.give(frame)
        this.budget.give(frame.length)
      }
    }
    if (this.#replying.length === 0) return
    const replying = this.#replying
    this.#replying = []
    for (const connection of replying) {
      connection.isReplying = false
      connection.replies.flush()
    }
  }

  /** The stage 'input': connections that held bytes back take them up. */
  #takeUp(): void {
    if (this.#runnable.length === 0) return
    const runnable = this.#runnable
    this.#runnable = []
    for (const connection of runnable) {
      connection.isRunnable = false
      connection.takeUp()
    }
  }

  onRefused(connection: ServerConnection, why: string): void {
    this.counters.closedBad++
    this.#refusals.info(
      { client: connection.clientAddress, listener: connection.listenerName },
      `closed a connection: ${why}`,
    )
  }

  onClosed(connection: ServerConnection, error: Error | null): void {
    if (!this.#connections.delete(connection)) return
    this.counters.open = this.#connections.size
    const { listenerKind: kind, listenerName: listener, clientAddress: address } = connection
    this.#counts.remove({ kind, listener, address })
    if (error !== null) this.#logger.debug({ client: address, err: error }, 'a connection broke')
    this.#admitWaiting()
  }

  #sweepLater(): void {
    const { idleMs } = this.#limits
    const interval = Math.min(SWEEP_MS_MAX, Math.max(SWEEP_MS_MIN, idleMs / 4))
    // Who is active until then counts as active then, so that nobody is closed too early.
    this.coarseNow = this.#clock.now() + interval
    this.#sweepTimer = this.#clock.at(this.coarseNow, () => this.#sweep())
  }

  /** Closes who has been silent for too long, and while memory is short, who holds some of it and does not move. */
  #sweep(): void {
    const now = this.#clock.now()
    const idleBefore = now - this.#limits.idleMs
    for (const connection of this.#connections) {
      connection.noteProgress()
      if (connection.lastActive >= idleBefore) continue
      if (connection.replies.pending > 0 && !connection.isRefused) continue
      this.counters.closedIdle++
      connection.close()
    }
    if (this.budget.isShort) this.#closeStalled(now)
    this.pool.trim()
    if (!this.#closing) this.#sweepLater()
  }

  /**
   * Begins with those that do not wait for memory themselves and hold the most of it, and closes no more than are
   * needed for the first who waits.
   */
  #closeStalled(now: Millis): void {
    const stalled = [...this.#connections]
      .filter(({ lastMoved, stalledBytes }) => lastMoved < now - STALLED_MS && stalledBytes > 0)
      .sort(
        (a, b) =>
          Number(this.budget.isWaiting(a)) - Number(this.budget.isWaiting(b)) || b.stalledBytes - a.stalledBytes,
      )
    for (const connection of stalled) {
      if (!this.budget.isShort) return
      this.counters.closedStalled++
      this.#refusals.warn({ client: connection.clientAddress }, 'closed a slow connection: others wait for its memory')
      connection.close()
    }
  }
}

function countedOf(
  { remoteAddress: address }: Connection,
  { kind, name: listener }: ListenerOptions,
): CountedConnection {
  return { kind, listener, address }
}
