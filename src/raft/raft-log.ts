import type { PartitionLog } from '#storage/log.js'
import { defaultLogConfig, type LogConfig } from '#storage/log-config.js'
import type { LogQueries } from './raft-types.js'
import type { SnapshotStore } from './snapshot-store.js'

/** What the driver uses of the log of `__cluster_metadata-0`. */
export type RaftLog = Pick<
  PartitionLog,
  | 'directoryPath'
  | 'logStartOffset'
  | 'logEndOffset'
  | 'latestEpoch'
  | 'size'
  | 'append'
  | 'read'
  | 'sync'
  | 'endOffsetOf'
  | 'epochOf'
  | 'truncateTo'
  | 'truncateFullyAndStartAt'
  | 'advanceStart'
  | 'deleteOldSegments'
>

/** The largest batch of the metadata log: Kafka's `internal.metadata.max.batch.size.in.bytes`. */
export const metadataBatchBytesMax = 8 * 1024 * 1024

/** How the metadata log is kept: only snapshots decide what may go (`metadata.log.segment.bytes` and `.ms`). */
export function metadataLogConfig(segmentBytes: number, segmentMs: number): LogConfig {
  return {
    ...defaultLogConfig,
    segmentBytes,
    segmentMs,
    maxMessageBytes: metadataBatchBytesMax,
    retentionMs: -1,
    retentionBytes: -1,
    cleanupPolicy: { delete: false, compact: false },
  }
}

/** What the machine looks up in log and snapshots. */
export function logQueries(log: RaftLog, snapshots: SnapshotStore): LogQueries {
  return {
    get startOffset() {
      return log.logStartOffset
    },
    get latestSnapshot() {
      return snapshots.latest
    },
    get earliestSnapshot() {
      return snapshots.earliest
    },
    endOffsetOf(epoch) {
      const end = log.endOffsetOf(epoch)
      return end.endOffset < 0 ? null : end
    },
    epochOf: offset => log.epochOf(offset),
    snapshotSize: id => snapshots.sizeOf(id),
  }
}
