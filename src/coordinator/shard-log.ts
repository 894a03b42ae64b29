import type { ShardLimits } from './shard-machine.js'

/** What a shard uses of the partition that it leads. */
export interface ShardLog extends ShardLimits {
  /** The offset of the first record that is kept. */
  readonly startOffset: number
  /** The offset that the next record will get. */
  readonly endOffset: number
  /**
   * Whole batches of committed and uncommitted records, beginning with the one that holds `offset`: as many as fit into
   * `bytesMax`, but at least one if there is one. The bytes must stay as they are until the next read.
   */
  read(offset: number, bytesMax: number): Uint8Array | Promise<Uint8Array>
  /**
   * Stamps the batch (base offset, leader epoch) and writes it. Throws ApiError with the code that a producer would get
   * (NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS, KAFKA_STORAGE_ERROR, MESSAGE_TOO_LARGE, ...).
   */
  append(batch: Buffer): { readonly baseOffset: number; readonly lastOffset: number }
  /** Calls `done` once, now or later, when all records before `endOffset` are committed. Not when they never are. */
  whenCommitted(endOffset: number, done: () => void): void
}
