import * as batch from '#protocol/records/batch.js'
import { coordinatorEpochOf, readControlMarker } from '#protocol/records/control.js'
import { LogError } from './log-error.js'
import type { AbortedTransaction, ActiveProducer, AppendOrigin } from './log-types.js'
import { ProducerEntry } from './producer-entry.js'

/** Producers that a log remembers at most; beyond it the one known longest without an open transaction goes. */
const producersMax = 200_000

/** Ended transactions that a log remembers at most. */
const decidedMax = 8192

/** A transaction that a marker has ended. */
interface DecidedTransaction {
  readonly firstOffset: number
  readonly markerOffset: number
}

/**
 * What a log knows of the producers that wrote to it: their epochs, the sequences of their last batches, their open
 * transactions. It is state up to `endOffset`, and can be told anew from the batches.
 */
export class ProducerState {
  /** The offset up to which batches were taken in. */
  endOffset: number
  /** Of the batch that `findDuplicate` found. */
  duplicateBaseOffset = -1
  duplicateLastOffset = -1
  duplicateTimestamp = -1
  readonly #entries = new Map<number, ProducerEntry>()
  /** Where the search for a producer to forget goes on: a new one would pass by all that were forgotten before. */
  #oldest = this.#entries.values()
  /**
   * Producer ids by the first offset of their open transaction; offsets ascend, for transactions open in that order.
   */
  readonly #open = new Map<number, number>()
  /** Transactions whose marker may still lie above the high watermark; markers ascend. */
  #decided: DecidedTransaction[] = []

  constructor(endOffset: number) {
    this.endOffset = endOffset
  }

  get count(): number {
    return this.#entries.size
  }

  entries(): IterableIterator<ProducerEntry> {
    return this.#entries.values()
  }

  /** Takes in an entry of a snapshot. Call in any order, then `sortOpen`. */
  load(entry: ProducerEntry): void {
    this.#entries.set(entry.producerId, entry)
    if (entry.transactionStart >= 0) this.#open.set(entry.transactionStart, entry.producerId)
  }

