import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { CompressionType } from '#protocol/records/compression.js'
import type { Clock, Logger, Millis, Random } from '../../runtime/ports.js'
import { concurrentMapOrder, hashMapOrder, javaHash, partitionOf, topicPartitionHash } from '../java-order.js'
import type { ShardLog } from '../shard-log.js'
import { ShardRuntime } from '../shard-runtime.js'
import { StateBudget } from '../state-budget.js'
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

/**
 * The coordinator of the groups whose partition of `__consumer_offsets` this broker leads. Its methods answer with Kafka's
 * error codes and never reject for what a client or the log does. Bytes of a request are copied before they return.
 */
export interface GroupCoordinator {
  /** The partition of `__consumer_offsets` that a group belongs to. */
  partitionOf(groupId: string): number
  /** Answered when the rebalance is complete, which may take minutes. */
  join(request: Omit<Request<JoinCommand>, 'newMemberId'>): Promise<JoinReply>
  /** Answered when the leader has brought the assignment. */
  sync(request: Request<SyncCommand>): Promise<SyncReply>
  heartbeat(request: Request<HeartbeatCommand>): Promise<ErrorCode>
  leave(request: Request<LeaveCommand>): Promise<LeaveReply & { readonly errorCode: ErrorCode }>
  /** The topics must be known to exist. */
  commit(request: Request<CommitCommand>): Promise<PartitionErrors>
  fetch(request: Request<FetchCommand>): Promise<FetchReply & { readonly errorCode: ErrorCode }>
  /** The topics must be known to exist. */
  deleteOffsets(request: Request<DeleteOffsetsCommand>): Promise<PartitionErrors & { readonly errorCode: ErrorCode }>
  describe(groupIds: readonly string[]): Promise<readonly (DescribedGroup & { readonly errorCode: ErrorCode })[]>
  list(request: Request<ListCommand>): Promise<ListReply & { readonly errorCode: ErrorCode }>
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

export function createGroupCoordinator(options: GroupCoordinatorOptions): GroupCoordinator & GroupCoordinatorControl {
  const { config, clock, random, logger } = options
  const budget = new StateBudget(options.stateBytesMax)
  const runtime = new ShardRuntime<GroupCommand, GroupReply, GroupRecord>(
    {
      topic: OFFSETS_TOPIC,
      createMachine: (_partition, limits) => new GroupMachine(config, limits, budget.open()),
      decode: decodeGroupRecord,
      commitTimeoutMs: options.commitTimeoutMs,
      loadBytesMax: options.loadBytesMax,
      compression: options.compression,
      ticketsMax: options.ticketsMax,
    },
    clock,
    logger,
  )
  const shardOf = (groupId: string) => partitionOf(groupId, options.partitionCount())

  /** Hands a command to a shard; what goes wrong becomes a code that `failed` puts into an answer. */
  const ask = async <Type extends GroupCommand['type'], Answer>(
    partition: number,
    command: GroupCommand & { readonly type: Type },
    failed: (code: ErrorCode) => Answer,
  ): Promise<GroupReplies[Type] | Answer> => {
    try {
      return (await runtime.submit(partition, command)) as GroupReplies[Type]
    } catch (error) {
      return failed(coordinatorError(error))
    }
  }

  return {
    partitionOf: shardOf,

    async join(request) {
      const { groupId, memberId, sessionTimeoutMs } = request
      if (groupId === '') return joinError(memberId, ErrorCode.INVALID_GROUP_ID)
      if (sessionTimeoutMs < config.sessionTimeoutMsMin || sessionTimeoutMs > config.sessionTimeoutMsMax) {
        return joinError(memberId, ErrorCode.INVALID_SESSION_TIMEOUT)
      }
      const newMemberId = makeMemberId(request.groupInstanceId ?? request.clientId, random)
      if (newMemberId === null) return joinError('', ErrorCode.UNKNOWN_SERVER_ERROR)
      const protocols = request.protocols
        .filter(({ name }, index, all) => all.findIndex(other => other.name === name) === index)
        .map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }))
      const command = { ...request, type: 'join', newMemberId, protocols } as const
      return ask(shardOf(groupId), command, code => joinError('', code))
    },

    async sync(request) {
      if (request.groupId === '') return syncError(ErrorCode.INVALID_GROUP_ID)
      const assignments = new Map([...request.assignments].map(([id, bytes]) => [id, Buffer.from(bytes)]))
      return ask(shardOf(request.groupId), { ...request, type: 'sync', assignments }, syncError)
    },

    async heartbeat(request) {
      if (request.groupId === '') return ErrorCode.INVALID_GROUP_ID
      const failed = (errorCode: ErrorCode) => ({ errorCode })
      const { errorCode } = await ask(shardOf(request.groupId), { ...request, type: 'heartbeat' }, failed)
      // While the group is being loaded, its members may think that all is well.
      return errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ? ErrorCode.NONE : errorCode
    },

    async leave(request) {
      const failed = (errorCode: ErrorCode) => ({ errorCode, members: [] })
      if (request.groupId === '') return failed(ErrorCode.INVALID_GROUP_ID)
      const answer = await ask(shardOf(request.groupId), { ...request, type: 'leave' }, failed)
      return { errorCode: ErrorCode.NONE, ...answer }
    },

    async commit(request) {
      return ask(shardOf(request.groupId), { ...request, type: 'commit' }, errorCode => ({
        topics: request.topics.map(({ name, topicId, partitions }) => ({
          name,
          topicId,
          partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
        })),
      }))
    },

    async fetch(request) {
      const answer = await ask(shardOf(request.groupId), { ...request, type: 'fetch' }, code => ({
        // Consumers of before Kafka 3.9 do not try again after COORDINATOR_NOT_AVAILABLE.
        errorCode: code === ErrorCode.COORDINATOR_NOT_AVAILABLE ? ErrorCode.NOT_COORDINATOR : code,
        topics: [],
      }))
      return { errorCode: ErrorCode.NONE, ...answer }
    },

    async deleteOffsets(request) {
      const failed = (errorCode: ErrorCode) => ({ errorCode, topics: [] })
      if (request.groupId === '') return failed(ErrorCode.INVALID_GROUP_ID)
      const answer = await ask(shardOf(request.groupId), { ...request, type: 'deleteOffsets' }, failed)
      return { errorCode: ErrorCode.NONE, ...answer }
    },

    async describe(groupIds) {
      const answers = inPartitions(groupIds, shardOf).map(async ([partition, ids]) => {
        const { groups } = await ask(partition, { type: 'describe', groupIds: ids }, code => ({
          groups: ids.map(groupId => ({ ...NOT_DESCRIBED, groupId, errorCode: code })),
        }))
        return groups.map(group => ({ errorCode: ErrorCode.NONE, ...group }))
      })
      return (await Promise.all(answers)).flat()
    },

    async list(request) {
      const failed = (errorCode: ErrorCode) => ({ errorCode, groups: [] })
      const states = runtime.states()
      if ([...states.values()].includes('loading')) return failed(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
      const ordered = concurrentMapOrder([...states.keys()], partition => topicPartitionHash(OFFSETS_TOPIC, partition))
      const answers = await Promise.all(
        ordered.map(async partition => {
          const answer = await ask(partition, { ...request, type: 'list' }, failed)
          return { errorCode: ErrorCode.NONE, ...answer }
        }),
      )
      // Partitions that have just been given up are somebody else's.
      const wrong = answers.find(
        ({ errorCode }) => errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.NOT_COORDINATOR,
      )
      return wrong ?? { errorCode: ErrorCode.NONE, groups: answers.flatMap(({ groups }) => groups) }
    },

    async deleteGroups(groupIds) {
      const answers = inPartitions([...new Set(groupIds)], shardOf).map(async ([partition, unordered]) => {
        const ids = hashMapOrder(unordered, javaHash)
        const { results } = await ask(partition, { type: 'deleteGroups', groupIds: ids }, errorCode => ({
          results: ids.map(groupId => ({ groupId, errorCode, errorMessage: null })),
        }))
        return results
      })
      return (await Promise.all(answers)).flat()
    },

    lead: (partition, log) => runtime.lead(partition, log),
    resign: partition => runtime.resign(partition),
    topicsDeleted(topics) {
      for (const partition of runtime.states().keys()) {
        runtime.submitWhenLoaded(partition, { type: 'topicsDeleted', topics }).catch((error: Error) => {
          const text = 'offsets of deleted topics could not be removed; they stay until they expire'
          logger.warn({ partition, topics, error: error.message }, text)
        })
      }
    },
    close: () => runtime.close(),
  }
}

const NOT_DESCRIBED = { missing: null, groupState: '', protocolType: '', protocolData: '', members: [] } as const

/** Groups by their partition, in the order in which Kafka would ask the partitions. */
function inPartitions(groupIds: readonly string[], shardOf: (groupId: string) => number): [number, string[]][] {
  const byPartition = new Map<number, string[]>()
  for (const groupId of groupIds) {
    const partition = shardOf(groupId)
    const ids = byPartition.get(partition)
    if (ids === undefined) byPartition.set(partition, [groupId])
    else ids.push(groupId)
  }
  return hashMapOrder([...byPartition], ([partition]) => topicPartitionHash(OFFSETS_TOPIC, partition))
}
