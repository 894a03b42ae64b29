import {
  CompactionAbortedError,
  type CompactionPlan,
  type CompactionResult,
  compact,
  planCompaction,
  UncleanableError,
} from './compaction.js'
import { folderName } from './file-names.js'
import type { PartitionLog } from './log.js'
import type { LogDirectory } from './log-directory.js'
import { OffsetMap } from './offset-map.js'

export interface LogCleanerOptions {
  readonly directories: () => Iterable<LogDirectory>
  /** The last stable offset of a log at its high watermark: compaction does not go beyond. */
  readonly lastStableOffsetOf: (log: PartitionLog) => number
  /** Bytes of memory for the keys of one round: `log.cleaner.dedupe.buffer.size`. */
  readonly dedupeBytesMax: number
  /** `log.cleaner.io.buffer.load.factor` */
  readonly loadFactor: number
  /** See CompactionOptions. */
  readonly pace?: (bytes: number) => Promise<void>
}

/** What a round did, or why it was given up. */
export interface CleaningReport {
  readonly log: PartitionLog
  readonly plan: CompactionPlan
  readonly result: CompactionResult | null
  /** The log is left alone from now on: why. */
  readonly uncleanable: string | null
}

/**
 * Compacts logs whose `cleanup.policy` has compact, one at a time, the dirtiest first. It has no clock and no timer:
 * who has them calls `clean` again and again, at once after a round that did something, else after
 * `log.cleaner.backoff.ms`.
 */
export class LogCleaner {
  readonly #options: LogCleanerOptions
  readonly #uncleanable = new WeakMap<PartitionLog, string>()
  #isRunning = false

  constructor(options: LogCleanerOptions) {
    this.#options = options
  }

  /** Why a log is left alone; null if it is not. */
  uncleanableReason(log: PartitionLog): string | null {
    return this.#uncleanable.get(log) ?? null
  }

  /**
   * One round over the log that needs it most; null if none does, or one is under way. Rejects with LogError
   * KAFKA_STORAGE_ERROR when the directory goes offline.
   */
  async clean(nowMs: number): Promise<CleaningReport | null> {
    if (this.#isRunning) return null
    const choice = this.#choose(nowMs)
    if (choice === null) return null
    this.#isRunning = true
    try {
      return await this.#cleanOne(choice, nowMs)
    } finally {
      this.#isRunning = false
    }
  }

  #choose(nowMs: number): Choice | null {
    let best: Choice | null = null
    for (const directory of this.#options.directories()) {
      if (directory.offline !== null) continue
      for (const log of directory.logs()) {
        if (!log.config.cleanupPolicy.compact || log.segmentCount < 2 || this.#uncleanable.has(log)) continue
        const checkpoint = directory.cleanerOffsets.get(folderName(log.topic, log.partition))
        const plan = planCompaction(log.state, checkpoint, this.#options.lastStableOffsetOf(log), nowMs)
        const isWanted = plan.dirtyRatio > log.config.minCleanableDirtyRatio || plan.isOverdue
        if (plan.cleanableBytes === 0 || !isWanted) continue
        if (best === null || plan.dirtyRatio > best.plan.dirtyRatio) best = { directory, log, plan }
      }
    }
    return best
  }

  async #cleanOne({ directory, log, plan }: Choice, nowMs: number): Promise<CleaningReport> {
    const { dedupeBytesMax, loadFactor, pace } = this.#options
    const map = new OffsetMap(dedupeBytesMax, loadFactor)
    try {
      const result = await compact(log.state, plan, { nowMs, map, ...(pace === undefined ? {} : { pace }) })
      if (directory.get(log.topic, log.partition) === log) directory.checkpointCleanerOffset(log, result.endOffset)
      return { log, plan, result, uncleanable: null }
    } catch (error) {
      if (error instanceof CompactionAbortedError) return { log, plan, result: null, uncleanable: null }
      if (!(error instanceof UncleanableError)) throw error
      this.#uncleanable.set(log, error.message)
      return { log, plan, result: null, uncleanable: error.message }
    }
  }
}

interface Choice {
  readonly directory: LogDirectory
  readonly log: PartitionLog
  readonly plan: CompactionPlan
}
