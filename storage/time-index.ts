import { writeInt32, writeInt64 } from '#protocol/records/batch.js'
import { timeIndexSuffix } from './file-names.js'
import { IndexFile, type IndexHome } from './index-file.js'

const entryBytes = 12

/**
 * The sparse index from times to offsets. An entry says: up to the batch that ends at this offset, no record of the
 * segment is later than this time, and that batch has a record of this time. Times ascend.
 *
 * ```
 * i64 timestamp | i32 offset - baseOffset
 * ```
 */
export class TimeIndex {
  readonly file: IndexFile
  readonly #baseOffset: number

  constructor(home: IndexHome, baseOffset: number) {
    this.file = new IndexFile(home, timeIndexSuffix, entryBytes)
    this.#baseOffset = baseOffset
  }

  get count(): number {
    return this.file.count
  }

  /** Whether only the place is left that closing the segment needs. */
  isFull(bytesMax: number): boolean {
    return this.file.count >= Math.floor(bytesMax / entryBytes) - 1
  }

  /** Adds an entry if the time is news. */
  maybeAppend(timestamp: number, lastOffset: number): void {
    const count = this.file.count
    if (timestamp <= (count === 0 ? -1 : this.timestampAt(count - 1))) return
    const file = this.file
    file.push()
    writeInt64(file.buffer, file.at, timestamp)
    writeInt32(file.buffer, file.at + 8, lastOffset - this.#baseOffset)
  }

  timestampAt(index: number): number {
    return this.file.int64(index, 0)
  }

  offsetAt(index: number): number {
    return this.#baseOffset + this.file.int32(index, 8)
  }

  /** The last entry whose time is not above `timestamp`, as an index; -1 if there is none. */
  slotOf(timestamp: number): number {
    let low = 0
    let high = this.file.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.timestampAt(middle) <= timestamp) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Removes the entries of batches that end at `offset` or after it. */
  truncateTo(offset: number): void {
    let low = 0
    let high = this.file.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.offsetAt(middle) < offset) low = middle + 1
      else high = middle
    }
    this.file.truncate(low)
  }

  /** How many entries, from the first on, ascend and lie below `endOffset`. */
  countSound(endOffset: number): number {
    const file = this.file
    const relativeEnd = endOffset - this.#baseOffset
    let lastTimestamp = -1
    let lastRelative = -1
    const count = file.count
    for (let index = 0; index < count; index++) {
      const timestamp = file.int64(index, 0)
      const relative = file.int32(index, 8)
      if (timestamp <= lastTimestamp || relative < lastRelative || relative < 0 || relative >= relativeEnd) return index
      lastTimestamp = timestamp
      lastRelative = relative
    }
    return count
  }
}
