import type { Millis } from '../runtime/ports.js'

/** Options of the broker that act here; getters, because some are dynamic. */
export interface ReplicationConfig {
  /** `fetch.max.bytes`. */
  readonly fetchMaxBytes: number
  /** `max.incremental.fetch.session.cache.slots`. */
  readonly fetchSessionSlots: number
  /** `replica.lag.time.max.ms`. */
  readonly replicaLagMsMax: Millis
  /** `num.replica.fetchers`: connections to each leader. */
  readonly replicaFetchers: number
  /** `replica.fetch.wait.max.ms`, `replica.fetch.min.bytes`. */
  readonly replicaFetchWaitMsMax: Millis
  readonly replicaFetchBytesMin: number
  /** `replica.fetch.max.bytes` (of one partition), `replica.fetch.response.max.bytes`. */
  readonly replicaFetchBytesMax: number
  readonly replicaFetchResponseBytesMax: number
  /** `replica.fetch.backoff.ms`. */
  readonly replicaFetchBackoffMs: Millis
  /** `replica.socket.timeout.ms`. */
  readonly replicaSocketTimeoutMs: Millis
  /** `replica.selector.class`; null: consumers read from leaders. */
  readonly replicaSelectorClass: string | null
  /** `leader.replication.throttled.rate`, `follower.…`, bytes per second; Infinity for no limit. */
  readonly leaderBytesPerSecondMax: number
  readonly followerBytesPerSecondMax: number
  /** `replication.quota.window.num`, and `replication.quota.window.size.seconds` in ms. */
  readonly quotaWindowCount: number
  readonly quotaWindowMs: Millis
  /** `log.retention.check.interval.ms`. */
  readonly retentionCheckMs: Millis
  /** `log.flush.offset.checkpoint.interval.ms`, `log.flush.start.offset.checkpoint.interval.ms`: the lesser. */
  readonly checkpointMs: Millis
  /** `replica.high.watermark.checkpoint.interval.ms`. */
  readonly highWatermarkCheckpointMs: Millis
  /** `producer.id.expiration.ms` and `producer.id.expiration.check.interval.ms`. */
  readonly producerExpirationMs: Millis
  readonly producerExpirationCheckMs: Millis
  /** `replica.alter.log.dirs.io.max.bytes.per.second`; Infinity for no limit. */
  readonly moveBytesPerSecondMax: number
  /** `log.cleaner.enable`. */
  readonly cleanerEnabled: boolean
  /** `log.cleaner.backoff.ms`. */
  readonly cleanerBackoffMs: Millis
  /** `log.cleaner.dedupe.buffer.size`: memory for the keys of one round. */
  readonly cleanerDedupeBytesMax: number
  /** `log.cleaner.io.buffer.load.factor`. */
  readonly cleanerLoadFactor: number
  /** `log.cleaner.io.max.bytes.per.second`; Infinity for no limit. */
  readonly cleanerBytesPerSecondMax: number
}
