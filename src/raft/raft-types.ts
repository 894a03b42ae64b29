/**
 * What the raft machine (raft.ts) is told and what it wants done. Requests and responses here are those of KRaft
 * without their wire form (raft/wire.ts).
 */
import type { ErrorCode } from '#protocol/errors.js'
import type { Ticket } from '../runtime/machine.js'
import type { Millis } from '../runtime/ports.js'
import type { SnapshotId } from './metadata-log.js'
import type { Address, QuorumChange, RaftEndpoint, ReplicaKey, VoterSet } from './voters.js'

export interface RaftConfig {
  readonly nodeId: number
  /** Of the directory that holds the metadata log. */
  readonly directoryId: string
  /** Whether this node may be or become a voter: it flushes what it replicates before it fetches on. */
  readonly isController: boolean
  /** The first of `controller.listener.names`: where nodes of the quorum talk to each other. */
  readonly listenerName: string
  /** Where this node's own controller listeners are reached. */
  readonly localEndpoints: readonly RaftEndpoint[]
  /** `controller.quorum.voters`; empty with a dynamic quorum. */
  readonly staticVoters: VoterSet
  /** `controller.quorum.bootstrap.servers`: asked for the leader while nobody knows it. */
  readonly bootstrapServers: readonly Address[]
  readonly electionTimeoutMs: Millis
  readonly electionBackoffMsMax: Millis
  readonly fetchTimeoutMs: Millis
  readonly requestTimeoutMs: Millis
  readonly retryBackoffMs: Millis
  /** How long a leader may hold a fetch for which it has nothing new. */
  readonly fetchWaitMsMax: Millis
  readonly fetchBytesMax: number
  readonly fetchSnapshotBytesMax: number
  /** `controller.quorum.auto.join.enable`. */
  readonly autoJoin: boolean
  /** A leader whose host refuses the connection is given up at once instead of after the fetch timeout. */
  readonly electWhenLeaderRefuses: boolean
  /**
   * Elections that nobody need wait for are held at once: a voter that starts and knows no leader asks for pre-votes
   * right away, which disturb nobody, a leader of before that comes back names who may follow it, a candidate that has
   * lost tries again soon, and a follower that has something to tell a new leader of itself does not wait for long.
   */
  readonly hurriesElections: boolean
  /** How long a leader that shuts down waits for the others to hear of it. */
  readonly shutdownMsMax: Millis
}

/** Who leads, and where; -1 and null when that is not known. */
export interface LeaderPlace {
  readonly leaderId: number
  readonly epoch: number
  readonly address: Address | null
}

/** What quorum-state holds. */
export interface ElectionState {
  readonly epoch: number
  /** -1 when not known. */
  readonly leaderId: number
  /** Who got this node's vote in the epoch. */
  readonly voted: ReplicaKey | null
}

/** The largest epoch at or below the one asked for, and where it ends. */
export interface EpochEndOffset {
  readonly epoch: number
  readonly endOffset: number
}

/**
 * What the machine looks up in the log. Answers are of the log as it is when everything that the machine has asked for
 * in earlier steps is done.
 */
export interface LogQueries {
  readonly startOffset: number
  /** The newest and the oldest snapshot on disk, by epoch and end offset. */
  readonly latestSnapshot: SnapshotId | null
  readonly earliestSnapshot: SnapshotId | null
  /** The end of the largest epoch that is not above `epoch`; null when the log has no such epoch. */
  endOffsetOf(epoch: number): EpochEndOffset | null
  /** The epoch of the record at `offset`; -1 when not known. */
  epochOf(offset: number): number
  /** Bytes of a snapshot on disk; null when there is none of that id. */
  snapshotSize(id: SnapshotId): number | null
}

/** What is on disk when the machine is made. */
export interface RaftStart {
  /** null when there is no quorum-state file. */
  readonly election: ElectionState | null
  readonly endOffset: number
  /** The epoch of the last record, or of the snapshot that the log begins after; 0 when there is nothing. */
  readonly lastEpoch: number
  /** Control records of the newest snapshot and of the log after it, in order. */
  readonly changes: readonly QuorumChange[]
}

