import { LogCleaner } from '#storage/cleaner.js'
import { CompactionAbortedError } from '#storage/compaction.js'
import type { PartitionLog } from '#storage/log.js'
import { LogError } from '#storage/log-error.js'
import type { Clock, Logger, Millis, Timer } from '../runtime/ports.js'
import type { ReplicaManager } from './replica-manager.js'
import type { ReplicationConfig } from './replication-config.js'

const SECOND_MS = 1000

/** Compacts logs, one round after the other, as long as there is something to do, at a bounded speed. */
export class Cleaning {
  readonly #replicas: ReplicaManager
  readonly #config: ReplicationConfig
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #cleaner: LogCleaner
  #timer: Timer | null = null
  #isClosed = false
  /** The limit counts bytes of the present second. */
  #second: Millis = 0
  #bytesInSecond = 0

  constructor(replicas: ReplicaManager, options: CleaningOptions) {
    this.#replicas = replicas
    this.#config = options.config
    this.#clock = options.clock
    this.#logger = options.logger
    const { config } = options
    this.#cleaner = new LogCleaner({
      directories: () => replicas.directories,
      lastStableOffsetOf: log => this.#boundOf(log),
      dedupeBytesMax: config.cleanerDedupeBytesMax,
      loadFactor: config.cleanerLoadFactor,
      pace: bytes => this.#pace(bytes),
    })
  }

  start(): void {
    if (this.#config.cleanerEnabled) this.#later(this.#config.cleanerBackoffMs)
  }

  /** No further round begins; one that is under way ends with its next piece. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #later(waitMs: Millis): void {
    if (this.#isClosed) return
    this.#timer = this.#clock.at(this.#clock.now() + waitMs, () => this.#round())
  }

  #round(): void {
    this.#cleaner.clean(this.#clock.wallTime()).then(
      report => {
        if (report === null) {
          this.#later(this.#config.cleanerBackoffMs)
          return
        }
        const { log, plan, result, uncleanable } = report
        const partition = `${log.topic}-${log.partition}`
        if (uncleanable !== null) this.#logger.error({ partition, reason: uncleanable }, 'a log cannot be compacted')
        else if (result !== null) this.#logger.debug({ partition, ...plan, ...result }, 'compacted a log')
        this.#later(result === null ? this.#config.cleanerBackoffMs : 0)
      },
      error => {
        // A directory that fails says so itself.
        if (!(error instanceof LogError)) this.#logger.error({ err: error }, 'compaction failed')
        this.#later(this.#config.cleanerBackoffMs)
      },
    )
  }

  /** Up to where a log may be compacted; not at all while it is copied to another directory. */
  #boundOf(log: PartitionLog): number {
    const partition = this.#replicas.topics.byName(log.topic)?.hosted[log.partition]
    return partition?.log === log && partition.future === null ? partition.lastStableOffset : log.logStartOffset
  }

  /** Lets others run, and waits if this second has had its bytes. */
  #pace(bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const goOn = (): void => {
        if (this.#isClosed) reject(new CompactionAbortedError('the broker stops'))
        else resolve()
      }
      const now = this.#clock.now()
      if (now - this.#second >= SECOND_MS) {
        this.#second = now
        this.#bytesInSecond = 0
      }
      this.#bytesInSecond += bytes
      if (this.#bytesInSecond < this.#config.cleanerBytesPerSecondMax) this.#clock.soon(goOn)
      else this.#clock.at(this.#second + SECOND_MS, goOn)
    })
  }
}

export interface CleaningOptions {
  readonly config: ReplicationConfig
  readonly clock: Clock
  readonly logger: Logger
}
