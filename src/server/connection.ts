import type { ListenerKind } from '#protocol/schema.js'
import type { RequestOrder } from '../handlers/raw-handler.js'
import type { BufferPool } from '../runtime/buffer-pool.js'
import type { MemoryBudget } from '../runtime/memory-budget.js'
import type { Connection, ConnectionHandler, Millis } from '../runtime/ports.js'
import type { Turn } from '../runtime/turn.js'
import { ReplyQueue } from './reply-queue.js'

/** What one connection may hold. Sizes in bytes. */
export interface ConnectionLimits {
  /** A request larger than this ends the connection (`socket.request.max.bytes`). */
  readonly requestBytesMax: number
  /** Requests that were begun and are not yet answered. */
  readonly inFlightRequestsMax: number
  /** What those requests keep of their frames. */
  readonly inFlightBytesMax: number
  /** Answers that the peer has not taken: with more than this, no request is begun. */
  readonly unsentBytesMax: number
}

/** What all connections of a server share. */
export interface ConnectionHost {
  readonly limits: ConnectionLimits
  readonly pool: BufferPool
  readonly budget: MemoryBudget
  readonly turn: Turn
  readonly frames: FrameHandler
  /** A small buffer for reads, used by all. */
  readonly peekBuffer: Buffer
  /** The time, as of the last tick of a coarse clock. */
  readonly coarseNow: Millis
  /** The connection has answers to send: call `sendReplies` in the stage 'reply'. */
  markReplying(connection: ServerConnection): void
  /** The connection may take up what it held back: call `takeUp` in the stage 'input'. */
  markRunnable(connection: ServerConnection): void
  /** Gives the buffer to the pool, and its bytes to the budget, when the records in it have been written. */
  releaseAfterWrites(frame: Buffer): void
  /** The connection is about to be closed because of what its peer sent. */
  onRefused(connection: ServerConnection, why: string): void
  onClosed(connection: ServerConnection, error: Error | null): void
}

/** What happens to a request. */
export interface FrameHandler {
  /** When a request of this API may begin. */
  orderOf(kind: ListenerKind, apiKey: number): RequestOrder
  /**
   * One request, without its size, in `buffer[start, end)`: valid only during this call and until records are written.
   */
  onFrame(connection: ServerConnection, buffer: Buffer, start: number, end: number): void
}

/**
 * A first buffer for a frame that does not come whole: small, until the peer has shown that it sends what it announces.
 */
const FIRST_BYTES = 65536
/** Grows a frame's buffer to so many times what has come. */
const GROWTH = 4
/** When this much of a frame is missing, the next reads go straight into its buffer. */
const DIRECT_BYTES_MIN = 32768
/** After a frame of this size, little is read of the next one before it has a buffer: what is read has to be copied. */
const LARGE_FRAME_BYTES = 262144
const PEEK_BYTES = 8192
/** Who holds memory moves when this much of it has come or gone; for who holds less, as much as that. */
const MOVED_BYTES_MIN = 65536

const NO_BYTES = Buffer.alloc(0)

/** The buffer that a host has as `peekBuffer`. */
export function newPeekBuffer(): Buffer {
  return Buffer.allocUnsafeSlow(PEEK_BYTES)
}

/**
 * One client's connection: cuts the stream of bytes into requests, starts them in order, sends their answers in order.
 *
 *   bytes ->  [size|request][size|request][size|requ       handled where they lie, in the shared receive buffer
 *             est][size|request]..                         only a request that was cut is put together in a buffer
 *
 * A request that may not start yet (too many in flight, answers not taken, no memory, a serial request before it) stops
 * the reading: what has been read stays here (`held`), what has not stays in the socket.
 */
export class ServerConnection implements ConnectionHandler {
  readonly id: number
  readonly listenerName: string
  readonly listenerKind: ListenerKind
  readonly transport: Connection
  readonly replies: ReplyQueue
  /** When bytes last came or went, by the coarse clock. */
  lastActive: Millis
  /** When it was last seen that it does not just hold memory; see `noteProgress`. */
  lastMoved: Millis
  closed = false
  /** Whether it stands in the server's lists for the end of the turn. */
  isReplying = false
  isRunnable = false

