import type { BufferPool } from '../runtime/buffer-pool.js'
import type { MemoryBudget } from '../runtime/memory-budget.js'
import type { Connection, ConnectionHandler } from '../runtime/ports.js'
import type { Turn } from '../runtime/turn.js'

/** The largest response that is believed, in bytes. */
const RESPONSE_BYTES_MAX = 256 * 1024 * 1024
const SIZE_BYTES = 4
/** When this much of a response is missing, the next reads go straight into its buffer. */
const DIRECT_BYTES_MIN = 16_384
/** After a response of this size, little is read of the next one before it has a buffer: that has to be copied. */
const LARGE_RESPONSE_BYTES = 262_144
const PEEK_BYTES = 8192

export interface LeaderConnectionParts {
  readonly turn: Turn
  readonly pool: BufferPool
  readonly budget: MemoryBudget
  /** A whole response lies in `buffer[start, end)`, without its size; valid during the call. */
  readonly onFrame: (buffer: Buffer, start: number, end: number) => void
  /** The connection is over; called once, unless `close` ended it. */
  readonly onClosed: (why: string) => void
}

/**
 * A connection to a leader, which sends requests and takes responses off the socket: small ones where they lie, large
 * ones in a pooled buffer that the socket reads into. Nothing of a response is copied on its way to the log.
 */
export class LeaderConnection implements ConnectionHandler {
  readonly #connection: Connection
  readonly #parts: LeaderConnectionParts
  /** The response that is coming in, if it does not come in one piece. */
  #frame: Buffer | null = null
  #frameSize = -1
  #filled = 0
  #direct: Buffer | null = null
  #lastFrameBytes = 0
  /** For the beginning of what is likely to be a large response. */
  #peek: Buffer | null = null
  /** The size of a response may come in parts. */
  #sizeSoFar = 0
  #sizeBytes = 0
  #isClosed = false

  constructor(connection: Connection, parts: LeaderConnectionParts) {
    this.#connection = connection
    this.#parts = parts
    connection.start(this)
  }

  send(chunks: readonly Uint8Array[]): void {
    this.#connection.write(chunks)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#release()
    this.#connection.destroy()
  }

  nextBuffer(): Buffer | null {
    const frame = this.#frame
    this.#direct = null
    if (this.#isClosed) return null
    if (frame === null) {
      if (this.#lastFrameBytes < LARGE_RESPONSE_BYTES) return null
      return (this.#peek ??= Buffer.allocUnsafe(PEEK_BYTES))
    }
    if (this.#frameSize - this.#filled < DIRECT_BYTES_MIN) return null
    this.#direct = frame.subarray(this.#filled, this.#frameSize)
    return this.#direct
  }

  onData(buffer: Buffer, start: number, end: number): boolean {
    const { turn } = this.#parts
    turn.enter()
    if (!this.#isClosed) this.#consume(buffer, start, end)
    turn.leave()
    return !this.#isClosed
  }

  onDrain(): void {}

  onClose(error: Error | null): void {
    this.#fail(error === null ? 'the leader closed the connection' : error.message)
  }

  #fail(why: string): void {
    if (this.#isClosed) return
    this.close()
    this.#parts.onClosed(why)
  }

  #release(): void {
    const frame = this.#frame
    if (frame === null) return
    this.#frame = null
    this.#direct = null
    this.#parts.pool.give(frame)
    this.#parts.budget.give(frame.length)
  }

  #consume(buffer: Buffer, start: number, end: number): void {
    let at = start
    if (this.#direct !== null && buffer === this.#direct) {
      this.#filled += end - start
      at = end
      this.#direct = null
    }
    while (!this.#isClosed) {
      if (this.#frameSize === -1) {
        at = this.#readSize(buffer, at, end)
        if (this.#frameSize === -1) return
      }
      const size = this.#frameSize
      if (this.#frame === null && end - at >= size) {
        this.#frameSize = -1
        this.#lastFrameBytes = size
        this.#parts.onFrame(buffer, at, at + size)
        at += size
        continue
      }
      this.#frame ??= this.#makeRoom(size)
      const taken = Math.min(end - at, size - this.#filled)
      buffer.copy(this.#frame, this.#filled, at, at + taken)
      this.#filled += taken
      at += taken
      if (this.#filled < size) return
      this.#finishFrame(size)
    }
  }

  #makeRoom(size: number): Buffer {
    const { pool, budget } = this.#parts
    const frame = pool.take(size)
    // Followers must go on when memory is short: what they hold is what lets others go.
    budget.take(frame.length)
    this.#filled = 0
    return frame
  }

  #finishFrame(size: number): void {
    const frame = this.#frame!
    this.#frameSize = -1
    this.#filled = 0
    this.#lastFrameBytes = size
    this.#parts.onFrame(frame, 0, size)
    this.#release()
  }

  /** Returns where the next byte is. */
  #readSize(buffer: Buffer, at: number, end: number): number {
    while (this.#sizeBytes < SIZE_BYTES && at < end) {
      this.#sizeSoFar = (this.#sizeSoFar << 8) | buffer[at++]!
      this.#sizeBytes++
    }
    if (this.#sizeBytes < SIZE_BYTES) return at
    const size = this.#sizeSoFar
    this.#sizeSoFar = 0
    this.#sizeBytes = 0
    if (size < 4 || size > RESPONSE_BYTES_MAX) this.#fail(`the leader announced a response of ${size} bytes`)
    else this.#frameSize = size
    return at
  }
}
