interface Waiter {
  readonly epoch: number
  readonly offset: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Those who wait for what they appended to be committed. */
export class CommitWaiters {
  #waiting: Waiter[] = []

  /** Resolves when everything below `offset` is committed, as `committed` is told. */
  wait(epoch: number, offset: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ epoch, offset, resolve, reject })
    })
  }

  /** Everything below `offset` was handed to all listeners. */
  committed(offset: number): void {
    for (const waiter of this.#take(waiter => waiter.offset <= offset)) waiter.resolve()
  }

  /** Leadership in these epochs is over: it is open what becomes of what was appended. */
  lost(isLost: (epoch: number) => boolean, errorOf: (epoch: number) => Error): void {
    for (const waiter of this.#take(waiter => isLost(waiter.epoch))) waiter.reject(errorOf(waiter.epoch))
  }

  #take(isTaken: (waiter: Waiter) => boolean): readonly Waiter[] {
    if (this.#waiting.length === 0) return []
    const taken = this.#waiting.filter(isTaken)
    if (taken.length > 0) this.#waiting = this.#waiting.filter(waiter => !isTaken(waiter))
    return taken
  }
}