  sortOpen(): void {
    const sorted = [...this.#open].sort((left, right) => left[0] - right[0])
    this.#open.clear()
    for (const [offset, producerId] of sorted) this.#open.set(offset, producerId)
  }

  /** Whether one of the last batches of the producer is this one; then the `duplicate…` properties tell where it is. */
  findDuplicate(buffer: Uint8Array, position: number): boolean {
    const entry = this.#entries.get(batch.producerId(buffer, position))
    if (entry === undefined || entry.epoch !== batch.producerEpoch(buffer, position)) return false
    const first = batch.baseSequence(buffer, position)
    const slot = entry.slotOf(first, batch.lastSequence(buffer, position))
    if (slot < 0) return false
    this.duplicateLastOffset = entry.lastOffsetAt(slot)
    this.duplicateBaseOffset = this.duplicateLastOffset - entry.offsetDeltaAt(slot)
    this.duplicateTimestamp = entry.timestampAt(slot)
    return true
  }

  /**
   * Throws LogError if the batch may not follow what its producer wrote before: INVALID_PRODUCER_EPOCH,
   * OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_TXN_STATE, TRANSACTION_COORDINATOR_FENCED. Changes nothing.
   */
  check(buffer: Uint8Array, position: number, origin: AppendOrigin, transactionVersion: number): void {
    const entry = this.#entries.get(batch.producerId(buffer, position))
    if (entry === undefined) return
    if (batch.isControl(buffer, position)) checkMarker(entry, buffer, position, transactionVersion)
    else checkData(entry, buffer, position, origin)
  }

  /**
   * Takes in a batch that has its offsets. If it is the marker of an open transaction, returns that transaction, whose
   * abort (`isAborted`) the caller writes to the index of aborted transactions.
   */
  apply(buffer: Uint8Array, position: number): EndedTransaction | null {
    const producerId = batch.producerId(buffer, position)
    const lastOffset = batch.lastOffset(buffer, position)
    this.endOffset = lastOffset + 1
    if (batch.isControl(buffer, position)) return this.#applyMarker(producerId, buffer, position)
    const entry = this.#entries.get(producerId) ?? this.#add(producerId)
    entry.addBatch(
      batch.producerEpoch(buffer, position),
      batch.lastSequence(buffer, position),
      lastOffset,
      batch.lastOffsetDelta(buffer, position),
      batch.maxTimestamp(buffer, position),
    )
    if (entry.transactionStart < 0 && batch.isTransactional(buffer, position)) {
      entry.transactionStart = batch.baseOffset(buffer, position)
      this.#open.set(entry.transactionStart, producerId)
    }
    return null
  }

  #applyMarker(producerId: number, buffer: Uint8Array, position: number): EndedTransaction | null {
    // Compaction leaves the batch of a marker empty when it still names the producer's epoch.
    const marker = readControlMarker(buffer, position)
    if (marker === null || (marker.type !== 'COMMIT' && marker.type !== 'ABORT')) return null
    const entry = this.#entries.get(producerId) ?? this.#add(producerId)
    const firstOffset = entry.transactionStart
    const timestamp = batch.maxTimestamp(buffer, position)
    entry.endTransaction(batch.producerEpoch(buffer, position), coordinatorEpochOf(marker.value), timestamp)
    if (firstOffset < 0) return null
    const markerOffset = batch.lastOffset(buffer, position)
    this.#open.delete(firstOffset)
    this.#decided.push({ firstOffset, markerOffset })
    // The high watermark is not known here, but it does not stay this far behind.
    if (this.#decided.length > decidedMax) this.#decided.splice(0, decidedMax / 2)
    const [nextOpen] = this.#open.keys()
    return {
      isAborted: marker.type === 'ABORT',
      producerId,
      firstOffset,
      lastOffset: markerOffset,
      lastStableOffset: nextOpen ?? markerOffset + 1,
    }
  }

  /** The first offset that is not decided, or decided only above the high watermark; Infinity if there is none. */
  firstUnstableOffset(highWatermark: number): number {
    let first = Infinity
    for (let index = this.#decided.length - 1; index >= 0; index--) {
      const { firstOffset, markerOffset } = this.#decided[index]!
      if (markerOffset < highWatermark) break
      first = Math.min(first, firstOffset)
    }
    for (const offset of this.#open.keys()) return Math.min(first, offset)
    return first
  }

  /**
   * Takes over the last batches of producers as `other` knows them. A snapshot has one batch of each, and the
   * repetition of one before it would be taken for one out of order.
   */
  adoptBatches(other: ProducerState): void {
    for (const [producerId, entry] of this.#entries) {
      const known = other.#entries.get(producerId)
      if (known !== undefined) entry.adoptBatches(known)
    }
  }

  hasOpenTransaction(producerId: number, producerEpoch: number): boolean {
    const entry = this.#entries.get(producerId)
    return entry !== undefined && entry.transactionStart >= 0 && entry.epoch === producerEpoch
  }

  get(producerId: number): ProducerEntry | undefined {
    return this.#entries.get(producerId)
  }

  activeProducers(): ActiveProducer[] {
    return [...this.#entries.values()].map(entry => ({
      producerId: entry.producerId,
      producerEpoch: entry.epoch,
      lastSequence: entry.lastSequence,
      lastTimestamp: entry.lastTimestamp,
      coordinatorEpoch: entry.coordinatorEpoch,
      currentTransactionStartOffset: entry.transactionStart,
    }))
  }

  /** Forgets producers silent for `expirationMs` or longer, unless a transaction of theirs is open. */
  expire(nowMs: number, expirationMs: number): number {
    const before = this.#entries.size
    for (const entry of this.#entries.values()) {
      if (entry.transactionStart < 0 && nowMs - entry.lastTimestamp >= expirationMs) {
        this.#entries.delete(entry.producerId)
      }
    }
    return before - this.#entries.size
  }

  /** Decided transactions below a new start of the log hold nobody up. */
  startMoved(logStartOffset: number): void {
    this.#decided = this.#decided.filter(transaction => transaction.markerOffset >= logStartOffset)
    if (this.endOffset < logStartOffset) this.endOffset = logStartOffset
  }

