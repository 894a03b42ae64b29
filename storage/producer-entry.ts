import { noSequence } from '#protocol/records/batch.js'

/** Batches per producer by which a repetition is recognised: as many as a producer may have in flight. */
export const batchesMax = 5
const columns = 4

/** One producer of a log: its epoch, its last batches, its open transaction. */
export class ProducerEntry {
  readonly producerId: number
  epoch = -1
  coordinatorEpoch = -1
  /** Of its last batch or marker, in ms. */
  lastTimestamp = -1
  /** The first offset of the open transaction, -1 if none is open. */
  transactionStart = -1
  /** Rows of last sequence, last offset, offset delta, timestamp; a ring, the newest at `#newest`. */
  readonly #batches = new Float64Array(batchesMax * columns)
  #count = 0
  #newest = 0

  constructor(producerId: number) {
    this.producerId = producerId
  }

  /** Of the last batch; -1 if none is known of this epoch. */
  get lastSequence(): number {
    return this.#count === 0 ? noSequence : this.#batches[this.#newest * columns]!
  }

  get lastOffset(): number {
    return this.#count === 0 ? -1 : this.#batches[this.#newest * columns + 1]!
  }

  get lastOffsetDelta(): number {
    return this.#count === 0 ? 0 : this.#batches[this.#newest * columns + 2]!
  }

  addBatch(epoch: number, lastSequence: number, lastOffset: number, offsetDelta: number, timestamp: number): void {
    this.#setEpoch(epoch)
    this.#newest = (this.#newest + 1) % batchesMax
    if (this.#count < batchesMax) this.#count++
    const row = this.#newest * columns
    this.#batches[row] = lastSequence
    this.#batches[row + 1] = lastOffset
    this.#batches[row + 2] = offsetDelta
    this.#batches[row + 3] = timestamp
    this.lastTimestamp = timestamp
  }

  endTransaction(epoch: number, coordinatorEpoch: number, timestamp: number): void {
    this.#setEpoch(epoch)
    this.coordinatorEpoch = coordinatorEpoch
    this.lastTimestamp = timestamp
    this.transactionStart = -1
  }

  /** Takes over the batches that `other` knows, if its last one is the last one here: it may know more of them. */
  adoptBatches(other: ProducerEntry): void {
    if (other.epoch !== this.epoch || other.#count <= this.#count || other.lastOffset !== this.lastOffset) return
    this.#batches.set(other.#batches)
    this.#count = other.#count
    this.#newest = other.#newest
  }

  /** The row of the batch with exactly these sequences, -1 if it is not among the last. */
  slotOf(firstSequence: number, lastSequence: number): number {
    for (let back = 0; back < this.#count; back++) {
      const slot = (this.#newest - back + batchesMax) % batchesMax
      const last = this.#batches[slot * columns]!
      if (last === lastSequence && firstOf(last, this.#batches[slot * columns + 2]!) === firstSequence) return slot
    }
    return -1
  }

  lastOffsetAt(slot: number): number {
    return this.#batches[slot * columns + 1]!
  }

  offsetDeltaAt(slot: number): number {
    return this.#batches[slot * columns + 2]!
  }

  timestampAt(slot: number): number {
    return this.#batches[slot * columns + 3]!
  }

  /** Batches of an older epoch say nothing about the next one. */
  #setEpoch(epoch: number): void {
    if (this.epoch === epoch) return
    this.epoch = epoch
    this.#count = 0
  }
}

/** The first sequence of a batch by its last one: before 0 comes 2^31 - 1. */
function firstOf(lastSequence: number, offsetDelta: number): number {
  if (lastSequence === noSequence) return noSequence
  return lastSequence >= offsetDelta ? lastSequence - offsetDelta : lastSequence - offsetDelta + 0x8000_0000
}
