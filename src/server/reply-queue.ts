import type { Replies, Reply, RequestOrder } from '../handlers/raw-handler.js'
import type { BufferPool } from '../runtime/buffer-pool.js'
import type { MemoryBudget } from '../runtime/memory-budget.js'
import type { Connection } from '../runtime/ports.js'

const NO_BYTES = Buffer.alloc(0)
const NO_CHUNKS: readonly Uint8Array[] = []

/** The size of a buffer that small answers are written into one after the other. */
const OUT_BYTES = 16384

/** Settled slots that are left behind before they are cut off. */
const SLOTS_COMPACTED = 256

export interface ReplyQueueEvents {
  /** There is something to send: call `flush` at the end of the turn. */
  onReady(): void
  /** Something was sent or answered: what waited for that may go on. */
  onRoom(): void
}

/** What is told about an answer that came later than its request. */
export interface ReplyObserver {
  /** The answer has this many bytes, and was given so long after the request came (`ReplyQueue.startedAt`). */
  onReply(bytes: number, startedAt: number): void
}

/**
 * The answers of one connection, sent in the order of the requests.
 *
 * Most requests are answered while they are handled. Their answers are written one after the other into one buffer
 * (`reserve`, `commit`), which goes out with one system call (`flush`). A request that is answered later takes a slot
 * (`defer`), and then everything after it waits in a slot too:
 *
 *   sent | answered, not flushed |  (waiting)  (answered)  (answered)  (waiting)
 *          ^ out and chunks         ^ slots
 */
export class ReplyQueue implements Replies {
  /** Where an answer may be written after `reserve`, from `at` on. */
  buffer: Buffer = NO_BYTES
  at = 0
  /**
   * Requests that have a slot and no answer yet, those of them that are not free, and what they keep of their frames.
   */
  pending = 0
  pendingSerial = 0
  pendingAlone = 0
  keptBytes = 0
  /** Of the request that is being handled, for slots that it takes. */
  observer: ReplyObserver | null = null
  startedAt = 0
  /** Bytes of all answers so far. */
  totalBytes = 0

  readonly #transport: Connection
  readonly #pool: BufferPool
  readonly #budget: MemoryBudget
  readonly #events: ReplyQueueEvents
  #closed = false

  /** The buffer of small answers, and what of it is answered and not flushed. */
  #out: Buffer | null = null
  #outEnd = 0
  #chunks: Uint8Array[] = []
  #releases: (() => void)[] = []
  #readyBytes = 0

  readonly #slots: Slot[] = []
  #head = 0
  #blockedBytes = 0

  constructor(transport: Connection, pool: BufferPool, budget: MemoryBudget, events: ReplyQueueEvents) {
    this.#transport = transport
    this.#pool = pool
    this.#budget = budget
    this.#events = events
  }

  /** Bytes of answers that the peer's side of the socket has not taken. */
  get unsentBytes(): number {
    return this.#readyBytes + this.#blockedBytes + this.#transport.bytesWaiting
  }

  /** Makes room for an answer of at most `bytes`: write it into `buffer` from `at` on, then call `commit`. */
  reserve(bytes: number): void {
    if (this.#head < this.#slots.length || bytes > OUT_BYTES || this.#closed) {
      this.buffer = Buffer.allocUnsafe(bytes)
      this.at = 0
      return
    }
    if (this.#out === null || this.#out.length - this.#outEnd < bytes) {
      this.#closeRegion()
      this.#out = this.#pool.take(OUT_BYTES)
      this.#budget.take(this.#out.length)
      this.#outEnd = 0
    }
    this.buffer = this.#out
    this.at = this.#outEnd
  }

  /**
   * The answer stands in `buffer` from `at` to `end`. It stays there until the end of the turn, and may be mended till
   * then.
   */
  commit(end: number): void {
    if (this.#closed) return
    const bytes = end - this.at
    this.totalBytes += bytes
    if (this.buffer === this.#out) {
      this.#outEnd = end
      this.#readyBytes += bytes
      this.#events.onReady()
    } else {
      this.#queue([this.buffer.subarray(0, end)], bytes, undefined)
    }
  }

  /**
   * Queues a whole answer. `release` is called when the chunks are not needed any more; their owner accounts for them.
   */
  send(chunks: readonly Uint8Array[], release?: () => void): void {
    if (this.#closed) {
      release?.()
      return
    }
    const bytes = lengthOf(chunks)
    this.totalBytes += bytes
    this.#queue(chunks, bytes, release)
  }

  /** A place for an answer that comes later. `keptBytes`: memory that the request keeps until then. */
  defer(order: RequestOrder, keptBytes: number): Reply {
    const slot = new Slot(this, order, keptBytes, this.observer, this.startedAt)
    this.pending++
    if (order === 'serial') this.pendingSerial++
    else if (order === 'alone') this.pendingAlone++
    this.keptBytes += keptBytes
    this.#budget.take(keptBytes)
    this.#slots.push(slot)
    return slot
  }

  #queue(chunks: readonly Uint8Array[], bytes: number, release: (() => void) | undefined): void {
    if (release === undefined) this.#budget.take(bytes)
    if (this.#head < this.#slots.length) {
      const slot = new Slot(this, 'free', 0, null, 0)
      slot.settle(chunks, bytes, release)
      this.#slots.push(slot)
      this.#blockedBytes += bytes
      return
    }
    this.#addReady(chunks, bytes, release)
    this.#events.onReady()
  }

