import type { LogConfig } from './log-config.js'
import type { Segment } from './segment.js'

/** Where a batch comes from, which decides who gives offsets and how producers are checked. */
export type AppendOrigin =
  /** A producer, by way of this leader: offsets given here, sequences checked. */
  | 'client'
  /** The leader, by way of a fetch of this follower: bytes kept as they are. */
  | 'replication'
  /** A coordinator of this broker (its records, transaction markers): offsets given here, markers checked. */
  | 'coordinator'
  /** The raft leader of the metadata log: offsets given here. */
  | 'raft'

export interface AppendOptions {
  /**
   * As leader: stamped into the batches. As follower: batches of a later epoch, and all after the first of them, are
   * left out (the appender is behind; KAFKA-18723).
   */
  readonly leaderEpoch: number
  /** The broker's clock, ms since 1970. */
  readonly nowMs: number
  readonly origin: AppendOrigin
  /** For transaction markers: the version of the transaction protocol (0, 1 or 2, KIP-890). 0 unless given. */
  readonly transactionVersion?: number
}

/**
 * What an append did. One object per log is used over and over: it is true until the next append to that log.
 */
export interface AppendInfo {
  /** Of the first batch appended; of the batch that is there already when `isDuplicate`. */
  baseOffset: number
  lastOffset: number
  /** The time of the append if the topic uses LogAppendTime, else -1. */
  logAppendTimeMs: number
  logStartOffset: number
  /** The greatest timestamp of the batches, -1 if they have none. */
  maxTimestamp: number
  /** Bytes and batches that went into the log: 0 for a duplicate. */
  byteCount: number
  batchCount: number
  /** The producer sent this batch before and it was not appended again. */
  isDuplicate: boolean
  /** `flush.messages` asks that the append is answered only after `sync()`. */
  needsSync: boolean
}

/**
 * Where records lie: a slice of one segment file. Filled in by `locate`; the caller owns the object and may reuse it.
 */
export interface ReadLocation {
  segment: Segment | null
  /** Bytes from the beginning of the segment file. */
  position: number
  /** Bytes to read: whole batches if the slice ends at the limit, else the last batch may be cut. */
  length: number
  /** The base offset of the batch that `position` is the beginning of: at most the offset asked for. */
  firstBatchOffset: number
  /** Probably still in the page cache: read it at once rather than in the pool. */
  isRecent: boolean
}

export interface ReadResult {
  readonly buffer: Buffer
  readonly firstBatchOffset: number
}

/** Where an epoch ends: the first offset of the next one, or the end of the log. Both -1: not known. */
export interface EpochEnd {
  readonly epoch: number
  readonly endOffset: number
}

export interface TimestampOffset {
  readonly timestamp: number
  readonly offset: number
  /** Of the batch, -1 if it has none. */
  readonly leaderEpoch: number
}

/** One aborted transaction as FetchResponse names it, with the offset of its marker. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  readonly lastOffset: number
  /** The last stable offset when the transaction was aborted. */
  readonly lastStableOffset: number
}

/** One producer as DescribeProducers names it. */
export interface ActiveProducer {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  /** -1 when no transaction is open. */
  readonly currentTransactionStartOffset: number
}

/** What recovery did to one log, for the caller to write to its own log. */
export interface RecoveryReport {
  readonly topic: string
  readonly partition: number
  readonly logEndOffset: number
  /** Segments whose batches were checked, with the bytes read. */
  readonly scannedSegments: number
  readonly scannedBytes: number
  /** Bytes cut off the end, segments removed after that, and why; null when all was in order. */
  readonly truncated: {
    readonly segment: string
    readonly bytes: number
    readonly segments: number
    readonly reason: string
  } | null
  /** Other repairs, as sentences. */
  readonly notes: readonly string[]
}

/** A segment that retention removed, and by which rule. */
export interface DeletedSegment {
  readonly baseOffset: number
  readonly bytes: number
  readonly reason: 'retention.ms' | 'retention.bytes' | 'log start offset'
}

/** A log that is to be made in a directory, or that is there already. */
export interface CreateLogOptions {
  readonly topic: string
  readonly partition: number
  /** Kafka's text form. */
  readonly topicId: string
  readonly config: LogConfig
  /** The broker's clock, ms since 1970. */
  readonly nowMs: number
  /** A copy that will replace the log of another directory (AlterReplicaLogDirs). */
  readonly isFuture?: boolean
}
