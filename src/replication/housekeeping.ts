import { LogError } from '#storage/log-error.js'
import type { Clock, Logger, Millis, Timer } from '../runtime/ports.js'

/** Something that is done now and then. */
export interface Chore {
  readonly name: string
  /** Infinity: never. Asked before each time, so that dynamic options act. */
  readonly intervalMs: () => Millis
  /** Does it; one that takes long is a generator, which yields where others may go first. */
  run(): Iterable<void> | void
}

/** How long a generator may go on before others get their turn, ms. */
const SLICE_MS = 5

/** Runs chores by deadlines. What one of them throws is logged and tried again next time. */
export class Housekeeping {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #timers = new Map<Chore, Timer>()
  #isClosed = false

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  add(chore: Chore): void {
    this.#later(chore)
  }

  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }

  #later(chore: Chore): void {
    if (this.#isClosed) return
    const interval = chore.intervalMs()
    if (interval === Infinity) return
    const timer = this.#clock.at(this.#clock.now() + Math.max(1, interval), () => this.#run(chore))
    this.#timers.set(chore, timer)
  }

  #run(chore: Chore): void {
    try {
      const steps = chore.run()
      if (steps !== undefined) {
        this.#proceed(chore, steps[Symbol.iterator]())
        return
      }
    } catch (error) {
      this.#report(chore, error)
    }
    this.#later(chore)
  }

  /** Works through a generator, slice by slice. */
  #proceed(chore: Chore, steps: Iterator<void>): void {
    if (this.#isClosed) return
    const until = this.#clock.now() + SLICE_MS
    let isDone = false
    try {
      while (!isDone && this.#clock.now() < until) isDone = steps.next().done === true
    } catch (error) {
      this.#report(chore, error)
      isDone = true
    }
    if (isDone) this.#later(chore)
    else this.#clock.soon(() => this.#proceed(chore, steps))
  }

  #report(chore: Chore, error: unknown): void {
    // A directory that fails says so itself.
    if (error instanceof LogError) this.#logger.debug({ err: error }, `${chore.name} was broken off`)
    else this.#logger.error({ err: error }, `${chore.name} failed`)
  }
}
