import { ErrorCode } from '#protocol/errors.js'
import type { EpochEnd } from '#storage/log-types.js'
import type { Machine } from '../runtime/machine.js'
import type { Millis } from '../runtime/ports.js'
import { type FollowedReplica, FollowState } from './followed-replica.js'
import { FollowerSession, type SessionRequest } from './follower-session.js'
import { truncationTarget } from './truncation-target.js'

/** What a leader answered for one partition. */
export interface FetchedPart {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  /** Null unless the histories differ. */
  readonly diverging: EpochEnd | null
  /** Whole batches, the last one perhaps cut; null or empty: none. */
  readonly records: Buffer | null
}

export interface FetchAnswer {
  readonly errorCode: number
  readonly sessionId: number
  readonly parts: readonly { readonly topicId: string; readonly index: number; readonly part: FetchedPart }[]
}

/** LATEST and EARLIEST of ListOffsets. */
export type OffsetKind = 'latest' | 'earliest'

/** Why something could not be done to a log: its batches are damaged, or it cannot take them. */
export interface ApplyFailure {
  readonly state: FollowState
  readonly kind: 'corrupt' | 'broken'
}

/** What came of the effects of a step. */
export interface Applied {
  readonly failures: readonly ApplyFailure[]
  /** Replicas whose records count only when they are on the device, which they will be told by `synced`. */
  readonly syncing: readonly FollowState[]
}

export type FetcherEvent =
  | { readonly type: 'follow'; readonly replicas: readonly FollowedReplica[]; readonly epochs: readonly number[] }
  | { readonly type: 'unfollow'; readonly replicas: readonly FollowedReplica[] }
  /** Something of a replica's log changed by itself: its start. */
  | { readonly type: 'touch'; readonly replica: FollowedReplica }
  /** The leader has another address. */
  | { readonly type: 'moved' }
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected' }
  | { readonly type: 'answer'; readonly answer: FetchAnswer }
  | { readonly type: 'offset'; readonly state: FollowState; readonly kind: OffsetKind; readonly found: FoundEnd }
  /** The effects of the step before have been carried out. */
  | ({ readonly type: 'applied' } & Applied)
  | { readonly type: 'synced'; readonly state: FollowState; readonly succeeded: boolean }
  | { readonly type: 'tick' }

export interface FoundEnd {
  readonly errorCode: number
  readonly offset: number
}

export type FetcherEffect =
  | { readonly type: 'connect' }
  | { readonly type: 'disconnect' }
  | { readonly type: 'fetch'; readonly request: SessionRequest }
  | { readonly type: 'listOffset'; readonly state: FollowState; readonly kind: OffsetKind }
  /** Appends the records, if any, then takes over high watermark and log start of the leader. */
  | { readonly type: 'append'; readonly state: FollowState; readonly part: FetchedPart }
  | { readonly type: 'truncate'; readonly state: FollowState; readonly offset: number }
  /** Drops the whole log; it goes on at the offset. */
  | { readonly type: 'restart'; readonly state: FollowState; readonly offset: number }
  /** Brings the log to the device; `synced` says what came of it. */
  | { readonly type: 'sync'; readonly state: FollowState }
  | { readonly type: 'log'; readonly state: FollowState | null; readonly message: string; readonly code: number }

export interface FetcherOptions {
  /** `replica.fetch.backoff.ms`: the longest pause after an error. */
  readonly backoffMs: () => Millis
  /** `replica.socket.timeout.ms`. */
  readonly answerMsMax: () => Millis
  /** Whether throttled replicas that lag have to pause. */
  readonly isThrottling: (now: Millis) => boolean
}

/** The first pause after an error; the next ones are twice as long each, up to the option. */
const BACKOFF_MS_MIN: Millis = 25
/** How long a fetch under way is waited for when there is something new to ask for. */
const HELD_MS: Millis = 10
/** No more fetches than one in this time are broken off. */
const INTERRUPT_MS: Millis = 100
/** When throttled replicas are looked at again. */
const THROTTLE_MS: Millis = 100

/**
 * A follower's side of replication from one leader: which replicas to fetch from where, what to do with what comes. One
 * request is under way at a time; the next one goes out as soon as what came is in the logs, and says how far they go,
 * which is what the leader waits for.
 *
 *   follow -> connect -> fetch -> answer -> append, truncate … -> applied -> fetch -> …
 *
 * An error of one partition delays that one alone.
 */
