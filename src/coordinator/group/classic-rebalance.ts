/**
 * How a classic group comes to a new generation.
 *
 *   Empty --join--> PreparingRebalance --all have joined, or time is up--> CompletingRebalance --leader syncs--> Stable
 *                     ^  | nobody is left: Empty                              |                                    |
 *                     +--+-----------------------<--- any trigger ------------+------------------------------------+
 */
import { ErrorCode } from '#protocol/errors.js'
import { named } from '../../runtime/named.js'
import type { Millis } from '../../runtime/ports.js'
import { type ClassicGroup, NO_BYTES } from './classic-group.js'
import {
  answerJoin,
  answerSync,
  joinReply,
  removeMember,
  setAssignment,
  syncError,
  watchSession,
} from './classic-members.js'
import { append, type GroupTurn, log } from './group-turn.js'
import { groupRecord } from './records.js'

/** A join phase in which nobody has joined is not tried again sooner, whatever the members' timeouts are. */
const JOIN_RETRY_MS_MIN: Millis = 1000

/** Something calls for a new generation: begins to prepare it, or sees whether one in preparation is complete. */
export function rebalance(turn: GroupTurn, group: ClassicGroup, reason: string): void {
  if (group.canRebalance) prepareRebalance(turn, group, reason)
  else maybeCompleteJoin(turn, group)
}

/** Waits for all members to join; the first ones of a group are given a delay in which others may come. */
export function prepareRebalance(turn: GroupTurn, group: ClassicGroup, reason: string): void {
  if (group.isIn('CompletingRebalance')) resetAssignment(turn, group, ErrorCode.REBALANCE_IN_PROGRESS)
  group.pendingSync.clear()
  turn.deadlines.clear(group.syncAlarm)
  const isInitial = group.isIn('Empty')
  group.transitionTo('PreparingRebalance', turn.wallTimeMs)
  const fields = { group: group.groupId, generation: group.generationId, reason }
  log(turn, 'info', fields, `preparing to rebalance group ${group.groupId}: ${reason}`)
  if (isInitial) {
    const delayMs = turn.config.initialRebalanceDelayMs
    setInitialDelay(turn, group, delayMs, Math.max(group.rebalanceTimeoutMs - delayMs, 0))
  } else if (group.hasAllMembersJoined) {
    completeJoin(turn, group)
  } else {
    turn.deadlines.set(group.joinAlarm, turn.now + group.rebalanceTimeoutMs)
  }
}

function setInitialDelay(turn: GroupTurn, group: ClassicGroup, delayMs: Millis, remainingMs: Millis): void {
  group.initialDelay = { delayMs, remainingMs }
  turn.deadlines.set(group.joinAlarm, turn.now + delayMs)
}

/** Ends the join phase if everybody is there. The initial delay is not cut short. */
export function maybeCompleteJoin(turn: GroupTurn, group: ClassicGroup): void {
  if (!group.isIn('PreparingRebalance') || group.previousState === 'Empty') return
  if (group.hasAllMembersJoined) completeJoin(turn, group)
}

/** The time of the join phase is up. */
export function onJoinDue(turn: GroupTurn, group: ClassicGroup): void {
  const initial = group.initialDelay
  if (initial !== null && group.newMemberAdded && initial.remainingMs !== 0) {
    group.newMemberAdded = false
    const delayMs = Math.min(turn.config.initialRebalanceDelayMs, initial.remainingMs)
    setInitialDelay(turn, group, delayMs, Math.max(initial.remainingMs - initial.delayMs, 0))
  } else {
    completeJoin(turn, group)
  }
}

