import { ErrorCode } from '#protocol/errors.js'
import type { ReadLocation } from '#storage/log-types.js'
import { type FetchParameters, isConsumer } from './fetch-parameters.js'
import type { FetchPartition } from './fetch-partition.js'
import type { Partition } from './partition.js'
import { apiError, errorCodeOf, isExpectedError } from './replication-error.js'

/** Up to where a reader may see: followers all there is, consumers what is committed, or what is decided as well. */
export function readBound(partition: Partition, { replicaId, isReadCommitted }: FetchParameters): number {
  if (!isConsumer(replicaId)) return partition.log.logEndOffset
  return isReadCommitted ? partition.lastStableOffset : partition.highWatermark
}

/**
 * Finds out what a fetch of one partition is answered with, and where its records are; they are not read yet. At most
 * `bytesMax` of them; `minOneBatch`: the first batch even if it is larger. Follows Partition.fetchRecords of Kafka.
 */
export function locateRecords(
  asked: FetchPartition,
  partition: Partition,
  parameters: FetchParameters,
  bytesMax: number,
  minOneBatch: boolean,
  onUnexpected: (error: unknown) => void,
): void {
  asked.clearResult()
  try {
    partition.requireEpoch(asked.currentLeaderEpoch, parameters.onlyLeader)
    requireReplica(asked, partition, parameters)
    locate(asked, partition, parameters, bytesMax, minOneBatch)
  } catch (error) {
    if (!isExpectedError(error)) onUnexpected(error)
    asked.fail(errorCodeOf(error))
  }
}

/**
 * A broker that fetches must be a follower here; one that was added a moment ago tries again. One that was registered
 * anew since must not count for what it had before.
 */
function requireReplica(
  asked: FetchPartition,
  partition: Partition,
  { replicaId, replicaEpoch }: FetchParameters,
): void {
  if (replicaId < 0) return
  const { leader } = partition
  if (leader?.follower(replicaId) === undefined) {
    throw apiError(asked.currentLeaderEpoch === -1 ? 'NOT_LEADER_OR_FOLLOWER' : 'UNKNOWN_LEADER_EPOCH')
  }
  if (leader.isFromThePast(replicaId, replicaEpoch)) throw apiError('NOT_LEADER_OR_FOLLOWER')
}

function locate(
  asked: FetchPartition,
  partition: Partition,
  parameters: FetchParameters,
  bytesMax: number,
  minOneBatch: boolean,
): void {
  const { log } = partition
  const { fetchOffset } = asked
  // Taken before the read, so that a follower at the end counts as caught up.
  const { highWatermark } = partition
  const lastStableOffset = log.lastStableOffset(highWatermark)
  const { logStartOffset } = log
  const bound = readBound(partition, parameters)
  if (asked.lastFetchedEpoch !== -1) compareHistories(asked, partition)
  const isDiverging = asked.divergingEpoch !== -1
  if (fetchOffset < logStartOffset || (fetchOffset > log.logEndOffset && !isDiverging)) {
    throw apiError('OFFSET_OUT_OF_RANGE', `offset ${fetchOffset} is not in ${partition.name}`)
  }
  asked.highWatermark = highWatermark
  asked.lastStableOffset = lastStableOffset
  asked.logStartOffset = logStartOffset
  asked.boundOffset = bound
  if (isDiverging) return
  if (parameters.isReadCommitted) asked.abortedTransactions = []
  if (fetchOffset >= bound) return
  const location = (asked.location ??= { segment: null, position: 0, length: 0, firstBatchOffset: 0, isRecent: true })
  const limit = Math.min(asked.maxBytes, bytesMax)
  // Kafka fails over it where there is something to read.
  if (limit < 0) throw apiError('UNKNOWN_SERVER_ERROR', `a fetch of ${limit} bytes`)
  if (!log.locate(fetchOffset, limit, bound, true, location)) return
  // A first batch that does not fit is left out whole, except where something must be answered.
  if (location.length > limit && !minOneBatch) {
    if (limit > 0) asked.abortedTransactions = null
    return
  }
  asked.bytes = location.length
  asked.log = log
  if (!parameters.isReadCommitted) return
  // Of what is answered here: those of a long backlog would be more than the records, with every fetch again.
  asked.abortedTransactions = log.abortedTransactions(fetchOffset, log.offsetBehind(location))
}

/** A follower, or a consumer that knows the epochs, has read something else than what is here (KIP-595). */
function compareHistories(asked: FetchPartition, partition: Partition): void {
  const log = partition.knowingLog
  const end = log.endOffsetOf(asked.lastFetchedEpoch)
  if (end.epoch === -1 || end.endOffset === -1 || asked.fetchOffset < log.logStartOffset) {
    throw apiError(
      'OFFSET_OUT_OF_RANGE',
      `the end of epoch ${asked.lastFetchedEpoch} of ${partition.name} is not known`,
    )
  }
  if (end.epoch < asked.lastFetchedEpoch || end.endOffset < asked.fetchOffset) {
    asked.divergingEpoch = end.epoch
    asked.divergingEndOffset = end.endOffset
  }
}

/** A part of what was located. */
export function partOf(location: ReadLocation, from: number, length: number): ReadLocation {
  return { ...location, position: location.position + from, length }
}

/** The code for a topic or partition that nobody has; NONE if it is there. */
export function presenceCode(asked: FetchPartition): number {
  const { topic } = asked
  if (topic === undefined) {
    return asked.topicName === '' ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  }
  if (asked.index < 0 || asked.index >= topic.partitionCount) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  return ErrorCode.NONE
}
