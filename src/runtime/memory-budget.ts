/** Someone who waits for memory. */
export interface MemoryWaiter {
  /** There may be room now: try again. Not called from within a call of the waiter. */
  onMemory(): void
}

/**
 * How many bytes requests and answers in flight may hold in all. Who cannot have what it needs waits in line; small things
 * that must be are taken all the same (`take`), which is why nothing new begins while the budget is used up.
 */
export class MemoryBudget {
  readonly bytesMax: number
  #used = 0
  readonly #waiting = new Set<MemoryWaiter>()

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

  /** Whether anyone waits. */
  get isShort(): boolean {
    return this.#waiting.size > 0
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

  /** Stands in line for memory; without effect for one that does already. */
  wait(waiter: MemoryWaiter): void {
    this.#waiting.add(waiter)
  }

  forget(waiter: MemoryWaiter): void {
    this.#waiting.delete(waiter)
  }

  /**
   * Calls the first in line, if there is room. Who was called tries, and then passes the call on: waiters are woken one
   * by one and only as far as the room goes.
   */
  pass(): void {
    if (this.#waiting.size === 0 || this.#used >= this.bytesMax) return
    for (const waiter of this.#waiting) {
      this.#waiting.delete(waiter)
      waiter.onMemory()
      return
    }
  }
}
