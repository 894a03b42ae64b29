/** What must hold when a node changes its role: a bug of ours that breaks it ends the process. */
import { strict as assert } from 'node:assert'
import type { Prospective, Role, Unattached } from './roles.js'
import type { RaftEndpoint, ReplicaKey } from './voters.js'

/** What a node knows of itself and its epoch. */
interface Known {
  readonly config: { readonly nodeId: number }
  readonly epoch: number
  /** -1: none is known. */
  readonly leaderId: number
}

export function expectRising(known: Known, epoch: number): void {
  assert(epoch >= known.epoch, `epochs only rise: ${known.epoch} -> ${epoch}`)
}

/** A node is about to follow `leaderId` in `epoch`. */
export function expectOneLeader(
  known: Known,
  epoch: number,
  leaderId: number,
  endpoints: readonly RaftEndpoint[],
): void {
  expectRising(known, epoch)
  assert(leaderId !== known.config.nodeId && endpoints.length > 0)
  const isOther = epoch === known.epoch && known.leaderId !== -1 && known.leaderId !== leaderId
  assert(!isOther, `one leader an epoch: ${known.leaderId} leads epoch ${epoch}, not ${leaderId}`)
}

/** A node is about to vote for `candidate` in its epoch. */
export function expectOneVote(
  role: Role,
  epoch: number,
  candidate: ReplicaKey,
): asserts role is Unattached | Prospective {
  assert(role.name === 'unattached' || role.name === 'prospective', `a ${role.name} does not vote`)
  const { voted } = role
  const isOther = voted !== null && voted.id !== candidate.id
  assert(!isOther, `one vote an epoch: that of epoch ${epoch} is for ${voted?.id}, not for ${candidate.id}`)
}
