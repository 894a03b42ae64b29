import type { Millis } from '../runtime/ports.js'
import type { CutLog } from './truncation-target.js'

/** A replica that follows, as its fetcher sees it: what its log has now. */
export interface FollowedReplica extends CutLog {
  /** As in messages: `topic-0`. */
  readonly name: string
  readonly topicId: string
  readonly index: number
  readonly logStartOffset: number
  /** The epoch of the last batch, -1 if there is none. */
  readonly latestEpoch: number
  /** Its end counts only when it is on the device (`flush.messages`). */
  readonly needsSync: boolean
  /** `follower.replication.throttled.replicas` names it. */
  readonly isThrottled: boolean
}

/**
 * - fetching: it is asked for, unless it is delayed;
 * - syncing: it has records that count only when they are on the device (`flush.messages`);
 * - resetting: its end is not in the leader's log: the leader is asked where that ends and begins;
 * - failed: nothing more is tried until the metadata gives it a new leader or a new epoch.
 */
export type FollowStage = 'fetching' | 'syncing' | 'resetting' | 'failed'

/** Where one replica stands with its leader. */
export class FollowState {
  readonly replica: FollowedReplica
  readonly leaderEpoch: number
  stage: FollowStage = 'fetching'
  fetchOffset = 0
  logStartOffset = 0
  lastFetchedEpoch = -1
  /** -1: not known. */
  leaderHighWatermark = -1
  /** Records are being appended: the log must go further after that. */
  expectsRecords = false
  /** Not asked for before this time, and how long the next delay is. */
  delayedUntil: Millis = 0
  nextDelayMs: Millis = 0
  /** Something of it has changed since it was last looked at for a request. */
  isDirty = false
  /** It went away. */
  isOver = false

  /** The fetch session has it, as this was when it was last named. */
  isInSession = false
  sentFetchOffset = -1
  sentLogStartOffset = -1
  sentLastFetchedEpoch = -1
  sentLeaderEpoch = -1

  constructor(replica: FollowedReplica, leaderEpoch: number) {
    this.replica = replica
    this.leaderEpoch = leaderEpoch
    this.refresh()
  }

  /** Looks at the log anew. */
  refresh(): void {
    this.fetchOffset = this.replica.logEndOffset
    this.logStartOffset = this.replica.logStartOffset
    this.lastFetchedEpoch = this.replica.latestEpoch
  }

  /** What the leader has committed beyond the end of this log; -1: not known. */
  get lag(): number {
    return this.leaderHighWatermark === -1 ? -1 : Math.max(0, this.leaderHighWatermark - this.fetchOffset)
  }

  /** Whether the session says something else than what is to be fetched. */
  get differs(): boolean {
    return (
      !this.isInSession ||
      this.sentFetchOffset !== this.fetchOffset ||
      this.sentLogStartOffset !== this.logStartOffset ||
      this.sentLastFetchedEpoch !== this.lastFetchedEpoch ||
      this.sentLeaderEpoch !== this.leaderEpoch
    )
  }

  markSent(): void {
    this.isInSession = true
    this.sentFetchOffset = this.fetchOffset
    this.sentLogStartOffset = this.logStartOffset
    this.sentLastFetchedEpoch = this.lastFetchedEpoch
    this.sentLeaderEpoch = this.leaderEpoch
  }

  /** An answer to what was sent is still an answer to what is wanted. */
  get isAnswerable(): boolean {
    return (
      this.stage === 'fetching' &&
      this.isInSession &&
      this.sentFetchOffset === this.fetchOffset &&
      this.sentLeaderEpoch === this.leaderEpoch
    )
  }
}