export interface VoteCall {
  readonly api: 'vote'
  /** For whom it is meant; null when the sender did not say. */
  readonly voter: ReplicaKey | null
  readonly candidate: ReplicaKey
  /** Of a candidate the epoch it wants to lead; of a pre-vote the epoch that the sender is in. */
  readonly epoch: number
  readonly lastEpoch: number
  readonly lastOffset: number
  readonly preVote: boolean
}

export interface BeginQuorumEpochCall {
  readonly api: 'beginQuorumEpoch'
  readonly voter: ReplicaKey | null
  readonly leaderId: number
  readonly epoch: number
  /** Empty from an old peer: then the voter set says. */
  readonly leaderEndpoints: readonly RaftEndpoint[]
}

export interface EndQuorumEpochCall {
  readonly api: 'endQuorumEpoch'
  readonly leaderId: number
  readonly epoch: number
  /** Who should try first, by descending fetch offset. */
  readonly preferredCandidates: readonly ReplicaKey[]
  readonly leaderEndpoints: readonly RaftEndpoint[]
}

export interface FetchCall {
  readonly api: 'fetch'
  /** Id -1: somebody who is no replica. */
  readonly replica: ReplicaKey
  /** The epoch that the sender is in. */
  readonly epoch: number
  readonly fetchOffset: number
  readonly lastFetchedEpoch: number
  /** What the sender knows of it; Infinity from those who do not say. */
  readonly highWatermark: number
  readonly waitMsMax: Millis
  readonly bytesMax: number
}

export interface FetchSnapshotCall {
  readonly api: 'fetchSnapshot'
  readonly replica: ReplicaKey
  readonly epoch: number
  readonly id: SnapshotId
  /** First byte that is wanted. */
  readonly position: number
  readonly bytesMax: number
}

export interface AddVoterCall {
  readonly api: 'addVoter'
  readonly voter: ReplicaKey
  readonly endpoints: readonly RaftEndpoint[]
  /** False: answered as soon as the record is appended. */
  readonly ackWhenCommitted: boolean
  readonly timeoutMs: Millis
}

export interface RemoveVoterCall {
  readonly api: 'removeVoter'
  readonly voter: ReplicaKey
}

export interface UpdateVoterCall {
  readonly api: 'updateVoter'
  readonly epoch: number
  readonly voter: ReplicaKey
  readonly endpoints: readonly RaftEndpoint[]
  readonly minKRaftVersion: number
  readonly maxKRaftVersion: number
}

/** Finalizes a level of kraft.version; from the controller of this node only (UpdateFeatures). */
export interface UpgradeKRaftVersionCall {
  readonly api: 'upgradeKRaftVersion'
  readonly epoch: number
  readonly kraftVersion: number
  readonly validateOnly: boolean
}

export interface DescribeQuorumCall {
  readonly api: 'describeQuorum'
}

/** Asks a node which levels of kraft.version it supports. */
export interface ApiVersionsCall {
  readonly api: 'apiVersions'
}

/** What comes in. */
export type InboundCall =
  | VoteCall
  | BeginQuorumEpochCall
  | EndQuorumEpochCall
  | FetchCall
  | FetchSnapshotCall
  | AddVoterCall
  | RemoveVoterCall
  | UpdateVoterCall
  | UpgradeKRaftVersionCall
  | DescribeQuorumCall

/** What goes out. */
export type OutboundCall =
  | VoteCall
  | BeginQuorumEpochCall
  | EndQuorumEpochCall
  | FetchCall
  | FetchSnapshotCall
  | AddVoterCall
  | RemoveVoterCall
  | UpdateVoterCall
  | ApiVersionsCall

/** In every answer: who leads, as far as the answering node knows. */
export interface LeaderHint {
  readonly error: ErrorCode
  readonly epoch: number
  /** -1 when not known. */
  readonly leaderId: number
  readonly leaderEndpoints: readonly RaftEndpoint[]
}

