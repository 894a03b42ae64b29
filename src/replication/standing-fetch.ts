import type { Millis } from '../runtime/ports.js'
import type { FetchOperation } from './fetch-operation.js'
import type { FetchPartition } from './fetch-partition.js'
import type { Partition } from './partition.js'

/**
 * The fetch session of a follower, whose partitions stay in the lists of those that are woken: what has moved is told,
 * so that a fetch costs what has changed and not what there is. A follower of thousands of partitions of which one is
 * written to fetches that one.
 *
 *   unsettled  looked at by every fetch: has records or an error to tell, or the follower is not in sync
 *   settled    the follower has everything, is in sync, and knows so: not looked at until the partition moves
 */
export class StandingFetch {
  readonly replicaId: number
  /** What a fetch looks at; those that had records go to the end. */
  readonly unsettled = new Set<FetchPartition>()
  /** The fetch that waits. */
  operation: FetchOperation | null = null
  /** When the follower last fetched. */
  #fetchedAt: Millis = -Infinity

  constructor(replicaId: number) {
    this.replicaId = replicaId
  }

  /** A fetch begins. */
  onFetch(now: Millis): void {
    this.#fetchedAt = now
  }

  add(asked: FetchPartition): void {
    asked.standing = this
    this.unsettled.add(asked)
  }

  remove(asked: FetchPartition): void {
    asked.standing = null
    this.unsettled.delete(asked)
    this.attach(asked, undefined)
  }

  /** The request names it: it may have another offset now. */
  touch(asked: FetchPartition): void {
    this.unsettled.add(asked)
  }

  /** Lets the partition that there is now tell when it moves. */
  attach(asked: FetchPartition, partition: Partition | undefined): void {
    if (asked.waitsAt === (partition ?? null)) return
    asked.waitsAt?.removeWaiting(asked)
    asked.waitsAt = partition ?? null
    partition?.addWaiting(asked)
  }

  /** The partition has moved: its log, its high watermark, its leadership. */
  onMoved(asked: FetchPartition): void {
    if (!this.unsettled.has(asked)) {
      this.unsettled.add(asked)
      // Until this moment every fetch has found the follower with everything.
      asked.waitsAt?.leader?.onIdleFollower(this.replicaId, this.#fetchedAt)
    }
    this.operation?.onMoved(asked)
  }

  /** The answer has gone out. */
  settle(asked: FetchPartition): void {
    if (this.#isSettled(asked)) this.unsettled.delete(asked)
    else if (asked.bytes > 0) {
      this.unsettled.delete(asked)
      this.unsettled.add(asked)
    }
  }

  #isSettled(asked: FetchPartition): boolean {
    const { waitsAt: partition } = asked
    if (partition === null || partition.isOffline || partition.isGone || partition.leader === null) return false
    if (asked.errorCode !== 0 || asked.divergingEpoch !== -1 || asked.bytes > 0) return false
    return (
      asked.fetchOffset === partition.log.logEndOffset &&
      asked.cachedHighWatermark === partition.highWatermark &&
      asked.cachedLogStartOffset === partition.log.logStartOffset &&
      partition.leader.isr.has(this.replicaId)
    )
  }
}
