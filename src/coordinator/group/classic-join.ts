/** JoinGroup: who may join a classic group, and what follows from it. */
import { ErrorCode } from '#protocol/errors.js'
import type { Ticket } from '../../runtime/machine.js'
import { alarm } from '../deadlines.js'
import { batchBytes } from '../shard-machine.js'
import { ClassicGroup, type ClassicMember, type GroupProtocol, NO_BYTES, newMember } from './classic-group.js'
import {
  answerJoin,
  answerSync,
  joinError,
  joinReply,
  memberError,
  memberList,
  parkJoin,
  removeMember,
  syncError,
  updateMember,
  watchSession,
} from './classic-members.js'
import { maybeCompleteJoin, prepareRebalance, rebalance } from './classic-rebalance.js'
import type { JoinCommand } from './group-commands.js'
import { NEW_MEMBER_JOIN_TIMEOUT_MS, PENDING_MEMBERS_MAX } from './group-config.js'
import { memberBytes, pendingBytes, protocolsBytes, putGroup } from './group-table.js'
import { append, type GroupTurn, log, refuse, reply } from './group-turn.js'
import { groupRecord } from './records.js'

/** A JoinGroup for a classic group, or for one that there is not yet. */
export function join(turn: GroupTurn, ticket: Ticket, command: JoinCommand): void {
  const known = turn.groups.get(command.groupId)
  if (known !== undefined) {
    joinGroup(turn, ticket, known, command)
    return
  }
  if (command.memberId !== '') {
    reply(turn, 'join', ticket, joinError(command.memberId, ErrorCode.UNKNOWN_MEMBER_ID))
    return
  }
  const group = new ClassicGroup(command.groupId, turn.wallTimeMs)
  putGroup(turn, group)
  // The group is there from now on, whatever becomes of the member.
  append(turn, [groupRecord(group.groupId, group.metadata())], true)
  joinGroup(turn, ticket, group, command)
}

function joinGroup(turn: GroupTurn, ticket: Ticket, group: ClassicGroup, command: JoinCommand): void {
  const { memberId } = command
  if (!hasRoom(turn, group, memberId)) {
    removeMember(turn, group, memberId)
    reply(turn, 'join', ticket, joinError('', ErrorCode.GROUP_MAX_SIZE_REACHED))
    maybeCompleteJoin(turn, group)
  } else if (!group.supports(command.protocolType, command.protocols)) {
    reply(turn, 'join', ticket, joinError(memberId, ErrorCode.INCONSISTENT_GROUP_PROTOCOL))
  } else if (memberId === '') {
    joinAsNew(turn, ticket, group, command)
  } else if (group.pendingJoin.has(memberId)) {
    // The id was given to a member without instance id; the client has lost its way.
    if (command.groupInstanceId !== null) refuse(turn, ticket, ErrorCode.UNKNOWN_SERVER_ERROR)
    else addMember(turn, ticket, group, command, memberId)
  } else {
    joinAgain(turn, ticket, group, command)
  }
}

/**
 * Whether the group takes the member. While it prepares to rebalance, those count that have joined, so that a group
 * that is too large loses the last to come; otherwise the members.
 */
function hasRoom(turn: GroupTurn, group: ClassicGroup, memberId: string): boolean {
  const { membersMax } = turn.config
  if (group.isIn('Empty')) return true
  const member = group.members.get(memberId)
  if (group.isIn('PreparingRebalance')) return member?.joinTicket != null || group.awaitingJoinCount < membersMax
  return member !== undefined || group.members.size < membersMax
}

function joinAsNew(turn: GroupTurn, ticket: Ticket, group: ClassicGroup, command: JoinCommand): void {
  const { groupInstanceId, newMemberId } = command
  const fields = { group: group.groupId, member: newMemberId, state: group.state }
  if (groupInstanceId !== null) {
    const current = group.staticMemberId(groupInstanceId)
    if (current === undefined) {
      addMember(turn, ticket, group, command, newMemberId)
    } else if (!hasRoomToUpdate(turn, group.members.get(current)!, command)) {
      refuseForMemory(turn, ticket, command)
    } else {
      log(turn, 'info', fields, `static member ${groupInstanceId} of group ${group.groupId} is back as ${newMemberId}`)
      replaceStaticMember(turn, ticket, group, command, group.members.get(current)!)
    }
  } else if (command.mustKnowMemberId) {
    giveMemberId(turn, ticket, group, command)
  } else {
    addMember(turn, ticket, group, command, newMemberId)
  }
}

