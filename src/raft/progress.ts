import type { Millis } from '../runtime/ports.js'
import type { ReplicaView } from './raft-types.js'
import { describeReplica, matchesVoter, type RaftEndpoint, type ReplicaKey, type VoterSet } from './voters.js'

/** Observers that are silent for so long are forgotten. */
const observerTimeoutMs = 300_000
/** How many observers are kept track of; the one that was silent longest makes room. */
const observersMax = 10_000
/** A majority must have fetched within this many fetch timeouts, or the leader resigns. */
const checkQuorumFactor = 1.5

interface Replica {
  key: ReplicaKey
  endpoints: readonly RaftEndpoint[]
  /** Everything below is on its device; -1 when not known. */
  endOffset: number
  lastFetchTime: Millis
  /** Where the leader's log ended at its last fetch. */
  leaderEndAtFetch: number
  lastCaughtUpTime: Millis
  /** When it has to be told (again) who leads. */
  beginDueAt: Millis
}

/**
 * What a leader knows of the replicas in its epoch: how far each one is, what is committed, and whether a majority
 * still follows.
 *
 *   voters 1 (leader) 2 3, ends {1:50}{2:40}{3:30}, sorted 50 40 30, index floor(3 / 2) -> 40
 *
 * is the high watermark, provided that it lies after the beginning of the epoch: what a majority has of earlier epochs
 * alone may still be replaced by another leader.
 */
export class LeaderProgress {
  readonly #local: ReplicaKey
  readonly #epochStartOffset: number
  readonly #fetchTimeoutMs: Millis
  #voters = new Map<number, Replica>()
  readonly #observers = new Map<string, Replica>()
  readonly #fetchedVoters = new Set<number>()
  #checkQuorumDeadline: Millis
  #localEndOffset = -1
  #highWatermark = -1

  constructor(local: ReplicaKey, voters: VoterSet, epochStartOffset: number, fetchTimeoutMs: Millis, now: Millis) {
    this.#local = local
    this.#epochStartOffset = epochStartOffset
    this.#fetchTimeoutMs = fetchTimeoutMs
    this.#checkQuorumDeadline = now + fetchTimeoutMs * checkQuorumFactor
    this.setVoters(voters, now)
  }

  /** -1 until something of this epoch is committed. */
  get highWatermark(): number {
    return this.#highWatermark
  }

  /** When the leader must resign for want of a majority; Infinity when it needs nobody else. */
  get checkQuorumDeadline(): Millis {
    return this.#voters.size === 1 && this.#isVoter(this.#local) ? Infinity : this.#checkQuorumDeadline
  }