export class FetcherMachine implements Machine<FetcherEvent, FetcherEffect> {
  readonly #options: FetcherOptions
  readonly #states = new Map<FollowedReplica, FollowState>()
  readonly #session = new FollowerSession()
  #dirty: FollowState[] = []
  readonly #delayed = new Set<FollowState>()
  #delayedUntil: Millis = Infinity
  #touched: FollowState[] = []
  #link: 'none' | 'connecting' | 'open' = 'none'
  #connectAt: Millis = 0
  #connectBackoffMs: Millis = BACKOFF_MS_MIN
  /** When the fetch under way was sent; NaN: none is. */
  #sentAt: Millis = Number.NaN
  /** When that is broken off if it is not answered, and when one last was. */
  #interruptAt: Millis = Infinity
  #interruptedAt: Millis = -Infinity
  /** Answers to ListOffsets that are to come. */
  #lookups = 0
  #lookupAt: Millis = 0
  /** Logs are being changed: the next request waits for the end of that. */
  #isApplying = false

  constructor(options: FetcherOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#states.size
  }

  /** Where a replica stands; for tests and metrics. */
  stateOf(replica: FollowedReplica): FollowState | undefined {
    return this.#states.get(replica)
  }

  get deadline(): Millis {
    if (this.#states.size === 0) return Infinity
    if (this.#link === 'none') return this.#connectAt
    if (this.#link === 'connecting') return Infinity
    let deadline = Math.min(this.#delayedUntil, this.#interruptAt)
    const answerMsMax = this.#options.answerMsMax()
    if (this.#isFetching) deadline = Math.min(deadline, this.#sentAt + answerMsMax)
    if (this.#lookups > 0) deadline = Math.min(deadline, this.#lookupAt + answerMsMax)
    return deadline
  }

  get #isFetching(): boolean {
    return !Number.isNaN(this.#sentAt)
  }

  step(event: FetcherEvent, now: Millis): readonly FetcherEffect[] {
    const effects: FetcherEffect[] = []
    switch (event.type) {
      case 'follow':
        for (const [i, replica] of event.replicas.entries()) this.#follow(replica, event.epochs[i]!, effects)
        this.#interrupt(effects, now)
        break
      case 'unfollow':
        for (const replica of event.replicas) this.#unfollow(replica)
        break
      case 'touch':
        this.#touch(event.replica)
        break
      case 'moved':
        this.#disconnect(effects)
        this.#connectAt = now
        this.#connectBackoffMs = BACKOFF_MS_MIN
        break
      case 'connected':
        this.#link = 'open'
        break
      case 'disconnected':
        this.#lost(now)
        break
      case 'answer':
        this.#answer(event.answer, effects, now)
        break
      case 'offset':
        this.#offset(event.state, event.kind, event.found, effects, now)
        break
      case 'applied':
        this.#applied(event, now)
        break
      case 'synced':
        this.#synced(event.state, event.succeeded)
        break
      case 'tick':
        this.#tick(effects, now)
        break
    }
    this.#isApplying = effects.some(isChange)
    if (!this.#isApplying) this.#proceed(effects, now)
    return effects
  }

  #follow(replica: FollowedReplica, leaderEpoch: number, effects: FetcherEffect[]): void {
    this.#unfollow(replica)
    const state = new FollowState(replica, leaderEpoch)
    this.#states.set(replica, state)
    this.#session.add(state)
    this.#markDirty(state)
    // A log that knows no epochs cannot be compared with the leader's: what is not committed goes.
    if (state.lastFetchedEpoch === -1 && replica.highWatermark < state.fetchOffset) {
      this.#change(effects, { type: 'truncate', state, offset: replica.highWatermark })
    }
    // The first fetch says what the leader may count on.
    if (!replica.needsSync) return
    state.stage = 'syncing'
    effects.push({ type: 'sync', state })
  }

  #unfollow(replica: FollowedReplica): void {
    const state = this.#states.get(replica)
    if (state === undefined) return
    this.#states.delete(replica)
    state.isOver = true
    this.#session.remove(state)
    this.#delayed.delete(state)
  }

  #touch(replica: FollowedReplica): void {
    const state = this.#states.get(replica)
    if (state === undefined || state.stage !== 'fetching') return
    state.refresh()
    this.#markDirty(state)
  }

  /** The leader may hold a fetch that does not name what is new for half a second: it is broken off soon. */
  #interrupt(effects: FetcherEffect[], now: Millis): void {
    if (!this.#isFetching) return
    this.#interruptAt = Math.max(this.#sentAt + HELD_MS, this.#interruptedAt + INTERRUPT_MS)
    this.#interruptIfDue(effects, now)
  }

  #interruptIfDue(effects: FetcherEffect[], now: Millis): void {
    if (now < this.#interruptAt) return
    this.#interruptedAt = now
    this.#disconnect(effects)
    this.#connectAt = now
  }

  #disconnect(effects: FetcherEffect[]): void {
    if (this.#link !== 'none') effects.push({ type: 'disconnect' })
    this.#forgetLink()
  }

  #forgetLink(): void {
    this.#link = 'none'
    this.#sentAt = Number.NaN
    this.#interruptAt = Infinity
    this.#lookups = 0
    this.#session.reset()
    this.#dirty = []
    for (const state of this.#states.values()) {
      state.isDirty = false
      // What was looked up is asked again by the fetch that it came from.
      if (state.stage === 'resetting') state.stage = 'fetching'
      this.#markDirty(state)
    }
  }

  #lost(now: Millis): void {
    this.#forgetLink()
    this.#connectAt = now + Math.min(this.#connectBackoffMs, this.#options.backoffMs())
    this.#connectBackoffMs *= 2
  }

  #tick(effects: FetcherEffect[], now: Millis): void {
    const answerMsMax = this.#options.answerMsMax()
    const isLate = this.#isFetching && now >= this.#sentAt + answerMsMax
    if (isLate || (this.#lookups > 0 && now >= this.#lookupAt + answerMsMax)) {
      effects.push({ type: 'log', state: null, message: 'the leader does not answer', code: ErrorCode.NONE })
      this.#disconnect(effects)
      this.#lost(now)
      return
    }
    this.#interruptIfDue(effects, now)
    if (now < this.#delayedUntil) return
    this.#delayedUntil = Infinity
    for (const state of this.#delayed) {
      if (state.delayedUntil <= now) {
        this.#delayed.delete(state)
        this.#markDirty(state)
      } else this.#delayedUntil = Math.min(this.#delayedUntil, state.delayedUntil)
    }
  }

  #answer(answer: FetchAnswer, effects: FetcherEffect[], now: Millis): void {
    this.#sentAt = Number.NaN
    this.#interruptAt = Infinity
    this.#connectBackoffMs = BACKOFF_MS_MIN
    if (answer.errorCode !== ErrorCode.NONE) {
      const code = answer.errorCode
      effects.push({ type: 'log', state: null, message: 'the fetch session is begun anew', code })
      const wasFull = this.#session.isFull
      this.#session.reset()
      for (const state of this.#states.values()) {
        this.#markDirty(state)
        if (wasFull) this.#delay(state, now)
      }
      return
    }
    this.#session.answered(answer.sessionId)
    for (const { topicId, index, part } of answer.parts) {
      const state = this.#session.find(topicId, index)
      if (state === undefined) continue
      if (state.isAnswerable && state.delayedUntil <= now) this.#take(state, part, effects, now)
      // The leader takes what it said of its high watermark for known, and would not say it again.
      else this.#session.reset()
    }
  }

  #take(state: FollowState, part: FetchedPart, effects: FetcherEffect[], now: Millis): void {
    const code = part.errorCode
    switch (code) {
      case ErrorCode.NONE:
        if (part.diverging !== null) {
          this.#session.reset()
          this.#change(effects, { type: 'truncate', state, offset: truncationTarget(state.replica, part.diverging) })
        } else {
          state.leaderHighWatermark = part.highWatermark
          state.expectsRecords = (part.records?.length ?? 0) > 0
          this.#change(effects, { type: 'append', state, part })
        }
        return
      case ErrorCode.OFFSET_OUT_OF_RANGE:
        state.stage = 'resetting'
        this.#markDirty(state)
        this.#lookUp(state, 'latest', effects, now)
        return
      case ErrorCode.FENCED_LEADER_EPOCH:
        // The metadata here is behind the leader's: it will bring the new epoch.
        this.#fail(state)
        effects.push({ type: 'log', state, message: 'the leader has a newer epoch', code })
        return
      default:
        effects.push({ type: 'log', state, message: 'cannot fetch from the leader for now', code })
        this.#delay(state, now)
    }
  }

  #lookUp(state: FollowState, kind: OffsetKind, effects: FetcherEffect[], now: Millis): void {
    this.#lookups++
    this.#lookupAt = now
    effects.push({ type: 'listOffset', state, kind })
  }

