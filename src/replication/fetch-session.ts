import { ErrorCode } from '#protocol/errors.js'
import { ZERO_UUID } from '#protocol/schema.js'
import type { Millis, Random } from '../runtime/ports.js'
import type { FetchPartition } from './fetch-partition.js'
import type { FetchRequestData, ForgottenPartition } from './fetch-request.js'
import { StandingFetch } from './standing-fetch.js'

/** Session epochs with a meaning of their own (KIP-227). */
const INITIAL_EPOCH = 0
const FINAL_EPOCH = -1
const EPOCH_MAX = 0x7fffffff
const NO_SESSION = 0

/** A session that was not used for this long may be thrown out for any newcomer, ms. */
const EVICTION_MS = 120_000
/** Partitions in all sessions together. */
const CACHED_PARTITIONS_MAX = 500_000

/** What a client and this broker have agreed to fetch, so that it need not be said again every time. */
export interface FetchSession {
  readonly id: number
  /** Of a follower: consumers do not push it out. */
  readonly isPrivileged: boolean
  readonly usesTopicIds: boolean
  readonly createdAt: Millis
  usedAt: Millis
  /** The epoch that the next request must have. */
  epoch: number
  /** In the order in which they are read: those that had records go to the end. */
  readonly partitions: Map<string, FetchPartition>
  /** Of a follower: what has changed is known without looking at all partitions. */
  readonly standing: StandingFetch | null
}

/** How one request stands to sessions. */
export type FetchContext =
  /** No session is wanted, or the one there was is over. */
  | { readonly kind: 'sessionless'; readonly partitions: readonly FetchPartition[] }
  /** All partitions are named, and a session is asked for. */
  | {
      readonly kind: 'full'
      readonly partitions: readonly FetchPartition[]
      readonly usesTopicIds: boolean
      /** -1 of consumers. */
      readonly replicaId: number
    }
  | {
      readonly kind: 'incremental'
      readonly partitions: Iterable<FetchPartition>
      readonly session: FetchSession
      readonly epoch: number
    }
  | { readonly kind: 'error'; readonly errorCode: number }

/** The key of a partition in its session: by topic id if the request has ids, by name otherwise. */
export function sessionKey(partition: ForgottenPartition): string {
  return `${partition.index}:${partition.topicId === ZERO_UUID ? partition.topicName : partition.topicId}`
}

/**
 * The sessions of a broker. At most `slots` of them: a newcomer takes the place of one that was not used for two
 * minutes, or of a smaller one that is at least as old as that, or of a consumer's if the newcomer is a follower.
 */
export class FetchSessions {
  readonly #slots: number
  readonly #random: Random
  readonly #byId = new Map<number, FetchSession>()
  #cachedPartitions = 0
  evictions = 0

  /** `slots`: `max.incremental.fetch.session.cache.slots`. */
  constructor(slots: number, random: Random) {
    this.#slots = slots
    this.#random = random
  }

  get size(): number {
    return this.#byId.size
  }

  get cachedPartitions(): number {
    return this.#cachedPartitions
  }

  all(): IterableIterator<FetchSession> {
    return this.#byId.values()
  }