  /** Takes over a new set of voters, from the moment when its record is appended. */
  setVoters(voters: VoterSet, now: Millis): void {
    const old = this.#voters
    // A leader that needed nobody so far has not counted who fetches.
    if (this.checkQuorumDeadline === Infinity)
      this.#checkQuorumDeadline = now + this.#fetchTimeoutMs * checkQuorumFactor
    this.#voters = new Map()
    for (const voter of voters) {
      const known = old.get(voter.key.id)
      let replica = known !== undefined && matchesVoter(known.key, voter.key) ? known : undefined
      if (replica !== undefined) old.delete(voter.key.id)
      const observerKey = describeReplica(voter.key)
      replica ??= this.#observers.get(observerKey)
      this.#observers.delete(observerKey)
      replica ??= newReplica(voter.key, now)
      replica.key = voter.key
      replica.endpoints = voter.endpoints
      if (matchesVoter(voter.key, this.#local)) replica.endOffset = this.#localEndOffset
      this.#voters.set(voter.key.id, replica)
    }
    for (const replica of old.values()) {
      this.#fetchedVoters.delete(replica.key.id)
      replica.endpoints = []
      if (!matchesVoter(replica.key, this.#local)) this.#observers.set(describeReplica(replica.key), replica)
    }
  }

  /** The leader's own log is on the device up to here. */
  setLocalEndOffset(endOffset: number): void {
    this.#localEndOffset = endOffset
    const replica = this.#voters.get(this.#local.id)
    if (replica !== undefined && matchesVoter(replica.key, this.#local)) replica.endOffset = endOffset
  }

  /** A replica asked for `fetchOffset`, so it has everything below. `leaderEnd`: where the leader's log ends now. */
  recordFetch(key: ReplicaKey, fetchOffset: number, leaderEnd: number, now: Millis): void {
    const replica = this.#replicaOf(key, now)
    if (fetchOffset >= leaderEnd) {
      replica.lastCaughtUpTime = Math.max(replica.lastCaughtUpTime, now)
    } else if (replica.leaderEndAtFetch > 0 && fetchOffset >= replica.leaderEndAtFetch) {
      replica.lastCaughtUpTime = Math.max(replica.lastCaughtUpTime, replica.lastFetchTime)
    }
    replica.leaderEndAtFetch = leaderEnd
    replica.lastFetchTime = Math.max(replica.lastFetchTime, now)
    replica.endOffset = fetchOffset
    this.recordContact(key, now)
  }

  /** A replica is alive and takes this node for its leader: a fetch of records or of a snapshot. */
  recordContact(key: ReplicaKey, now: Millis): void {
    const replica = this.#voters.get(key.id)
    if (replica === undefined || !matchesVoter(replica.key, key)) return
    replica.beginDueAt = now + this.#fetchTimeoutMs / 2
    this.#fetchedVoters.add(key.id)
    const majority = Math.floor(this.#voters.size / 2) + 1
    if (this.#fetchedVoters.size >= (this.#isVoter(this.#local) ? majority - 1 : majority)) {
      this.#fetchedVoters.clear()
      this.#checkQuorumDeadline = now + this.#fetchTimeoutMs * checkQuorumFactor
    }
  }

  /** Works out the high watermark anew; whether it moved. It never goes back, also when the voters change. */
  advance(): boolean {
    const ends = [...this.#voters.values()].map(replica => replica.endOffset).sort((a, b) => b - a)
    const candidate = ends[Math.floor(ends.length / 2)] ?? -1
    if (candidate <= this.#epochStartOffset || candidate <= this.#highWatermark) return false
    this.#highWatermark = candidate
    return true
  }

  /** Voters that have to be told who leads. */
  votersToTell(now: Millis): readonly { readonly key: ReplicaKey; readonly endpoints: readonly RaftEndpoint[] }[] {
    return [...this.#voters.values()].filter(replica => replica.key.id !== this.#local.id && replica.beginDueAt <= now)
  }

  /** One was told. */
  told(id: number, now: Millis): void {
    const replica = this.#voters.get(id)
    if (replica !== undefined) replica.beginDueAt = now + this.#fetchTimeoutMs / 2
  }

  /** When the next voter has to be told, of those that need not be told yet; Infinity when there is none. */
  nextTellAfter(now: Millis): Millis {
    let next = Infinity
    for (const replica of this.#voters.values()) {
      if (replica.key.id !== this.#local.id && replica.beginDueAt > now) next = Math.min(next, replica.beginDueAt)
    }
    return next
  }

  /** The other voters, the one that is furthest first. */
  get successors(): readonly ReplicaKey[] {
    return [...this.#voters.values()]
      .filter(replica => replica.key.id !== this.#local.id)
      .sort((a, b) => b.endOffset - a.endOffset || a.key.id - b.key.id)
      .map(replica => replica.key)
  }

  /** Whether an observer has been at the end of the log and fetched within the last hour. */
  isCaughtUp(key: ReplicaKey, now: Millis): boolean {
    const observer = this.#observers.get(describeReplica(key))
    return observer !== undefined && observer.lastCaughtUpTime >= 0 && observer.lastFetchTime > now - 3_600_000
  }

  /** The leader itself is shown as of now, with all of its log. */
  view(
    leaderEnd: number,
    now: Millis,
  ): { readonly voters: readonly ReplicaView[]; readonly observers: readonly ReplicaView[] } {
    this.#forgetSilentObservers(now)
    const show = (replica: Replica): ReplicaView => {
      const isLocal = matchesVoter(replica.key, this.#local)
      return {
        key: replica.key,
        endOffset: isLocal ? leaderEnd : replica.endOffset,
        lastFetchTime: isLocal ? now : replica.lastFetchTime,
        lastCaughtUpTime: isLocal ? now : replica.lastCaughtUpTime,
      }
    }
    return { voters: [...this.#voters.values()].map(show), observers: [...this.#observers.values()].map(show) }
  }

  #isVoter(key: ReplicaKey): boolean {
    const replica = this.#voters.get(key.id)
    return replica !== undefined && matchesVoter(replica.key, key)
  }

  #replicaOf(key: ReplicaKey, now: Millis): Replica {
    const voter = this.#voters.get(key.id)
    if (voter !== undefined && matchesVoter(voter.key, key)) return voter
    const name = describeReplica(key)
    let observer = this.#observers.get(name)
    if (observer === undefined) {
      if (this.#observers.size >= observersMax) this.#forgetOldestObserver()
      observer = newReplica(key, now)
      this.#observers.set(name, observer)
    }
    return observer
  }

  #forgetSilentObservers(now: Millis): void {
    for (const [name, observer] of this.#observers) {
      if (now - observer.lastFetchTime >= observerTimeoutMs) this.#observers.delete(name)
    }
  }

  #forgetOldestObserver(): void {
    let oldest: string | null = null
    let time = Infinity
    for (const [name, observer] of this.#observers) {
      if (observer.lastFetchTime < time) {
        oldest = name
        time = observer.lastFetchTime
      }
    }
    if (oldest !== null) this.#observers.delete(oldest)
  }
}

function newReplica(key: ReplicaKey, now: Millis): Replica {
  return {
    key,
    endpoints: [],
    endOffset: -1,
    lastFetchTime: -1,
    leaderEndAtFetch: -1,
    lastCaughtUpTime: -1,
    beginDueAt: now,
  }
}
