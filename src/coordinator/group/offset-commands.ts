/** OffsetCommit, OffsetFetch and OffsetDelete, and what makes offsets vanish. */
import { ErrorCode } from '#protocol/errors.js'
import { ZERO_UUID } from '#protocol/schema.js'
import type { Ticket } from '../../runtime/machine.js'
import { named } from '../../runtime/named.js'
import { javaHash, timelineMapOrder } from '../java-order.js'
import { batchBytes, recordBytes } from '../shard-machine.js'
import type { ClassicGroup } from './classic-group.js'
import { memberError, watchSession } from './classic-members.js'
import type {
  CommitCommand,
  DeleteOffsetsCommand,
  FetchCommand,
  FetchReply,
  PartitionErrors,
  TopicsDeletedCommand,
} from './group-commands.js'
import { append, type GroupTurn, log, refuse, reply } from './group-turn.js'
import { type OffsetStore, offsetBytes, type StoredOffset } from './offset-store.js'
import { type CommittedOffset, type GroupRecord, groupRecord, offsetRecord } from './records.js'

/** A member, or somebody who is in no group, commits offsets. */
export function commit(turn: GroupTurn, ticket: Ticket, command: CommitCommand): void {
  const group = turn.groups.get(command.groupId)
  const error = commitError(turn, group, command)
  if (error !== ErrorCode.NONE) {
    refuse(turn, ticket, error)
    return
  }
  if (group?.isIn('Stable', 'PreparingRebalance')) watchSession(turn, group.members.get(command.memberId)!)
  const records = new CommitRecords(turn.limits.batchBytesMax)
  const topics = command.topics.map(topic => commitTopic(turn, command, topic, records))
  if (!records.fit) {
    const text = `offsets of group ${command.groupId} do not fit into a batch: commit fewer at a time`
    log(turn, 'warn', { group: command.groupId, partitions: records.count }, text)
    refuse(turn, ticket, ErrorCode.UNKNOWN_SERVER_ERROR)
  } else if (!hasRoomFor(turn, records.records)) {
    log(turn, 'warn', { group: command.groupId }, 'the memory for groups is used up: refusing new offsets')
    refuse(turn, ticket, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  } else {
    append(turn, records.records, true)
    reply(turn, 'commit', ticket, { topics })
  }
}

/**
 * The records of one commit, which go into one batch. When that is full no more are made: each has the name of its
 * group in its key, so that those of one request may take a thousand times its size.
 */
class CommitRecords {
  readonly records: GroupRecord[] = []
  /** Of all that were asked for. */
  count = 0
  readonly #bytesMax: number
  #bytes = batchBytes([])

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Whether the batch has room for all of them. */
  get fit(): boolean {
    return this.count === 0 || this.#bytes <= this.#bytesMax
  }

  add(make: () => GroupRecord): void {
    const index = this.count++
    if (this.#bytes > this.#bytesMax) return
    const record = make()
    this.#bytes += recordBytes(record, index)
    this.records.push(record)
  }
}

function commitError(turn: GroupTurn, group: ClassicGroup | undefined, command: CommitCommand): ErrorCode {
  const { groupId, memberId, groupInstanceId, generationId } = command
  const otherType = turn.others.typeOf(groupId)
  // A share group keeps what it has read elsewhere; Kafka would drop the offset when it loads the group.
  if (otherType === 'share') return ErrorCode.GROUP_ID_NOT_FOUND
  if (otherType !== null) {
    // Members are not known here; administrators may set offsets of a group that has none.
    return generationId < 0 && turn.others.isEmpty(groupId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
  }
  // The offsets alone make a group, if it is nobody's member who commits them.
  if (group === undefined) return generationId < 0 ? ErrorCode.NONE : command.unknownGroupError
  if (generationId < 0 && group.isIn('Empty')) return ErrorCode.NONE
  if (generationId < 0 && memberId === '' && groupInstanceId === null) return ErrorCode.UNKNOWN_MEMBER_ID
  const error = memberError(group, memberId, groupInstanceId)
  if (error !== ErrorCode.NONE) return error
  if (generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION
  return group.isIn('CompletingRebalance') ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
}

function commitTopic(
  turn: GroupTurn,
  command: CommitCommand,
  topic: CommitCommand['topics'][number],
  records: CommitRecords,
): PartitionErrors['topics'][number] {
  const { name, topicId } = topic
  const { retentionTimeMs } = command
  const expireTimestampMs =
    retentionTimeMs === -1 ? -1 : Math.min(turn.wallTimeMs + retentionTimeMs, Number.MAX_SAFE_INTEGER)
  const partitions = topic.partitions.map(partition => {
    const { partitionIndex } = partition
    const metadata = partition.committedMetadata ?? ''
    if (metadata.length > turn.config.offsetMetadataBytesMax) {
      return { partitionIndex, errorCode: ErrorCode.OFFSET_METADATA_TOO_LARGE }
    }
    const value: CommittedOffset = {
      offset: partition.committedOffset,
      leaderEpoch: partition.committedLeaderEpoch,
      metadata,
      commitTimestampMs: turn.wallTimeMs,
      expireTimestampMs,
      topicId,
    }
    records.add(() => offsetRecord(command.groupId, name, partitionIndex, value))
    return { partitionIndex, errorCode: ErrorCode.NONE }
  })
  return { name, topicId, partitions }
}

/** Whether what is new among the offsets still fits into the memory for groups. */
function hasRoomFor(turn: GroupTurn, records: readonly GroupRecord[]): boolean {
  let bytes = 0
  for (const { content } of records) {
    if (content.type !== 'offset' || content.value === null) continue
    const { groupId, topic, partition, value } = content
    const current = turn.offsets.get(groupId, topic, partition)
    bytes += offsetBytes(groupId, topic, value)
    if (current !== undefined) bytes -= offsetBytes(groupId, topic, current.value)
  }
  return bytes <= 0 || turn.account.hasRoomFor(bytes)
}

/** Reads the offsets of a group; one that is not known has none. */
export function fetch(turn: GroupTurn, ticket: Ticket, command: FetchCommand): void {
  const offsets = turn.offsets.of(command.groupId)
  const topics =
    command.topics ??
    timelineMapOrder([...offsets.keys()], javaHash).map(name => ({
      name,
      topicId: ZERO_UUID,
      partitionIndexes: timelineMapOrder([...offsets.get(name)!.keys()], partition => partition),
    }))
  // The group is looked up once: to compare its name, which may be long, for each partition would take seconds.
  const unstable = command.requireStable ? turn.offsets.openOf(command.groupId) : NOTHING_OPEN
  const fetched = topics.map(topic => fetchTopic(topic, offsets.get(topic.name), unstable.get(topic.name)))
  reply(turn, 'fetch', ticket, { topics: fetched })
}

const NOTHING_OPEN: ReturnType<OffsetStore['openOf']> = new Map()

function fetchTopic(
  { name, topicId, partitionIndexes }: NonNullable<FetchCommand['topics']>[number],
  committed: ReadonlyMap<number, StoredOffset> | undefined,
  unstable: ReadonlyMap<number, unknown> | undefined,
): FetchReply['topics'][number] {
  const none = { committedOffset: -1, committedLeaderEpoch: -1, metadata: '' }
  const partitions = partitionIndexes.map(partitionIndex => {
    if (unstable?.has(partitionIndex) === true) {
      return { partitionIndex, ...none, errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT }
    }
    const value = committed?.get(partitionIndex)?.value
    // The offset of a topic of the same name that is no more is none.
    const isOther =
      value !== undefined && [value.topicId, topicId].every(id => id !== ZERO_UUID) && value.topicId !== topicId
    if (value === undefined || isOther) return { partitionIndex, ...none, errorCode: ErrorCode.NONE }
    return {
      partitionIndex,
      committedOffset: value.offset,
      committedLeaderEpoch: value.leaderEpoch,
      metadata: value.metadata,
      errorCode: ErrorCode.NONE,
    }
  })
  return { name, topicId, partitions }
}

/** An administrator removes offsets of topics that no member reads. */
export function deleteOffsets(turn: GroupTurn, ticket: Ticket, command: DeleteOffsetsCommand): void {
  const { groupId } = command
  const group = turn.groups.get(groupId)
  const otherType = turn.others.typeOf(groupId)
  if (group === undefined && (otherType === null || otherType === 'share')) {
    refuse(turn, ticket, ErrorCode.GROUP_ID_NOT_FOUND)
    return
  }
  if (group !== undefined && !group.isIn('Empty') && !group.usesConsumerProtocol) {
    refuse(turn, ticket, ErrorCode.NON_EMPTY_GROUP)
    return
  }
  const isSubscribed = (topic: string) =>
    group === undefined ? !turn.others.isEmpty(groupId) : group.isSubscribedTo(topic)
  const records: GroupRecord[] = []
  const committed = turn.offsets.of(groupId)
  const open = turn.offsets.openOf(groupId)
  // A partition that is named again has no offset any more.
  const deleted = new Map<string, Set<number>>()
  const topics = command.topics.map(({ name, partitions }) => {
    const errorCode = isSubscribed(name) ? ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC : ErrorCode.NONE
    const before = deleted.get(name) ?? new Set()
    deleted.set(name, before)
    for (const partition of errorCode === ErrorCode.NONE ? partitions : []) {
      const isThere = committed.get(name)?.has(partition) === true || open.get(name)?.has(partition) === true
      if (!isThere || before.has(partition)) continue
      before.add(partition)
      records.push(offsetRecord(groupId, name, partition, null))
    }
    const results = partitions.map(partitionIndex => ({ partitionIndex, errorCode }))
    return { name, topicId: ZERO_UUID, partitions: results }
  })
  append(turn, records, false)
  reply(turn, 'deleteOffsets', ticket, { topics })
}

/** The tombstones of everything that a group has committed or is about to. */
export function allOffsetTombstones(turn: GroupTurn, groupId: string): GroupRecord[] {
  return [...turn.offsets.partitionsOf(groupId)].map(({ topic, partition }) =>
    offsetRecord(groupId, topic, partition, null),
  )
}

/** Topics are gone: so are the offsets committed for them, or for topics of their names before there were topic ids. */
export function topicsDeleted(turn: GroupTurn, ticket: Ticket, command: TopicsDeletedCommand): void {
  const idOf = new Map(command.topics.map(({ name, topicId }) => [name, topicId]))
  const records: GroupRecord[] = []
  for (const groupId of turn.offsets.groupIds()) {
    for (const { topic, partition, topicIds } of turn.offsets.partitionsOf(groupId)) {
      const deleted = idOf.get(topic)
      if (deleted === undefined || !(topicIds.has(ZERO_UUID) || topicIds.has(deleted))) continue
      records.push(offsetRecord(groupId, topic, partition, null))
    }
  }
  append(turn, records, false)
  if (records.length > 0) {
    const topics = named(command.topics.map(({ name }) => name))
    log(turn, 'info', { topics, offsets: records.length }, `removed ${records.length} offsets of deleted topics`)
  }
  reply(turn, 'topicsDeleted', ticket, {})
}

/** Looks for offsets that have expired, and for groups without members that have no offsets left. */
export function expire(turn: GroupTurn): void {
  const records: GroupRecord[] = []
  for (const group of turn.groups.values()) {
    const isBare = expireOffsets(turn, group, records)
    if (isBare && group.isIn('Empty') && !turn.offsets.hasOpenTransaction(group.groupId)) {
      records.push(groupRecord(group.groupId, null))
    }
  }
  append(turn, records, false)
  if (records.length > 0) {
    log(turn, 'info', { records: records.length }, `wrote ${records.length} tombstones for expired offsets and groups`)
  }
}

/** Adds the tombstones of what has expired; returns whether nothing is left then. */
function expireOffsets(turn: GroupTurn, group: ClassicGroup, records: GroupRecord[]): boolean {
  const offsets = turn.offsets.of(group.groupId)
  if (offsets.size === 0) return true
  const sinceMs = expiryBase(group)
  if (sinceMs === null) return false
  let isBare = true
  for (const [topic, partitions] of offsets) {
    const isRead = group.isSubscribedTo(topic)
    for (const [partition, { value }] of partitions) {
      const isExpired =
        value.expireTimestampMs === -1
          ? turn.wallTimeMs - sinceMs(value) >= turn.config.offsetsRetentionMs
          : turn.wallTimeMs >= value.expireTimestampMs
      if (isRead || !isExpired || turn.offsets.isUnstable(group.groupId, topic, partition)) isBare = false
      else records.push(offsetRecord(group.groupId, topic, partition, null))
    }
  }
  return isBare
}

/**
 * From when the retention of a group's offsets counts; null if they do not expire now. A group without members has its
 * time since it became so; a running one keeps what it commits, but not for topics that it reads no more (KIP-211).
 */
function expiryBase(group: ClassicGroup): ((value: CommittedOffset) => number) | null {
  const sinceCommit = (value: CommittedOffset) => value.commitTimestampMs
  if (group.protocolType === null) return sinceCommit
  if (group.isIn('Empty')) return group.stateTimestampMs === -1 ? sinceCommit : () => group.stateTimestampMs
  return group.isIn('Stable') && group.usesConsumerProtocol && group.subscribedTopics !== null ? sinceCommit : null
}
