/** Vote, BeginQuorumEpoch, EndQuorumEpoch: how an epoch comes by its leader and how it ends. */
import { ErrorCode } from '#protocol/errors.js'
import type { Millis } from '../runtime/ports.js'
import type { RaftCore } from './core.js'
import { mayGrantVote, type VotingRole } from './election.js'
import type {
  BeginQuorumEpochCall,
  BeginQuorumEpochReply,
  EndQuorumEpochCall,
  EndQuorumEpochReply,
  LeaderHint,
  VoteCall,
  VoteReply,
} from './raft-types.js'
import type { Role } from './roles.js'
import { hasDirectory, type ReplicaKey, sameReplica } from './voters.js'

export function handleVote(core: RaftCore, call: VoteCall): VoteReply {
  const answer = (error: ErrorCode, granted = false): VoteReply => ({ api: 'vote', ...core.hint(error), granted })

  const isPossible = call.preVote ? call.lastEpoch <= call.epoch : call.lastEpoch < call.epoch
  if (call.lastOffset < 0 || call.lastEpoch < 0 || !isPossible) return answer(ErrorCode.INVALID_REQUEST)
  const error = voterOnly(core, call.candidate.id, call.epoch)
  if (error !== ErrorCode.NONE) return answer(error)
  if (call.epoch > core.epoch) core.becomeUnattached(call.epoch)
  if (!isMeantForMe(core, call.voter)) return answer(ErrorCode.INVALID_VOTER_KEY)

  const isUpToDate =
    call.lastEpoch > core.lastEpoch || (call.lastEpoch === core.lastEpoch && call.lastOffset >= core.endOffset)
  const granted = mayGrantVote(votingRole(core.role), {
    preVote: call.preVote,
    candidate: call.candidate,
    isUpToDate,
  })
  if (granted && !call.preVote) core.grantVote(call.candidate)
  return answer(ErrorCode.NONE, granted)
}

function votingRole(role: Role): VotingRole {
  switch (role.name) {
    case 'unattached':
    case 'prospective':
      return { name: role.name, leaderId: role.leaderId, voted: role.voted, hasFetched: false }
    case 'follower':
      return { name: role.name, leaderId: role.leaderId, voted: role.voted, hasFetched: role.hasFetched }
    default:
      return { name: role.name, leaderId: -1, voted: null, hasFetched: false }
  }
}

/** A vote came back; the role is the one that asked (a change of role forgets its calls). Whether it was of use. */
export function handleVoteReply(core: RaftCore, from: number, reply: VoteReply): boolean {
  const role = core.role
  if (role.name !== 'prospective' && role.name !== 'candidate') return true
  if (reply.error !== ErrorCode.NONE) return false
  role.election.record(from, reply.granted)
  core.afterVote()
  return true
}

export function handleBeginQuorumEpoch(core: RaftCore, call: BeginQuorumEpochCall): BeginQuorumEpochReply {
  const answer = (error: ErrorCode): BeginQuorumEpochReply => ({ api: 'beginQuorumEpoch', ...core.hint(error) })

  const error = voterOnly(core, call.leaderId, call.epoch)
  if (error !== ErrorCode.NONE) return answer(error)
  if (!core.learn(call.epoch, call.leaderId, call.leaderEndpoints, 'beginQuorumEpoch')) {
    return answer(ErrorCode.INVALID_REQUEST)
  }
  const role = core.role
  // The leader speaks: no election is needed.
  if (role.name === 'prospective' && role.leaderId === call.leaderId && role.leaderEndpoints.length > 0) {
    core.becomeFollower(core.epoch, role.leaderId, role.leaderEndpoints)
  }
  return answer(isMeantForMe(core, call.voter) ? ErrorCode.NONE : ErrorCode.INVALID_VOTER_KEY)
}

export function handleEndQuorumEpoch(core: RaftCore, call: EndQuorumEpochCall): EndQuorumEpochReply {
  const answer = (error: ErrorCode): EndQuorumEpochReply => ({ api: 'endQuorumEpoch', ...core.hint(error) })

  const error = voterOnly(core, call.leaderId, call.epoch)
  if (error !== ErrorCode.NONE) return answer(error)
  if (!core.learn(call.epoch, call.leaderId, call.leaderEndpoints, 'endQuorumEpoch')) {
    return answer(ErrorCode.INVALID_REQUEST)
  }
  const role = core.role
  if (role.name === 'follower' && role.leaderId === call.leaderId) {
    role.fetchDeadline = core.now + successionDelay(core, call.preferredCandidates)
    // It has said itself that it leads no more.
    role.hasFetched = false
    role.leaderHasResigned = core.config.hurriesElections
  }
  return answer(ErrorCode.NONE)
}

/** The one that is furthest tries at once, the others later and later, so that they do not split the votes. */
function successionDelay(core: RaftCore, candidates: readonly ReplicaKey[]): Millis {
  const { electionBackoffMsMax: max } = core.config
  const position = candidates.findIndex(
    candidate => candidate.id === core.local.id && (!hasDirectory(candidate) || sameReplica(candidate, core.local)),
  )
  if (position === 0) return 0
  if (position === -1) return max
  const base = Math.floor(max / 2 ** (candidates.length - 1))
  return Math.min(max, base * 2 ** (position - 1))
}

/** Notes that a voter knows of the resignation. */
export function handleEndQuorumEpochReply(core: RaftCore, from: number, reply: LeaderHint): boolean {
  const role = core.role
  if (reply.error !== ErrorCode.NONE) return false
  if (role.name === 'resigned') role.unacknowledged.delete(from)
  return true
}

function voterOnly(core: RaftCore, senderId: number, epoch: number): ErrorCode {
  if (epoch < core.epoch) return ErrorCode.FENCED_LEADER_EPOCH
  return senderId < 0 ? ErrorCode.INVALID_REQUEST : ErrorCode.NONE
}

function isMeantForMe(core: RaftCore, voter: ReplicaKey | null): boolean {
  if (voter === null) return true
  return voter.id === core.local.id && (!hasDirectory(voter) || voter.directoryId === core.local.directoryId)
}
