import type { Clock, Logger, Millis } from '../runtime/ports.js'

const SECOND_MS = 1000

/** Lines that a stranger can cause: so many per second, and the number of those that were left out. */
export class RateLimitedLog {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #perSecond: number
  #since: Millis = -Infinity
  #written = 0
  #leftOut = 0

  constructor(clock: Clock, logger: Logger, perSecond: number) {
    this.#clock = clock
    this.#logger = logger
    this.#perSecond = perSecond
  }

  info(fields: object, message: string): void {
    if (this.#mayWrite()) this.#logger.info(this.#counted(fields), message)
  }

  warn(fields: object, message: string): void {
    if (this.#mayWrite()) this.#logger.warn(this.#counted(fields), message)
  }

  error(fields: object, message: string): void {
    if (this.#mayWrite()) this.#logger.error(this.#counted(fields), message)
  }

  #mayWrite(): boolean {
    const now = this.#clock.now()
    if (now - this.#since >= SECOND_MS) {
      this.#since = now
      this.#written = 0
    }
    if (this.#written >= this.#perSecond) {
      this.#leftOut++
      return false
    }
    this.#written++
    return true
  }

  #counted(fields: object): object {
    if (this.#leftOut === 0) return fields
    const leftOut = this.#leftOut
    this.#leftOut = 0
    return { ...fields, linesLeftOut: leftOut }
  }
}
