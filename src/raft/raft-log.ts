import type { PartitionLog } from '#storage/log.js'
import { defaultLogConfig, type LogConfig } from '#storage/log-config.js'

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
