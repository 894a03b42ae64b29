import type { Millis } from '../ports.js'

/** How long the loop looks for a request without going to sleep. */
const POLL_MS: Millis = 0.15
/** A peer that asks again within this time, wake-ups of both sides included, is quick. */
const QUICK_MS: Millis = 0.3
/** So many quick requests one after the other make the next one likely. */
const QUICK_MIN = 8

/**
 * Keeps the event loop awake for a moment when a request is likely to come at once.
 *
 * A consumer that catches up asks for the next records as soon as it has the last ones. On one machine that takes less
 * time than to put this process to sleep and to wake it again, so half of what such a consumer waits for is the
 * scheduler. An immediate that asks for another one makes the loop look at its sockets without waiting.
 */
export class BusyPoll {
  readonly #now: () => Millis
  readonly #defer: (task: () => void) => void
  #until: Millis = 0
  #isPolling = false

  /** `defer`: calls the task when the loop has looked at its sockets once. */
  constructor(now: () => Millis = () => performance.now(), defer: (task: () => void) => void = setImmediate) {
    this.#now = now
    this.#defer = defer
  }

  /** Looks at the sockets until POLL_MS from now. */
  extend(now: Millis): void {
    this.#until = now + POLL_MS
    if (this.#isPolling) return
    this.#isPolling = true
    this.#defer(this.#look)
  }

  readonly #look = (): void => {
    if (this.#now() < this.#until) this.#defer(this.#look)
    else this.#isPolling = false
  }
}

/** How fast the peer of one connection asks again after it was answered. */
export class AskingPace {
  /** When the last answer went out; -1 when no request is expected. */
  #answeredAt: Millis = -1
  #quick = 0

  /** An answer went out that the peer is likely to follow up. True if the next request will probably come at once. */
  answered(now: Millis): boolean {
    this.#answeredAt = now
    return this.isQuick
  }

  /** The next request will probably come as soon as the peer has an answer. */
  get isQuick(): boolean {
    return this.#quick >= QUICK_MIN
  }

  get isExpecting(): boolean {
    return this.#answeredAt >= 0
  }

  /** A request came. */
  asked(now: Millis): void {
    this.#quick = now - this.#answeredAt <= QUICK_MS ? this.#quick + 1 : 0
    this.#answeredAt = -1
  }
}
