/** Groups come and go, with the memory and the deadlines that belong to them. */
import type { ClassicGroup, ClassicMember } from './classic-group.js'
import type { GroupRoom } from './group-turn.js'

/** What a member takes of the memory that groups may take, in bytes. */
export function memberBytes(member: Pick<ClassicMember, 'memberId' | 'clientId' | 'protocols' | 'assignment'>): number {
  const bytes = 512 + 2 * (member.memberId.length + member.clientId.length)
  return bytes + protocolsBytes(member.protocols) + member.assignment.length
}

/** What a member offers takes. */
export function protocolsBytes(protocols: ClassicMember['protocols']): number {
  let bytes = 0
  for (const { name, metadata } of protocols) bytes += 64 + 2 * name.length + metadata.length
  return bytes
}

/** What an id that was given out takes. */
export function pendingBytes(memberId: string): number {
  return 256 + 2 * memberId.length
}

/** What a group takes without members. */
export function groupBytes(groupId: string): number {
  return 1024 + 2 * groupId.length
}

function bytesOf(group: ClassicGroup): number {
  let bytes = groupBytes(group.groupId)
  for (const member of group.members.values()) bytes += memberBytes(member)
  for (const memberId of group.pendingJoin.keys()) bytes += pendingBytes(memberId)
  return bytes
}

/** The group is there from now on, in place of one of that name. */
export function putGroup(room: GroupRoom, group: ClassicGroup): void {
  dropGroup(room, group.groupId)
  room.groups.set(group.groupId, group)
  room.most.groups = Math.max(room.most.groups, room.groups.size)
  room.account.take(bytesOf(group))
}

/** The group is gone; no effect if there is none. */
export function dropGroup(room: GroupRoom, groupId: string): void {
  const group = room.groups.get(groupId)
  if (group === undefined) return
  room.deadlines.clear(group.joinAlarm)
  room.deadlines.clear(group.syncAlarm)
  for (const { session } of group.members.values()) room.deadlines.clear(session)
  for (const pending of group.pendingJoin.values()) room.deadlines.clear(pending)
  room.account.give(bytesOf(group))
  room.groups.delete(groupId)
}