  #addReady(chunks: readonly Uint8Array[], bytes: number, release: (() => void) | undefined): void {
    this.#closeRegion()
    for (const chunk of chunks) this.#chunks.push(chunk)
    this.#releases.push(release ?? (() => this.#budget.give(bytes)))
    this.#readyBytes += bytes
  }

  /** What was written into the buffer of small answers becomes a chunk. */
  #closeRegion(): void {
    const out = this.#out
    if (out === null || this.#outEnd === 0) return
    this.#chunks.push(out.subarray(0, this.#outEnd))
    this.#releases.push(() => this.#giveOut(out))
    this.#out = null
  }

  #giveOut(out: Buffer): void {
    this.#pool.give(out)
    this.#budget.give(out.length)
  }

  /** A slot has its answer. */
  onSettled(slot: Slot, bytes: number): void {
    this.pending--
    if (slot.order === 'serial') this.pendingSerial--
    else if (slot.order === 'alone') this.pendingAlone--
    this.keptBytes -= slot.keptBytes
    this.#budget.give(slot.keptBytes)
    if (this.#closed) {
      slot.release?.()
      return
    }
    this.totalBytes += bytes
    if (slot.release === undefined) this.#budget.take(bytes)
    this.#blockedBytes += bytes
    if (this.#slots[this.#head] === slot) this.#advance()
    this.#events.onRoom()
  }

  /** Moves the answers at the head of the line to what is sent next. */
  #advance(): void {
    const slots = this.#slots
    let ready = false
    while (this.#head < slots.length && slots[this.#head]!.chunks !== null) {
      const slot = slots[this.#head++]!
      this.#blockedBytes -= slot.bytes
      if (slot.chunks!.length > 0) {
        this.#addReady(slot.chunks!, slot.bytes, slot.release)
        ready = true
      } else if (slot.release !== undefined) {
        slot.release()
      }
    }
    if (this.#head === slots.length) {
      slots.length = 0
      this.#head = 0
    } else if (this.#head >= SLOTS_COMPACTED) {
      slots.splice(0, this.#head)
      this.#head = 0
    }
    if (ready) this.#events.onReady()
  }

  /** Sends what is ready, as one write. */
  flush(): void {
    if (this.#readyBytes === 0 || this.#closed) return
    this.#readyBytes = 0
    const out = this.#out
    if (this.#chunks.length === 0 && out !== null) {
      // The usual case: small answers alone.
      const chunk = out.subarray(0, this.#outEnd)
      this.#out = null
      this.#transport.write([chunk], () => {
        this.#giveOut(out)
        this.#events.onRoom()
      })
      return
    }
    this.#closeRegion()
    const chunks = this.#chunks
    const releases = this.#releases
    this.#chunks = []
    this.#releases = []
    this.#transport.write(chunks, () => {
      for (const release of releases) release()
      this.#events.onRoom()
    })
  }

  /** Nothing more is sent: lets go of all answers that wait. Those still to come are dropped. */
  close(): void {
    if (this.#closed) return
    this.#closeRegion()
    if (this.#out !== null) this.#giveOut(this.#out)
    this.#out = null
    this.#closed = true
    for (const release of this.#releases) release()
    this.#releases = []
    this.#chunks = []
    this.#readyBytes = 0
    for (let i = this.#head; i < this.#slots.length; i++) {
      const slot = this.#slots[i]!
      if (slot.chunks === null) continue
      if (slot.release === undefined) this.#budget.give(slot.bytes)
      else slot.release()
    }
    this.#slots.length = 0
    this.#head = 0
    this.#blockedBytes = 0
  }

  get isClosed(): boolean {
    return this.#closed
  }
}

function lengthOf(chunks: readonly Uint8Array[]): number {
  let bytes = 0
  for (const chunk of chunks) bytes += chunk.length
  return bytes
}

class Slot implements Reply {
  readonly order: RequestOrder
  readonly keptBytes: number
  /** Null until there is an answer. */
  chunks: readonly Uint8Array[] | null = null
  bytes = 0
  release: (() => void) | undefined = undefined
  readonly #queue: ReplyQueue
  readonly #observer: ReplyObserver | null
  readonly #startedAt: number

  constructor(
    queue: ReplyQueue,
    order: RequestOrder,
    keptBytes: number,
    observer: ReplyObserver | null,
    startedAt: number,
  ) {
    this.#queue = queue
    this.order = order
    this.keptBytes = keptBytes
    this.#observer = observer
    this.#startedAt = startedAt
  }

  get isClosed(): boolean {
    return this.#queue.isClosed
  }

  send(chunks: readonly Uint8Array[], release?: () => void): void {
    if (this.chunks !== null) throw new Error('a request was answered twice')
    const bytes = lengthOf(chunks)
    this.settle(chunks, bytes, release)
    this.#observer?.onReply(bytes, this.#startedAt)
    this.#queue.onSettled(this, bytes)
  }

  sendNothing(): void {
    this.send(NO_CHUNKS)
  }

  settle(chunks: readonly Uint8Array[], bytes: number, release: (() => void) | undefined): void {
    this.chunks = chunks
    this.bytes = bytes
    this.release = release
  }
}
