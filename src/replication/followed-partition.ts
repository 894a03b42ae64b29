import type { EpochEnd } from '#storage/log-types.js'
import type { FollowedReplica } from './followed-replica.js'
import type { Partition } from './partition.js'

/** A partition as its fetcher sees it. */
export class FollowedPartition implements FollowedReplica {
  readonly partition: Partition
  readonly #nodeId: number

  constructor(partition: Partition, nodeId: number) {
    this.partition = partition
    this.#nodeId = nodeId
  }

  get name(): string {
    return this.partition.name
  }

  get topicId(): string {
    return this.partition.topic.id
  }

  get index(): number {
    return this.partition.index
  }

  get logEndOffset(): number {
    return this.partition.log.logEndOffset
  }

  get logStartOffset(): number {
    return this.partition.log.logStartOffset
  }

  get highWatermark(): number {
    return this.partition.highWatermark
  }

  get latestEpoch(): number {
    return this.partition.log.latestEpoch
  }

  get needsSync(): boolean {
    return this.partition.log.needsSync
  }

  get isThrottled(): boolean {
    return this.partition.config.followerThrottledReplicas?.has(this.partition.index, this.#nodeId) === true
  }

  endOffsetOf(epoch: number): EpochEnd {
    return this.partition.log.endOffsetOf(epoch)
  }
}