  readonly #host: ConnectionHost

  /** The size of the frame that is being received, -1 between frames. */
  #frameSize = -1
  /** The bytes of a size that was cut itself. */
  #sizeSoFar = 0
  #sizeBytes = 0
  #frame: Buffer | null = null
  #filled = 0
  /** The view that was handed out for the next read. */
  #direct: Buffer | null = null
  /** The largest frame that came whole: buffers up to this are made at once. */
  #trustedBytes = FIRST_BYTES
  #lastFrameBytes = 0

  /** What was read and may not be begun yet. */
  #held: Buffer = NO_BYTES
  #heldAt = 0
  #paused = false
  #inTakeUp = false
  /** Nothing more is read; the answers to what came before are still sent. */
  #refused = false
  #isFollower = false
  /** What the last look at it saw of its answers, and what came and went since it had last moved. */
  #bytesLeaving = 0
  #movedBytes = 0

  readonly #closeListeners = new Set<() => void>()

  constructor(id: number, transport: Connection, listenerName: string, kind: ListenerKind, host: ConnectionHost) {
    this.id = id
    this.transport = transport
    this.listenerName = listenerName
    this.listenerKind = kind
    this.#host = host
    this.lastActive = host.coarseNow
    this.lastMoved = host.coarseNow
    this.replies = new ReplyQueue(transport, host.pool, host.budget, {
      onReady: () => host.markReplying(this),
      onRoom: () => this.#mayContinue(),
    })
  }

  expectRequest(): boolean {
    return this.transport.expectRequest?.() ?? false
  }

  expectReplication(): void {
    this.#isFollower = true
  }

  get clientAddress(): string {
    return this.transport.remoteAddress
  }

  /** It waits for nothing but to be closed: whoever stays silent for too long then gets no more answers. */
  get isRefused(): boolean {
    return this.#refused
  }

