import { batchSizeAt } from '#protocol/records/batch.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import { isIntactAt, lastOffsetAt, leaderEpochAt } from '#storage/any-batch.js'
import { LogError } from '#storage/log-error.js'
import type { Partition } from './partition.js'

/** What a leader sent for a partition. */
export interface LeaderData {
  /** Whole batches, the last one perhaps cut. */
  readonly records: Buffer | null
  readonly highWatermark: number
  readonly logStartOffset: number
}

/**
 * Appends what the leader of `leaderEpoch` sent as it is, then takes over high watermark and log start. True if the
 * records count only after a sync (`flush.messages`). Throws LogError: CORRUPT_MESSAGE and INVALID_RECORD if the
 * batches are damaged, and then nothing has happened.
 */
export function appendFetched(partition: Partition, leaderEpoch: number, data: LeaderData, nowMs: number): boolean {
  const { records } = data
  const { log } = partition
  let needsSync = false
  if (records !== null && records.length > 0) {
    const end = checkBatches(partition, records, leaderEpoch)
    const options = { leaderEpoch, nowMs, origin: 'replication' } as const
    if (end > 0) {
      startWithinBatch(partition, records)
      needsSync = log.append(records, 0, end, options).needsSync
    }
  }
  partition.followLeader(data.highWatermark, data.logStartOffset)
  return needsSync
}

/** The bytes of the whole batches up to the first one of a later epoch than `leaderEpoch`; all of them are intact. */
function checkBatches(partition: Partition, records: Buffer, leaderEpoch: number): number {
  let at = 0
  try {
    for (let size = batchSizeAt(records, 0, records.length); size > 0; ) {
      if (leaderEpochAt(records, at) > leaderEpoch) break
      if (!isIntactAt(records, at)) {
        throw new LogError('CORRUPT_MESSAGE', `a batch that the leader of ${partition.name} sent is damaged`)
      }
      at += size
      size = batchSizeAt(records, at, records.length)
    }
  } catch (error) {
    if (!(error instanceof InvalidRecordError)) throw error
    throw new LogError('CORRUPT_MESSAGE', error.message, { cause: error })
  }
  return at
}

/** The leader's log begins within its first batch (DeleteRecords): an empty log here begins with that batch. */
function startWithinBatch({ log }: Partition, records: Buffer): void {
  const end = log.logEndOffset
  if (end !== log.logStartOffset) return
  const firstOffset = Number(records.readBigInt64BE(0))
  if (firstOffset < end && lastOffsetAt(records, 0) >= end) log.truncateFullyAndStartAt(firstOffset)
}
