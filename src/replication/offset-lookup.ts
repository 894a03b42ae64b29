import type { Partition } from './partition.js'
import { apiError } from './replication-error.js'

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const LATEST_TIERED = -5
const EARLIEST_PENDING_UPLOAD = -6

export interface OffsetQuery {
  /** ms since 1970, or one of the special values. */
  readonly timestamp: number
  /** -1: any epoch. */
  readonly currentLeaderEpoch: number
  /** Who asks, which decides how far the log goes. */
  readonly reader: 'uncommitted' | 'committed' | 'replica'
  readonly onlyLeader: boolean
}

/** All -1: there is none. */
export interface FoundOffset {
  readonly timestamp: number
  readonly offset: number
  readonly leaderEpoch: number
}

const NOTHING: FoundOffset = { timestamp: -1, offset: -1, leaderEpoch: -1 }

/**
 * Answers ListOffsets for one partition (Partition.fetchOffsetForTimestamp of Kafka). Rejects with ApiError or
 * LogError.
 */
export async function findOffset(partition: Partition, query: OffsetQuery): Promise<FoundOffset> {
  partition.requireEpoch(query.currentLeaderEpoch, query.onlyLeader)
  const { timestamp, reader } = query
  const { highWatermark } = partition
  const log = partition.knowingLog
  const end =
    reader === 'replica'
      ? log.logEndOffset
      : reader === 'committed'
        ? log.lastStableOffset(highWatermark)
        : highWatermark
  // A new leader does not know yet how much of what it has is committed.
  const mayLag = reader !== 'replica' && partition.leaderEpochStartOffset > highWatermark
  switch (timestamp) {
    case LATEST:
      if (mayLag) throw notAvailable(partition)
      return { timestamp: -1, offset: end, leaderEpoch: partition.leaderEpoch }
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { timestamp: -1, offset: log.logStartOffset, leaderEpoch: log.epochOf(log.logStartOffset) }
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      return NOTHING
  }
  const found = await (timestamp === MAX_TIMESTAMP
    ? log.offsetOfMaxTimestamp()
    : log.offsetForTime(timestamp, log.logEndOffset))
  if (found === null) return NOTHING
  if (found.offset < end) return found
  if (mayLag) throw notAvailable(partition)
  return NOTHING
}

function notAvailable({ name, highWatermark, leaderEpochStartOffset }: Partition): Error {
  const text =
    `Failed to fetch offsets for partition ${name}: ` +
    `its high watermark ${highWatermark} is before ${leaderEpochStartOffset}, where its leader began`
  return apiError('OFFSET_NOT_AVAILABLE', text)
}
