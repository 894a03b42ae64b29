import type { Disk } from '#storage/disk.js'
import {
  compareSnapshots,
  type OpenedSnapshot,
  openSnapshot,
  parseSnapshotFileName,
  readSnapshotTimestamp,
  SnapshotDamagedError,
  sameSnapshot,
  snapshotFileName,
} from '../metadata/snapshot-file.js'
import type { SnapshotId } from './metadata-log.js'

/** What is known of one snapshot file. */
export interface StoredSnapshot {
  readonly id: SnapshotId
  readonly sizeInBytes: number
}

/**
 * The snapshot files of the metadata log, oldest first. The snapshot 0-0, which formatting leaves, is among them as
 * long as the log begins at 0.
 */
export class SnapshotStore {
  readonly #disk: Disk
  readonly #directory: string
  #snapshots: StoredSnapshot[] = []

  /** Lists the folder; removes files that were not finished or are to be deleted. */
  constructor(disk: Disk, directory: string) {
    this.#disk = disk
    this.#directory = directory
    for (const { name, isDirectory } of disk.list(directory)) {
      const parsed = isDirectory ? null : parseSnapshotFileName(name)
      if (parsed === null) continue
      if (parsed.state === 'complete') this.add(parsed.id)
      else disk.remove(`${directory}/${name}`)
    }
  }

  get latest(): SnapshotId | null {
    return this.#snapshots.at(-1)?.id ?? null
  }

  get earliest(): SnapshotId | null {
    return this.#snapshots[0]?.id ?? null
  }

  get all(): readonly StoredSnapshot[] {
    return this.#snapshots
  }

  sizeOf(id: SnapshotId): number | null {
    return this.#snapshots.find(snapshot => sameSnapshot(snapshot.id, id))?.sizeInBytes ?? null
  }

  pathOf(id: SnapshotId): string {
    return `${this.#directory}/${snapshotFileName(id)}`
  }

  /** Takes in a file that is in place. */
  add(id: SnapshotId): void {
    const file = this.#disk.open(this.pathOf(id), { readOnly: true })
    const sizeInBytes = file.size
    file.close()
    this.#snapshots = this.#snapshots.filter(snapshot => !sameSnapshot(snapshot.id, id))
    this.#snapshots.push({ id, sizeInBytes })
    this.#snapshots.sort((a, b) => compareSnapshots(a.id, b.id))
  }

  /** Opens and checks a snapshot; throws SnapshotDamagedError. */
  open(id: SnapshotId): OpenedSnapshot {
    return openSnapshot(this.#disk, this.#directory, id)
  }

  /** Reads up to `length` bytes of a snapshot. */
  read(id: SnapshotId, position: number, length: number): Buffer {
    const file = this.#disk.open(this.pathOf(id), { readOnly: true })
    try {
      return file.read(position, length)
    } finally {
      file.close()
    }
  }

  /**
   * The newest snapshot that is whole. Damaged ones are renamed to `.damaged`, so that they are neither loaded nor
   * sent; `onDamaged` is told why.
   */
  openNewest(onDamaged: (message: string) => void): OpenedSnapshot | null {
    for (const { id } of this.#snapshots.toReversed()) {
      try {
        return this.open(id)
      } catch (error) {
        if (!(error instanceof SnapshotDamagedError)) throw error
        this.#disk.rename(this.pathOf(id), `${this.pathOf(id)}.damaged`)
        this.#snapshots = this.#snapshots.filter(snapshot => !sameSnapshot(snapshot.id, id))
        onDamaged(error.message)
      }
    }
    return null
  }

  /** Forgets snapshots older than `id` and renames them, to be removed with `removeDeleted`; returns their paths. */
  forgetBefore(id: SnapshotId): string[] {
    const paths: string[] = []
    for (const snapshot of this.#snapshots) {
      if (compareSnapshots(snapshot.id, id) >= 0) break
      const path = `${this.#directory}/${snapshotFileName(snapshot.id, 'deleted')}`
      this.#disk.rename(this.pathOf(snapshot.id), path)
      paths.push(path)
    }
    this.#snapshots = this.#snapshots.slice(paths.length)
    return paths
  }

  removeDeleted(paths: readonly string[]): void {
    for (const path of paths) this.#disk.remove(path)
  }

  /**
   * The oldest snapshot to keep: those before it go because log and snapshots together exceed `retentionBytes`, or
   * because they are older than `retentionMs`. The newest always stays. null: keep all. Negative limits are none.
   */
  oldestToKeep(logBytes: number, retentionBytes: number, retentionMs: number, wallTime: number): SnapshotId | null {
    let total = logBytes + this.#snapshots.reduce((sum, snapshot) => sum + snapshot.sizeInBytes, 0)
    let keepFrom = 0
    for (; keepFrom < this.#snapshots.length - 1; keepFrom++) {
      const { id, sizeInBytes } = this.#snapshots[keepFrom]!
      const isTooMuch = retentionBytes >= 0 && total > retentionBytes
      const timestamp = isTooMuch || retentionMs < 0 ? null : readSnapshotTimestamp(this.#disk, this.pathOf(id))
      const isTooOld = timestamp !== null && wallTime - timestamp > retentionMs
      if (!isTooMuch && !isTooOld) break
      total -= sizeInBytes
    }
    return keepFrom === 0 ? null : this.#snapshots[keepFrom]!.id
  }
}
