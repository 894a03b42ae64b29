import { inflatedBytesMaxDefault } from '#protocol/records/compression.js'
import type { AppendPolicy } from '#protocol/records/validate.js'
import type { LogConfig } from '#storage/log-config.js'
import type { ThrottledReplicas } from './replication-quota.js'

/** The options of a topic that its partitions act on. */
export interface PartitionConfig extends LogConfig {
  readonly minInsyncReplicas: number
  readonly maxDecompressedMessageBytes: number
  /** `leader.replication.throttled.replicas` and `follower.…`; null or left out: none. */
  readonly leaderThrottledReplicas?: ThrottledReplicas | null
  readonly followerThrottledReplicas?: ThrottledReplicas | null
}

/** What the validator of records reads of the options of a topic. */
export function appendPolicyOf(config: PartitionConfig): AppendPolicy {
  const { compressionType } = config
  return {
    messageBytesMax: config.maxMessageBytes,
    timestampType: config.messageTimestampType,
    timestampBeforeMaxMs: config.messageTimestampBeforeMaxMs,
    timestampAfterMaxMs: config.messageTimestampAfterMaxMs,
    isCompacted: config.cleanupPolicy.compact,
    compression: compressionType === 'uncompressed' ? 'none' : compressionType,
    compressionLevel: compressionLevelOf(config),
    recordBytesMax: config.maxDecompressedMessageBytes,
    inflatedBytesMax: inflatedBytesMaxDefault,
  }
}

function compressionLevelOf(config: PartitionConfig): number | undefined {
  switch (config.compressionType) {
    case 'gzip':
      return config.compressionGzipLevel
    case 'lz4':
      return config.compressionLz4Level
    case 'zstd':
      return config.compressionZstdLevel
    default:
      return undefined
  }
}
