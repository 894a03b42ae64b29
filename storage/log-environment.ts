import type { CheckpointFile } from './checkpoint-file.js'
import type { Disk } from './disk.js'
import { isDiskError } from './disk-error.js'
import { HeaderCursor } from './header-cursor.js'
import { LogError } from './log-error.js'
import { PageCache } from './page-cache.js'
import { Removals } from './removals.js'

export interface LogEnvironmentOptions {
  readonly disk: Disk
  /** The log directory. */
  readonly path: string
  /** See LogDirectoryOptions. */
  readonly recentBytesMax: number
  readonly onFailure: (error: Error) => void
  /** See LogDirectoryOptions. */
  readonly onRestored: (path: string, why: string) => void
  /** Writes the recovery points of all logs of the directory, as they are now; durable when it returns. */
  readonly checkpointRecoveryPoints: () => void
  /** How far compaction has come, by `topic-partition`. */
  readonly cleanerOffsets: CheckpointFile
}

/** Pages of 4 KiB of index files that are kept in memory for a directory. */
const indexPagesMax = 512
/** Enough for the headers of many small batches, little enough to be read for one. */
const scratchBytes = 8192

/** What the logs of one directory share: the disk, a little memory, and one fate. */
export class LogEnvironment {
  readonly disk: Disk
  readonly path: string
  readonly pages = new PageCache(indexPagesMax)
  /** For synchronous reads whose bytes are used at once. */
  readonly scratch = Buffer.allocUnsafeSlow(scratchBytes)
  /** Walks over `scratch`: one walk at a time. */
  readonly cursor = new HeaderCursor(this.scratch)
  readonly recentBytesMax: number
  readonly checkpointRecoveryPoints: () => void
  readonly cleanerOffsets: CheckpointFile
  readonly onRestored: (path: string, why: string) => void
  readonly removals = new Removals(this)
  /** Bytes appended to all logs since the start: by it one tells what is still in the page cache. */
  bytesAppended = 0
  /** Those of them whose files are gone: they hold no pages. */
  bytesRemoved = 0
  /** Changes of names of partition folders, and how many of them are on the device. */
  #nameChanges = 0
  #nameChangesSynced = 0
  #failure: Error | null = null
  readonly #onFailure: (error: Error) => void
  #folderSync: Promise<void> | null = null

  constructor(options: LogEnvironmentOptions) {
    this.disk = options.disk
    this.path = options.path
    this.recentBytesMax = options.recentBytesMax
    this.#onFailure = options.onFailure
    this.onRestored = options.onRestored
    this.checkpointRecoveryPoints = options.checkpointRecoveryPoints
    this.cleanerOffsets = options.cleanerOffsets
  }

  /** Why the directory is offline, null while it is not. */
  get failure(): Error | null {
    return this.#failure
  }

  /**
   * Takes the directory offline for an error of the disk, and gives the error to throw. Errors that are ours already,
   * and broken invariants, are passed on as they are.
   */
  fail(action: string, cause: unknown): Error {
    if (cause instanceof LogError) return cause
    if (!isDiskError(cause)) return cause as Error
    if (this.#failure === null) {
      const text = `${this.path}: ${action} failed (${(cause as Error).message}); the log directory is offline`
      this.#failure = new Error(text, { cause })
      this.#onFailure(this.#failure)
    }
    return this.offlineError(cause)
  }

  offlineError(cause: unknown = this.#failure): LogError {
    return new LogError('KAFKA_STORAGE_ERROR', this.#failure?.message ?? 'The log directory is offline', { cause })
  }

  /** Runs what must not be begun on an offline directory and whose disk errors take it offline. */
  guarded<T>(action: string, run: () => T): T {
    if (this.#failure !== null) throw this.offlineError()
    try {
      return run()
    } catch (error) {
      throw this.fail(action, error)
    }
  }

  /** The same for what waits. */
  async guardedAsync<T>(action: string, run: () => Promise<T>): Promise<T> {
    if (this.#failure !== null) throw this.offlineError()
    try {
      return await run()
    } catch (error) {
      throw this.fail(action, error)
    }
  }

  /** Names of partition folders are not on the device. */
  get areNamesDirty(): boolean {
    return this.#nameChanges !== this.#nameChangesSynced
  }

  /** A partition folder was made or renamed. */
  namesChanged(): void {
    this.#nameChanges++
  }

  /** Makes the names of partition folders durable: all that were changed before the call. */
  async syncNames(): Promise<void> {
    const changes = this.#nameChanges
    while (this.#nameChangesSynced < changes) await (this.#folderSync ??= this.#syncFolderOnce())
  }

  async #syncFolderOnce(): Promise<void> {
    const changes = this.#nameChanges
    try {
      await this.disk.syncDirectoryAsync(this.path)
      this.#nameChangesSynced = changes
    } catch (error) {
      throw this.fail(`syncing ${this.path}`, error)
    } finally {
      this.#folderSync = null
    }
  }

  /**
   * Whether bytes are thought to be in the page cache which were appended when `bytesAppended` was `mark` (-Infinity:
   * by another process): little was appended after them, or little of all that was appended is still there.
   */
  isCached(mark: number): boolean {
    if (mark === -Infinity) return false
    return Math.min(this.bytesAppended - mark, this.bytesAppended - this.bytesRemoved) < this.recentBytesMax
  }
}
