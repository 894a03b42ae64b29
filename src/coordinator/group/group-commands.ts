/**
 * What the machine of a group shard is asked, and what it answers. Wire versions have been dealt with before: what
 * differs by them has a name here. Bytes belong to the machine.
 */
import type { ErrorCode } from '#protocol/errors.js'
import type { Millis } from '../../runtime/ports.js'
import type { GroupProtocol } from './classic-group.js'
import type { OtherGroupType } from './records.js'

export interface JoinCommand {
  readonly type: 'join'
  readonly groupId: string
  /** '' for somebody who has no id yet. */
  readonly memberId: string
  /** The id for somebody who has none. */
  readonly newMemberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: Millis
  readonly rebalanceTimeoutMs: Millis
  readonly protocolType: string
  readonly protocols: readonly GroupProtocol[]
  /** Why the client joins, in its own words. */
  readonly reason: string
  /** A dynamic member is first given an id, and joins with it (KIP-394, version 4). */
  readonly mustKnowMemberId: boolean
  /** A leader can be told that the assignment stands (KIP-814, version 9). */
  readonly canSkipAssignment: boolean
}

export interface JoinReply {
  readonly errorCode: ErrorCode
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: string
  readonly skipAssignment: boolean
  readonly memberId: string
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly metadata: Uint8Array
  }[]
}

export interface SyncCommand {
  readonly type: 'sync'
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** null if the client does not say (before version 5). */
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignments: ReadonlyMap<string, Uint8Array>
}

export interface SyncReply {
  readonly errorCode: ErrorCode
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Uint8Array
}

export interface HeartbeatCommand {
  readonly type: 'heartbeat'
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export interface LeaveCommand {
  readonly type: 'leave'
  readonly groupId: string
  readonly members: readonly {
    /** '' when an administrator removes a static member by its instance id. */
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly reason: string
  }[]
}

export interface LeaveReply {
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly errorCode: ErrorCode
  }[]
}

export interface CommitCommand {
  readonly type: 'commit'
  readonly groupId: string
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** -1 from a consumer that is in no group, and from administrators. */
  readonly generationId: number
  /** How an unknown group is refused when there is a generation: it differs by version. */
  readonly unknownGroupError: ErrorCode
  /** How long the offsets shall be kept from now on; -1 for as long as the broker keeps others. */
  readonly retentionTimeMs: Millis
  readonly topics: readonly {
    readonly name: string
    readonly topicId: string
    readonly partitions: readonly {
      readonly partitionIndex: number
      readonly committedOffset: number
      readonly committedLeaderEpoch: number
      readonly committedMetadata: string | null
    }[]
  }[]
}

/** Topics with an error code for each partition, in the order of the request. */
export interface PartitionErrors {
  readonly topics: readonly {
    readonly name: string
    readonly topicId: string
    readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: ErrorCode }[]
  }[]
}

export interface FetchCommand {
  readonly type: 'fetch'
  readonly groupId: string
  /** null for all that the group has committed. */
  readonly topics:
    | readonly { readonly name: string; readonly topicId: string; readonly partitionIndexes: readonly number[] }[]
    | null
  /** Offsets of unfinished transactions make a partition UNSTABLE_OFFSET_COMMIT (KIP-447). */
  readonly requireStable: boolean
}

export interface FetchReply {
  readonly topics: readonly {
    readonly name: string
    readonly topicId: string
    readonly partitions: readonly {
      readonly partitionIndex: number
      readonly committedOffset: number
      readonly committedLeaderEpoch: number
      readonly metadata: string
      readonly errorCode: ErrorCode
    }[]
  }[]
}

export interface DeleteOffsetsCommand {
  readonly type: 'deleteOffsets'
  readonly groupId: string
  readonly topics: readonly { readonly name: string; readonly partitions: readonly number[] }[]
}

export interface DescribeCommand {
  readonly type: 'describe'
  readonly groupIds: readonly string[]
}

export interface DescribedGroup {
  readonly groupId: string
  /** Set if there is no classic group of this name: why, in words. */
  readonly missing: string | null
  readonly groupState: string
  readonly protocolType: string
  readonly protocolData: string
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly clientId: string
    readonly clientHost: string
    readonly memberMetadata: Uint8Array
    readonly memberAssignment: Uint8Array
  }[]
}

export interface DescribeReply {
  readonly groups: readonly DescribedGroup[]
}

export interface ListCommand {
  readonly type: 'list'
  /** Lower case; empty for all. */
  readonly states: ReadonlySet<string>
  /** Lower case; empty for all. */
  readonly types: ReadonlySet<string>
}

export interface ListReply {
  readonly groups: readonly {
    readonly groupId: string
    readonly protocolType: string
    readonly groupState: string
    readonly groupType: 'classic' | OtherGroupType
  }[]
}

export interface DeleteGroupsCommand {
  readonly type: 'deleteGroups'
  readonly groupIds: readonly string[]
}

export interface DeleteGroupsReply {
  readonly results: readonly {
    readonly groupId: string
    readonly errorCode: ErrorCode
    readonly errorMessage: string | null
  }[]
}

/** Topics are gone, and with them the offsets that were committed for them. */
export interface TopicsDeletedCommand {
  readonly type: 'topicsDeleted'
  readonly topics: readonly { readonly name: string; readonly topicId: string }[]
}

export type GroupCommand =
  | JoinCommand
  | SyncCommand
  | HeartbeatCommand
  | LeaveCommand
  | CommitCommand
  | FetchCommand
  | DeleteOffsetsCommand
  | DescribeCommand
  | ListCommand
  | DeleteGroupsCommand
  | TopicsDeletedCommand

/** What answers which command. */
export interface GroupReplies {
  readonly join: JoinReply
  readonly sync: SyncReply
  readonly heartbeat: { readonly errorCode: ErrorCode }
  readonly leave: LeaveReply
  readonly commit: PartitionErrors
  readonly fetch: FetchReply
  readonly deleteOffsets: PartitionErrors
  readonly describe: DescribeReply
  readonly list: ListReply
  readonly deleteGroups: DeleteGroupsReply
  readonly topicsDeleted: Record<string, never>
}

export type GroupReply = GroupReplies[GroupCommand['type']]
