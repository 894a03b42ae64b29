import type { ErrorCode } from '#protocol/errors.js'

/** One who waits until all records before an offset are committed, or are on the device. */
export interface OffsetWaiter {
  readonly endOffset: number
  onReached(): void
  /**
   * It may never be: this broker does not lead any more (NOT_LEADER_OR_FOLLOWER), or cannot write
   * (KAFKA_STORAGE_ERROR).
   */
  onLost(code: ErrorCode): void
}

/** Waiters that are left behind before they are cut off. */
const COMPACTED = 256

/** A line of waiters in the order of their offsets. */
export class OffsetWaiters {
  #waiters: OffsetWaiter[] = []
  #first = 0

  add(waiter: OffsetWaiter): void {
    this.#waiters.push(waiter)
  }

  /** Everything before `offset` is reached. */
  advance(offset: number): void {
    const waiters = this.#waiters
    while (this.#first < waiters.length && waiters[this.#first]!.endOffset <= offset)
      waiters[this.#first++]!.onReached()
    if (this.#first === waiters.length) {
      waiters.length = 0
      this.#first = 0
    } else if (this.#first >= COMPACTED) {
      waiters.splice(0, this.#first)
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
