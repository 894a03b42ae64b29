import { readInt16, readInt64, writeInt16, writeInt64 } from '#protocol/records/batch.js'
import type { File } from './disk.js'
import { txnIndexSuffix } from './file-names.js'
import type { IndexHome } from './index-file.js'
import type { AbortedTransaction } from './log-types.js'

const entryBytes = 34
const version = 0
/** Entries that are read with one call. */
const chunkEntries = 256

/**
 * The transactions whose abort marker lies in a segment, by the offset of the marker. The file is made with its first
 * entry.
 *
 * ```
 * i16 version | i64 producerId | i64 firstOffset | i64 lastOffset (of the marker) | i64 lastStableOffset
 * ```
 */
export class AbortedIndex {
  readonly #home: IndexHome
  readonly #baseOffset: number
  #file: File | null = null
  #isDirty = false

  constructor(home: IndexHome, baseOffset: number) {
    this.#home = home
    this.#baseOffset = baseOffset
  }

  append(transaction: AbortedTransaction): void {
    const entry = Buffer.allocUnsafe(entryBytes)
    writeInt16(entry, 0, version)
    writeInt64(entry, 2, transaction.producerId)
    writeInt64(entry, 10, transaction.firstOffset)
    writeInt64(entry, 18, transaction.lastOffset)
    writeInt64(entry, 26, transaction.lastStableOffset)
    this.#open().appendFrom(entry, 0, entryBytes)
    this.#isDirty = true
  }

  /**
   * Adds to `found` the transactions that have records in [from, to). True when no later segment can have another one:
   * everything below `to` was decided.
   */
  collect(from: number, to: number, found: AbortedTransaction[]): boolean {
    let isComplete = false
    this.#forEach(transaction => {
      if (transaction.lastOffset >= from && transaction.firstOffset < to) found.push(transaction)
      isComplete = transaction.lastStableOffset >= to
      return !isComplete
    })
    return isComplete
  }

  /** Removes the transactions that were aborted at `offset` or after it. */
  truncateTo(offset: number): void {
    let kept = 0
    this.#forEach(transaction => {
      if (transaction.lastOffset >= offset) return false
      kept++
      return true
    })
    const file = this.#open()
    if (kept * entryBytes === file.size) return
    file.truncate(kept * entryBytes)
    this.#isDirty = true
  }

  /** Whether the file is nothing but sound entries. */
  isSound(): boolean {
    let count = 0
    this.#forEach(() => {
      count++
      return true
    })
    return count * entryBytes === this.#open().size
  }

  sync(): Promise<void> {
    if (!this.#isDirty) return Promise.resolve()
    this.#isDirty = false
    return this.#open().sync()
  }

  /** What is in the file may be in the page cache only: a process that was killed wrote it. */
  distrust(): void {
    this.#isDirty = true
  }

  rename(to: string): void {
    if (this.#file !== null) this.#file.rename(to)
    else this.#home.disk.rename(this.#home.pathOf(txnIndexSuffix), to)
  }

  close(): void {
    this.#file?.close()
    this.#file = null
  }

  #open(): File {
    return (this.#file ??= this.#home.disk.open(this.#home.pathOf(txnIndexSuffix), { create: true }))
  }

  /** Visits the entries in order, up to one that cannot be one: a crash tore it. */
  #forEach(visit: (transaction: AbortedTransaction) => boolean): void {
    const file = this.#open()
    let last = this.#baseOffset - 1
    for (let position = 0; position + entryBytes <= file.size; position += chunkEntries * entryBytes) {
      const chunk = file.read(position, Math.min(chunkEntries * entryBytes, file.size - position))
      for (let at = 0; at + entryBytes <= chunk.length; at += entryBytes) {
        const transaction = {
          producerId: readInt64(chunk, at + 2),
          firstOffset: readInt64(chunk, at + 10),
          lastOffset: readInt64(chunk, at + 18),
          lastStableOffset: readInt64(chunk, at + 26),
        }
        const { firstOffset, lastOffset } = transaction
        if (readInt16(chunk, at) !== version || lastOffset <= last || firstOffset >= lastOffset) return
        last = lastOffset
        if (!visit(transaction)) return
      }
    }
  }
}
