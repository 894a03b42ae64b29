/**
 * The replicated metadata log as its users see it: the controller, which appends, and the images of controller and
 * broker, which replay what is committed. raft/driver.ts implements it.
 */
import type { MetadataRecord } from '../metadata/record.js'

/** The topic of the metadata log, whose only partition is 0. */
export const METADATA_TOPIC = '__cluster_metadata'
/** Its topic id, in every cluster. */
export const METADATA_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'

/** The leader of the quorum, which is the active controller. */
export interface LeaderAndEpoch {
  /** -1 when no leader is known. */
  readonly leaderId: number
  readonly epoch: number
}

/** For the log of a node: who leads, as that node sees it. */
export function describeLeader(nodeId: number, leaderId: number, epoch: number): string {
  if (leaderId === -1) return `the metadata quorum has no leader in epoch ${epoch}`
  const leader = leaderId === nodeId ? 'this node' : `node ${leaderId}`
  return `${leader} leads the metadata quorum in epoch ${epoch}`
}

/** The state at `endOffset` (exclusive), whose last record is of `epoch`. */
export interface SnapshotId {
  readonly endOffset: number
  readonly epoch: number
}

/** Records that became durable in a majority together. A batch is replayed whole or not at all. */
export interface CommittedBatch {
  /** Offset of the first record. */
  readonly baseOffset: number
  /**
   * Offset of the last record; control batches are not handed out, so that batches need not follow each other closely.
   */
  readonly lastOffset: number
  readonly epoch: number
  /** When the leader appended it, ms since 1970. */
  readonly appendTimestamp: number
  /** Bytes that it takes in the log. */
  readonly sizeInBytes: number
  readonly records: readonly MetadataRecord[]
}

/** The whole state at one point; replaces everything replayed before. */
export interface LoadedSnapshot {
  readonly id: SnapshotId
  /** Time of the newest record in it, ms since 1970. */
  readonly lastContainedLogTimestamp: number
  /** The records in order, batch by batch; to be walked through once, before `onSnapshot` returns. */
  readonly batches: Iterable<readonly MetadataRecord[]>
}

/**
 * What is told to controller and images. All are called one at a time, in the order of the log, never from within a
 * call of `MetadataLog.append`. One that throws stops the node: state that could not be replayed must not be served.
 */
export interface MetadataLogListener {
  /** Begin anew from this state: at start, and when a leader has sent one. */
  onSnapshot(snapshot: LoadedSnapshot): void
  /** The next committed batch. */
  onCommitted(batch: CommittedBatch): void
  /** A batch that the quorum wrote for itself is committed: there is nothing to replay; the log goes on after it. */
  onControlBatch?(lastOffset: number): void
  /**
   * Everything that the leader had committed when it was last heard was handed out. Told once: what comes later comes
   * as it is committed.
   */
  onCaughtUp?(): void
  /**
   * The leader is another one, or none. A node that becomes leader is told so once everything that was in its log
   * before has been handed to `onCommitted`; what it appended in an epoch that is over, and has not been handed back,
   * is void.
   */
  onLeaderChange(leader: LeaderAndEpoch): void
}

/** Where an append lies in the log. */
export interface AppendedRange {
  readonly baseOffset: number
  readonly lastOffset: number
}

export interface MetadataLog {
  /** This node. */
  readonly nodeId: number
  /** The leader as listeners know it. */
  readonly leader: LeaderAndEpoch
  /** Everything below is committed; -1 as long as that is not known. */
  readonly highWatermark: number
  /** The offset that the next append gets. */
  readonly endOffset: number
  /**
   * Appends records atomically: they share a batch. The offsets are final at once, writing and fdatasync happen when
   * this turn of the event loop is over, together with what else was appended in it; `onCommitted` hands the records
   * back when a majority has them (one batch may hold several appends). Throws NotLeaderError when this node does not
   * lead in `epoch` (any more), RecordBatchTooLargeError when they do not fit a batch (8 MiB), both before anything is
   * changed.
   */
  append(epoch: number, records: readonly MetadataRecord[]): AppendedRange
  /**
   * Resolves when everything below `offset` is committed; rejects with NotLeaderError when leadership in `epoch` ends
   * before.
   */
  whenCommitted(epoch: number, offset: number): Promise<void>
  /** Gives up leadership in `epoch`, if it is held, so that another voter (or the same one) begins anew. */
  resign(epoch: number): void
  /** Hands in a listener; it gets the state so far first: snapshot, committed batches, leader. */
  register(listener: MetadataLogListener): void
  /** What the first active controller of an empty log appends: the records that formatting left (bootstrap.ts). */
  bootstrapRecords(): MetadataRecord[]
  /** From now on snapshots are taken of this image, when their time has come. */
  setSnapshotSource(source: SnapshotSource): void
}

/** The epoch that an append was meant for is over, or another node leads it. */
export class NotLeaderError extends Error {
  override readonly name = 'NotLeaderError'
}

/** An atomic append that does not fit into one batch. */
export class RecordBatchTooLargeError extends Error {
  override readonly name = 'RecordBatchTooLargeError'
}

/** The state of a listener as it is to be written into a snapshot. */
export interface SnapshotImage {
  /** Offset of the last record that it holds. */
  readonly offset: number
  /** Epoch of that record. */
  readonly epoch: number
  /** The records that make it anew; walked through in pieces, over several turns of the event loop. */
  readonly records: Iterable<MetadataRecord>
}

/** Hands out the state to be written into a snapshot; null when that is not possible now (within a transaction). */
export type SnapshotSource = () => SnapshotImage | null
