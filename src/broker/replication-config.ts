import type { BrokerConfig } from '../config/broker-config.js'
import type { ReplicationConfig } from '../replication/replication-config.js'

/** The options that the replicas act on, as they are when they are asked for. */
export function replicationConfigOf(config: () => BrokerConfig): ReplicationConfig {
  return {
    get fetchMaxBytes() {
      return config().get('fetch.max.bytes')
    },
    get fetchSessionSlots() {
      return config().get('max.incremental.fetch.session.cache.slots')
    },
    get replicaLagMsMax() {
      return config().get('replica.lag.time.max.ms')
    },
    get retentionCheckMs() {
      return config().get('log.retention.check.interval.ms')
    },
    get checkpointMs() {
      const { values } = config()
      return Math.min(
        values['log.flush.offset.checkpoint.interval.ms'],
        values['log.flush.start.offset.checkpoint.interval.ms'],
      )
    },
    get highWatermarkCheckpointMs() {
      return config().get('replica.high.watermark.checkpoint.interval.ms')
    },
    get moveBytesPerSecondMax() {
      return config().get('replica.alter.log.dirs.io.max.bytes.per.second')
    },
    get producerExpirationMs() {
      return config().get('producer.id.expiration.ms')
    },
    get cleanerEnabled() {
      return config().get('log.cleaner.enable')
    },
    get cleanerBackoffMs() {
      return config().get('log.cleaner.backoff.ms')
    },
    get cleanerDedupeBytesMax() {
      return config().get('log.cleaner.dedupe.buffer.size')
    },
    get cleanerLoadFactor() {
      return config().get('log.cleaner.io.buffer.load.factor')
    },
    get cleanerBytesPerSecondMax() {
      return config().get('log.cleaner.io.max.bytes.per.second')
    },
    get producerExpirationCheckMs() {
      return config().get('producer.id.expiration.check.interval.ms')
    },
  }
}