export interface VoteReply extends LeaderHint {
  readonly api: 'vote'
  readonly granted: boolean
}

export interface BeginQuorumEpochReply extends LeaderHint {
  readonly api: 'beginQuorumEpoch'
}

export interface EndQuorumEpochReply extends LeaderHint {
  readonly api: 'endQuorumEpoch'
}

export interface FetchReply extends LeaderHint {
  readonly api: 'fetch'
  /** -1 when not known. */
  readonly highWatermark: number
  readonly logStartOffset: number
  /** The sender's log does not fit this one: it has to be cut back to here at most. */
  readonly diverging: EpochEndOffset | null
  /** The sender is too far behind for the log: it has to take this snapshot. */
  readonly snapshotId: SnapshotId | null
  /** What to read from the log into the response; null for no records. Meant for who sends the answer. */
  readonly read: { readonly offset: number; readonly bytesMax: number } | null
}

export interface FetchSnapshotReply extends LeaderHint {
  readonly api: 'fetchSnapshot'
  readonly id: SnapshotId
  readonly size: number
  readonly position: number
  /** How many bytes from `position` on to read into the response. */
  readonly bytesMax: number
}

/** Answers AddVoter, RemoveVoter and UpgradeKRaftVersion. */
export interface ChangeVoterReply {
  readonly api: 'addVoter' | 'removeVoter' | 'upgradeKRaftVersion'
  readonly error: ErrorCode
  /** null for the plain text of the error. */
  readonly message: string | null
}

export interface UpdateVoterReply extends LeaderHint {
  readonly api: 'updateVoter'
}

/** One replica as DescribeQuorum shows it; times are those of `step`, -1 when never. */
export interface ReplicaView {
  readonly key: ReplicaKey
  /** -1 when not known. */
  readonly endOffset: number
  readonly lastFetchTime: Millis
  readonly lastCaughtUpTime: Millis
}

export interface DescribeQuorumReply {
  readonly api: 'describeQuorum'
  readonly error: ErrorCode
  readonly leaderId: number
  readonly epoch: number
  readonly highWatermark: number
  readonly voters: readonly ReplicaView[]
  readonly observers: readonly ReplicaView[]
  readonly nodes: readonly { readonly id: number; readonly endpoints: readonly RaftEndpoint[] }[]
}

/** What goes back to who called. */
export type OutboundReply =
  | VoteReply
  | BeginQuorumEpochReply
  | EndQuorumEpochReply
  | FetchReply
  | FetchSnapshotReply
  | ChangeVoterReply
  | UpdateVoterReply
  | DescribeQuorumReply

/** A batch that was fetched, as its header and control records say. */
export interface FetchedBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly epoch: number
  /** Changes of the quorum that control records in it make. */
  readonly changes: readonly QuorumChange[]
}

/** A fetch answer with its records: `handle` stands for the bytes, which the machine never sees. */
export interface FetchedReply extends Omit<FetchReply, 'read'> {
  readonly batches: readonly FetchedBatch[]
  readonly handle: unknown
}

/** A piece of a snapshot: `handle` stands for the bytes. */
export interface FetchedSnapshotReply extends Omit<FetchSnapshotReply, 'bytesMax'> {
  readonly byteCount: number
  readonly handle: unknown
}

export interface ApiVersionsReply {
  readonly api: 'apiVersions'
  readonly error: ErrorCode
  /** null when the node does not name the feature. */
  readonly kraftVersions: { readonly min: number; readonly max: number } | null
}

/** What comes back from who was called. */
export type InboundReply =
  | VoteReply
  | BeginQuorumEpochReply
  | EndQuorumEpochReply
  | FetchedReply
  | FetchedSnapshotReply
  | ChangeVoterReply
  | UpdateVoterReply
  | ApiVersionsReply

/** Why a call has no answer. */
export type CallFailure =
  /** Nothing came back in time, or the connection broke. */
  | 'disconnected'
  /** The host is there and nothing listens: the process is dead. */
  | 'refused'
  /** The peer does not know the version of the request that is needed. */
  | 'unsupportedVersion'

