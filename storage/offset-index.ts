import { writeInt32 } from '#protocol/records/batch.js'
import { indexSuffix } from './file-names.js'
import { IndexFile, type IndexHome } from './index-file.js'

const entryBytes = 8

/**
 * The sparse index from offsets to places in a segment file. An entry is the LAST offset of a batch, relative to the
 * base offset of the segment, and the position of that batch:
 *
 * ```
 * i32 offset - baseOffset | i32 position
 * ```
 */
export class OffsetIndex {
  readonly file: IndexFile
  readonly #baseOffset: number

  constructor(home: IndexHome, baseOffset: number) {
    this.file = new IndexFile(home, indexSuffix, entryBytes)
    this.#baseOffset = baseOffset
  }

  get count(): number {
    return this.file.count
  }

  /** Whether another entry would make the file larger than `bytesMax` (`segment.index.bytes`). */
  isFull(bytesMax: number): boolean {
    return this.file.count >= Math.floor(bytesMax / entryBytes)
  }

  append(lastOffset: number, position: number): void {
    const file = this.file
    file.push()
    writeInt32(file.buffer, file.at, lastOffset - this.#baseOffset)
    writeInt32(file.buffer, file.at + 4, position)
  }

  offsetAt(index: number): number {
    return this.#baseOffset + this.file.int32(index, 0)
  }

  positionAt(index: number): number {
    return this.file.int32(index, 4)
  }

  /** The greatest entry whose offset is not above `offset`, as an index; -1 if there is none. */
  slotOf(offset: number): number {
    const relative = offset - this.#baseOffset
    const file = this.file
    let low = 0
    let high = file.count
    const { pageStart, pageEnd } = file
    // One who reads on finds the next entry on the same page.
    if (pageEnd > pageStart) {
      if (file.int32(pageStart, 0) <= relative) low = pageStart + 1
      if (file.int32(pageEnd - 1, 0) > relative) high = pageEnd - 1
    }
    while (low < high) {
      const middle = (low + high) >>> 1
      if (file.int32(middle, 0) <= relative) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Where to begin reading for `offset`: the position of a batch at or before the one that holds it. */
  lookup(offset: number): number {
    const slot = this.slotOf(offset)
    return slot < 0 ? 0 : this.positionAt(slot)
  }

  /** An offset that no batch before `position` reaches: the first that is known from there on; -1 if none is. */
  offsetBehind(position: number): number {
    let low = 0
    let high = this.file.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.positionAt(middle) < position) low = middle + 1
      else high = middle
    }
    return low < this.file.count ? this.offsetAt(low) : -1
  }

  /** Removes the entries of batches that end at `offset` or after it. */
  truncateTo(offset: number): void {
    this.file.truncate(this.slotOf(offset - 1) + 1)
  }

  /**
   * How many entries, from the first on, can be entries of this segment: offsets and positions ascend, and lie in it.
   * What follows was torn by a crash.
   */
  countSound(endOffset: number, sizeInBytes: number): number {
    const file = this.file
    const relativeEnd = endOffset - this.#baseOffset
    let lastRelative = -1
    let lastPosition = 0
    const count = file.count
    for (let index = 0; index < count; index++) {
      const relative = file.int32(index, 0)
      const position = file.int32(index, 4)
      if (relative <= lastRelative || position <= lastPosition) return index
      if (relative >= relativeEnd || position >= sizeInBytes) return index
      lastRelative = relative
      lastPosition = position
    }
    return count
  }
}
