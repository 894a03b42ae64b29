import type { Clock, Millis, Timer } from '#src/runtime/ports.js'

interface Waiting {
  readonly deadline: Millis
  readonly order: number
  readonly wake: () => void
}

/** How many rounds of promises and `soon` tasks are let run before it is said that they do not come to an end. */
const ROUNDS_MAX = 100_000

/** Time that passes only when a test says so. */
export class VirtualClock implements Clock {
  #now: Millis = 1000
  #order = 0
  readonly #timers = new Set<Waiting>()
  #soon: (() => void)[] = []
  /** Milliseconds since 1970 at `now()` 0. */
  epochMs = 1_700_000_000_000

  now(): Millis {
    return this.#now
  }

  wallTime(): Millis {
    return Math.floor(this.epochMs + this.#now)
  }

  at(deadline: Millis, wake: () => void): Timer {
    const timer = { deadline, order: this.#order++, wake }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  soon(wake: () => void): void {
    this.#soon.push(wake)
  }

  get timerCount(): number {
    return this.#timers.size
  }

  /** Lets promises and `soon` tasks run until nothing is left to do at this time. */
  async settle(): Promise<void> {
    for (let round = 0, quiet = 0; quiet < 5; round++) {
      if (round === ROUNDS_MAX) throw new Error('the test does not settle')
      await Promise.resolve()
      const tasks = this.#soon
      this.#soon = []
      for (const task of tasks) task()
      quiet = tasks.length === 0 ? quiet + 1 : 0
      // Promises of the runtime's own functions take a turn of its loop.
      if (quiet === 4) await new Promise<void>(resolve => setImmediate(resolve))
    }
  }

  /** Lets time pass; timers go off in the order of their deadlines. */
  async advance(ms: Millis): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      await this.settle()
      let next: Waiting | null = null
      for (const timer of this.#timers) {
        if (timer.deadline > until) continue
        if (
          next === null ||
          timer.deadline < next.deadline ||
          (timer.deadline === next.deadline && timer.order < next.order)
        ) {
          next = timer
        }
      }
      if (next === null) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.deadline)
      next.wake()
    }
    this.#now = until
    await this.settle()
  }
}
