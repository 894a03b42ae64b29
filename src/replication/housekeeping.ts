import { LogError } from '#storage/log-error.js'
import type { Clock, Logger, Millis, Timer } from '../runtime/ports.js'
import { inSlices } from '../runtime/slices.js'

/** Something that is done now and then. */
export interface Chore {
  readonly name: string
  /** Infinity: never. Asked before each time, so that dynamic options act. */
  readonly intervalMs: () => Millis
  /**
   * Does it; one that takes long is a generator, which yields where others may go first, or waits for something else
   * than this thread, and is not begun again meanwhile.
   */
  run(): Iterable<void> | Promise<void> | void
}

/** How long a generator may go on before others get their turn, ms. */
const SLICE_MS = 5

/** Runs chores by deadlines. What one of them throws is logged and tried again next time. */
export class Housekeeping {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #timers = new Map<Chore, { readonly timer: Timer; readonly deadline: Millis }>()
  #isClosed = false

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  add(chore: Chore): void {
    this.#later(chore)
  }

  /** Has a chore done within so many ms, if it would be done later; one that is being done is not done once more. */
  hurry(chore: Chore, withinMs: Millis): void {
    const waiting = this.#timers.get(chore)
    if (waiting === undefined || waiting.deadline <= this.#clock.now() + withinMs) return
    waiting.timer.cancel()
    this.#arm(chore, withinMs)
  }

  close(): void {
    this.#isClosed = true
    for (const { timer } of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }

  #later(chore: Chore): void {
    if (this.#isClosed) return
    const interval = chore.intervalMs()
    if (interval !== Infinity) this.#arm(chore, interval)
  }

  #arm(chore: Chore, ms: Millis): void {
    const deadline = this.#clock.now() + Math.max(1, ms)
    this.#timers.set(chore, { timer: this.#clock.at(deadline, () => this.#run(chore)), deadline })
  }

  #run(chore: Chore): void {
    this.#timers.delete(chore)
    try {
      const rest = this.#begin(chore)
      if (rest !== undefined) {
        const goOn = (): void => this.#later(chore)
        rest.catch((error: unknown) => this.#report(chore, error)).then(goOn)
        return
      }
    } catch (error) {
      this.#report(chore, error)
    }
    this.#later(chore)
  }

  /** A promise of the end, if it takes more than a slice. */
  #begin(chore: Chore): Promise<void> | undefined {
    const steps = chore.run()
    if (steps instanceof Promise) return steps
    if (steps === undefined) return undefined
    const isOver = (): boolean => this.#isClosed
    return inSlices<void>(steps[Symbol.iterator](), { clock: this.#clock, sliceMs: SLICE_MS, isOver }) ?? undefined
  }

  #report(chore: Chore, error: unknown): void {
    // A directory that fails says so itself.
    if (error instanceof LogError) this.#logger.debug({ err: error }, `${chore.name} was broken off`)
    else this.#logger.error({ err: error }, `${chore.name} failed`)
  }
}
