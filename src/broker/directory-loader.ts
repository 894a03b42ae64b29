import type { LoadReport, LogDirectory } from '#storage/log-directory.js'
import { LogError } from '#storage/log-error.js'
import type { MetadataSubscriber } from '../metadata/delta.js'
import { named } from '../runtime/named.js'
import type { Clock, Logger, Millis } from '../runtime/ports.js'
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
    for (;;) {
      const until = this.#clock.now() + SLICE_MS
      let step = work.next()
      while (step.done !== true && this.#clock.now() < until) step = work.next()
      if (step.done === true) return this.#report(directory, step.value)
      await new Promise<void>(resolve => this.#clock.soon(resolve))
      // The node was stopped meanwhile, and the next process may have the files already.
      if (directory.isClosed) return
    }
  }

  #report(directory: LogDirectory, report: LoadReport): void {
    const { logs, recoveries, ignored, notes } = report
    for (const recovery of recoveries) {
      const isCut = recovery.truncated !== null
      const isMended = recovery.notes.length > 0
      const text = isCut
        ? 'a log was cut back to its last sound batch'
        : isMended
          ? 'a log was mended'
          : 'a log was recovered'
      this.#logger[isCut || isMended ? 'warn' : 'debug']({ ...recovery }, text)
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
