import type { BrokerConfig } from '../config/broker-config.js'
import type { ReplicationConfig } from '../replication/replication-config.js'

const SECOND_MS = 1000

/** The options that the replicas act on, as they are when they are asked for. */
export class LiveReplicationConfig implements ReplicationConfig {
  readonly #config: () => BrokerConfig

  constructor(config: () => BrokerConfig) {
    this.#config = config
  }

  get fetchMaxBytes() {
    return this.#config().get('fetch.max.bytes')
  }

  get fetchSessionSlots() {
    return this.#config().get('max.incremental.fetch.session.cache.slots')
  }

  get replicaLagMsMax() {
    return this.#config().get('replica.lag.time.max.ms')
  }

  get replicaFetchers() {
    return this.#config().get('num.replica.fetchers')
  }

  get replicaFetchWaitMsMax() {
    return this.#config().get('replica.fetch.wait.max.ms')
  }

  get replicaFetchBytesMin() {
    return this.#config().get('replica.fetch.min.bytes')
  }

  get replicaFetchBytesMax() {
    return this.#config().get('replica.fetch.max.bytes')
  }

  get replicaFetchResponseBytesMax() {
    return this.#config().get('replica.fetch.response.max.bytes')
  }

  get replicaFetchBackoffMs() {
    return this.#config().get('replica.fetch.backoff.ms')
  }

  get replicaSocketTimeoutMs() {
    return this.#config().get('replica.socket.timeout.ms')
  }

  get replicaSelectorClass() {
    return this.#config().get('replica.selector.class')
  }

  get leaderBytesPerSecondMax() {
    return this.#config().get('leader.replication.throttled.rate')
  }

  get followerBytesPerSecondMax() {
    return this.#config().get('follower.replication.throttled.rate')
  }

  get quotaWindowCount() {
    return this.#config().get('replication.quota.window.num')
  }

  get quotaWindowMs() {
    return this.#config().get('replication.quota.window.size.seconds') * SECOND_MS
  }

  get retentionCheckMs() {
    return this.#config().get('log.retention.check.interval.ms')
  }

  get checkpointMs() {
    const { values } = this.#config()
    return Math.min(
      values['log.flush.offset.checkpoint.interval.ms'],
      values['log.flush.start.offset.checkpoint.interval.ms'],
    )
  }

  get highWatermarkCheckpointMs() {
    return this.#config().get('replica.high.watermark.checkpoint.interval.ms')
  }

  get moveBytesPerSecondMax() {
    return this.#config().get('replica.alter.log.dirs.io.max.bytes.per.second')
  }

  get producerExpirationMs() {
    return this.#config().get('producer.id.expiration.ms')
  }

  get cleanerEnabled() {
    return this.#config().get('log.cleaner.enable')
  }

  get cleanerBackoffMs() {
    return this.#config().get('log.cleaner.backoff.ms')
  }

  get cleanerDedupeBytesMax() {
    return this.#config().get('log.cleaner.dedupe.buffer.size')
  }

  get cleanerLoadFactor() {
    return this.#config().get('log.cleaner.io.buffer.load.factor')
  }

  get cleanerBytesPerSecondMax() {
    return this.#config().get('log.cleaner.io.max.bytes.per.second')
  }

  get producerExpirationCheckMs() {
    return this.#config().get('producer.id.expiration.check.interval.ms')
  }
}
