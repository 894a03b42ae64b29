import type { Clock } from '../runtime/ports.js'
import type { RecordPiece } from './fetch-reply.js'
import type { Partition } from './partition.js'
import type { ReplicationConfig } from './replication-config.js'
import { ReplicationQuota } from './replication-quota.js'

export interface LeaderThrottleParts {
  readonly nodeId: number
  readonly clock: Clock
  readonly config: ReplicationConfig
}

/**
 * The limit on what a leader sends of partitions that `leader.replication.throttled.replicas` names: bytes to all
 * followers count, but only those that lag are held back.
 */
export class LeaderThrottle {
  readonly #parts: LeaderThrottleParts
  readonly #quota: ReplicationQuota

  constructor(parts: LeaderThrottleParts) {
    this.#parts = parts
    const { config } = parts
    this.#quota = new ReplicationQuota({
      bytesPerSecondMax: () => config.leaderBytesPerSecondMax,
      windowCount: config.quotaWindowCount,
      windowMs: config.quotaWindowMs,
    })
  }

  holdsBack(partition: Partition, followerId: number): boolean {
    if (!this.#isThrottled(partition)) return false
    return partition.leader?.isr.has(followerId) === false && this.#quota.isExceeded(this.#parts.clock.now())
  }

  /** Records go out to a follower. */
  record(pieces: readonly RecordPiece[]): void {
    for (const { partition: asked, length } of pieces) {
      const partition = asked.topic?.hosted[asked.index]
      if (partition !== undefined && this.#isThrottled(partition)) this.#quota.record(length, this.#parts.clock.now())
    }
  }

  #isThrottled({ config, index }: Partition): boolean {
    return config.leaderThrottledReplicas?.has(index, this.#parts.nodeId) === true
  }
}
