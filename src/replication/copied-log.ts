import type { PartitionLog } from '#storage/log.js'
import { truncationTarget } from './truncation-target.js'

/**
 * Lets the copy of a log in another directory (AlterReplicaLogDirs) have nothing that the log does not have:
 *
 *   log        |=========|
 *   copy   |===============|    becomes    |=========|
 *   copy   |====|                          |=|
 *
 * For whatever may be in it there, the log may have something else soon. Throws LogError.
 */
export function alignCopy(copy: PartitionLog, { logStartOffset, logEndOffset }: PartitionLog): void {
  if (copy.logEndOffset < logStartOffset) copy.truncateFullyAndStartAt(logStartOffset)
  else if (copy.logEndOffset > logEndOffset) copy.truncateTo(logEndOffset)
  copy.advanceStart(logStartOffset)
}

/**
 * The same for a copy that has lain by itself, in a directory that had failed: the log may have been cut since, and may
 * have something else there. As a follower's log by its leader's, it is cut by its epochs. Throws LogError.
 *
 *   log    {1@0 .. 40} {3@40 .. 90}
 *   copy   {1@0 .. 50} {2@50 .. 70}     is cut at 40
 */
export function alignLeftCopy(copy: PartitionLog, log: PartitionLog): void {
  alignCopy(copy, log)
  while (copy.logEndOffset > copy.logStartOffset && copy.latestEpoch >= 0) {
    const { logEndOffset, logStartOffset: highWatermark, latestEpoch } = copy
    const endOffsetOf = (epoch: number) => copy.endOffsetOf(epoch)
    const said = log.endOffsetOf(Math.min(latestEpoch, log.latestEpoch))
    const offset = truncationTarget({ logEndOffset, highWatermark, endOffsetOf }, said)
    if (offset >= logEndOffset) break
    copy.truncateTo(offset)
  }
  alignCopy(copy, log)
}