/** Ends the join phase: dynamic members that are missing are dropped, the others are a new generation. */
export function completeJoin(turn: GroupTurn, group: ClassicGroup): void {
  turn.deadlines.clear(group.joinAlarm)
  group.initialDelay = null
  const missing = [...group.members.values()].filter(
    member => member.joinTicket === null && member.groupInstanceId === null,
  )
  for (const { memberId } of missing) removeMember(turn, group, memberId)
  if (missing.length > 0) {
    const members = named(missing.map(({ memberId }) => memberId))
    log(turn, 'info', { group: group.groupId, members }, `members of group ${group.groupId} did not join in time`)
  }
  if (!group.electJoinedLeader() && group.members.size > 0) {
    // Only static members are left and none has joined: their sessions will end, or they will come.
    log(turn, 'warn', { group: group.groupId }, `group ${group.groupId} cannot rebalance: no member has joined`)
    turn.deadlines.set(group.joinAlarm, turn.now + Math.max(group.rebalanceTimeoutMs, JOIN_RETRY_MS_MIN))
    return
  }
  group.generationId = (group.generationId + 1) | 0
  if (group.members.size === 0) becomeEmpty(turn, group)
  else beginSync(turn, group)
}

function becomeEmpty(turn: GroupTurn, group: ClassicGroup): void {
  group.protocolName = null
  group.updateSubscribedTopics()
  group.transitionTo('Empty', turn.wallTimeMs)
  group.pendingSync.clear()
  const fields = { group: group.groupId, generation: group.generationId }
  log(turn, 'info', fields, `group ${group.groupId} is empty in generation ${group.generationId}`)
  append(turn, [groupRecord(group.groupId, group.metadata())], true)
}

function beginSync(turn: GroupTurn, group: ClassicGroup): void {
  group.protocolName = group.selectProtocol()
  group.updateSubscribedTopics()
  group.transitionTo('CompletingRebalance', turn.wallTimeMs)
  group.pendingSync.clear()
  const fields = { group: group.groupId, generation: group.generationId, members: group.members.size }
  log(
    turn,
    'info',
    fields,
    `group ${group.groupId} has ${group.members.size} members in generation ${group.generationId}`,
  )
  for (const member of group.members.values()) {
    answerJoin(turn, group, member, joinReply(group, member.memberId))
    watchSession(turn, member)
    member.isNew = false
    group.pendingSync.add(member.memberId)
  }
  turn.deadlines.set(group.syncAlarm, turn.now + group.rebalanceTimeoutMs)
}

/** Members that have not asked for their assignment in time are dropped. */
export function onSyncDue(turn: GroupTurn, group: ClassicGroup): void {
  if (!group.isIn('CompletingRebalance', 'Stable') || group.pendingSync.size === 0) return
  const missing = [...group.pendingSync]
  for (const memberId of missing) removeMember(turn, group, memberId)
  prepareRebalance(turn, group, `members did not ask for their assignment in time: ${named(missing).join(', ')}`)
}

/** Takes all assignments away and answers whoever waits for one with `errorCode`. */
export function resetAssignment(turn: GroupTurn, group: ClassicGroup, errorCode: ErrorCode): void {
  for (const member of group.members.values()) {
    setAssignment(turn, member, NO_BYTES)
    if (answerSync(turn, member, syncError(errorCode))) watchSession(turn, member)
  }
}

/** A member, or one that was given an id, has not been heard of for the time of its session. */
export function onSessionDue(turn: GroupTurn, group: ClassicGroup, memberId: string): void {
  const fields = { group: group.groupId, member: memberId }
  const member = group.members.get(memberId)
  if (member === undefined) {
    if (!group.pendingJoin.has(memberId)) return
    log(turn, 'info', fields, `member ${memberId} was given an id in group ${group.groupId} and did not join with it`)
    removeMember(turn, group, memberId)
  } else {
    // Who waits for a rebalance is there; but a new member's client may be gone without ever having known its id.
    if (!member.isNew && (member.joinTicket !== null || member.syncTicket !== null)) return
    log(turn, 'info', fields, `member ${memberId} of group ${group.groupId} has not been heard of: removing it`)
    removeMember(turn, group, memberId)
    if (group.isIn('Stable', 'CompletingRebalance')) {
      prepareRebalance(turn, group, `the session of member ${memberId} has ended`)
      return
    }
  }
  if (group.isIn('PreparingRebalance') && group.hasAllMembersJoined) completeJoin(turn, group)
}
