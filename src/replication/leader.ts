import type { PartitionImage } from '../metadata/image.js'
import type { Millis } from '../runtime/ports.js'
import type { BrokerView } from './broker-view.js'
import { type IsrProposal, IsrState } from './isr.js'

/** What a leader knows of one of its followers. */
export interface FollowerState {
  /** The end of its log as of its last fetch, -1 before the first. */
  logEndOffset: number
  logStartOffset: number
  /** The end of the leader's log when it last fetched, and when that was. */
  leaderEndAtFetch: number
  lastFetchAt: Millis
  /** When it last had all that the leader had. */
  caughtUpAt: Millis
  /** The epoch of its registration: -1 where it did not say, null before it has fetched. */
  brokerEpoch: number | null
}

/** The part of a partition's metadata that its leader acts on. */
export type LedPartition = Pick<PartitionImage, 'replicas' | 'isr' | 'leaderEpoch' | 'partitionEpoch'>

export interface LeaderOptions {
  readonly nodeId: number
  readonly image: LedPartition
  /** `min.insync.replicas`. */
  readonly minInsyncReplicas: number
  /** `replica.lag.time.max.ms`. */
  readonly lagMsMax: Millis
  readonly brokers: BrokerView
  /** Monotonic time. */
  readonly now: Millis
}

/**
 * What makes records of a partition committed, as its leader sees it. Pure: offsets and times come in, the high
 * watermark goes out.
 *
 *   leader    ----------------+ end of the log
 *   in sync   -----------+    |
 *   in sync   --------------+ |
 *                        ^ high watermark: all that are in sync have what is before it
 *
 * It does not move while fewer replicas are in sync than `min.insync.replicas` asks for (KIP-966), and never back.
 */
export class LeaderState {
  readonly isr: IsrState
  readonly #nodeId: number
  readonly #lagMsMax: Millis
  readonly #brokers: BrokerView
  #replicas: readonly number[]
  #minInsyncReplicas: number
  readonly #followers = new Map<number, FollowerState>()

  constructor(options: LeaderOptions) {
    const { image, now } = options
    this.#nodeId = options.nodeId
    this.#lagMsMax = options.lagMsMax
    this.#brokers = options.brokers
    this.#replicas = image.replicas
    this.isr = new IsrState(image.isr, image.leaderEpoch, image.partitionEpoch)
    this.#minInsyncReplicas = options.minInsyncReplicas
    this.#alignFollowers(now)
  }

  /** The same leadership with other replicas in it. */
  update(image: LedPartition, now: Millis): void {
    this.#replicas = image.replicas
    this.isr.learn(image.isr, image.leaderEpoch, image.partitionEpoch)
    this.#alignFollowers(now)
  }

  /**
   * Leads on in a new epoch: followers begin anew, but what they have is known, unless an epoch was passed over.
   * Another broker may have led in it, and made followers cut off what they had of this one. `leaderEnd`: the end of
   * the leader's log.
   */
  renew(image: LedPartition, leaderEnd: number, now: Millis): void {
    if (image.leaderEpoch !== this.isr.leaderEpoch + 1) this.#followers.clear()
    this.update(image, now)
    for (const [id, state] of this.#followers) {
      const isInSync = this.isr.has(id)
      state.leaderEndAtFetch = isInSync ? leaderEnd : -1
      state.lastFetchAt = isInSync ? now : -Infinity
      state.caughtUpAt = isInSync ? now : -Infinity
    }
  }

  set minInsyncReplicas(count: number) {
    this.#minInsyncReplicas = count
  }

