import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { CompressionType } from '#protocol/records/compression.js'
import { named } from '../../runtime/named.js'
import type { Clock, Logger, Millis, Random } from '../../runtime/ports.js'
import { concurrentMapOrder, hashMapOrder, javaHash, partitionOf, topicPartitionHash } from '../java-order.js'
import type { ShardLog } from '../shard-log.js'
import type { ShardLimits } from '../shard-machine.js'
import { ShardRuntime } from '../shard-runtime.js'
import { StateBudget } from '../state-budget.js'
import type { GroupProtocol } from './classic-group.js'
import { joinError, syncError } from './classic-members.js'
import type {
  CommitCommand,
  DeleteGroupsReply,
  DeleteOffsetsCommand,
  DescribedGroup,
  FetchCommand,
  FetchReply,
  GroupCommand,
  GroupReplies,
  GroupReply,
  HeartbeatCommand,
  JoinCommand,
  JoinReply,
  LeaveCommand,
  LeaveReply,
  ListCommand,
  ListReply,
  PartitionErrors,
  SyncCommand,
  SyncReply,
  TopicsDeletedCommand,
} from './group-commands.js'
import type { GroupConfig } from './group-config.js'
import { GroupMachine } from './group-machine.js'
import { makeMemberId } from './member-id.js'
import { decodeGroupRecord, type GroupRecord } from './records.js'

export const OFFSETS_TOPIC = '__consumer_offsets'

type Request<Command> = Omit<Command, 'type'>

interface Outcome {
  readonly errorCode: ErrorCode
}

/**
 * The coordinator of the groups whose partition of `__consumer_offsets` this broker leads. Its methods answer with
 * Kafka's error codes and never reject for what a client or the log does. Bytes of a request are copied before they
 * return.
 */
export interface GroupCoordinator {
  /** The partition of `__consumer_offsets` that a group belongs to. */
  partitionOf(groupId: string): number
  /** Answered when the rebalance is complete, which may take minutes. */
  join(request: Omit<Request<JoinCommand>, 'newMemberId'>): Promise<JoinReply>
  /** Answered when the leader has brought the assignment. */
  sync(request: Request<SyncCommand>): Promise<SyncReply>
  heartbeat(request: Request<HeartbeatCommand>): Promise<ErrorCode>
  leave(request: Request<LeaveCommand>): Promise<LeaveReply & Outcome>
  /** The topics must be known to exist. */
  commit(request: Request<CommitCommand>): Promise<PartitionErrors>
  fetch(request: Request<FetchCommand>): Promise<FetchReply & Outcome>
  /** The topics must be known to exist. */
  deleteOffsets(request: Request<DeleteOffsetsCommand>): Promise<PartitionErrors & Outcome>
  /** One that is named twice is described once: a request has room for very many names of a large group. */
  describe(groupIds: readonly string[]): Promise<readonly (DescribedGroup & Outcome)[]>
  list(request: Request<ListCommand>): Promise<ListReply & Outcome>
  deleteGroups(groupIds: readonly string[]): Promise<DeleteGroupsReply['results']>
}

/** What happens to the coordinator from within the broker. */
export interface GroupCoordinatorControl {
  /** This broker leads a partition of `__consumer_offsets` from now on. */
  lead(partition: number, log: ShardLog): void
  resign(partition: number): void
  /** Topics are gone: their offsets are removed from all groups here. */
  topicsDeleted(topics: TopicsDeletedCommand['topics']): void
  close(): void
}

export interface GroupCoordinatorOptions {
  readonly config: GroupConfig
  /** The number of partitions of `__consumer_offsets`: of the topic if there is one, or what it will have. */
  readonly partitionCount: () => number
  /** `offsets.commit.timeout.ms`. */
  readonly commitTimeoutMs: Millis
  /** `offsets.load.buffer.size`. */
  readonly loadBytesMax: number
  /** `offsets.topic.compression.codec`. */
  readonly compression: CompressionType
  /** The memory that groups may take in all; new members, groups and offsets are refused beyond. */
  readonly stateBytesMax: number
  /** Requests that may wait in one partition. */
  readonly ticketsMax: number
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** What a client is told when a shard cannot answer (or what it wrote cannot be stored). */
function coordinatorError(error: unknown): ErrorCode {
  if (!(error instanceof ApiError)) throw error
  switch (error.code) {
    case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
    case ErrorCode.NOT_ENOUGH_REPLICAS:
    case ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case ErrorCode.REQUEST_TIMED_OUT:
      return ErrorCode.COORDINATOR_NOT_AVAILABLE
    case ErrorCode.NOT_LEADER_OR_FOLLOWER:
    case ErrorCode.KAFKA_STORAGE_ERROR:
      return ErrorCode.NOT_COORDINATOR
    case ErrorCode.MESSAGE_TOO_LARGE:
    case ErrorCode.RECORD_LIST_TOO_LARGE:
      return ErrorCode.UNKNOWN_SERVER_ERROR
    default:
      return error.code
  }
}

/** The group coordinator of this broker; it serves nothing before it is told what it leads. */
export function createGroupCoordinator(options: GroupCoordinatorOptions): GroupCoordinator & GroupCoordinatorControl {
  return new LocalGroupCoordinator(options)
}

class LocalGroupCoordinator implements GroupCoordinator, GroupCoordinatorControl {
  readonly #options: GroupCoordinatorOptions
  readonly #runtime: ShardRuntime<GroupCommand, GroupReply, GroupRecord>

