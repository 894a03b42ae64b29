import { ErrorCode } from '#protocol/errors.js'
import type { Ticket } from '../../runtime/machine.js'
import type { Millis } from '../../runtime/ports.js'
import { type Alarm, alarm, Deadlines } from '../deadlines.js'
import type { RecordOrigin, ShardEvent, ShardLimits, ShardMachine } from '../shard-machine.js'
import type { StateAccount } from '../state-budget.js'
import { ClassicGroup, type GroupDue } from './classic-group.js'
import { join } from './classic-join.js'
import { joinError, watchSession } from './classic-members.js'
import { onJoinDue, onSessionDue, onSyncDue, prepareRebalance } from './classic-rebalance.js'
import { heartbeat, leave, sync } from './classic-sync.js'
import { deleteGroups, describe, list } from './group-admin.js'
import type { GroupCommand, GroupReply, JoinCommand } from './group-commands.js'
import type { GroupConfig } from './group-config.js'
import { dropGroup, groupBytes, putGroup } from './group-table.js'
import { append, type GroupEffect, type GroupRoom, type GroupTurn, log, refuse, reply } from './group-turn.js'
import { commit, deleteOffsets, expire, fetch, topicsDeleted } from './offset-commands.js'
import { OffsetStore } from './offset-store.js'
import { OtherGroups } from './other-groups.js'
import type { GroupRecord } from './records.js'

/**
 * The groups of one partition of `__consumer_offsets`. What is replicated is, for every group, the state of its last
 * complete generation, and its offsets; who waits for what, and until when, is this coordinator's alone and begins anew
 * when another one takes over.
 */
export class GroupMachine implements ShardMachine<GroupCommand, GroupReply, GroupRecord> {
  readonly #room: GroupRoom
  readonly #expiry: Alarm<GroupDue> = alarm({ type: 'expiry' })
  #isLoaded = false