/** A control record to be written. */
export type ControlRecord =
  | { readonly type: 'leaderChange'; readonly leaderId: number; readonly voters: number[]; readonly granting: number[] }
  | { readonly type: 'kraftVersion'; readonly kraftVersion: number }
  | { readonly type: 'voters'; readonly voters: VoterSet }

export type RaftEvent =
  /** The first one. */
  | { readonly type: 'start' }
  /** `deadline` has come. */
  | { readonly type: 'tick' }
  /** Records to append as leader in `epoch`, which must be the current one. */
  | { readonly type: 'append'; readonly epoch: number; readonly recordCount: number; readonly handle: unknown }
  /** What was to be synced under this token is on the device. */
  | { readonly type: 'synced'; readonly token: number }
  | { readonly type: 'call'; readonly ticket: Ticket; readonly call: InboundCall }
  /** Whoever waits for this ticket is gone. */
  | { readonly type: 'cancel'; readonly ticket: Ticket }
  | { readonly type: 'reply'; readonly correlationId: number; readonly reply: InboundReply }
  | { readonly type: 'callFailed'; readonly correlationId: number; readonly failure: CallFailure }
  /** A snapshot of a leader is in place and the log begins after it. */
  | { readonly type: 'snapshotInstalled'; readonly id: SnapshotId; readonly changes: readonly QuorumChange[] }
  /** It was no good and is gone. */
  | { readonly type: 'snapshotRejected'; readonly id: SnapshotId }
  /** Old snapshots and the log below are gone. */
  | { readonly type: 'logCleaned' }
  /** Gives up leadership in `epoch`. */
  | { readonly type: 'resign'; readonly epoch: number }
  /** The node stops: a leader lets the others know first. */
  | { readonly type: 'shutdown' }

/** What to do, in this order; each must be done before the next is begun. */
export type RaftEffect =
  /** Replace the content of quorum-state: durable before anything after it leaves this node. */
  | { readonly type: 'persistElection'; readonly state: ElectionState }
  | {
      readonly type: 'call'
      readonly correlationId: number
      /** Below -1: a bootstrap server whose id is not known. */
      readonly nodeId: number
      readonly address: Address
      readonly call: OutboundCall
    }
  | { readonly type: 'reply'; readonly ticket: Ticket; readonly reply: OutboundReply }
  | {
      readonly type: 'append'
      readonly baseOffset: number
      readonly epoch: number
      readonly recordCount: number
      readonly handle: unknown
    }
  | {
      readonly type: 'appendControl'
      readonly baseOffset: number
      readonly epoch: number
      readonly records: readonly ControlRecord[]
    }
  /** Append the first `batchCount` batches of what was fetched. */
  | {
      readonly type: 'appendFetched'
      readonly handle: unknown
      readonly batchCount: number
      readonly endOffset: number
    }
  | { readonly type: 'truncate'; readonly endOffset: number }
  /** Begin an fdatasync of the log; `synced` with this token when all appended so far is on the device. */
  | { readonly type: 'sync'; readonly token: number }
  /** Everything below is committed. */
  | { readonly type: 'highWatermark'; readonly offset: number }
  /** `epochStartOffset` is given when this node leads: its own epoch begins there. */
  | {
      readonly type: 'leaderChanged'
      readonly leaderId: number
      readonly epoch: number
      readonly epochStartOffset: number | null
    }
  /** Write a piece of a snapshot; the one at position 0 begins it anew. */
  | { readonly type: 'writeSnapshot'; readonly id: SnapshotId; readonly position: number; readonly handle: unknown }
  /**
   * All pieces are there: check it, put it in place, cut the log to begin after it; then `snapshotInstalled` or
   * `snapshotRejected`.
   */
  | { readonly type: 'installSnapshot'; readonly id: SnapshotId }
  /** A peer did what the protocol does not allow; for the log. */
  | { readonly type: 'warn'; readonly message: string }
  /** The others know, or do not listen: the node may stop. */
  | { readonly type: 'shutdownReady' }
