import type { Disk, File } from './disk.js'
import type { PageCache } from './page-cache.js'

/** Where the files of an index are found; its segment knows, and may be renamed. */
export interface IndexHome {
  readonly disk: Disk
  readonly pages: PageCache
  /** The path of the segment's file with this suffix. */
  pathOf(suffix: string): string
}

/** Entries that are kept in memory before they are written with one call. */
const pendingMax = 512
const pendingFirst = 8

/**
 * A file of entries of one size, appended to and searched. New entries wait in memory and are written by the
 * hundreds: what a crash takes of them recovery finds again by reading the batches. A tail of zeros, which Kafka
 * leaves behind when it is killed (it makes index files large in advance), does not count.
 *
 * ```
 * stored entries (file, read by pages) | pending entries (memory)
 * ```
 */
export class IndexFile {
  readonly entryBytes: number
  /** Where `seek` or `push` found the entry. True until the next call of either. */
  buffer: Buffer = noBytes
  at = 0
  readonly #home: IndexHome
  readonly #suffix: string
  readonly #pageEntries: number
  #file: File | null = null
  #owner = 0
  #stored = -1
  #pending: Buffer = noBytes
  #pendingCount = 0
  /** Written since the last sync. */
  #isDirty = false

  constructor(home: IndexHome, suffix: string, entryBytes: number) {
    this.#home = home
    this.#suffix = suffix
    this.entryBytes = entryBytes
    this.#pageEntries = Math.floor(4096 / entryBytes)
  }

  get count(): number {
    if (this.#stored < 0) this.#load()
    return this.#stored + this.#pendingCount
  }

  /** Entries that have not been written to the file. */
  get pendingCount(): number {
    return this.#pendingCount
  }

  /** Everything is in the file, and on the device. */
  get isAtRest(): boolean {
    return this.#pendingCount === 0 && !this.#isDirty
  }

  /** Points `buffer` and `at` to an entry. */
  seek(index: number): void {
    if (index >= this.#stored) {
      this.buffer = this.#pending
      this.at = (index - this.#stored) * this.entryBytes
      return
    }
    const page = Math.floor(index / this.#pageEntries)
    const inPage = index - page * this.#pageEntries
    const position = page * this.#pageEntries * this.entryBytes
    const bytes = Math.min(this.#pageEntries, this.#stored - page * this.#pageEntries) * this.entryBytes
    this.at = inPage * this.entryBytes
    this.buffer = this.#home.pages.get(this.#owner, page, position, bytes, this.at + this.entryBytes, this.#readPage)
  }

  /** Adds an entry, whose bytes the caller writes to `buffer` from `at` on. */
  push(): void {
    if (this.#stored < 0) this.#load()
    if (this.#pendingCount === pendingMax) this.flush()
    if (this.#pendingCount * this.entryBytes === this.#pending.length) this.#grow()
    this.buffer = this.#pending
    this.at = this.#pendingCount * this.entryBytes
    this.#pendingCount++
  }

  /** Keeps the first `count` entries. */
  truncate(count: number): void {
    if (count >= this.count) return
    if (count >= this.#stored) {
      this.#pendingCount = count - this.#stored
      return
    }
    this.#open().truncate(count * this.entryBytes)
    this.#stored = count
    this.#pendingCount = 0
    this.#owner = this.#home.pages.newOwner()
    this.#isDirty = true
  }

  /** Writes the entries that wait in memory; makes the file if it is missing; cuts a tail of zeros. */
  flush(): void {
    if (this.#stored < 0) this.#load()
    const length = this.#stored * this.entryBytes
    if (this.#pendingCount === 0 && this.#home.disk.fileSize(this.#path) === length) return
    const file = this.#open()
    if (file.size !== length) file.truncate(length)
    if (this.#pendingCount > 0) {
      file.appendFrom(this.#pending, 0, this.#pendingCount * this.entryBytes)
      this.#stored += this.#pendingCount
      this.#pendingCount = 0
      this.#pending = noBytes
    }
    this.#isDirty = true
  }

  /** Makes everything written durable. */
  sync(): Promise<void> {
    if (!this.#isDirty) return done
    this.#isDirty = false
    return this.#open().sync()
  }

  /** What is in the file may be in the page cache only: a process that was killed wrote it. */
  distrust(): void {
    this.#isDirty = true
  }

  /** Goes with a renamed segment. */
  rename(to: string): void {
    if (this.#file !== null) this.#file.rename(to)
    else if (this.#home.disk.exists(this.#path)) this.#home.disk.rename(this.#path, to)
  }

  /** Forgets everything but the name: what waits in memory too. */
  close(): void {
    this.#file?.close()
    this.#file = null
    this.#stored = -1
    this.#pendingCount = 0
    this.#pending = noBytes
  }

  get #path(): string {
    return this.#home.pathOf(this.#suffix)
  }

  readonly #readPage = (target: Buffer, position: number): void => {
    const length = this.#open().readInto(target, 0, target.length, position)
    if (length < target.length) throw new Error(`${this.#path} is shorter than it was: ${position + length} bytes`)
  }

  #open(): File {
    return (this.#file ??= this.#home.disk.open(this.#path, { create: true }))
  }

  #load(): void {
    this.#owner = this.#home.pages.newOwner()
    this.#stored = Math.floor(Math.max(0, this.#home.disk.fileSize(this.#path)) / this.entryBytes)
    if (this.#stored === 0 || !this.#isZero(this.#stored - 1)) return
    // Entries, then zeros: the first zero is where they meet.
    let low = 0
    let high = this.#stored - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#isZero(middle)) high = middle
      else low = middle + 1
    }
    this.#stored = low
    this.#owner = this.#home.pages.newOwner()
  }

  #isZero(index: number): boolean {
    this.seek(index)
    for (let byte = 0; byte < this.entryBytes; byte++) if (this.buffer[this.at + byte] !== 0) return false
    return true
  }

  #grow(): void {
    const larger = Buffer.allocUnsafeSlow(
      Math.min(pendingMax * this.entryBytes, Math.max(pendingFirst * this.entryBytes, this.#pending.length * 2)),
    )
    this.#pending.copy(larger)
    this.#pending = larger
  }
}

const noBytes = Buffer.alloc(0)
const done = Promise.resolve()