  constructor(config: GroupConfig, limits: ShardLimits, account: StateAccount) {
    this.#room = {
      config,
      limits,
      account,
      groups: new Map(),
      most: { groups: 0 },
      others: new OtherGroups(),
      offsets: new OffsetStore(account),
      deadlines: new Deadlines(),
    }
  }

  get deadline(): Millis {
    return this.#room.deadlines.next
  }

  /** For those who look only: tests, metrics. */
  get groups(): ReadonlyMap<string, ClassicGroup> {
    return this.#room.groups
  }

  get offsets(): OffsetStore {
    return this.#room.offsets
  }

  step(event: ShardEvent<GroupCommand>, now: Millis): readonly GroupEffect[] {
    const turn: GroupTurn = { ...this.#room, now, wallTimeMs: event.wallTimeMs, effects: [] }
    if (event.type === 'command') carryOut(turn, event.ticket, event.command)
    else if (event.type === 'tick') this.#tick(turn)
    else this.#begin(turn)
    return turn.effects
  }

  replay(record: GroupRecord, origin: RecordOrigin): void {
    const { content } = record
    switch (content.type) {
      case 'offset':
        this.#room.offsets.replay(content, origin)
        // Offsets that belong to nobody make a group of their own, without members or protocol.
        if (content.value !== null && !this.#isKnown(content.groupId)) {
          putGroup(this.#room, new ClassicGroup(content.groupId, content.value.commitTimestampMs))
        }
        break
      case 'group':
        this.#replayGroup(content)
        break
      case 'other':
        this.#replayOther(record.key, content)
    }
  }

  replayMarker(producerId: number, isCommitted: boolean): void {
    this.#room.offsets.replayMarker(producerId, isCommitted)
  }

  close(): void {
    this.#room.account.close()
  }

  #isKnown(groupId: string): boolean {
    return this.#room.groups.has(groupId) || this.#room.others.typeOf(groupId) !== null
  }

  #replayGroup({ groupId, value }: GroupRecord['content'] & { readonly type: 'group' }): void {
    if (value === null) {
      dropGroup(this.#room, groupId)
      return
    }
    this.#room.others.forget(groupId)
    const group = this.#room.groups.get(groupId)
    // A live group is ahead of what it writes: its members have joined, and may have left again.
    if (this.#isLoaded && group !== undefined) group.written = value
    else putGroup(this.#room, ClassicGroup.fromMetadata(groupId, value))
  }

  #replayOther(key: Uint8Array, content: GroupRecord['content'] & { readonly type: 'other' }): void {
    const group = this.#room.groups.get(content.groupId)
    if (!content.isTombstone && group !== undefined) {
      if (!group.isSimple) return
      dropGroup(this.#room, content.groupId)
    }
    this.#room.others.replay(key, content)
  }

  /** The log has been replayed: sessions begin. */
  #begin(turn: GroupTurn): void {
    this.#isLoaded = true
    if (turn.others.size > 0) {
      const text = 'the partition holds groups of the consumer, share or streams kind, which are left as they are'
      log(turn, 'warn', { groups: turn.others.size }, text)
    }
    for (const group of [...turn.groups.values()]) {
      for (const member of group.members.values()) watchSession(turn, member)
      if (group.members.size > turn.config.membersMax) {
        prepareRebalance(turn, group, `it has ${group.members.size} members, ${turn.config.membersMax} are allowed`)
      }
    }
    turn.deadlines.set(this.#expiry, turn.now + turn.config.offsetsRetentionCheckIntervalMs)
  }

  #tick(turn: GroupTurn): void {
    for (;;) {
      const due = turn.deadlines.takeDue(turn.now)
      if (due === null) return
      if (due.type === 'expiry') {
        turn.deadlines.set(this.#expiry, turn.now + turn.config.offsetsRetentionCheckIntervalMs)
        expire(turn)
        continue
      }
      const group = turn.groups.get(due.groupId)
      if (group === undefined) continue
      if (due.type === 'join') onJoinDue(turn, group)
      else if (due.type === 'sync') onSyncDue(turn, group)
      else onSessionDue(turn, group, due.memberId)
    }
  }
}

function carryOut(turn: GroupTurn, ticket: Ticket, command: GroupCommand): void {
  switch (command.type) {
    case 'join':
      if (admitJoin(turn, ticket, command)) join(turn, ticket, command)
      break
    case 'sync':
      sync(turn, ticket, command)
      break
    case 'heartbeat':
      heartbeat(turn, ticket, command)
      break
    case 'leave':
      leave(turn, ticket, command)
      break
    case 'commit':
      commit(turn, ticket, command)
      break
    case 'fetch':
      fetch(turn, ticket, command)
      break
    case 'deleteOffsets':
      deleteOffsets(turn, ticket, command)
      break
    case 'describe':
      describe(turn, ticket, command)
      break
    case 'list':
      list(turn, ticket, command)
      break
    case 'deleteGroups':
      deleteGroups(turn, ticket, command)
      break
    case 'topicsDeleted':
      topicsDeleted(turn, ticket, command)
  }
}

/**
 * Whether a join is one for a classic group. A group of another kind that has no members gives way to a classic one,
 * as in Kafka; its records are taken out of the log, or a broker that serves that kind could not load the partition
 * any more.
 */
function admitJoin(turn: GroupTurn, ticket: Ticket, command: JoinCommand): boolean {
  const { groupId, memberId } = command
  if (turn.others.typeOf(groupId) !== null) {
    const tombstones = turn.others.isEmpty(groupId) ? turn.others.tombstones(groupId) : null
    if (tombstones === null) {
      reply(turn, 'join', ticket, joinError('', ErrorCode.INCONSISTENT_GROUP_PROTOCOL))
      return false
    }
    if (memberId === '') append(turn, tombstones, false)
  } else if (!turn.groups.has(groupId) && memberId === '' && !turn.account.hasRoomFor(groupBytes(groupId))) {
    log(turn, 'warn', { group: groupId }, 'the memory for groups is used up: refusing a new group')
    refuse(turn, ticket, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    return false
  }
  return true
}