  #add(producerId: number): ProducerEntry {
    if (this.#entries.size >= producersMax) this.#forgetOne()
    const entry = new ProducerEntry(producerId)
    this.#entries.set(producerId, entry)
    return entry
  }

  /** Forgets the producer known longest of those without an open transaction; none if all have one. */
  #forgetOne(): void {
    for (let rounds = 0; rounds < 2; rounds++) {
      for (let next = this.#oldest.next(); next.done !== true; next = this.#oldest.next()) {
        if (next.value.transactionStart >= 0) continue
        this.#entries.delete(next.value.producerId)
        return
      }
      this.#oldest = this.#entries.values()
    }
  }
}

/** A transaction that the marker just taken in ended. */
export interface EndedTransaction extends AbortedTransaction {
  readonly isAborted: boolean
}

function checkEpoch(entry: ProducerEntry, epoch: number): void {
  if (epoch >= entry.epoch) return
  const text = `Epoch ${epoch} of producer ${entry.producerId} is smaller than the last seen epoch ${entry.epoch}`
  throw new LogError('INVALID_PRODUCER_EPOCH', text)
}

function checkData(entry: ProducerEntry, buffer: Uint8Array, position: number, origin: AppendOrigin): void {
  const epoch = batch.producerEpoch(buffer, position)
  checkEpoch(entry, epoch)
  if (origin === 'client') checkSequence(entry, epoch, batch.baseSequence(buffer, position))
  if (entry.transactionStart >= 0 && !batch.isTransactional(buffer, position)) {
    const text = `Expected a transactional write from producer ${entry.producerId}, whose transaction is open`
    throw new LogError('INVALID_TXN_STATE', text)
  }
}

/**
 * No duplicate and no change of order: what is not next is refused, once what is there already has been told apart.
 * After 2^31 - 1 comes 0; a new epoch begins with 0. An epoch that is not known yet may begin anywhere.
 */
function checkSequence(entry: ProducerEntry, epoch: number, firstSequence: number): void {
  if (entry.epoch === batch.noProducerEpoch) return
  if (epoch !== entry.epoch) {
    if (firstSequence === 0) return
    const text = `Invalid sequence number for new epoch ${epoch} of producer ${entry.producerId}: ${firstSequence}`
    throw new LogError('OUT_OF_ORDER_SEQUENCE_NUMBER', `${text}, current epoch ${entry.epoch}`)
  }
  if (firstSequence === batch.incrementSequence(entry.lastSequence, 1)) return
  const text = `Out of order sequence number for producer ${entry.producerId}: ${firstSequence} (incoming)`
  throw new LogError('OUT_OF_ORDER_SEQUENCE_NUMBER', `${text}, ${entry.lastSequence} (current end)`)
}

/**
 * A marker of transaction version 2 has an epoch of its own, one above that of the transaction (KIP-890): the same
 * epoch once more is a repetition, allowed when the transaction is over, or when there is no higher epoch.
 */
function checkMarker(entry: ProducerEntry, buffer: Uint8Array, position: number, transactionVersion: number): void {
  const epoch = batch.producerEpoch(buffer, position)
  checkEpoch(entry, epoch)
  if (transactionVersion >= 2 && epoch === entry.epoch && entry.transactionStart >= 0 && epoch !== 0x7fff) {
    const text = `Epoch ${epoch} of a marker for producer ${entry.producerId} is not above that of its transaction`
    throw new LogError('INVALID_PRODUCER_EPOCH', text)
  }
  const marker = readControlMarker(buffer, position)
  if (marker === null || (marker.type !== 'COMMIT' && marker.type !== 'ABORT')) return
  const coordinatorEpoch = coordinatorEpochOf(marker.value)
  if (coordinatorEpoch >= entry.coordinatorEpoch) return
  const text = `Coordinator epoch ${coordinatorEpoch} of a marker for producer ${entry.producerId} is older`
  throw new LogError('TRANSACTION_COORDINATOR_FENCED', `${text} than ${entry.coordinatorEpoch}`)
}
