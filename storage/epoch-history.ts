import type { EpochEnd } from './log-types.js'

export type EpochEntry = readonly [epoch: number, startOffset: number]

const unknown: EpochEnd = { epoch: -1, endOffset: -1 }

/**
 * Where each leader epoch of a log begins; both columns ascend:
 *
 * ```
 * epoch        0   3   4
 * startOffset  0  40  97
 * ```
 */
export class EpochHistory {
  readonly #epochs: number[] = []
  readonly #startOffsets: number[] = []
  /** What the checkpoint file says. */
  #stored: readonly EpochEntry[]

  /** `stored` is what the checkpoint file says. */
  constructor(stored: readonly EpochEntry[] = []) {
    for (const [epoch, startOffset] of stored) this.assign(epoch, startOffset)
    this.#stored = stored
  }

  /** Whether the checkpoint file says something else. */
  get isDirty(): boolean {
    return (
      this.#stored.length !== this.#epochs.length ||
      this.#stored.some(([epoch, start], index) => epoch !== this.#epochs[index] || start !== this.#startOffsets[index])
    )
  }

  /** The checkpoint file says this (`entries()` as they were when it was written), and says so durably. */
  markStored(entries: readonly EpochEntry[]): void {
    this.#stored = entries
  }

  get count(): number {
    return this.#epochs.length
  }

  /** -1 if there is none. */
  get latestEpoch(): number {
    return this.#epochs.length === 0 ? -1 : this.#epochs[this.#epochs.length - 1]!
  }

  get epochs(): readonly number[] {
    return this.#epochs
  }

  get startOffsets(): readonly number[] {
    return this.#startOffsets
  }

  /**
   * Notes that `epoch` begins at `startOffset`. Entries that this contradicts go: `{3@40, 5@80}` and 4 at 70 make
   * `{3@40, 4@70}`. The latest epoch again changes nothing unless it begins earlier. True if anything changed.
   */
  assign(epoch: number, startOffset: number): boolean {
    const last = this.#epochs.length - 1
    if (last >= 0 && this.#epochs[last] === epoch && startOffset >= this.#startOffsets[last]!) return false
    while (this.#epochs.length > 0) {
      const end = this.#epochs.length - 1
      if (this.#epochs[end]! < epoch && this.#startOffsets[end]! < startOffset) break
      this.#epochs.pop()
      this.#startOffsets.pop()
    }
    this.#epochs.push(epoch)
    this.#startOffsets.push(startOffset)
    return true
  }

  /** The end of the largest epoch that is not above `epoch`, in a log that ends at `logEndOffset`. */
  endOf(epoch: number, logEndOffset: number): EpochEnd {
    if (epoch === -1 || epoch > this.latestEpoch) return unknown
    if (epoch === this.latestEpoch) return { epoch, endOffset: logEndOffset }
    const higher = this.#epochs.findIndex(candidate => candidate > epoch)
    const endOffset = this.#startOffsets[higher]!
    return { epoch: higher === 0 ? epoch : this.#epochs[higher - 1]!, endOffset }
  }

  /** The epoch of the record at `offset`, -1 if it lies before the first that is known. */
  epochOf(offset: number): number {
    for (let index = this.#epochs.length - 1; index >= 0; index--) {
      if (this.#startOffsets[index]! <= offset) return this.#epochs[index]!
    }
    return -1
  }

  /** Forgets epochs that begin at `endOffset` or after it. True if there were any. */
  truncateEnd(endOffset: number): boolean {
    const before = this.#epochs.length
    while (this.#epochs.length > 0 && this.#startOffsets[this.#epochs.length - 1]! >= endOffset) {
      this.#epochs.pop()
      this.#startOffsets.pop()
    }
    if (this.#epochs.length === before) return false
    return true
  }

  /** Lets the history begin at `startOffset`: the epoch of that offset begins there, earlier ones go. */
  truncateStart(startOffset: number): void {
    let kept = this.#epochs.length
    while (kept > 0 && this.#startOffsets[kept - 1]! > startOffset) kept--
    // `kept` entries begin at or before the new start; the last of them is the epoch of that offset.
    if (kept === 0 || (kept === 1 && this.#startOffsets[0] === startOffset)) return
    this.#epochs.splice(0, kept - 1)
    this.#startOffsets.splice(0, kept - 1)
    this.#startOffsets[0] = startOffset
  }

  clear(): void {
    this.#epochs.length = 0
    this.#startOffsets.length = 0
  }

  /** A copy to go back to. */
  entries(): EpochEntry[] {
    return this.#epochs.map((epoch, index): EpochEntry => [epoch, this.#startOffsets[index]!])
  }

  /** Goes back to a copy. */
  restore(entries: readonly EpochEntry[]): void {
    this.#epochs.length = 0
    this.#startOffsets.length = 0
    for (const [epoch, startOffset] of entries) {
      this.#epochs.push(epoch)
      this.#startOffsets.push(startOffset)
    }
  }
}
