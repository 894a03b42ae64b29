import type { ErrorCode } from '#protocol/errors.js'
import type { Ticket } from '../../runtime/machine.js'
import type { LogLevel, Millis } from '../../runtime/ports.js'
import type { Deadlines } from '../deadlines.js'
import type { ShardEffect, ShardLimits } from '../shard-machine.js'
import type { StateAccount } from '../state-budget.js'
import type { ClassicGroup, GroupDue } from './classic-group.js'
import type { GroupReplies, GroupReply } from './group-commands.js'
import type { GroupConfig } from './group-config.js'
import type { OffsetStore } from './offset-store.js'
import type { OtherGroups } from './other-groups.js'
import type { GroupRecord } from './records.js'

export type GroupEffect = ShardEffect<GroupReply, GroupRecord>

/** What belongs to a group shard for as long as it lives. */
export interface GroupRoom {
  readonly config: GroupConfig
  readonly limits: ShardLimits
  readonly groups: Map<string, ClassicGroup>
  /** The most groups that there have been at once. */
  readonly most: { groups: number }
  /** Groups of the kinds that are not served here. */
  readonly others: OtherGroups
  readonly offsets: OffsetStore
  readonly deadlines: Deadlines<GroupDue>
  readonly account: StateAccount
}

/** One step of a group shard: the room, the time, and what has come of it so far. */
export interface GroupTurn extends GroupRoom {
  readonly now: Millis
  readonly wallTimeMs: Millis
  readonly effects: GroupEffect[]
}

/** Answers the ticket of a command of type `Type`. */
export function reply<Type extends keyof GroupReplies>(
  turn: GroupTurn,
  _type: Type,
  ticket: Ticket,
  answer: GroupReplies[Type],
): void {
  turn.effects.push({ type: 'reply', ticket, reply: answer })
}

/** Answers a ticket with an error in place of a reply. */
export function refuse(turn: GroupTurn, ticket: Ticket, error: ErrorCode): void {
  turn.effects.push({ type: 'refuse', ticket, error })
}

export function append(turn: GroupTurn, records: readonly GroupRecord[], atomic: boolean): void {
  if (records.length > 0) turn.effects.push({ type: 'append', records, atomic })
}

export function log(turn: GroupTurn, level: LogLevel, fields: object, message: string): void {
  turn.effects.push({ type: 'log', level, fields, message })
}
