/** Votes: who granted, who refused, and when a vote may be granted (KIP-595, KIP-996). */
import type { ElectionState } from './raft-types.js'
import { hasDirectory, type ReplicaKey, sameReplica, type VoterSet } from './voters.js'

/** One round of asking the voters. Each counts once; the first majority decides. */
export class Election {
  readonly #answers = new Map<number, 'granted' | 'rejected' | null>()

  /** `localId` has granted itself. */
  constructor(voters: VoterSet, localId: number) {
    for (const voter of voters) this.#answers.set(voter.key.id, null)
    this.record(localId, true)
  }

  /** Notes an answer; one of a node that is no voter is passed over. */
  record(voterId: number, granted: boolean): void {
    if (this.#answers.has(voterId)) this.#answers.set(voterId, granted ? 'granted' : 'rejected')
  }

  get isWon(): boolean {
    return this.#count('granted') >= this.#majority
  }

  /** Not even all answers that are missing could win it. */
  get isLost(): boolean {
    return this.#count('granted') + this.#count(null) < this.#majority
  }

  /** Voters that have not answered. */
  get missing(): readonly number[] {
    return this.#ids(null)
  }

  /** Voters that granted, ascending. */
  get granting(): readonly number[] {
    return this.#ids('granted')
  }

  get #majority(): number {
    return Math.floor(this.#answers.size / 2) + 1
  }

  #count(answer: 'granted' | 'rejected' | null): number {
    return this.#ids(answer).length
  }

  #ids(wanted: 'granted' | 'rejected' | null): number[] {
    const ids: number[] = []
    for (const [id, answer] of this.#answers) if (answer === wanted) ids.push(id)
    return ids
  }
}

/** What a node knows when it is asked for its vote. */
export interface VoteQuestion {
  readonly preVote: boolean
  readonly candidate: ReplicaKey
  /** The candidate's log ends at or after the end of this node's. */
  readonly isUpToDate: boolean
}

/** The part of a role that matters for votes. */
export interface VotingRole {
  readonly name: 'unattached' | 'prospective' | 'candidate' | 'leader' | 'follower' | 'resigned'
  /** -1 when not known. */
  readonly leaderId: number
  /** Who has this node's vote in this epoch. */
  readonly voted: ReplicaKey | null
  /** A follower has had a good answer of its leader. */
  readonly hasFetched: boolean
}

/** Whether a node in this role, already in the epoch of the question, says yes. */
export function mayGrantVote(role: VotingRole, question: VoteQuestion): boolean {
  if (role.name === 'leader') return false
  if (question.preVote) {
    if (role.name === 'follower' && role.hasFetched) return false
    return question.isUpToDate
  }
  if (role.name !== 'unattached' && role.name !== 'prospective') return false
  if (role.voted !== null) {
    return (
      role.voted.id === question.candidate.id &&
      (!hasDirectory(role.voted) || sameReplica(role.voted, question.candidate))
    )
  }
  return role.leaderId === -1 && question.isUpToDate
}

/** Whether quorum-state would look the same. */
export function sameElection(a: ElectionState, b: ElectionState): boolean {
  const sameVote = a.voted === null ? b.voted === null : b.voted !== null && sameReplica(a.voted, b.voted)
  return a.epoch === b.epoch && a.leaderId === b.leaderId && sameVote
}
