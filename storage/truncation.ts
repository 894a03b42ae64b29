import type { Appender } from './appender.js'
import { newSegment } from './log-loader.js'
import type { LogState } from './log-state.js'
import type { FoundBatch } from './segment.js'
import type { Syncer } from './syncer.js'

/**
 * Cuts a log so that it ends at `offset`. Only whole batches go: the one that holds `offset` and all after it.
 *
 * ```
 * {[0,9] [10,30] [31,39]} {[40,99]}   truncated to 31   {[0,9] [10,30]}
 * ```
 */
export function truncateTo(state: LogState, appender: Appender, syncer: Syncer, offset: number): void {
  appender.write()
  if (offset >= state.logEndOffset) {
    // A leader notes its epoch before it has written anything: that may have to go.
    if (state.epochs.truncateEnd(state.logEndOffset)) state.environment.guarded('truncating', () => state.writeEpochs())
    appender.forget()
    return
  }
  if (offset < state.segments[0]!.baseOffset) {
    truncateFullyAndStartAt(state, appender, syncer, offset)
    return
  }
  state.environment.guarded(`truncating ${state.place.path}`, () => {
    lowerCheckpoints(state, syncer, offset)
    removeSegmentsAbove(state, offset)
    const { active } = state
    const found: FoundBatch = { position: 0, size: 0, baseOffset: 0 }
    const before = active.size
    if (active.find(offset, found)) active.truncate(found.position, offset)
    state.size -= before - active.size
    state.logEndOffset = offset
    state.logStartOffset = Math.min(offset, state.logStartOffset)
    if (state.epochs.truncateEnd(offset)) {
      // Batches of an epoch go that the leader does not have. If the power failed, and brought them back beneath what
      // is appended in their place and rolled, nobody would notice: epochs grow, and offsets follow each other.
      active.syncCut()
      state.writeEpochs()
    }
  })
  settle(state, appender)
  // Soon, off the event loop: the roll that waits for it comes when there is much more to bring to the device.
  if (state.active.isCutLoose) syncer.syncRolled()
}

/** Removes everything; the log goes on at `offset`. */
export function truncateFullyAndStartAt(
  state: LogState,
  appender: Appender,
  syncer: Syncer,
  offset: number,
  logStartOffset = offset,
): void {
  appender.write()
  const createdMs = state.active.createdMs
  state.environment.guarded(`truncating ${state.place.path}`, () => {
    lowerCheckpoints(state, syncer, offset)
    for (const segment of [...state.segments].reverse()) segment.removeFiles()
    state.removeSnapshots(() => true)
    state.environment.disk.syncDirectory(state.place.path)
    state.segments = [newSegment(state.environment, state.place, offset, createdMs)]
    state.size = 0
    state.logEndOffset = offset
    state.logStartOffset = logStartOffset
    state.epochs.clear()
    if (state.epochs.isDirty) state.writeEpochs()
    // Durably: a log that is found without any segment begins at 0.
    state.environment.disk.syncDirectory(state.place.path)
  })
  settle(state, appender)
}

/**
 * What will be appended after the cut is not on the device, whatever was. The checkpoint has to say so first: else a
 * start after a crash would take it for checked.
 */
function lowerCheckpoints(state: LogState, syncer: Syncer, offset: number): void {
  syncer.lower(offset)
  state.recoveryPoint = Math.min(state.recoveryPoint, offset)
  if (state.checkpointedRecoveryPoint > offset) state.environment.checkpointRecoveryPoints()
  state.noteCut(offset)
}

/**
 * From the last one back, so that a crash in between leaves a log without a hole; durably, before others take their
 * place.
 */
function removeSegmentsAbove(state: LogState, offset: number): void {
  const kept = Math.max(1, state.segmentIndexOf(offset) + 1)
  const removed = state.segments.splice(kept)
  for (const segment of removed.reverse()) {
    state.size -= segment.size
    segment.removeFiles()
  }
  const hasSnapshots = state.removeSnapshots(snapshot => snapshot > offset)
  if (removed.length > 0 || hasSnapshots) state.environment.disk.syncDirectory(state.place.path)
}

function settle(state: LogState, appender: Appender): void {
  state.isTouched = true
  state.forgetProducers()
  appender.forget()
}
