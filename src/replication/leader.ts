import type { Millis } from '../runtime/ports.js'

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
  /** The epoch of its registration, -1 where it did not say. */
  brokerEpoch: number
}

export interface LeaderOptions {
  readonly nodeId: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  /** `min.insync.replicas`. */
  readonly minInsyncReplicas: number
  /** `replica.lag.time.max.ms`. */
  readonly lagMsMax: Millis
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
  readonly #nodeId: number
  readonly #lagMsMax: Millis
  #replicas: readonly number[]
  #isr: ReadonlySet<number>
  #minInsyncReplicas: number
  readonly #followers = new Map<number, FollowerState>()

  constructor(options: LeaderOptions) {
    this.#nodeId = options.nodeId
    this.#lagMsMax = options.lagMsMax
    this.#replicas = options.replicas
    this.#isr = new Set(options.isr)
    this.#minInsyncReplicas = options.minInsyncReplicas
    this.#alignFollowers(-Infinity)
  }

  /** The same leadership with other replicas in it. */
  update(replicas: readonly number[], isr: readonly number[], now: Millis): void {
    this.#replicas = replicas
    this.#isr = new Set(isr)
    this.#alignFollowers(now)
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
        caughtUpAt: this.#isr.has(id) ? now : -Infinity,
        brokerEpoch: -1,
      })
    }
  }

  /** How many replicas must be in sync; never more than there are. */
  get effectiveMinInsyncReplicas(): number {
    return Math.min(this.#minInsyncReplicas, this.#replicas.length)
  }

  get inSyncCount(): number {
    return this.#isr.size
  }

  get isUnderMinInsync(): boolean {
    return this.#isr.size < this.effectiveMinInsyncReplicas
  }

  /** No one else has a copy: what is in the leader's log is committed. */
  get isAlone(): boolean {
    return this.#followers.size === 0
  }

  follower(id: number): FollowerState | undefined {
    return this.#followers.get(id)
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

  /** The high watermark, which is `current` or higher. `leaderEnd`: the part of the leader's log that counts. */
  highWatermark(current: number, leaderEnd: number, now: Millis): number {
    if (this.isUnderMinInsync) return current
    let lowest = leaderEnd
    for (const [id, state] of this.#followers) {
      const counts = this.#isr.has(id) || now - state.caughtUpAt <= this.#lagMsMax
      if (counts && state.logEndOffset < lowest) lowest = state.logEndOffset
    }
    return Math.max(current, lowest)
  }

  /** The lowest log start offset among the replicas that are alive (DeleteRecords waits for it). */
  lowWatermark(leaderStart: number): number {
    let lowest = leaderStart
    for (const state of this.#followers.values()) lowest = Math.min(lowest, state.logStartOffset)
    return lowest
  }
}