  #alignFollowers(now: Millis): void {
    for (const id of this.#followers.keys()) if (!this.#replicas.includes(id)) this.#followers.delete(id)
    for (const id of this.#replicas) {
      if (id === this.#nodeId || this.#followers.has(id)) continue
      this.#followers.set(id, {
        logEndOffset: -1,
        logStartOffset: -1,
        leaderEndAtFetch: -1,
        lastFetchAt: -Infinity,
        // Who is in sync was so a moment ago.
        caughtUpAt: this.isr.has(id) ? now : -Infinity,
        brokerEpoch: null,
      })
    }
  }

  /** How many replicas must be in sync; never more than there are. */
  get effectiveMinInsyncReplicas(): number {
    return Math.min(this.#minInsyncReplicas, this.#replicas.length)
  }

  /** So few are in sync for sure that nothing more may be promised. */
  get isUnderMinInsync(): boolean {
    return this.isr.committed.length < this.effectiveMinInsyncReplicas
  }

  /** Even with those that may be in sync there are too few. */
  get isSurelyUnderMinInsync(): boolean {
    return this.isr.maximalSize < this.effectiveMinInsyncReplicas
  }

  /** No one else has a copy: what is in the leader's log is committed. */
  get isAlone(): boolean {
    return this.#followers.size === 0
  }

  follower(id: number): FollowerState | undefined {
    return this.#followers.get(id)
  }

  followers(): IterableIterator<[number, FollowerState]> {
    return this.#followers.entries()
  }

  /** Whether a fetch comes from an earlier life of the broker: `brokerEpoch` is what the fetch says, -1 nothing. */
  isFromThePast(id: number, brokerEpoch: number): boolean {
    return brokerEpoch !== -1 && this.#brokers.liveEpochOf(id) > brokerEpoch
  }

  /** A follower fetches from `fetchOffset`, which is how far its log goes; `leaderEnd` is how far the leader's went. */
  onFollowerFetch(
    id: number,
    fetch: { readonly fetchOffset: number; readonly logStartOffset: number; readonly brokerEpoch: number },
    leaderEnd: number,
    now: Millis,
  ): void {
    const state = this.#followers.get(id)
    if (state === undefined) throw new Error(`broker ${id} is not a follower`)
    if (fetch.fetchOffset >= leaderEnd) state.caughtUpAt = Math.max(state.caughtUpAt, now)
    else if (fetch.fetchOffset >= state.leaderEndAtFetch) {
      state.caughtUpAt = Math.max(state.caughtUpAt, state.lastFetchAt)
    }
    state.logEndOffset = fetch.fetchOffset
    state.logStartOffset = fetch.logStartOffset
    state.brokerEpoch = fetch.brokerEpoch
    state.leaderEndAtFetch = leaderEnd
    state.lastFetchAt = now
  }

  /** A follower that had everything at its last fetch, at `fetchedAt`, had so until now. */
  onIdleFollower(id: number, fetchedAt: Millis): void {
    const state = this.#followers.get(id)
    if (state === undefined || state.logEndOffset < state.leaderEndAtFetch) return
    state.caughtUpAt = Math.max(state.caughtUpAt, fetchedAt)
    state.lastFetchAt = Math.max(state.lastFetchAt, fetchedAt)
  }

  /** The high watermark, which is `current` or higher. `leaderEnd`: the part of the leader's log that counts. */
  highWatermark(current: number, leaderEnd: number, now: Millis): number {
    if (leaderEnd <= current || this.isUnderMinInsync) return current
    let lowest = leaderEnd
    for (const [id, state] of this.#followers) {
      if (state.logEndOffset >= lowest) continue
      if (this.isr.mayHave(id) || (this.#isCaughtUp(state, leaderEnd, now) && this.#isEligible(id, state))) {
        lowest = state.logEndOffset
      }
    }
    return Math.max(current, lowest)
  }

  /** It has everything, or had it a short while ago. */
  #isCaughtUp(state: FollowerState, leaderEnd: number, now: Millis): boolean {
    return state.logEndOffset === leaderEnd || now - state.caughtUpAt <= this.#lagMsMax
  }

  /** Whether the controller would take it into the in-sync replicas: alive, and in the life in which it fetched. */
  #isEligible(id: number, { brokerEpoch }: FollowerState): boolean {
    if (brokerEpoch === null || !this.#brokers.isActive(id)) return false
    return brokerEpoch === -1 || brokerEpoch === this.#brokers.liveEpochOf(id)
  }

  /**
   * Proposes to take a follower into the in-sync replicas if it has what is committed and what was there when this
   * leader began (`epochStart`); null if it has not, if it is in, or while another change is under way.
   */
  expand(id: number, highWatermark: number, epochStart: number): IsrProposal | null {
    const { isr } = this
    if (isr.pending !== null || isr.has(id)) return null
    const state = this.#followers.get(id)
    if (state === undefined || state.logEndOffset < highWatermark || state.logEndOffset < epochStart) return null
    if (!this.#isEligible(id, state)) return null
    return isr.propose([...isr.committed, id])
  }

  /** Proposes to drop the members that lag; null if none does, or while another change is under way. */
  shrink(leaderEnd: number, now: Millis): IsrProposal | null {
    const { isr } = this
    if (isr.pending !== null || isr.committed.length <= 1) return null
    const kept = isr.committed.filter(id => {
      const state = this.#followers.get(id)
      return state === undefined ? id === this.#nodeId : this.#isCaughtUp(state, leaderEnd, now)
    })
    return kept.length === isr.committed.length ? null : isr.propose(kept)
  }

  /** The lowest log start offset among the replicas that are alive (DeleteRecords waits for it). */
  lowWatermark(leaderStart: number): number {
    let lowest = leaderStart
    for (const [id, state] of this.#followers) {
      if (this.#brokers.liveEpochOf(id) !== -1) lowest = Math.min(lowest, state.logStartOffset)
    }
    return lowest
  }
}