  constructor(options: GroupCoordinatorOptions) {
    this.#options = options
    const { config, clock, logger, commitTimeoutMs, loadBytesMax, compression, ticketsMax } = options
    const budget = new StateBudget(options.stateBytesMax)
    const createMachine = (_partition: number, limits: ShardLimits) => new GroupMachine(config, limits, budget.open())
    const sizes = { commitTimeoutMs, loadBytesMax, compression, ticketsMax }
    const kind = { topic: OFFSETS_TOPIC, createMachine, decode: decodeGroupRecord, ...sizes }
    this.#runtime = new ShardRuntime(kind, clock, logger)
  }

  partitionOf(groupId: string): number {
    return partitionOf(groupId, this.#options.partitionCount())
  }

  async join(request: Omit<Request<JoinCommand>, 'newMemberId'>): Promise<JoinReply> {
    const { groupId, memberId, sessionTimeoutMs } = request
    const { config, random } = this.#options
    if (groupId === '') return joinError(memberId, ErrorCode.INVALID_GROUP_ID)
    if (sessionTimeoutMs < config.sessionTimeoutMsMin || sessionTimeoutMs > config.sessionTimeoutMsMax) {
      return joinError(memberId, ErrorCode.INVALID_SESSION_TIMEOUT)
    }
    const newMemberId = makeMemberId(request.groupInstanceId ?? request.clientId, random)
    if (newMemberId === null) return joinError('', ErrorCode.UNKNOWN_SERVER_ERROR)
    // By name, since a request has room for very many: of one that is named twice the first counts.
    const byName = new Map<string, GroupProtocol>()
    for (const { name, metadata } of request.protocols) {
      if (!byName.has(name)) byName.set(name, { name, metadata: Buffer.from(metadata) })
    }
    const protocols = [...byName.values()]
    const reason = shownReason(request.reason)
    const command = { ...request, type: 'join', newMemberId, protocols, reason } as const
    return this.#ask(this.partitionOf(groupId), command, code => joinError('', code))
  }

  async sync(request: Request<SyncCommand>): Promise<SyncReply> {
    if (request.groupId === '') return syncError(ErrorCode.INVALID_GROUP_ID)
    const assignments = new Map([...request.assignments].map(([id, bytes]) => [id, Buffer.from(bytes)]))
    return this.#ask(this.partitionOf(request.groupId), { ...request, type: 'sync', assignments }, syncError)
  }

  async heartbeat(request: Request<HeartbeatCommand>): Promise<ErrorCode> {
    if (request.groupId === '') return ErrorCode.INVALID_GROUP_ID
    const failed = (errorCode: ErrorCode) => ({ errorCode })
    const partition = this.partitionOf(request.groupId)
    const { errorCode } = await this.#ask(partition, { ...request, type: 'heartbeat' }, failed)
    // While the group is being loaded, its members may think that all is well.
    return errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ? ErrorCode.NONE : errorCode
  }

  async leave(request: Request<LeaveCommand>): Promise<LeaveReply & Outcome> {
    const failed = (errorCode: ErrorCode) => ({ errorCode, members: [] })
    if (request.groupId === '') return failed(ErrorCode.INVALID_GROUP_ID)
    const members = request.members.map(member => ({ ...member, reason: shownReason(member.reason) }))
    const answer = await this.#ask(this.partitionOf(request.groupId), { ...request, type: 'leave', members }, failed)
    return { errorCode: ErrorCode.NONE, ...answer }
  }

  async commit(request: Request<CommitCommand>): Promise<PartitionErrors> {
    return this.#ask(this.partitionOf(request.groupId), { ...request, type: 'commit' }, errorCode => ({
      topics: request.topics.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
      })),
    }))
  }

  async fetch(request: Request<FetchCommand>): Promise<FetchReply & Outcome> {
    const answer = await this.#ask(this.partitionOf(request.groupId), { ...request, type: 'fetch' }, code => ({
      // Consumers of before Kafka 3.9 do not try again after COORDINATOR_NOT_AVAILABLE.
      errorCode: code === ErrorCode.COORDINATOR_NOT_AVAILABLE ? ErrorCode.NOT_COORDINATOR : code,
      topics: [],
    }))
    return { errorCode: ErrorCode.NONE, ...answer }
  }

  async deleteOffsets(request: Request<DeleteOffsetsCommand>): Promise<PartitionErrors & Outcome> {
    const failed = (errorCode: ErrorCode) => ({ errorCode, topics: [] })
    if (request.groupId === '') return failed(ErrorCode.INVALID_GROUP_ID)
    const answer = await this.#ask(this.partitionOf(request.groupId), { ...request, type: 'deleteOffsets' }, failed)
    return { errorCode: ErrorCode.NONE, ...answer }
  }

  async describe(groupIds: readonly string[]): Promise<readonly (DescribedGroup & Outcome)[]> {
    const answers = this.#inPartitions([...new Set(groupIds)]).map(async ([partition, ids]) => {
      const { groups } = await this.#ask(partition, { type: 'describe', groupIds: ids }, errorCode => ({
        groups: ids.map(groupId => ({ ...NOT_DESCRIBED, groupId, errorCode })),
      }))
      return groups.map(group => ({ errorCode: ErrorCode.NONE, ...group }))
    })
    return (await Promise.all(answers)).flat()
  }

  async list(request: Request<ListCommand>): Promise<ListReply & Outcome> {
    const failed = (errorCode: ErrorCode) => ({ errorCode, groups: [] })
    const states = this.#runtime.states()
    if ([...states.values()].includes('loading')) return failed(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    const ordered = concurrentMapOrder([...states.keys()], partition => topicPartitionHash(OFFSETS_TOPIC, partition))
    const asked = ordered.map(partition => this.#ask(partition, { ...request, type: 'list' }, failed))
    const answers = (await Promise.all(asked)).map(answer => ({ errorCode: ErrorCode.NONE, ...answer }))
    // Partitions that have just been given up are somebody else's.
    const wrong = answers.find(
      ({ errorCode }) => errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.NOT_COORDINATOR,
    )
    return wrong ?? { errorCode: ErrorCode.NONE, groups: answers.flatMap(({ groups }) => groups) }
  }

  async deleteGroups(groupIds: readonly string[]): Promise<DeleteGroupsReply['results']> {
    const answers = this.#inPartitions([...new Set(groupIds)]).map(async ([partition, unordered]) => {
      const ids = hashMapOrder(unordered, javaHash)
      const { results } = await this.#ask(partition, { type: 'deleteGroups', groupIds: ids }, errorCode => ({
        results: ids.map(groupId => ({ groupId, errorCode, errorMessage: null })),
      }))
      return results
    })
    return (await Promise.all(answers)).flat()
  }

  lead(partition: number, log: ShardLog): void {
    this.#runtime.lead(partition, log)
  }

  resign(partition: number): void {
    this.#runtime.resign(partition)
  }

  topicsDeleted(topics: TopicsDeletedCommand['topics']): void {
    for (const partition of this.#runtime.states().keys()) {
      this.#runtime.submitWhenLoaded(partition, { type: 'topicsDeleted', topics }).catch((error: Error) => {
        const text = 'offsets of deleted topics could not be removed; they stay until they expire'
        const names = named(topics.map(({ name }) => name))
        this.#options.logger.warn({ partition, topics: names, error: error.message }, text)
      })
    }
  }

  close(): void {
    this.#runtime.close()
  }

  /** Hands a command to a shard; what goes wrong becomes a code that `failed` puts into an answer. */
  async #ask<Type extends GroupCommand['type'], Answer>(
    partition: number,
    command: GroupCommand & { readonly type: Type },
    failed: (code: ErrorCode) => Answer,
  ): Promise<GroupReplies[Type] | Answer> {
    try {
      return (await this.#runtime.submit(partition, command)) as GroupReplies[Type]
    } catch (error) {
      return failed(coordinatorError(error))
    }
  }

  /** Groups by their partition, in the order in which Kafka would ask the partitions. */
  #inPartitions(groupIds: readonly string[]): [number, string[]][] {
    const byPartition = new Map<number, string[]>()
    for (const groupId of groupIds) {
      const partition = this.partitionOf(groupId)
      const ids = byPartition.get(partition)
      if (ids === undefined) byPartition.set(partition, [groupId])
      else ids.push(groupId)
    }
    return hashMapOrder([...byPartition], ([partition]) => topicPartitionHash(OFFSETS_TOPIC, partition))
  }
}

/** What the log shows of why a client does something: as much as Kafka's clients send. */
const SHOWN_REASON_MAX = 255

function shownReason(reason: string): string {
  return reason.slice(0, SHOWN_REASON_MAX)
}

const NOT_DESCRIBED = { missing: null, groupState: '', protocolType: '', protocolData: '', members: [] } as const
