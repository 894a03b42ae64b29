/**
 * Voters of the quorum: who they are, where they listen, and how the set changed along the log. All values are
 * immutable; a change yields a new set.
 */
import type { KRaftVersionRecord, VotersRecord } from '#protocol/internal/raft-records.js'
import { type InputOf, type ValueOf, ZERO_UUID } from '#protocol/schema.js'

/** The levels of kraft.version that this code can live with. */
export const kraftVersions = { min: 0, max: 1 } as const

/** A replica of the metadata log: a node together with the log directory that holds its copy (KIP-853). */
export interface ReplicaKey {
  readonly id: number
  /** Kafka's text form; the zero uuid when it is not known (static voters, old peers). */
  readonly directoryId: string
}

/** One listener of a node. */
export interface RaftEndpoint {
  readonly name: string
  readonly host: string
  readonly port: number
}

export interface Voter {
  readonly key: ReplicaKey
  readonly endpoints: readonly RaftEndpoint[]
  /** The levels of kraft.version that it can live with. */
  readonly minKRaftVersion: number
  readonly maxKRaftVersion: number
}

/** Sorted by id; no id twice. */
export type VoterSet = readonly Voter[]

/** Where a node is reached. */
export interface Address {
  readonly host: string
  readonly port: number
}

export function replicaKey(id: number, directoryId: string = ZERO_UUID): ReplicaKey {
  return { id, directoryId }
}

export function hasDirectory(key: ReplicaKey): boolean {
  return key.directoryId !== ZERO_UUID
}

export function sameReplica(a: ReplicaKey, b: ReplicaKey): boolean {
  return a.id === b.id && a.directoryId === b.directoryId
}

/** Whether `key` is the replica that `voter` means: a voter without a directory means any directory of its node. */
export function matchesVoter(voter: ReplicaKey, key: ReplicaKey): boolean {
  return voter.id === key.id && (!hasDirectory(voter) || voter.directoryId === key.directoryId)
}

/** For messages: 'id-directory', or the id alone when the directory is not known. */
export function describeReplica(key: ReplicaKey): string {
  return hasDirectory(key) ? `${key.id}-${key.directoryId}` : String(key.id)
}

export function voterSet(voters: readonly Voter[]): VoterSet {
  const sorted = [...voters].sort((a, b) => a.key.id - b.key.id)
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i]!.key.id === sorted[i - 1]!.key.id) throw new RangeError(`voter ${sorted[i]!.key.id} is named twice`)
  }
  return sorted
}

export function findVoter(voters: VoterSet, id: number): Voter | undefined {
  return voters.find(voter => voter.key.id === id)
}

export function isVoter(voters: VoterSet, key: ReplicaKey): boolean {
  const voter = findVoter(voters, key.id)
  return voter !== undefined && matchesVoter(voter.key, key)
}

export function endpointsOf(voters: VoterSet, id: number): readonly RaftEndpoint[] {
  return findVoter(voters, id)?.endpoints ?? []
}

/** The address on the listener of that name; null when there is none. */
export function addressOn(endpoints: readonly RaftEndpoint[], listenerName: string): Address | null {
  return endpoints.find(endpoint => endpoint.name === listenerName) ?? null
}

/** The set with one voter more; null when its id is taken. */
export function withVoter(voters: VoterSet, voter: Voter): VoterSet | null {
  return findVoter(voters, voter.key.id) === undefined ? voterSet([...voters, voter]) : null
}

/** The set without exactly this replica; null when it is no voter or the last one. */
export function withoutVoter(voters: VoterSet, key: ReplicaKey): VoterSet | null {
  const voter = findVoter(voters, key.id)
  if (voter === undefined || !sameReplica(voter.key, key) || voters.length === 1) return null
  return voters.filter(other => other !== voter)
}

/** The set with the entry of this voter replaced; null when it is no voter. */
export function withUpdatedVoter(voters: VoterSet, voter: Voter): VoterSet | null {
  if (!isVoter(voters, voter.key)) return null
  return voters.map(other => (other.key.id === voter.key.id ? voter : other))
}

/** Whether the set holds something else about this replica than `voter` says. False for a replica that is no voter. */
export function needsUpdate(voters: VoterSet, voter: Voter): boolean {
  const entry = findVoter(voters, voter.key.id)
  if (entry === undefined || !matchesVoter(entry.key, voter.key)) return false
  return (
    !sameReplica(entry.key, voter.key) ||
    entry.minKRaftVersion !== voter.minKRaftVersion ||
    entry.maxKRaftVersion !== voter.maxKRaftVersion ||
    !sameEndpoints(entry.endpoints, voter.endpoints)
  )
}