/** Gives out an id; it is waited for in the next rebalance until its session ends (KIP-394). */
function giveMemberId(turn: GroupTurn, ticket: Ticket, group: ClassicGroup, command: JoinCommand): void {
  const { newMemberId: memberId } = command
  const bytes = pendingBytes(memberId)
  if (group.pendingJoin.size >= PENDING_MEMBERS_MAX || !turn.account.hasRoomFor(bytes)) {
    log(turn, 'warn', { group: group.groupId }, `group ${group.groupId} has too many members that never joined`)
    reply(turn, 'join', ticket, joinError('', ErrorCode.GROUP_MAX_SIZE_REACHED))
    return
  }
  const pending = alarm({ type: 'session', groupId: group.groupId, memberId } as const)
  turn.account.take(bytes)
  group.pendingJoin.set(memberId, pending)
  turn.deadlines.set(pending, turn.now + command.sessionTimeoutMs)
  reply(turn, 'join', ticket, joinError(memberId, ErrorCode.MEMBER_ID_REQUIRED))
}

function addMember(turn: GroupTurn, ticket: Ticket, group: ClassicGroup, command: JoinCommand, memberId: string): void {
  const { groupInstanceId, clientId, clientHost, protocols, protocolType, sessionTimeoutMs, rebalanceTimeoutMs } =
    command
  removeMember(turn, group, memberId) // the id that was given out
  const timeouts = { sessionTimeoutMs, rebalanceTimeoutMs }
  const facts = { memberId, groupInstanceId, clientId, clientHost, protocols, assignment: NO_BYTES, ...timeouts }
  const member = newMember(group.groupId, facts)
  if (!turn.account.hasRoomFor(memberBytes(member))) {
    refuseForMemory(turn, ticket, command)
    maybeCompleteJoin(turn, group)
    return
  }
  member.isNew = true
  if (group.isIn('PreparingRebalance') && group.previousState === 'Empty') group.newMemberAdded = true
  turn.account.take(memberBytes(member))
  group.add(member, protocolType)
  parkJoin(turn, group, member, ticket)
  // Its session cannot run yet, since it does not know its id; but its client may give up waiting and join anew, over
  // and over: so the wait itself is limited.
  watchSession(turn, member, NEW_MEMBER_JOIN_TIMEOUT_MS)
  const instance = groupInstanceId === null ? '' : ` with instance id ${groupInstanceId}`
  rebalance(turn, group, `new member ${memberId}${instance}; client reason: ${command.reason}`)
}

/** Whether there is memory for what a member offers now, in place of what it did. */
function hasRoomToUpdate(turn: GroupTurn, member: ClassicMember, { protocols }: JoinCommand): boolean {
  const growth = protocolsBytes(protocols) - protocolsBytes(member.protocols)
  return growth <= 0 || turn.account.hasRoomFor(growth)
}

function refuseForMemory(turn: GroupTurn, ticket: Ticket, { groupId }: JoinCommand): void {
  log(turn, 'warn', { group: groupId }, 'the memory for groups is used up: refusing a member')
  reply(turn, 'join', ticket, joinError('', ErrorCode.GROUP_MAX_SIZE_REACHED))
}

