/** What a replica of the metadata log can be, and what it has to remember while it is. */
import type { Ticket } from '../runtime/machine.js'
import type { Millis } from '../runtime/ports.js'
import type { Election } from './election.js'
import type { SnapshotId } from './metadata-log.js'
import type { LeaderProgress } from './progress.js'
import type { FetchCall, UpdateVoterCall } from './raft-types.js'
import type { RaftEndpoint, ReplicaKey } from './voters.js'

/** No leader is known, or none that can be reached. */
export interface Unattached {
  readonly name: 'unattached'
  readonly leaderId: number
  readonly voted: ReplicaKey | null
  readonly electionDeadline: Millis
}

/** Asks whether an election would be won, without disturbing anybody. */
export interface Prospective {
  readonly name: 'prospective'
  readonly leaderId: number
  readonly leaderEndpoints: readonly RaftEndpoint[]
  readonly voted: ReplicaKey | null
  readonly election: Election
  readonly electionDeadline: Millis
  readonly leaderHasResigned: boolean
}

export interface Candidate {
  readonly name: 'candidate'
  readonly election: Election
  electionDeadline: Millis
}

/** A fetch that waits for something new. */
export interface ParkedFetch {
  readonly ticket: Ticket
  readonly call: FetchCall
  readonly deadline: Millis
}

/** A change of voters that somebody waits for. */
export interface PendingChange {
  readonly kind: 'addVoter' | 'removeVoter'
  readonly ticket: Ticket
  readonly deadline: Millis
  /** The voter to add, until its record is appended. */
  readonly adding: {
    readonly key: ReplicaKey
    readonly endpoints: readonly RaftEndpoint[]
    readonly ack: boolean
  } | null
  /** Where the record lies; -1 until it is appended. */
  readonly offset: number
}

export interface Leader {
  readonly name: 'leader'
  readonly epochStartOffset: number
  readonly progress: LeaderProgress
  /** By ticket. */
  readonly parked: Map<Ticket, ParkedFetch>
  pending: PendingChange | null
  /** What voters said of themselves while kraft.version is 0, which cannot be written. */
  readonly reported: Map<number, UpdateVoterCall>
}

export interface Follower {
  readonly name: 'follower'
  readonly leaderId: number
  leaderEndpoints: readonly RaftEndpoint[]
  readonly voted: ReplicaKey | null
  fetchDeadline: Millis
  hasFetched: boolean
  /** It has said itself that it leads no more: an election is coming, and is worth some hurry. */
  leaderHasResigned: boolean
  /** The leader's high watermark as of its last answer. */
  leaderHighWatermark: number
  /** The snapshot that is being fetched, and how many bytes of it are here. */
  snapshot: { readonly id: SnapshotId; position: number; size: number } | null
  /** When the leader has to hear of a change of this voter, or the node wants to join. */
  updateVoterDeadline: Millis
  hasUpdatedLeader: boolean
}

/** Led, and leads no more: tells the others, and waits for the next epoch. */
export interface Resigned {
  readonly name: 'resigned'
  readonly unacknowledged: Set<number>
  readonly preferredCandidates: readonly ReplicaKey[]
  readonly electionDeadline: Millis
}

export type Role = Unattached | Prospective | Candidate | Leader | Follower | Resigned

/** The leader that a node in this role would name; -1 when it knows none. */
export function leaderOf(role: Role, nodeId: number): number {
  switch (role.name) {
    case 'leader':
      return nodeId
    case 'follower':
    case 'prospective':
    case 'unattached':
      return role.leaderId
    default:
      return -1
  }
}

/** Where the leader is that a node in this role would name; `own` are the endpoints of the node itself. */
export function leaderEndpointsOf(role: Role, own: readonly RaftEndpoint[]): readonly RaftEndpoint[] {
  if (role.name === 'leader') return own
  return role.name === 'follower' || role.name === 'prospective' ? role.leaderEndpoints : []
}

/** When the election that was coming comes in a later epoch too; null: it is waited for anew. */
export function comingElection(role: Role): Millis | null {
  if (role.name === 'unattached' || role.name === 'candidate') return role.electionDeadline
  return role.name === 'follower' && role.leaderHasResigned ? role.fetchDeadline : null
}
