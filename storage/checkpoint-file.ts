import { type CheckpointLine, readOffsetCheckpoint, writeOffsetCheckpoint } from './checkpoint.js'
import type { Disk } from './disk.js'
import { folderName } from './file-names.js'
import { isDiskError } from './log-environment.js'

/** A checkpoint of offsets with what it says, so that it is written only when that changes. */
export class CheckpointFile {
  readonly #disk: Disk
  readonly #path: string
  #lines = new Map<string, CheckpointLine>()
  #offsets = new Map<string, number>()

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
    const isSame =
      lines.length === this.#lines.size &&
      lines.every(({ topic, partition, offset }) => this.#offsets.get(folderName(topic, partition)) === offset)
    if (isSame && (lines.length === 0 || this.#disk.exists(this.#path))) return
    writeOffsetCheckpoint(this.#disk, this.#path, lines)
    this.#lines = new Map(lines.map(line => [folderName(line.topic, line.partition), line]))
    this.#offsets = new Map(lines.map(line => [folderName(line.topic, line.partition), line.offset]))
  }

  /** Removes lines; nothing is written if there is none of them. */
  removeAll(names: ReadonlySet<string>): void {
    const kept = [...this.#lines].filter(([name]) => !names.has(name))
    if (kept.length < this.#lines.size) this.write(kept.map(([, line]) => line))
  }
}
