/** As many batches as a tailing consumer may be behind without an index lookup. */
const capacity = 16
const columns = 3
const noRows = new Float64Array(0)

/**
 * Where the last few batches of the active segment lie. Most reads are for them: what was appended a moment ago. A
 * log that nothing is appended to costs nothing.
 */
export class RecentBatches {
  /** Rows of base offset, last offset, position; a ring, the newest at `#newest`. */
  #rows = noRows
  #count = 0
  #newest = 0

  add(baseOffset: number, lastOffset: number, position: number): void {
    if (this.#rows === noRows) this.#rows = new Float64Array(capacity * columns)
    const slot = (this.#newest + 1) % capacity
    this.#newest = slot
    this.#rows[slot * columns] = baseOffset
    this.#rows[slot * columns + 1] = lastOffset
    this.#rows[slot * columns + 2] = position
    if (this.#count < capacity) this.#count++
  }

  clear(): void {
    this.#count = 0
  }

  /** The slot of the first batch that ends at `offset` or after it; -1 if that is not among these, or not known. */
  slotOf(offset: number): number {
    let found = -1
    for (let back = 0; back < this.#count; back++) {
      const slot = (this.#newest - back + capacity) % capacity
      // The batch before the one found ends below `offset`: that one it is.
      if (this.#rows[slot * columns + 1]! < offset) return found
      found = slot
    }
    // The oldest one is the first only if it begins at or before `offset`.
    return found >= 0 && this.baseOffsetAt(found) <= offset ? found : -1
  }

  baseOffsetAt(slot: number): number {
    return this.#rows[slot * columns]!
  }

  positionAt(slot: number): number {
    return this.#rows[slot * columns + 2]!
  }

  /** Where the batch of a slot ends, when the segment ends at `segmentEnd`. */
  endOf(slot: number, segmentEnd: number): number {
    return slot === this.#newest ? segmentEnd : this.positionAt((slot + 1) % capacity)
  }
}
