import type { Appender } from './appender.js'
import { deletedSuffix } from './file-names.js'
import type { LogState } from './log-state.js'
import type { DeletedSegment } from './log-types.js'
import type { Segment } from './segment.js'

type Reason = DeletedSegment['reason']

/**
 * Removes the oldest segments that are no longer wanted: those below the start of the log, and, where
 * `cleanup.policy` has delete, those by which the log exceeds `retention.bytes` and those whose last record is older
 * than `retention.ms`. Never beyond the high watermark. The start of the log moves along.
 */
export function deleteOldSegments(
  state: LogState,
  appender: Appender,
  nowMs: number,
  highWatermark: number,
): readonly DeletedSegment[] {
  // A log of one empty segment has nothing to delete; that is known without touching a file.
  if (state.segments.length === 1 && state.active.size === 0) return []
  const deleted: DeletedSegment[] = []
  const { config, environment } = state
  environment.guarded(`deleting segments of ${state.place.path}`, () => {
    const sweep = (reason: Reason, isOld: (segment: Segment, next: Segment | undefined) => boolean) =>
      deleted.push(...deleteWhile(state, appender, nowMs, highWatermark, reason, isOld))
    sweep('log start offset', (_, next) => next !== undefined && next.baseOffset <= state.logStartOffset)
    if (!config.cleanupPolicy.delete) return
    if (config.retentionBytes >= 0) {
      let excess = state.size - config.retentionBytes
      sweep('retention.bytes', segment => {
        if (excess < segment.size || excess < 0) return false
        excess -= segment.size
        return true
      })
    }
    if (config.retentionMs >= 0 && config.retentionMs !== Infinity) {
      sweep('retention.ms', segment => nowMs - segment.largestTimestamp > config.retentionMs)
    }
  })
  return deleted
}

function deleteWhile(
  state: LogState,
  appender: Appender,
  nowMs: number,
  highWatermark: number,
  reason: Reason,
  isOld: (segment: Segment, next: Segment | undefined) => boolean,
): DeletedSegment[] {
  let count = 0
  for (; count < state.segments.length; count++) {
    const segment = state.segments[count]!
    const next = state.segments[count + 1]
    const end = next === undefined ? state.logEndOffset : next.baseOffset
    if (highWatermark < end || (next === undefined && segment.size === 0) || !isOld(segment, next)) break
  }
  if (count === 0) return []
  // There is always a segment to append to.
  if (count === state.segments.length) appender.roll(nowMs)
  return removeFirst(state, Math.min(count, state.segments.length - 1), nowMs, reason)
}

function removeFirst(state: LogState, count: number, nowMs: number, reason: Reason): DeletedSegment[] {
  const first = state.segments[count]!.baseOffset
  if (first > state.logStartOffset) moveStart(state, first)
  const removed = state.segments.splice(0, count)
  for (const segment of removed) {
    state.size -= segment.size
    discard(state, segment, nowMs)
  }
  state.discardSnapshots(offset => offset < first, nowMs)
  return removed.map(({ baseOffset, size: bytes }) => ({ baseOffset, bytes, reason }))
}

/**
 * Takes a segment that is no longer part of the log off the disk: renamed now, removed `file.delete.delay.ms` later.
 */
export function discard(state: LogState, segment: Segment, nowMs: number): void {
  segment.isRemoved = true
  segment.changeSuffix(deletedSuffix)
  state.namesChanged()
  const [batches, ...indexes] = segment.paths()
  segment.close()
  const dueMs = nowMs + state.config.fileDeleteDelayMs
  state.environment.removals.add(batches!, dueMs, false, segment.appendedBytes)
  for (const path of indexes) state.environment.removals.add(path, dueMs, false)
}

/** Lets the log begin at `offset`, which the caller has found to be within it and above its present start. */
export function moveStart(state: LogState, offset: number): void {
  state.logStartOffset = offset
  state.isTouched = true
  if (state.areEpochsLoaded) state.epochs.truncateStart(offset)
  if (state.areProducersLoaded) state.producers.startMoved(offset)
}
