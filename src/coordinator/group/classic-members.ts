/** What is done to single members of a classic group, by several of its rules. */
import { ErrorCode } from '#protocol/errors.js'
import type { Ticket } from '../../runtime/machine.js'
import type { Millis } from '../../runtime/ports.js'
import { type ClassicGroup, type ClassicMember, NO_BYTES } from './classic-group.js'
import type { JoinReply, SyncReply } from './group-commands.js'
import { memberBytes, pendingBytes } from './group-table.js'
import { type GroupTurn, reply } from './group-turn.js'

/** The session of a member begins anew. */
export function watchSession(
  turn: GroupTurn,
  member: ClassicMember,
  timeoutMs: Millis = member.sessionTimeoutMs,
): void {
  turn.deadlines.set(member.session, turn.now + timeoutMs)
}

export function joinError(memberId: string, errorCode: ErrorCode): JoinReply {
  return {
    errorCode,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    memberId,
    members: [],
  }
}

export function syncError(errorCode: ErrorCode): SyncReply {
  return { errorCode, protocolType: null, protocolName: null, assignment: NO_BYTES }
}

/** What a member is told of the current generation; the leader, and only it, learns who is in it. */
export function joinReply(group: ClassicGroup, memberId: string): JoinReply {
  return {
    errorCode: ErrorCode.NONE,
    generationId: group.generationId,
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    leader: group.leaderId ?? '',
    skipAssignment: false,
    memberId,
    members: group.isLeader(memberId) ? memberList(group) : [],
  }
}

export function memberList(group: ClassicGroup): JoinReply['members'] {
  return [...group.members.values()].map(member => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    metadata: group.subscriptionOf(member),
  }))
}

/** Answers the JoinGroup that a member has waiting, if it has one. */
export function answerJoin(turn: GroupTurn, group: ClassicGroup, member: ClassicMember, answer: JoinReply): void {
  if (member.joinTicket === null) return
  reply(turn, 'join', member.joinTicket, answer)
  group.setJoinTicket(member, null)
}

/** Answers the SyncGroup that a member has waiting; returns whether it had one. */
export function answerSync(turn: GroupTurn, member: ClassicMember, answer: SyncReply): boolean {
  if (member.syncTicket === null) return false
  reply(turn, 'sync', member.syncTicket, answer)
  member.syncTicket = null
  return true
}

/** A JoinGroup waits from now on. One that waited before is of a client that has lost patience: it may try again. */
export function parkJoin(turn: GroupTurn, group: ClassicGroup, member: ClassicMember, ticket: Ticket): void {
  answerJoin(turn, group, member, joinError(member.memberId, ErrorCode.REBALANCE_IN_PROGRESS))
  group.setJoinTicket(member, ticket)
}

/** The same for a SyncGroup. */
export function parkSync(turn: GroupTurn, member: ClassicMember, ticket: Ticket): void {
  answerSync(turn, member, syncError(ErrorCode.REBALANCE_IN_PROGRESS))
  member.syncTicket = ticket
}

/** Takes over what a member offers when it joins again. */
export function updateMember(
  turn: GroupTurn,
  group: ClassicGroup,
  member: ClassicMember,
  offer: Pick<ClassicMember, 'protocols' | 'rebalanceTimeoutMs' | 'sessionTimeoutMs'>,
): void {
  turn.account.give(memberBytes(member))
  group.update(member, offer)
  turn.account.take(memberBytes(member))
}

/** The member is to do something else from now on. */
export function setAssignment(turn: GroupTurn, member: ClassicMember, assignment: Uint8Array): void {
  turn.account.give(member.assignment.length)
  member.assignment = assignment
  turn.account.take(assignment.length)
}

/** Forgets a member, or an id that was given out: what it has waiting is answered with UNKNOWN_MEMBER_ID. */
export function removeMember(turn: GroupTurn, group: ClassicGroup, memberId: string): void {
  const member = group.members.get(memberId)
  if (member !== undefined) {
    answerJoin(turn, group, member, joinError('', ErrorCode.UNKNOWN_MEMBER_ID))
    answerSync(turn, member, syncError(ErrorCode.UNKNOWN_MEMBER_ID))
    turn.deadlines.clear(member.session)
    turn.account.give(memberBytes(member))
  }
  const pending = group.pendingJoin.get(memberId)
  if (pending !== undefined) {
    turn.deadlines.clear(pending)
    turn.account.give(pendingBytes(memberId))
  }
  group.remove(memberId)
}

/** Why a member may not speak for itself: it is not one, or another has taken its instance id. NONE if it may. */
export function memberError(group: ClassicGroup, memberId: string, groupInstanceId: string | null): ErrorCode {
  if (groupInstanceId !== null) {
    const current = group.staticMemberId(groupInstanceId)
    if (current === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
    if (current !== memberId) return ErrorCode.FENCED_INSTANCE_ID
  }
  return group.members.has(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
}
