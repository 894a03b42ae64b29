import { readInt32, readInt64 } from '#protocol/records/batch.js'
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
  /** Where `push` made room for an entry. True until the next call. */
  buffer: Buffer = noBytes
  at = 0
  /** The stored entries of the page that was read last: who reads on finds the next entry there. Both 0: none. */
  pageStart = 0
  pageEnd = 0
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

  /** The int32 that is `field` bytes into an entry. */
  int32(index: number, field: number): number {
    if (index >= this.#stored) return readInt32(this.#pending, (index - this.#stored) * this.entryBytes + field)
    return readInt32(this.#pageOf(index), (index - this.pageStart) * this.entryBytes + field)
  }

  int64(index: number, field: number): number {
    if (index >= this.#stored) return readInt64(this.#pending, (index - this.#stored) * this.entryBytes + field)
    return readInt64(this.#pageOf(index), (index - this.pageStart) * this.entryBytes + field)
  }

  /** The page that a stored entry is on: entries [pageStart, pageEnd). True until the next call. */
  #pageOf(index: number): Buffer {
    const number = Math.floor(index / this.#pageEntries)
    const start = number * this.#pageEntries
    const needed = (index - start + 1) * this.entryBytes
    const { pages } = this.#home
    let page = pages.peek(this.#owner, number, needed)
    if (page === null) {
      const bytes = Math.min(this.#pageEntries, this.#stored - start) * this.entryBytes
      page = pages.load(this.#owner, number, start * this.entryBytes, bytes, this.#readPage)
    }
    this.pageStart = start
    this.pageEnd = start + page.length / this.entryBytes
    return page
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
    this.#disown()
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
    this.#disown()
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

  /** Pages that were read are of another file now. */
  #disown(): void {
    this.#owner = this.#home.pages.newOwner()
    this.pageStart = 0
    this.pageEnd = 0
  }

  #load(): void {
    this.#disown()
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
    this.#disown()
  }

  #isZero(index: number): boolean {
    for (let field = 0; field < this.entryBytes; field += 4) if (this.int32(index, field) !== 0) return false
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
