import type { Disk } from './disk.js'

/** What files belong to that are to be removed: a log directory. */
export interface RemovalHost {
  readonly disk: Disk
  /** Why the directory is offline, null while it is not. */
  readonly failure: Error | null
  /** Bytes that this process has appended to files that are gone. */
  bytesRemoved: number
  /** Takes the directory offline for an error of the disk, and gives the error to throw. */
  fail(action: string, cause: unknown): Error
}

interface Removal {
  readonly path: string
  readonly dueMs: number
  readonly isFolder: boolean
  readonly appendedBytes: number
}

/** Files and folders of a log directory that are to be removed from the disk once their delay is over. */
export class Removals {
  /** Told of everything that is added, with the time at which it is due, ms since 1970. */
  onAdded: ((dueMs: number) => void) | null = null
  readonly #host: RemovalHost
  #waiting: Removal[] = []

  constructor(host: RemovalHost) {
    this.#host = host
  }

  /**
   * Has a file, or a folder with all in it, removed once `dueMs` (ms since 1970) has come. `appendedBytes`: what this
   * process has appended to it.
   */
  add(path: string, dueMs: number, isFolder: boolean, appendedBytes = 0): void {
    this.#waiting.push({ path, dueMs, isFolder, appendedBytes })
    this.onAdded?.(dueMs)
  }

  /** Follows a folder that was renamed. */
  follow(from: string, to: string): void {
    this.#waiting = this.#waiting.map(removal =>
      removal.path.startsWith(`${from}/`) ? { ...removal, path: to + removal.path.slice(from.length) } : removal,
    )
  }

  /** When the next one is due, ms since 1970; Infinity when nothing waits. */
  get nextDueMs(): number {
    return this.#waiting.reduce((due, removal) => Math.min(due, removal.dueMs), Infinity)
  }

  /** Removes what is due at `nowMs`, ms since 1970. Throws KAFKA_STORAGE_ERROR when the disk fails. */
  async removeDue(nowMs: number): Promise<void> {
    const due = this.#waiting.filter(removal => removal.dueMs <= nowMs)
    const host = this.#host
    if (due.length === 0 || host.failure !== null) return
    this.#waiting = this.#waiting.filter(removal => removal.dueMs > nowMs)
    try {
      for (const { path, isFolder, appendedBytes } of due) {
        await (isFolder ? host.disk.removeDirectoryAsync(path) : host.disk.removeAsync(path))
        host.bytesRemoved += appendedBytes
      }
    } catch (error) {
      throw host.fail('removing deleted files', error)
    }
  }
}
