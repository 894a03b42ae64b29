import { type CheckpointLine, formatOffsetCheckpoint, readOffsetCheckpoint } from './checkpoint.js'
import type { Disk } from './disk.js'
import { isDiskError } from './disk-error.js'
import { folderName } from './file-names.js'

/** A checkpoint of offsets with what it says, so that it is written only when that changes. */
export class CheckpointFile {
  readonly #disk: Disk
  readonly #path: string
  #lines = new Map<string, CheckpointLine>()
  #offsets = new Map<string, number>()
  /**
   * Grows with every write: one that waits for the device must not replace what was written after it had begun, and one
   * that failed is no reason not to write the same again.
   */
  #revision = 0
  #writtenRevision = 0
  /** The write that waits for the device; how it ends is told to who began it. */
  #writing: Promise<void> | null = null

  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.#path = path
  }

  /** By `topic-partition`. */
  get offsets(): ReadonlyMap<string, number> {
    return this.#offsets
  }

  /** Reads the file. One that is malformed says nothing: that is safe, only slower; `notes` tells of it. */
  load(notes: string[]): void {
    try {
      this.#offsets = readOffsetCheckpoint(this.#disk, this.#path)
    } catch (error) {
      if (isDiskError(error)) throw error
      notes.push(`${(error as Error).message}; the file is not used`)
    }
    for (const [name, offset] of this.#offsets) {
      const dash = name.lastIndexOf('-')
      this.#lines.set(name, { topic: name.slice(0, dash), partition: Number(name.slice(dash + 1)), offset })
    }
  }

  /** Replaces what the file says; durable when it returns. */
  write(lines: readonly CheckpointLine[]): void {
    if (this.#isWritten(lines)) return
    const revision = ++this.#revision
    this.#disk.replaceFile(this.#path, formatOffsetCheckpoint(lines))
    this.#writtenRevision = revision
    this.#keep(lines)
  }

  /** The same, waiting for the device off the event loop. `linesNow` is asked when a write before this one is done. */
  async writeAsync(linesNow: () => readonly CheckpointLine[]): Promise<void> {
    while (this.#writing !== null) await this.#writing
    const lines = linesNow()
    if (this.#isWritten(lines)) return
    const revision = ++this.#revision
    this.#keep(lines)
    const isStale = (): boolean => this.#revision !== revision
    const written = this.#disk.replaceFileAsync(this.#path, formatOffsetCheckpoint(lines), isStale)
    this.#writing = written.then(
      () => {
        this.#writing = null
        if (!isStale()) this.#writtenRevision = revision
      },
      () => {
        this.#writing = null
      },
    )
    await written
  }

  #isWritten(lines: readonly CheckpointLine[]): boolean {
    const isSame =
      lines.length === this.#lines.size &&
      lines.every(({ topic, partition, offset }) => this.#offsets.get(folderName(topic, partition)) === offset)
    const isKept = this.#writtenRevision === this.#revision
    return isSame && isKept && (lines.length === 0 || this.#disk.exists(this.#path))
  }

  #keep(lines: readonly CheckpointLine[]): void {
    this.#lines = new Map(lines.map(line => [folderName(line.topic, line.partition), line]))
    this.#offsets = new Map(lines.map(line => [folderName(line.topic, line.partition), line.offset]))
  }

  /** Lowers the offset of a line, if there is one and it is higher; durable when it returns. */
  lower(name: string, offset: number): void {
    const line = this.#lines.get(name)
    if (line === undefined || line.offset <= offset) return
    this.write([...this.#lines.values()].map(each => (each === line ? { ...line, offset } : each)))
  }

  /** Removes lines; nothing is written if there is none of them. */
  removeAll(names: ReadonlySet<string>): void {
    const kept = [...this.#lines].filter(([name]) => !names.has(name))
    if (kept.length < this.#lines.size) this.write(kept.map(([, line]) => line))
  }
}
