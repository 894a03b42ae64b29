import type { Disk, File } from '#storage/disk.js'
import { openSnapshot, SnapshotDamagedError, sameSnapshot, snapshotFileName } from '../metadata/snapshot-file.js'
import type { Logger } from '../runtime/ports.js'
import type { SnapshotId } from './metadata-log.js'
import type { RaftLog } from './raft-log.js'
import type { SnapshotStore } from './snapshot-store.js'
import type { QuorumChange } from './voters.js'

/** Puts together a snapshot that a leader sends in pieces, and puts it in the place of the log. */
export class SnapshotReceiver {
  readonly #disk: Disk
  readonly #log: RaftLog
  readonly #snapshots: SnapshotStore
  readonly #logger: Logger
  #file: File | null = null
  #id: SnapshotId | null = null

  constructor(disk: Disk, log: RaftLog, snapshots: SnapshotStore, logger: Logger) {
    this.#disk = disk
    this.#log = log
    this.#snapshots = snapshots
    this.#logger = logger
  }

  /** The piece at position 0 begins anew. */
  write(id: SnapshotId, position: number, bytes: Buffer): void {
    if (position === 0) {
      this.discard()
      this.#id = id
      this.#disk.remove(this.#partPath(id))
      this.#file = this.#disk.open(this.#partPath(id), { create: true })
    }
    const file = this.#file
    if (file === null || this.#id === null || !sameSnapshot(this.#id, id) || file.size !== position) {
      throw new Error(`a piece of snapshot ${id.endOffset}-${id.epoch} at byte ${position} that does not fit`)
    }
    file.append([bytes])
  }

  /**
   * Checks the whole of it, makes it durable and begins the log after it. What it says about the quorum; null when it
   * is damaged: then it is gone.
   */
  install(id: SnapshotId): readonly QuorumChange[] | null {
    const file = this.#file
    if (file === null) throw new Error(`snapshot ${id.endOffset}-${id.epoch} was not received`)
    const directory = this.#log.directoryPath
    file.syncNow()
    let changes: readonly QuorumChange[]
    try {
      changes = openSnapshot(this.#disk, directory, id, snapshotFileName(id, 'partial')).changes
    } catch (error) {
      if (!(error instanceof SnapshotDamagedError)) throw error
      this.#logger.error({ directory }, `a snapshot that the leader sent is damaged: ${error.message}`)
      this.discard()
      return null
    }
    file.close()
    this.#file = null
    this.#disk.rename(this.#partPath(id), `${directory}/${snapshotFileName(id)}`)
    this.#disk.syncDirectory(directory)
    this.#snapshots.add(id)
    // A crash here leaves a snapshot beyond the end of the log, which is found out at the next start.
    this.#log.truncateFullyAndStartAt(id.endOffset)
    this.#snapshots.removeDeleted(this.#snapshots.forgetBefore(id))
    this.#logger.info({ directory, ...id }, `snapshot of the leader in place; the log goes on at ${id.endOffset}`)
    return changes
  }

  /** Gives up what was received so far. */
  discard(): void {
    if (this.#file === null || this.#id === null) return
    this.#file.close()
    this.#disk.remove(this.#partPath(this.#id))
    this.#file = null
    this.#id = null
  }

  #partPath(id: SnapshotId): string {
    return `${this.#log.directoryPath}/${snapshotFileName(id, 'partial')}`
  }
}
