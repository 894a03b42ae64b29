import type { Millis } from '../runtime/ports.js'

/** `leader.replication.throttled.replicas` and the like, parsed: `partition:broker` pairs, or all. */
export class ThrottledReplicas {
  readonly #pairs: ReadonlySet<string> | 'all'

  private constructor(pairs: ReadonlySet<string> | 'all') {
    this.#pairs = pairs
  }

  /** Null where nothing is throttled, so that asking costs nothing. */
  static of(entries: readonly string[]): ThrottledReplicas | null {
    if (entries.length === 0) return null
    return new ThrottledReplicas(entries.includes('*') ? 'all' : new Set(entries))
  }

  has(partition: number, brokerId: number): boolean {
    return this.#pairs === 'all' || this.#pairs.has(`${partition}:${brokerId}`)
  }
}

export interface QuotaOptions {
  /** Bytes per second; Infinity for no limit. */
  readonly bytesPerSecondMax: () => number
  /** `replication.quota.window.num`, `replication.quota.window.size.seconds`. */
  readonly windowCount: number
  readonly windowMs: Millis
}

/**
 * A limit on the bytes per second that go between replicas, over a number of windows of which the oldest is dropped as
 * time goes on.
 */
export class ReplicationQuota {
  readonly #options: QuotaOptions
  readonly #bytes: number[]
  #window = 0
  #startedAt: Millis = -1

  constructor(options: QuotaOptions) {
    this.#options = options
    this.#bytes = new Array<number>(options.windowCount).fill(0)
  }

  record(bytes: number, now: Millis): void {
    this.#roll(now)
    this.#bytes[this.#window % this.#bytes.length]! += bytes
  }

  isExceeded(now: Millis): boolean {
    const limit = this.#options.bytesPerSecondMax()
    if (limit === Infinity) return false
    return this.rate(now) > limit
  }

  /** Bytes per second over the windows that are kept. */
  rate(now: Millis): number {
    this.#roll(now)
    const { windowMs, windowCount } = this.#options
    const bytes = this.#bytes.reduce((sum, each) => sum + each, 0)
    // All but the present window count as whole ones, also those before anything was recorded, as in Kafka.
    const elapsed = (windowCount - 1) * windowMs + (now - this.#startedAt - this.#window * windowMs)
    return (bytes * 1000) / Math.max(windowMs, elapsed)
  }

  #roll(now: Millis): void {
    const { windowMs, windowCount } = this.#options
    if (this.#startedAt === -1) this.#startedAt = now
    const window = Math.floor((now - this.#startedAt) / windowMs)
    if (window <= this.#window) return
    const passed = Math.min(window - this.#window, windowCount)
    for (let i = 0; i < passed; i++) this.#bytes[(window - i) % windowCount] = 0
    this.#window = window
  }
}
