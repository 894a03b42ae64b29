/** Someone who waits for memory. */
export interface MemoryWaiter {
  /** There may be room now: try again. Not called from within a call of the waiter. */
  onMemory(): void
}

/**
 * How many bytes requests and answers in flight may hold in all. Who cannot have what it needs waits in line; small
 * things that must be are taken all the same (`take`), which is why nothing new begins while the budget is used up.
 */
export class MemoryBudget {
  readonly bytesMax: number
  #used = 0
  /** Who waits for how many bytes, first come first served. */
  readonly #waiting = new Map<MemoryWaiter, number>()

  constructor(bytesMax: number) {
    if (!(bytesMax > 0)) throw new RangeError(`not a number of bytes: ${bytesMax}`)
    this.bytesMax = bytesMax
  }

  get used(): number {
    return this.#used
  }

  /** Bytes that are still to be had, 0 when more than all is used. */
  get left(): number {
    return Math.max(0, this.bytesMax - this.#used)
  }

  /** Someone waits, and there is not enough for the first in line. */
  get isShort(): boolean {
    for (const bytes of this.#waiting.values()) return this.#used + bytes > this.bytesMax
    return false
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

  isWaiting(waiter: MemoryWaiter): boolean {
    return this.#waiting.has(waiter)
  }

  forget(waiter: MemoryWaiter): void {
    this.#waiting.delete(waiter)
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
  }
}
