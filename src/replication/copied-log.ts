import type { PartitionLog } from '#storage/log.js'

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
