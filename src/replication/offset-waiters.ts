import type { ErrorCode } from '#protocol/errors.js'

/** One who waits until all records before an offset are committed, or are on the device. */
export interface OffsetWaiter {
  readonly endOffset: number
  /** It has given up, and need not be kept. */
  readonly isOver?: boolean
  onReached(): void
  /**
   * It may never be: this broker does not lead any more (NOT_LEADER_OR_FOLLOWER), or cannot write
   * (KAFKA_STORAGE_ERROR).
   */
  onLost(code: ErrorCode): void
}

/** Waiters that are left behind before they are cut off. */
const COMPACTED = 256
/** So many may wait before those who have given up are looked for. */
const SWEPT = 1024

/**
 * A line of waiters in the order of their offsets. Those who give up leave it when it has grown to twice its length:
 * where nothing moves for long, as without a controller, all of them do.
 */
export class OffsetWaiters {
  #waiters: OffsetWaiter[] = []
  #first = 0
  #sweepAt = SWEPT

  /** How many are kept. */
  get size(): number {
    return this.#waiters.length - this.#first
  }

  /** Most come in order; who has sent records again that are in the log already stands where they do. */
  add(waiter: OffsetWaiter): void {
    if (this.#waiters.length >= this.#sweepAt) this.#sweep()
    let at = this.#waiters.length
    while (at > this.#first && this.#waiters[at - 1]!.endOffset > waiter.endOffset) at--
    if (at === this.#waiters.length) this.#waiters.push(waiter)
    else this.#waiters.splice(at, 0, waiter)
  }

  #sweep(): void {
    this.#waiters = this.#waiters.filter((waiter, at) => at >= this.#first && waiter.isOver !== true)
    this.#first = 0
    this.#sweepAt = Math.max(SWEPT, 2 * this.#waiters.length)
  }

  /** Everything before `offset` is reached. What a waiter does then may change the line. */
  advance(offset: number): void {
    while (this.#first < this.#waiters.length && this.#waiters[this.#first]!.endOffset <= offset) {
      this.#waiters[this.#first++]!.onReached()
    }
    if (this.#first === this.#waiters.length) {
      this.#waiters.length = 0
      this.#first = 0
    } else if (this.#first >= COMPACTED) {
      this.#waiters.splice(0, this.#first)
      this.#first = 0
    }
  }

  /** None of them will get what they wait for. */
  lose(code: ErrorCode): void {
    const lost = this.#waiters
    const first = this.#first
    this.#waiters = []
    this.#first = 0
    for (let i = first; i < lost.length; i++) lost[i]!.onLost(code)
  }
}
