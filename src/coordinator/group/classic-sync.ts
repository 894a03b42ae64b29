/** SyncGroup, Heartbeat and LeaveGroup: what the members of a generation do. */
import { ErrorCode } from '#protocol/errors.js'
import type { Ticket } from '../../runtime/machine.js'
import { named } from '../../runtime/named.js'
import { batchBytes } from '../shard-machine.js'
import { type ClassicGroup, type ClassicMember, NO_BYTES } from './classic-group.js'
import {
  answerSync,
  memberError,
  parkSync,
  removeMember,
  setAssignment,
  syncError,
  watchSession,
} from './classic-members.js'
import { maybeCompleteJoin, rebalance, resetAssignment } from './classic-rebalance.js'
import type { HeartbeatCommand, LeaveCommand, LeaveReply, SyncCommand, SyncReply } from './group-commands.js'
import { append, type GroupTurn, log, reply } from './group-turn.js'
import { groupRecord } from './records.js'

/** A member asks for its assignment; the leader brings those of all. */
export function sync(turn: GroupTurn, ticket: Ticket, command: SyncCommand): void {
  const group = turn.groups.get(command.groupId)
  const error = group === undefined ? ErrorCode.UNKNOWN_MEMBER_ID : syncErrorOf(group, command)
  if (group === undefined || error !== ErrorCode.NONE) {
    reply(turn, 'sync', ticket, syncError(error))
    return
  }
  const member = group.members.get(command.memberId)!
  if (group.isIn('PreparingRebalance')) {
    reply(turn, 'sync', ticket, syncError(ErrorCode.REBALANCE_IN_PROGRESS))
    return
  }
  group.pendingSync.delete(member.memberId)
  if (group.pendingSync.size === 0) turn.deadlines.clear(group.syncAlarm)
  if (group.isIn('Stable')) {
    reply(turn, 'sync', ticket, syncReply(group, member))
    return
  }
  parkSync(turn, member, ticket)
  if (group.isLeader(member.memberId)) assign(turn, group, command)
}

function syncErrorOf(group: ClassicGroup, command: SyncCommand): ErrorCode {
  if (group.isIn('Empty')) return ErrorCode.UNKNOWN_MEMBER_ID
  const error = memberError(group, command.memberId, command.groupInstanceId)
  if (error !== ErrorCode.NONE) return error
  if (command.generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION
  const differs = (asked: string | null, ours: string | null) => asked !== null && ours !== null && asked !== ours
  return differs(command.protocolType, group.protocolType) || differs(command.protocolName, group.protocolName)
    ? ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    : ErrorCode.NONE
}

function syncReply(group: ClassicGroup, member: ClassicMember): SyncReply {
  const { protocolType, protocolName } = group
  return { errorCode: ErrorCode.NONE, protocolType, protocolName, assignment: member.assignment }
}

/** The leader has brought the assignment: it is written, and then given to whoever waits for it. */
function assign(turn: GroupTurn, group: ClassicGroup, command: SyncCommand): void {
  const assignmentOf = (member: ClassicMember) => command.assignments.get(member.memberId) ?? NO_BYTES
  const without = [...group.members.keys()].filter(memberId => !command.assignments.has(memberId))
  const fields = { group: group.groupId, generation: group.generationId }
  if (without.length > 0) {
    const text = `the leader of group ${group.groupId} has assigned nothing to ${without.length} members`
    log(turn, 'warn', { ...fields, members: named(without) }, text)
  }
  const record = groupRecord(group.groupId, group.metadata(assignmentOf))
  if (batchBytes([record]) > turn.limits.batchBytesMax) {
    const text = `the assignment of group ${group.groupId} does not fit into a batch; raise max.message.bytes`
    log(turn, 'error', { ...fields, bytes: batchBytes([record]), bytesMax: turn.limits.batchBytesMax }, text)
    resetAssignment(turn, group, ErrorCode.UNKNOWN_SERVER_ERROR)
    rebalance(turn, group, 'the assignment could not be stored')
    return
  }
  let growth = 0
  for (const member of group.members.values()) growth += assignmentOf(member).length - member.assignment.length
  if (growth > 0 && !turn.account.hasRoomFor(growth)) {
    log(turn, 'warn', fields, 'the memory for groups is used up: refusing an assignment')
    resetAssignment(turn, group, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    rebalance(turn, group, 'there is no memory for the assignment')
    return
  }
  append(turn, [record], true)
  for (const member of group.members.values()) {
    setAssignment(turn, member, assignmentOf(member))
    // The session of who waited for the leader may have ended meanwhile, without effect.
    if (answerSync(turn, member, syncReply(group, member))) watchSession(turn, member)
  }
  group.transitionTo('Stable', turn.wallTimeMs)
}

/** A member lives, and learns whether it has to join again. */
export function heartbeat(turn: GroupTurn, ticket: Ticket, command: HeartbeatCommand): void {
  const group = turn.groups.get(command.groupId)
  reply(turn, 'heartbeat', ticket, { errorCode: heartbeatResult(turn, group, command) })
}

function heartbeatResult(turn: GroupTurn, group: ClassicGroup | undefined, command: HeartbeatCommand): ErrorCode {
  if (group === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
  const error = memberError(group, command.memberId, command.groupInstanceId)
  if (error !== ErrorCode.NONE) return error
  if (command.generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION
  watchSession(turn, group.members.get(command.memberId)!)
  return group.isIn('PreparingRebalance') ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

/** Members leave, or are removed by an administrator. */
export function leave(turn: GroupTurn, ticket: Ticket, command: LeaveCommand): void {
  const group = turn.groups.get(command.groupId)
  const members: LeaveReply['members'][number][] = []
  for (const { memberId, groupInstanceId, reason } of command.members) {
    const errorCode =
      group === undefined ? ErrorCode.UNKNOWN_MEMBER_ID : leaveOne(turn, group, memberId, groupInstanceId, reason)
    members.push({ memberId, groupInstanceId, errorCode })
  }
  const left = members.filter(({ errorCode }) => errorCode === ErrorCode.NONE)
  if (group !== undefined && left.length > 0) {
    if (group.isIn('Stable', 'CompletingRebalance')) {
      rebalance(turn, group, `members have left: ${named(left.map(({ memberId }) => memberId)).join(', ')}`)
    } else {
      maybeCompleteJoin(turn, group)
    }
  }
  reply(turn, 'leave', ticket, { members })
}

function leaveOne(
  turn: GroupTurn,
  group: ClassicGroup,
  memberId: string,
  groupInstanceId: string | null,
  reason: string,
): ErrorCode {
  let leaving = memberId
  if (memberId === '') {
    const current = groupInstanceId === null ? undefined : group.staticMemberId(groupInstanceId)
    if (current === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
    leaving = current
  } else if (!group.pendingJoin.has(memberId)) {
    const error = memberError(group, memberId, groupInstanceId)
    if (error !== ErrorCode.NONE) return error
  }
  log(
    turn,
    'info',
    { group: group.groupId, member: leaving, reason },
    `member ${leaving} leaves group ${group.groupId}`,
  )
  removeMember(turn, group, leaving)
  return ErrorCode.NONE
}