function joinAgain(turn: GroupTurn, ticket: Ticket, group: ClassicGroup, command: JoinCommand): void {
  const { memberId } = command
  const error = memberError(group, memberId, command.groupInstanceId)
  if (error !== ErrorCode.NONE) {
    reply(turn, 'join', ticket, joinError(memberId, error))
    return
  }
  const member = group.members.get(memberId)!
  const isSame = sameProtocols(member.protocols, command.protocols)
  const mustRebalance =
    group.isIn('PreparingRebalance') || !isSame || (group.isIn('Stable') && group.isLeader(memberId))
  if (!mustRebalance) {
    // It has not got the answer of its last JoinGroup, or wants to be sure: nothing has changed.
    reply(turn, 'join', ticket, joinReply(group, memberId))
    return
  }
  if (!hasRoomToUpdate(turn, member, command)) {
    refuseForMemory(turn, ticket, command)
    return
  }
  updateMember(turn, group, member, command)
  parkJoin(turn, group, member, ticket)
  const who = group.isLeader(memberId) ? `leader ${memberId}` : `member ${memberId}`
  const what = isSame ? 'joins again' : 'joins again with other metadata'
  rebalance(turn, group, `${who} ${what}; client reason: ${command.reason}`)
}

function sameProtocols(a: readonly GroupProtocol[], b: readonly GroupProtocol[]): boolean {
  return (
    a.length === b.length &&
    a.every(
      ({ name, metadata }, index) => name === b[index]!.name && Buffer.compare(metadata, b[index]!.metadata) === 0,
    )
  )
}

/** A static member has come back without its old id: it gets a new one, and the old id is fenced (KIP-345). */
function replaceStaticMember(
  turn: GroupTurn,
  ticket: Ticket,
  group: ClassicGroup,
  command: JoinCommand,
  old: ClassicMember,
): void {
  const oldLeader = group.leaderId
  answerJoin(turn, group, old, joinError(old.memberId, ErrorCode.FENCED_INSTANCE_ID))
  answerSync(turn, old, syncError(ErrorCode.FENCED_INSTANCE_ID))
  turn.account.give(memberBytes(old))
  turn.deadlines.clear(old.session)
  const member = group.replaceStatic(old, command.newMemberId)
  turn.account.take(memberBytes(member))
  watchSession(turn, member)
  updateMember(turn, group, member, command)
  parkJoin(turn, group, member, ticket)
  const reason = `static member ${command.groupInstanceId} came back; client reason: ${command.reason}`
  if (group.isIn('Stable')) {
    if (group.selectProtocol() === group.protocolName) keepGeneration(turn, group, command, member, old, oldLeader)
    else rebalance(turn, group, reason)
  } else if (group.isIn('CompletingRebalance')) {
    // The leader may be assigning to the old id at this moment.
    prepareRebalance(turn, group, reason)
  } else {
    maybeCompleteJoin(turn, group)
  }
}

/** A static member of a stable group has come back, and the group goes on as it is: only the new id is written. */
function keepGeneration(
  turn: GroupTurn,
  group: ClassicGroup,
  command: JoinCommand,
  member: ClassicMember,
  old: ClassicMember,
  oldLeader: string | null,
): void {
  const record = groupRecord(group.groupId, group.metadata())
  const current = joinReply(group, member.memberId)
  if (batchBytes([record]) > turn.limits.batchBytesMax) {
    const text = `the state of group ${group.groupId} does not fit into a batch: a static member cannot come back`
    log(turn, 'error', { group: group.groupId }, text)
    const errorCode = ErrorCode.UNKNOWN_SERVER_ERROR
    answerJoin(turn, group, member, { ...current, errorCode, memberId: '', leader: oldLeader ?? '', members: [] })
    updateMember(turn, group, member, old)
    turn.deadlines.clear(member.session)
    turn.account.give(memberBytes(member))
    const restored = group.replaceStatic(member, old.memberId)
    turn.account.take(memberBytes(restored))
    watchSession(turn, restored)
    return
  }
  append(turn, [record], true)
  if (command.canSkipAssignment) {
    // It is told that it leads, so that it goes on watching the topics, and that there is nothing to assign (KIP-814).
    const isLeader = group.isLeader(member.memberId)
    const members = isLeader ? memberList(group) : []
    answerJoin(turn, group, member, { ...current, skipAssignment: isLeader, members })
  } else {
    // By its old id the client does not take itself for the leader, and so assigns nothing.
    answerJoin(turn, group, member, { ...current, leader: oldLeader ?? '', members: [] })
  }
}