  /**
   * The end of this log is not in the leader's: either it goes further (an unclean election), or it ends before the
   * leader's begins.
   */
  #offset(state: FollowState, kind: OffsetKind, found: FoundEnd, effects: FetcherEffect[], now: Millis): void {
    this.#lookups = Math.max(0, this.#lookups - 1)
    if (state.isOver || state.stage !== 'resetting') return
    const { errorCode, offset } = found
    if (errorCode !== ErrorCode.NONE || offset < 0) {
      effects.push({ type: 'log', state, message: 'cannot learn where the log of the leader lies', code: errorCode })
      state.stage = 'fetching'
      this.#delay(state, now)
      return
    }
    const end = state.replica.logEndOffset
    if (kind === 'latest' && offset >= end) {
      this.#lookUp(state, 'earliest', effects, now)
      return
    }
    state.stage = 'fetching'
    if (kind === 'latest') this.#change(effects, { type: 'truncate', state, offset })
    else if (offset > end) this.#change(effects, { type: 'restart', state, offset })
    else {
      state.refresh()
      this.#markDirty(state)
      // It fits after all; if the leader says again that it does not, something is wrong with it.
      this.#delay(state, now)
    }
  }

  #applied({ failures, syncing }: Applied, now: Millis): void {
    this.#isApplying = false
    for (const { state } of failures) state.expectsRecords = false
    for (const state of this.#touched) {
      if (state.isOver) continue
      const before = state.fetchOffset
      state.refresh()
      this.#markDirty(state)
      // Batches of an epoch that the metadata here does not know yet were left out: they come again.
      if (state.expectsRecords && state.fetchOffset === before) this.#delay(state, now)
      else if (state.expectsRecords) state.nextDelayMs = 0
      state.expectsRecords = false
    }
    this.#touched = []
    for (const { state, kind } of failures) {
      if (kind === 'broken') this.#fail(state)
      else this.#delay(state, now)
    }
    for (const state of syncing) {
      if (!state.isOver && state.stage === 'fetching') state.stage = 'syncing'
    }
  }

  /** The next fetch says that the leader may count on what was appended. */
  #synced(state: FollowState, succeeded: boolean): void {
    if (state.isOver || state.stage !== 'syncing') return
    state.stage = succeeded ? 'fetching' : 'failed'
    state.refresh()
    this.#markDirty(state)
  }

  /** A log is to be changed: where it ends then is looked up when that is done. */
  #change(effects: FetcherEffect[], effect: FetcherEffect & { readonly state: FollowState }): void {
    effects.push(effect)
    this.#touched.push(effect.state)
  }

  #fail(state: FollowState): void {
    state.stage = 'failed'
    this.#markDirty(state)
  }

  #delay(state: FollowState, now: Millis): void {
    const backoffMs = this.#options.backoffMs()
    const delayMs = Math.min(backoffMs, Math.max(BACKOFF_MS_MIN, state.nextDelayMs))
    state.nextDelayMs = Math.min(backoffMs, delayMs * 2)
    this.#pause(state, now + delayMs)
    this.#markDirty(state)
  }

  #pause(state: FollowState, until: Millis): void {
    state.delayedUntil = until
    this.#delayed.add(state)
    this.#delayedUntil = Math.min(this.#delayedUntil, until)
  }

  #markDirty(state: FollowState): void {
    if (state.isDirty) return
    state.isDirty = true
    this.#dirty.push(state)
  }

  /** Connects, or sends the next fetch, if there is anything to fetch. */
  #proceed(effects: FetcherEffect[], now: Millis): void {
    if (this.#states.size === 0) {
      this.#disconnect(effects)
      return
    }
    if (this.#link === 'none' && now >= this.#connectAt) {
      this.#link = 'connecting'
      effects.push({ type: 'connect' })
    }
    if (this.#link !== 'open' || this.#isFetching) return
    const dirty = this.#dirty
    this.#dirty = []
    for (const state of dirty) {
      state.isDirty = false
      if (state.isOver) continue
      // A replica that is in sync is never held back, else it would not stay so.
      if (
        state.replica.isThrottled &&
        state.lag !== 0 &&
        state.delayedUntil <= now &&
        this.#options.isThrottling(now)
      ) {
        this.#pause(state, now + THROTTLE_MS)
      }
      this.#session.update(state, state.stage === 'fetching' && state.delayedUntil <= now)
    }
    const request = this.#session.next()
    if (request === null) return
    this.#sentAt = now
    effects.push({ type: 'fetch', request })
  }
}

function isChange({ type }: FetcherEffect): boolean {
  return type === 'append' || type === 'truncate' || type === 'restart'
}