  /** What a request is about; an incremental one changes its session. */
  open(request: FetchRequestData, usesTopicIds: boolean, now: Millis): FetchContext {
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch !== INITIAL_EPOCH && sessionEpoch !== FINAL_EPOCH) return this.#proceed(request, usesTopicIds, now)
    const session = this.#byId.get(sessionId)
    if (session !== undefined) this.#remove(session)
    const partitions = withoutRepeats(request.partitions)
    if (sessionEpoch === FINAL_EPOCH) return { kind: 'sessionless', partitions }
    return { kind: 'full', partitions, usesTopicIds, replicaId: request.replicaId }
  }

  #proceed(request: FetchRequestData, usesTopicIds: boolean, now: Millis): FetchContext {
    const session = this.#byId.get(request.sessionId)
    if (session === undefined) return { kind: 'error', errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND }
    if (session.epoch !== request.sessionEpoch)
      return { kind: 'error', errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH }
    if (session.usesTopicIds !== usesTopicIds)
      return { kind: 'error', errorCode: ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR }
    this.#update(session, request)
    if (session.partitions.size === 0) {
      this.#remove(session)
      return { kind: 'sessionless', partitions: [] }
    }
    session.usedAt = now
    session.epoch = nextEpoch(session.epoch)
    session.standing?.onFetch(now)
    const partitions = session.standing?.unsettled.values() ?? session.partitions.values()
    return { kind: 'incremental', partitions, session, epoch: session.epoch }
  }

  #update(session: FetchSession, request: FetchRequestData): void {
    const { partitions, standing } = session
    const before = partitions.size
    for (const asked of request.partitions) {
      const key = sessionKey(asked)
      const known = partitions.get(key)
      if (known === undefined) {
        partitions.set(key, asked)
        standing?.add(asked)
      } else {
        known.updateFrom(asked)
        standing?.touch(known)
      }
    }
    for (const forgotten of request.forgotten) {
      const key = sessionKey(forgotten)
      const known = partitions.get(key)
      if (known === undefined) continue
      partitions.delete(key)
      standing?.remove(known)
    }
    this.#cachedPartitions += partitions.size - before
  }

  /**
   * Leaves of `answered` what has to be said, and returns the session id of the answer, or a code instead of
   * everything. In a session a partition is named if it has records, an error, or other offsets than last time.
   */
  close(context: FetchContext, answered: FetchPartition[], now: Millis): { sessionId: number; errorCode: number } {
    switch (context.kind) {
      case 'error':
        return { sessionId: NO_SESSION, errorCode: context.errorCode }
      case 'sessionless':
        return { sessionId: NO_SESSION, errorCode: ErrorCode.NONE }
      case 'full':
        return { sessionId: this.#create(context, answered, now), errorCode: ErrorCode.NONE }
      case 'incremental': {
        const { session, epoch } = context
        if (session.epoch !== epoch) return { sessionId: session.id, errorCode: ErrorCode.INVALID_FETCH_SESSION_EPOCH }
        let kept = 0
        for (const partition of answered) {
          if (mustSay(session, partition)) answered[kept++] = partition
          session.standing?.settle(partition)
        }
        answered.length = kept
        return { sessionId: session.id, errorCode: ErrorCode.NONE }
      }
    }
  }

  /** Returns the id of a new session, 0 if there is no place for one. */
  #create(
    context: { readonly usesTopicIds: boolean; readonly replicaId: number },
    answered: readonly FetchPartition[],
    now: Millis,
  ): number {
    const { usesTopicIds, replicaId } = context
    const isFollower = replicaId >= 0
    if (isFollower) this.#removeStale(now)
    const size = answered.length
    if (this.#cachedPartitions + size > CACHED_PARTITIONS_MAX) return NO_SESSION
    if (this.#byId.size >= this.#slots && !this.#evict(isFollower, size, now)) return NO_SESSION
    let id = 0
    do id = this.#random.below(EPOCH_MAX) + 1
    while (this.#byId.has(id))
    const partitions = new Map<string, FetchPartition>()
    const standing = isFollower && usesTopicIds ? new StandingFetch(replicaId) : null
    standing?.onFetch(now)
    for (const partition of answered) {
      partition.cachedHighWatermark = partition.highWatermark
      partition.cachedLogStartOffset = partition.logStartOffset
      partitions.set(sessionKey(partition), partition)
      standing?.add(partition)
    }
    this.#byId.set(id, {
      id,
      isPrivileged: isFollower,
      usesTopicIds,
      createdAt: now,
      usedAt: now,
      epoch: nextEpoch(INITIAL_EPOCH),
      partitions,
      standing,
    })
    this.#cachedPartitions += partitions.size
    return id
  }

  /** Makes room for a session of `size` partitions; false if all that are there are worth more. */
  #evict(isPrivileged: boolean, size: number, now: Millis): boolean {
    let stalest: FetchSession | undefined
    let least: FetchSession | undefined
    for (const session of this.#byId.values()) {
      if (stalest === undefined || session.usedAt < stalest.usedAt) stalest = session
      const isOld = now - session.createdAt > EVICTION_MS
      if ((isOld || (isPrivileged && !session.isPrivileged)) && (least === undefined || isWorthLess(session, least))) {
        least = session
      }
    }
    if (stalest !== undefined && now - stalest.usedAt > EVICTION_MS) {
      this.#remove(stalest)
      this.evictions++
      return true
    }
    if (least === undefined) return false
    const isWorthMore =
      isPrivileged === least.isPrivileged ? size > least.partitions.size : isPrivileged && !least.isPrivileged
    if (!isWorthMore) return false
    this.#remove(least)
    this.evictions++
    return true
  }

  #remove(session: FetchSession): void {
    if (!this.#byId.delete(session.id)) return
    this.#cachedPartitions -= session.partitions.size
    for (const partition of session.partitions.values()) session.standing?.remove(partition)
  }

  /** Followers that went away leave their sessions behind, which are told whatever moves. */
  #removeStale(now: Millis): void {
    for (const session of this.#byId.values()) {
      if (session.standing !== null && now - session.usedAt > EVICTION_MS) this.#remove(session)
    }
  }
}

function isWorthLess(session: FetchSession, other: FetchSession): boolean {
  if (session.isPrivileged !== other.isPrivileged) return other.isPrivileged
  if (session.partitions.size !== other.partitions.size) return session.partitions.size < other.partitions.size
  return session.id < other.id
}

function nextEpoch(epoch: number): number {
  return epoch === EPOCH_MAX ? 1 : epoch + 1
}

/** Whether an incremental answer names the partition; remembers what it says. */
function mustSay(session: FetchSession, partition: FetchPartition): boolean {
  const { highWatermark, logStartOffset, bytes, errorCode } = partition
  let must = bytes > 0 || partition.divergingEpoch !== -1
  if (partition.cachedHighWatermark !== highWatermark) {
    partition.cachedHighWatermark = highWatermark
    must = true
  }
  if (partition.cachedLogStartOffset !== logStartOffset) {
    partition.cachedLogStartOffset = logStartOffset
    must = true
  }
  if (errorCode !== ErrorCode.NONE) {
    // So that it is named again when the error is gone.
    partition.cachedHighWatermark = -1
    must = true
  }
  if (bytes > 0 && session.standing === null) {
    const key = sessionKey(partition)
    session.partitions.delete(key)
    session.partitions.set(key, partition)
  }
  return must
}

/** Up to this many partitions are compared with each other; more go through a map. */
const FEW = 8

/** Of a partition that stands there twice, the last one counts, in the place of the first. */
export function withoutRepeats(partitions: FetchPartition[]): FetchPartition[] {
  if (partitions.length <= FEW) {
    for (let i = 1; i < partitions.length; i++) {
      for (let j = 0; j < i; j++) if (isSame(partitions[i]!, partitions[j]!)) return unique(partitions)
    }
    return partitions
  }
  return unique(partitions)
}

function isSame(a: FetchPartition, b: FetchPartition): boolean {
  return a.index === b.index && a.topicId === b.topicId && a.topicName === b.topicName
}

function unique(partitions: readonly FetchPartition[]): FetchPartition[] {
  const byKey = new Map<string, FetchPartition>()
  for (const partition of partitions) byKey.set(sessionKey(partition), partition)
  return [...byKey.values()]
}
