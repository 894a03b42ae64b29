import { strict as assert } from 'node:assert'
import type { SnapshotId } from './metadata-log.js'
import type { EpochEndOffset, LogQueries, RaftEffect, RaftStart } from './raft-types.js'

/**
 * Where the log stands, as it will be when all effects so far are done:
 *
 *   start ... highWatermark ... syncedOffset ... endOffset
 *             committed         on the device    written
 */
export class LogPositions {
  readonly #log: LogQueries
  /** Otherwise what is written counts as synced: a node that never votes answers for nothing. */
  readonly #syncs: boolean
  readonly #emit: (effect: RaftEffect) => void
  #endOffset: number
  #lastEpoch: number
  #syncedOffset: number
  #syncing: { readonly token: number; readonly endOffset: number } | null = null
  #nextSyncToken = 1
  #highWatermark = -1

  constructor(log: LogQueries, start: RaftStart, syncs: boolean, emit: (effect: RaftEffect) => void) {
    this.#log = log
    this.#syncs = syncs
    this.#emit = emit
    this.#endOffset = start.endOffset
    this.#lastEpoch = start.lastEpoch
    // What another process has written may be in the page cache alone.
    this.#syncedOffset = syncs ? log.startOffset : start.endOffset
  }

  get endOffset(): number {
    return this.#endOffset
  }

  get lastEpoch(): number {
    return this.#lastEpoch
  }

  get syncedOffset(): number {
    return this.#syncedOffset
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  /** The log ends at `endOffset` now, with a record of `epoch`. */
  extend(endOffset: number, epoch: number): void {
    assert(endOffset > this.#endOffset && epoch >= this.#lastEpoch, 'log matching: offsets and epochs of a log ascend')
    this.#endOffset = endOffset
    this.#lastEpoch = epoch
    this.requestSync()
  }

  /** Cuts the log back; committed records must never be cut. */
  truncate(endOffset: number): void {
    const committed = this.#highWatermark
    assert(endOffset >= committed, `committed metadata stays: truncation to ${endOffset} below ${committed}`)
    if (endOffset >= this.#endOffset) return
    this.#emit({ type: 'truncate', endOffset })
    this.#lastEpoch = this.#epochBefore(endOffset)
    this.#endOffset = endOffset
    this.#syncedOffset = Math.min(this.#syncedOffset, endOffset)
    this.#syncing = null
    this.requestSync()
  }

  /** The epoch of the record before `offset`, or of the snapshot that ends there. */
  #epochBefore(offset: number): number {
    const { earliestSnapshot, startOffset } = this.#log
    if (offset > startOffset) return Math.max(0, this.#log.epochOf(offset - 1))
    return earliestSnapshot !== null && earliestSnapshot.endOffset === offset ? earliestSnapshot.epoch : 0
  }

  /** The log is empty and begins after a snapshot. */
  restartAfter(id: SnapshotId): void {
    this.#endOffset = id.endOffset
    this.#lastEpoch = id.epoch
    this.#syncedOffset = id.endOffset
    this.#syncing = null
    this.raiseHighWatermark(id.endOffset)
  }

  /** Asks for an fdatasync unless one is under way; what is appended meanwhile shares the next one. */
  requestSync(): void {
    if (!this.#syncs) {
      this.#syncedOffset = this.#endOffset
      return
    }
    if (this.#syncing !== null || this.#syncedOffset >= this.#endOffset) return
    const token = this.#nextSyncToken++
    this.#syncing = { token, endOffset: this.#endOffset }
    this.#emit({ type: 'sync', token })
  }

  /** One is done; if the log was cut back meanwhile, it counts for nothing. */
  synced(token: number): void {
    if (this.#syncing?.token !== token) return
    this.#syncedOffset = this.#syncing.endOffset
    this.#syncing = null
    this.requestSync()
  }

  /** Everything below `offset` is committed. Without effect when that is known. */
  raiseHighWatermark(offset: number): void {
    if (offset <= Math.max(0, this.#highWatermark)) return
    assert(offset <= this.#endOffset, `high watermark ${offset} after the end ${this.#endOffset}`)
    this.#highWatermark = offset
    this.#emit({ type: 'highWatermark', offset })
  }

  /** The end of the largest epoch not above `epoch`: what a follower's log is compared with. */
  endOffsetForEpoch(epoch: number): EpochEndOffset {
    const end = this.#log.endOffsetOf(epoch)
    if (end === null) return { epoch: this.#lastEpoch, endOffset: this.#endOffset }
    const { earliestSnapshot } = this.#log
    if (earliestSnapshot !== null && end.endOffset === earliestSnapshot.endOffset && end.epoch === epoch) {
      return earliestSnapshot
    }
    return end
  }
}