function sameEndpoints(a: readonly RaftEndpoint[], b: readonly RaftEndpoint[]): boolean {
  if (a.length !== b.length) return false
  return a.every(one => b.some(two => two.name === one.name && two.host === one.host && two.port === one.port))
}

export function votersFromRecord(record: ValueOf<typeof VotersRecord>): VoterSet {
  return voterSet(
    record.voters.map(voter => ({
      key: replicaKey(voter.voterId, voter.voterDirectoryId),
      endpoints: voter.endpoints.map(({ name, host, port }) => ({ name, host, port })),
      minKRaftVersion: voter.kRaftVersionFeature.minSupportedVersion,
      maxKRaftVersion: voter.kRaftVersionFeature.maxSupportedVersion,
    })),
  )
}

export function votersToRecord(voters: VoterSet): InputOf<typeof VotersRecord> {
  return {
    version: 0,
    voters: voters.map(voter => ({
      voterId: voter.key.id,
      voterDirectoryId: voter.key.directoryId,
      endpoints: voter.endpoints.map(({ name, host, port }) => ({ name, host, port })),
      kRaftVersionFeature: {
        minSupportedVersion: voter.minKRaftVersion,
        maxSupportedVersion: voter.maxKRaftVersion,
      },
    })),
  }
}

export function kraftVersionToRecord(kraftVersion: number): InputOf<typeof KRaftVersionRecord> {
  return { version: 0, kRaftVersion: kraftVersion }
}

/** A control record that changes the quorum, and where it lies. Of a snapshot: one less than its end offset. */
export interface QuorumChange {
  readonly offset: number
  readonly voters?: VoterSet
  readonly kraftVersion?: number
}

/**
 * The voter sets and kraft versions along the log. A set counts from the moment when its record is appended, committed
 * or not, and is taken back when the log is truncated below it.
 *
 *   static [1 2 3] | offset -1 (snapshot 0-0) [1] | offset 17 [1 2] | offset 40 [1 2 3]
 */
export class QuorumHistory {
  readonly #staticVoters: VoterSet
  #changes: QuorumChange[] = []

  constructor(staticVoters: VoterSet) {
    this.#staticVoters = staticVoters
  }

  /** Notes a change; offsets must not go back, and a change at an offset that is known already is not noted again. */
  add(change: QuorumChange): void {
    this.#changes.push(change)
  }

  /** The newest voters; the static ones when no record names any. */
  get voters(): VoterSet {
    return this.votersAt(Infinity) ?? this.#staticVoters
  }

  /** Where the newest voters stand: null when they are static, -1 when they come from the snapshot 0-0. */
  get votersOffset(): number | null {
    return this.#changes.findLast(change => change.voters !== undefined)?.offset ?? null
  }

  /** The voters before the newest ones; the newest where there were no others. */
  get previousVoters(): VoterSet {
    const { votersOffset } = this
    return votersOffset === null ? this.#staticVoters : (this.votersAt(votersOffset - 1) ?? this.voters)
  }

  get kraftVersion(): number {
    return this.kraftVersionAt(Infinity)
  }

  /** The voters by the records up to and including `offset`; null when those name none. */
  votersAt(offset: number): VoterSet | null {
    return this.#changes.findLast(change => change.voters !== undefined && change.offset <= offset)?.voters ?? null
  }

  kraftVersionAt(offset: number): number {
    const change = this.#changes.findLast(change => change.kraftVersion !== undefined && change.offset <= offset)
    return change?.kraftVersion ?? 0
  }

  /** Forgets what stands at `endOffset` and after. */
  truncateTo(endOffset: number): void {
    this.#changes = this.#changes.filter(change => change.offset < endOffset)
  }

  /** Begins anew from a snapshot. */
  reset(changes: readonly QuorumChange[]): void {
    this.#changes = [...changes]
  }

  /** Forgets what is older than the newest entry below `startOffset`, which a snapshot has taken over. */
  trimBefore(startOffset: number): void {
    const voters = this.#changes.findLast(change => change.offset < startOffset && change.voters !== undefined)
    const version = this.#changes.findLast(change => change.offset < startOffset && change.kraftVersion !== undefined)
    this.#changes = this.#changes.filter(
      change => change.offset >= startOffset || change === voters || change === version,
    )
  }
}
