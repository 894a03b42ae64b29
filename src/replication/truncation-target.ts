import type { EpochEnd } from '#storage/log-types.js'

/** What of a follower's log decides where it is cut. */
export interface CutLog {
  readonly logEndOffset: number
  readonly highWatermark: number
  endOffsetOf(epoch: number): EpochEnd
}

/**
 * Where a follower cuts its log when the leader says that the last epoch which both may have in common, `epoch`, ends
 * at `endOffset` with it. The histories agree up to the offset returned, or a further answer of the leader will say
 * more.
 *
 *   leader    {1@0 .. 40} {3@40 ..}             says: epoch 1 ends at 40
 *   follower  {1@0 .. 50} {2@50 .. 70}          is cut at 40
 */
export function truncationTarget(log: CutLog, { epoch, endOffset }: EpochEnd): number {
  const { logEndOffset } = log
  // A leader that knows no epochs: only what is committed is certain.
  if (endOffset < 0) return Math.min(log.highWatermark, logEndOffset)
  if (epoch < 0) return Math.min(endOffset, logEndOffset)
  const own = log.endOffsetOf(epoch)
  if (own.endOffset < 0) return Math.min(endOffset, logEndOffset)
  // This log has nothing of the leader's epoch: its own earlier one is compared next.
  if (own.epoch !== epoch) return Math.min(own.endOffset, logEndOffset)
  return Math.min(own.endOffset, endOffset, logEndOffset)
}
