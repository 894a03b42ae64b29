/** Someone who waits for memory. */
export interface MemoryWaiter {
  /** There may be room now: try again. Not called from within a call of the waiter. */
  onMemory(): void
}

/** This part of the memory is not for records that consumers may leave lying: others are served however many do. */
const SPARE_SHARE = 1 / 4

/**
 * How many bytes requests and answers in flight may hold in all. Who cannot have what it needs waits in line; small
 * things that must be are taken all the same (`take`), which is why nothing new begins while the budget is used up.
 *
 *   records for consumers, while there is `leftForConsumers` | spare: requests, all other answers
 *   0                                            3/4 bytesMax                            bytesMax
 */
export class MemoryBudget {
  readonly bytesMax: number
  readonly #consumersMax: number
  #used = 0
  /** Who waits for how many bytes, first come first served. */
  readonly #waiting = new Map<MemoryWaiter, number>()
  /** Who waits until there is something left for consumers. */
  readonly #consumers = new Set<MemoryWaiter>()

  constructor(bytesMax: number) {
    if (!(bytesMax > 0)) throw new RangeError(`not a number of bytes: ${bytesMax}`)
    this.bytesMax = bytesMax
    this.#consumersMax = bytesMax * (1 - SPARE_SHARE)
  }

  get used(): number {
    return this.#used
  }

  /** Bytes that are still to be had, 0 when more than all is used. */
  get left(): number {
    return Math.max(0, this.bytesMax - this.#used)
  }

  /** What of them may become an answer to a consumer. */
  get leftForConsumers(): number {
    return Math.max(0, this.#consumersMax - this.#used)
  }

  /** Someone waits, and there is not enough for the first in line. */
  get isShort(): boolean {
    const [first] = this.#waiting.values()
    if (first !== undefined && this.#used + first > this.bytesMax) return true
    return this.#consumers.size > 0 && this.leftForConsumers === 0
  }

  /** Takes the bytes if there are so many left. */
  tryTake(bytes: number): boolean {
    if (this.#used + bytes > this.bytesMax) return false
    this.#used += bytes
    return true
  }

  /** Takes the bytes, also beyond the maximum. */
  take(bytes: number): void {
    this.#used += bytes
  }

  give(bytes: number): void {
    this.#used -= bytes
    if (this.#used < 0) throw new Error('more memory was given back than was taken')
    this.pass()
  }

  /** Stands in line for so many bytes; who stands there already keeps the place. */
  wait(waiter: MemoryWaiter, bytes: number): void {
    if (bytes > this.bytesMax) throw new RangeError(`${bytes} bytes are never to be had`)
    this.#waiting.set(waiter, bytes)
  }

  /** Stands in the line of the consumers: they come after all others. */
  waitAsConsumer(waiter: MemoryWaiter): void {
    this.#consumers.add(waiter)
  }

  isWaiting(waiter: MemoryWaiter): boolean {
    return this.#waiting.has(waiter) || this.#consumers.has(waiter)
  }

  forget(waiter: MemoryWaiter): void {
    this.#waiting.delete(waiter)
    this.#consumers.delete(waiter)
  }

  /**
   * Calls the first in line, if there is what it waits for. Who was called takes it, and then passes the call on:
   * waiters are woken one by one, and those with large wishes are not passed by.
   */
  pass(): void {
    for (const [waiter, bytes] of this.#waiting) {
      if (this.#used + bytes > this.bytesMax) return
      this.#waiting.delete(waiter)
      waiter.onMemory()
      return
    }
    if (this.leftForConsumers === 0) return
    for (const waiter of this.#consumers) {
      this.#consumers.delete(waiter)
      waiter.onMemory()
      return
    }
  }
}
