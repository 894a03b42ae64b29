import type { LoadReport, LogDirectory } from '#storage/log-directory.js'
import { LogError } from '#storage/log-error.js'
import type { MetadataSubscriber } from '../metadata/delta.js'
import { named } from '../runtime/named.js'
import type { Clock, Logger, Millis } from '../runtime/ports.js'
import { inSlices } from '../runtime/slices.js'
import type { DynamicConfig } from './dynamic-config.js'

/** How long loading goes on before others get their turn, ms. */
const SLICE_MS: Millis = 20

/**
 * Loads the logs of all directories when the first metadata is there, which says how topics are configured, and before
 * anyone who acts on partitions hears of it.
 */
export class DirectoryLoader implements MetadataSubscriber {
  readonly name = 'log directories'
  readonly #directories: readonly LogDirectory[]
  readonly #config: DynamicConfig
  readonly #clock: Clock
  readonly #logger: Logger
  #isLoaded = false

  constructor(directories: readonly LogDirectory[], config: DynamicConfig, clock: Clock, logger: Logger) {
    this.#directories = directories
    this.#config = config
    this.#clock = clock
    this.#logger = logger
  }

  onMetadata(): void | Promise<void> {
    if (this.#isLoaded) return
    this.#isLoaded = true
    return this.#load()
  }

  async #load(): Promise<void> {
    for (const directory of this.#directories) {
      try {
        await this.#loadOne(directory)
      } catch (error) {
        // It has said so itself and is offline; the others go on, unless it was the last one.
        if (!(error instanceof LogError)) throw error
        this.#logger.error({ err: error, directory: directory.path }, 'a log directory could not be loaded')
      }
    }
  }

  async #loadOne(directory: LogDirectory): Promise<void> {
    const work = directory.load(topic => this.#config.ofTopic(topic), this.#clock.wallTime())
    // When the node is stopped meanwhile, the next process may have the files already.
    const isOver = (): boolean => directory.isClosed
    const report = await inSlices(work, { clock: this.#clock, sliceMs: SLICE_MS, isOver })
    if (report !== undefined) this.#report(directory, report)
  }

  #report(directory: LogDirectory, report: LoadReport): void {
    const { logs, recoveries, ignored, notes } = report
    for (const recovery of recoveries) {
      if (recovery.truncated !== null) this.#logger.warn({ ...recovery }, 'a log was cut back to its last sound batch')
      else if (recovery.notes.length > 0) this.#logger.warn({ ...recovery }, 'a log was mended')
      else this.#logger.debug({ ...recovery }, 'a log was recovered')
    }
    for (const note of notes) this.#logger.warn({ directory: directory.path }, note)
    if (ignored.length > 0) {
      const fields = { directory: directory.path, ignored: named(ignored) }
      this.#logger.warn(fields, 'folders that are no logs are left alone')
    }
    const wasClean = directory.wasCleanShutdown
    if (logs > 0)
      this.#logger.debug({ directory: directory.path, logs, recovered: recoveries.length, wasClean }, 'logs are loaded')
  }
}
