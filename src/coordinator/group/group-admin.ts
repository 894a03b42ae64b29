/** DescribeGroups, ListGroups and DeleteGroups within one shard. */
import { ErrorCode } from '#protocol/errors.js'
import type { Ticket } from '../../runtime/machine.js'
import { javaHash, timelineMapOrder } from '../java-order.js'
import { type ClassicGroup, NO_BYTES } from './classic-group.js'
import type {
  DeleteGroupsCommand,
  DeleteGroupsReply,
  DescribeCommand,
  DescribedGroup,
  ListCommand,
  ListReply,
} from './group-commands.js'
import { append, type GroupTurn, reply } from './group-turn.js'
import { allOffsetTombstones } from './offset-commands.js'
import { type GroupRecord, groupRecord } from './records.js'

export function describe(turn: GroupTurn, ticket: Ticket, command: DescribeCommand): void {
  reply(turn, 'describe', ticket, { groups: command.groupIds.map(groupId => describeOne(turn, groupId)) })
}

function describeOne(turn: GroupTurn, groupId: string): DescribedGroup {
  const group = turn.groups.get(groupId)
  if (group === undefined) {
    const isOther = turn.others.typeOf(groupId) !== null
    const missing = isOther ? `Group ${groupId} is not a classic group.` : `Group ${groupId} not found.`
    return { groupId, missing, groupState: 'Dead', protocolType: '', protocolData: '', members: [] }
  }
  const isStable = group.isIn('Stable')
  return {
    groupId,
    missing: null,
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: isStable ? (group.protocolName ?? '') : '',
    members: [...group.members.values()].map(member => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      // While the group rebalances there is no protocol in which it could be said.
      memberMetadata: isStable ? group.subscriptionOf(member) : NO_BYTES,
      memberAssignment: member.assignment,
    })),
  }
}

export function list(turn: GroupTurn, ticket: Ticket, { states, types }: ListCommand): void {
  const all: ListReply['groups'][number][] = [...turn.groups.values()].map(listed)
  for (const { groupId, type } of turn.others) {
    // Nobody's heartbeats are followed here; what the log says is all that is known.
    const groupState = turn.others.isEmpty(groupId) ? 'Empty' : 'Stable'
    all.push({ groupId, protocolType: type, groupState, groupType: type })
  }
  const groups = timelineMapOrder(all, ({ groupId }) => javaHash(groupId), turn.most.groups).filter(
    ({ groupState, groupType }) =>
      (states.size === 0 || states.has(groupState.toLowerCase())) && (types.size === 0 || types.has(groupType)),
  )
  reply(turn, 'list', ticket, { groups })
}

function listed(group: ClassicGroup): ListReply['groups'][number] {
  return {
    groupId: group.groupId,
    protocolType: group.protocolType ?? '',
    groupState: group.state,
    groupType: 'classic',
  }
}

export function deleteGroups(turn: GroupTurn, ticket: Ticket, command: DeleteGroupsCommand): void {
  const records: GroupRecord[] = []
  const results = command.groupIds.map(groupId => deleteOne(turn, groupId, records))
  append(turn, records, false)
  reply(turn, 'deleteGroups', ticket, { results })
}

function deleteOne(turn: GroupTurn, groupId: string, records: GroupRecord[]): DeleteGroupsReply['results'][number] {
  const result = (errorCode: ErrorCode, errorMessage: string | null = null) => ({ groupId, errorCode, errorMessage })
  const group = turn.groups.get(groupId)
  const otherType = turn.others.typeOf(groupId)
  if (group === undefined && otherType === null) return result(ErrorCode.GROUP_ID_NOT_FOUND)
  if (group === undefined ? !turn.others.isEmpty(groupId) : !group.isIn('Empty')) {
    return result(ErrorCode.NON_EMPTY_GROUP)
  }
  const tombstones = group === undefined ? turn.others.tombstones(groupId) : [groupRecord(groupId, null)]
  if (tombstones === null) {
    return result(
      ErrorCode.GROUP_DELETION_FAILED,
      'This broker does not serve share groups and cannot delete their state.',
    )
  }
  // One by one: a call takes no more than some 100,000 arguments.
  for (const record of allOffsetTombstones(turn, groupId)) records.push(record)
  for (const record of tombstones) records.push(record)
  return result(ErrorCode.NONE)
}
