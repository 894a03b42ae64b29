import * as batch from '#protocol/records/batch.js'
import { readControlMarker } from '#protocol/records/control.js'
import type { AbortedTransaction } from './log-types.js'

interface OngoingAborted {
  readonly transaction: AbortedTransaction
  /** A batch of it was met: its marker is still needed. */
  hasBatches: boolean
}

/**
 * Which transactions compaction is in the middle of, as it walks over a log: their aborted records go, and a marker
 * goes when no batch of its transaction is left.
 */
export class CompactionTransactions {
  /** Told of an aborted transaction whose marker stays: it belongs in the index of the new segment. */
  onMarkerKept: (transaction: AbortedTransaction) => void = () => {}
  /** Aborted transactions that lie ahead, by their first offset. */
  #ahead: AbortedTransaction[] = []
  readonly #aborted = new Map<number, OngoingAborted>()
  readonly #committed = new Set<number>()

  /** Tells of transactions that were aborted in what is walked over next. */
  add(transactions: readonly AbortedTransaction[]): void {
    this.#ahead.push(...transactions)
    this.#ahead.sort((left, right) => left.firstOffset - right.firstOffset)
  }

  /** Whether the batch belongs to an aborted transaction, or is a marker that nothing needs. */
  isDiscardable(buffer: Uint8Array, position: number): boolean {
    this.#enter(batch.lastOffset(buffer, position))
    const producerId = batch.producerId(buffer, position)
    if (batch.isControl(buffer, position)) return this.#isMarkerDiscardable(buffer, position, producerId)
    if (!batch.isTransactional(buffer, position)) return false
    const aborted = this.#aborted.get(producerId)
    if (aborted !== undefined) {
      aborted.hasBatches = true
      return true
    }
    this.#committed.add(producerId)
    return false
  }

  #enter(offset: number): void {
    while (this.#ahead.length > 0 && this.#ahead[0]!.firstOffset <= offset) {
      const transaction = this.#ahead.shift()!
      if (this.#aborted.has(transaction.producerId)) continue
      this.#aborted.set(transaction.producerId, { transaction, hasBatches: false })
    }
  }

  #isMarkerDiscardable(buffer: Uint8Array, position: number, producerId: number): boolean {
    // An empty one was emptied by an earlier round.
    const marker = readControlMarker(buffer, position)
    if (marker === null) return true
    if (marker.type === 'COMMIT') return !this.#committed.delete(producerId)
    if (marker.type !== 'ABORT') return false
    const aborted = this.#aborted.get(producerId)
    this.#aborted.delete(producerId)
    if (aborted?.hasBatches !== true) return true
    this.onMarkerKept(aborted.transaction)
    return false
  }
}