  /**
   * Looks now and then how it moves: who takes a large answer slowly is not silent, but who holds memory has to move
   * more than a byte now and then.
   */
  noteProgress(): void {
    const { coarseNow } = this.#host
    const leaving = this.transport.bytesLeaving
    if (leaving > 0 && leaving !== this.#bytesLeaving) {
      this.lastActive = coarseNow
      this.#movedBytes += Math.abs(leaving - this.#bytesLeaving)
    }
    this.#bytesLeaving = leaving
    if (this.#movedBytes < Math.min(MOVED_BYTES_MIN, this.stalledBytes)) return
    this.#movedBytes = 0
    this.lastMoved = coarseNow
  }

  /** Memory that the peer holds by being slow: a frame half sent, answers not taken. */
  get stalledBytes(): number {
    return (this.#frame === null ? 0 : this.#frame.length) + this.#held.length + this.transport.bytesWaiting
  }

  /** Calls `forget` once when the connection is gone; the function returned takes that back. */
  onceClosed(forget: () => void): () => void {
    if (this.closed) {
      forget()
      return () => {}
    }
    this.#closeListeners.add(forget)
    return () => {
      this.#closeListeners.delete(forget)
    }
  }

  onData(buffer: Buffer, start: number, end: number): boolean {
    if (this.closed || this.#refused) return false
    const { turn } = this.#host
    this.lastActive = this.#host.coarseNow
    this.#movedBytes += end - start
    turn.enter()
    if (this.#paused) this.#hold(buffer, start, end)
    else this.#consume(buffer, start, end)
    turn.leave()
    return !this.#paused && !this.closed
  }

  nextBuffer(): Buffer | null {
    const frame = this.#frame
    this.#direct = null
    if (this.#paused) return null
    if (frame === null) return this.#lastFrameBytes >= LARGE_FRAME_BYTES ? this.#host.peekBuffer : null
    if (this.#frameSize - this.#filled < DIRECT_BYTES_MIN) return null
    this.#direct = frame.subarray(this.#filled, Math.min(frame.length, this.#frameSize))
    return this.#direct
  }

  onDrain(): void {
    const { turn, coarseNow } = this.#host
    this.lastActive = coarseNow
    this.#movedBytes = MOVED_BYTES_MIN
    turn.enter()
    this.#mayContinue()
    turn.leave()
  }

  onMemory(): void {
    this.#host.markRunnable(this)
    this.#host.turn.request()
  }

  onClose(error: Error | null): void {
    if (!this.closed) this.#forget()
    this.#host.onClosed(this, error)
  }

  /** Ends the connection at once; answers that wait are lost. */
  close(): void {
    if (this.closed) return
    this.#forget()
    this.transport.destroy()
  }

  #forget(): void {
    this.closed = true
    const { budget, pool } = this.#host
    budget.forget(this)
    this.replies.close()
    if (this.#frame !== null) {
      pool.give(this.#frame)
      budget.give(this.#frame.length)
    }
    this.#frame = null
    this.#direct = null
    budget.give(this.#held.length)
    this.#held = NO_BYTES
    for (const forget of this.#closeListeners) forget()
    this.#closeListeners.clear()
    // The memory that it was called for, perhaps, is for the next one.
    budget.pass()
  }

  /** Takes bytes in: `buffer[start, end)`, which is what `nextBuffer` gave out, the shared buffer, or what was held. */
  #consume(buffer: Buffer, start: number, end: number): void {
    let at = start
    if (this.#direct !== null && buffer === this.#direct) {
      this.#filled += end - start
      at = end
      this.#direct = null
    }
    while (!this.closed && !this.#refused) {
      if (this.#frameSize === -1) {
        at = this.#readSize(buffer, at, end)
        if (this.#frameSize === -1) return
      }
      const size = this.#frameSize
      if (this.#frame === null && end - at >= size) {
        if (!this.#mayStart(buffer, at, size)) {
          this.#hold(buffer, at, end)
          return
        }
        this.#frameSize = -1
        this.#lastFrameBytes = size
        this.#host.frames.onFrame(this, buffer, at, at + size)
        at += size
      } else if (this.#frame !== null && this.#filled === size) {
        if (!this.#mayStart(this.#frame, 0, size)) {
          this.#hold(buffer, at, end)
          return
        }
        this.#startFrame(this.#frame, size)
      } else {
        if (!this.#makeRoom(end - at)) {
          this.#hold(buffer, at, end)
          return
        }
        const frame = this.#frame!
        const taken = Math.min(end - at, Math.min(frame.length, size) - this.#filled)
        if (taken > 0) buffer.copy(frame, this.#filled, at, at + taken)
        this.#filled += taken
        at += taken
        if (at === end && this.#filled < size) return
      }
    }
  }

  /** Reads the four bytes before a frame, which may come in parts; returns where the next byte is. */
  #readSize(buffer: Buffer, at: number, end: number): number {
    let size: number
    if (this.#sizeBytes === 0 && end - at >= 4) {
      size = (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!
      at += 4
    } else {
      while (this.#sizeBytes < 4 && at < end) {
        this.#sizeSoFar = (this.#sizeSoFar << 8) | buffer[at++]!
        this.#sizeBytes++
      }
      if (this.#sizeBytes < 4) return at
      size = this.#sizeSoFar
      this.#sizeSoFar = 0
      this.#sizeBytes = 0
    }
    const { limits, budget } = this.#host
    // Buffers come in powers of two, and what was read already is there beside them.
    const allowed = Math.min(limits.requestBytesMax, Math.floor(budget.bytesMax / 4))
    if (size < 0 || size > allowed) {
      this.refuse(`a request of ${size} bytes was announced; allowed are 0 to ${allowed}`)
      return at
    }
    this.#frameSize = size
    return at
  }

  /** A buffer for the frame that has room for at least one more byte; false when there is no memory for it now. */
  #makeRoom(coming: number): boolean {
    const { pool, budget } = this.#host
    const size = this.#frameSize
    const old = this.#frame
    if (old !== null && this.#filled < old.length) return true
    const received = this.#filled + coming
    const wanted = size <= this.#trustedBytes ? size : Math.min(size, Math.max(FIRST_BYTES, GROWTH * received))
    const frame = pool.take(wanted)
    if (!budget.tryTake(frame.length)) {
      pool.give(frame)
      budget.wait(this, frame.length)
      return false
    }
    if (old !== null) {
      old.copy(frame, 0, 0, this.#filled)
      pool.give(old)
      budget.give(old.length)
    }
    this.#frame = frame
    return true
  }

  #startFrame(frame: Buffer, size: number): void {
    if (size > this.#trustedBytes) this.#trustedBytes = size
    this.#frame = null
    this.#filled = 0
    this.#frameSize = -1
    this.#lastFrameBytes = size
    this.#host.frames.onFrame(this, frame, 0, size)
    this.#host.releaseAfterWrites(frame)
  }

  #mayStart(buffer: Buffer, at: number, size: number): boolean {
    const { limits, budget } = this.#host
    const replies = this.replies
    if (replies.unsentBytes > limits.unsentBytesMax) return false
    if (replies.pending > 0) {
      if (replies.pending >= limits.inFlightRequestsMax || replies.keptBytes >= limits.inFlightBytesMax) return false
      if (replies.pendingSerial > 0) return false
      const order = this.#orderOf(buffer, at, size)
      if (order === 'serial' || (order === 'alone' && replies.pendingAlone > 0)) return false
    }
    if (budget.leftForConsumers > 0) return true
    if (!this.#isFollower && this.#orderOf(buffer, at, size) === 'alone') {
      budget.waitAsConsumer(this)
      return false
    }
    if (budget.left > 0) return true
    budget.wait(this, 1)
    return false
  }

  #orderOf(buffer: Buffer, at: number, size: number): RequestOrder {
    if (size < 2) return 'serial'
    return this.#host.frames.orderOf(this.listenerKind, (buffer[at]! << 8) | buffer[at + 1]!)
  }

  /** Keeps what may not be begun yet and stops reading. */
  #hold(buffer: Buffer, at: number, end: number): void {
    this.#paused = true
    if (this.#inTakeUp && buffer === this.#held) {
      this.#heldAt = at
      return
    }
    // Bytes that come while others are held: a read that was on its way when reading was stopped.
    const left = this.#held.length - this.#heldAt
    const held = Buffer.allocUnsafe(left + end - at)
    this.#held.copy(held, 0, this.#heldAt)
    buffer.copy(held, left, at, end)
    this.#host.budget.take(held.length - this.#held.length)
    this.#held = held
    this.#heldAt = 0
  }

  #mayContinue(): void {
    if (!this.#paused || this.closed) return
    this.#host.markRunnable(this)
    this.#host.turn.request()
  }

  /** Goes on with what was held; reads on if that is all begun. */
  takeUp(): void {
    if (!this.#paused || this.closed) return
    if (this.#refused) {
      this.#closeIfAnswered()
      return
    }
    const { budget } = this.#host
    this.#paused = false
    this.#inTakeUp = true
    this.#consume(this.#held, this.#heldAt, this.#held.length)
    this.#inTakeUp = false
    if (this.closed) return
    if (!this.#paused) {
      // Records of these requests may have been gathered, to be written at the end of this round: the bytes stay till
      // then.
      budget.give(this.#held.length)
      this.#held = NO_BYTES
      this.#heldAt = 0
      this.transport.resume()
    }
    budget.pass()
  }

  /**
   * Ends the connection because of what the peer sent; `why` goes to the log. Requests before that are answered first:
   * what they asked for may have been done.
   */
  refuse(why: string): void {
    if (this.closed || this.#refused) return
    this.#host.onRefused(this, why)
    this.#refused = true
    this.#paused = true
    const { budget } = this.#host
    budget.forget(this)
    budget.give(this.#held.length)
    this.#held = NO_BYTES
    this.#heldAt = 0
    // The memory that it was called for, perhaps, is for the next one.
    budget.pass()
    this.#closeIfAnswered()
  }

  #closeIfAnswered(): void {
    if (this.replies.pending === 0 && this.replies.unsentBytes === 0) this.close()
  }
}
