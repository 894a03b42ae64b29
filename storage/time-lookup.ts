import { compressionCode, currentMagic, magic } from '#protocol/records/batch.js'
import { compressionTypeOf, isCompressionLoaded, loadCompression } from '#protocol/records/compression.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import { readRecords } from '#protocol/records/reader.js'
import { lastOffsetAt, leaderEpochAt, maxTimestampAt } from './any-batch.js'
import { isMissing } from './disk-error.js'
import { HeaderCursor } from './header-cursor.js'
import { LogError } from './log-error.js'
import type { LogState } from './log-state.js'
import type { TimestampOffset } from './log-types.js'
import type { Segment } from './segment.js'

/** What is read at a time while looking for a batch. */
const chunkBytes = 8192

/** See PartitionLog.offsetForTime. */
export function offsetForTime(state: LogState, timestamp: number, maxOffset: number): Promise<TimestampOffset | null> {
  const { logStartOffset } = state
  return guarded(state, async () => {
    const isBatch = (buffer: Buffer, at: number) =>
      maxTimestampAt(buffer, at) >= timestamp && lastOffsetAt(buffer, at) >= logStartOffset
    const isRecord = (found: number, offset: number) => found >= timestamp && offset >= logStartOffset
    for (const segment of [...state.segments]) {
      if (segment.isRemoved || segment.largestTimestamp < timestamp) continue
      const slot = segment.timeIndex.slotOf(timestamp)
      const indexed = slot < 0 ? segment.baseOffset : segment.timeIndex.offsetAt(slot)
      const from = segment.offsetIndex.lookup(Math.max(indexed, logStartOffset))
      const result = await findRecord(segment, from, isBatch, isRecord)
      // What is late enough in this segment may lie below the start of the log.
      if (result !== null) return result.offset < maxOffset ? result : null
    }
    return null
  })
}

/** See PartitionLog.offsetOfMaxTimestamp. */
export function offsetOfMaxTimestamp(state: LogState): Promise<TimestampOffset | null> {
  return guarded(state, async () => {
    let latest = state.segments[0]!
    for (const segment of state.segments) if (segment.maxTimestamp > latest.maxTimestamp) latest = segment
    const { maxTimestamp, maxTimestampOffset } = latest
    const from = latest.offsetIndex.lookup(maxTimestampOffset)
    const isBatch = (buffer: Buffer, at: number) => maxTimestampAt(buffer, at) === maxTimestamp
    return findRecord(latest, from, isBatch, found => found === maxTimestamp)
  })
}

/** The first record for which `isRecord` holds in batches from `position` on for which `isBatch` holds. */
async function findRecord(
  segment: Segment,
  position: number,
  isBatch: (buffer: Buffer, at: number) => boolean,
  isRecord: (timestamp: number, offset: number) => boolean,
): Promise<TimestampOffset | null> {
  if (segment.size === 0) return null
  const { file } = segment
  const cursor = new HeaderCursor(Buffer.allocUnsafe(chunkBytes))
  cursor.start(file, position, segment.size)
  while (cursor.next()) {
    if (!isBatch(cursor.buffer, cursor.at)) continue
    const batch = Buffer.allocUnsafe(cursor.size)
    if ((await file.readIntoAsync(batch, 0, cursor.size, cursor.position)) < cursor.size) return null
    if (magic(batch, 0) === currentMagic) {
      const type = compressionTypeOf(compressionCode(batch, 0))
      if (!isCompressionLoaded(type)) await loadCompression(type)
    }
    for (const { timestamp, offset } of readRecords(batch, 0)) {
      if (isRecord(timestamp, offset)) return { timestamp, offset, leaderEpoch: leaderEpochAt(batch, 0) }
    }
  }
  return null
}

async function guarded<T>(state: LogState, run: () => Promise<T | null>): Promise<T | null> {
  if (state.environment.failure !== null) throw state.environment.offlineError()
  try {
    return await run()
  } catch (error) {
    if (error instanceof InvalidRecordError) throw new LogError('CORRUPT_MESSAGE', error.message, { cause: error })
    // A segment may go while it is searched: its records are out of the log.
    if (isMissing(error)) return null
    throw state.environment.fail(`searching ${state.place.path}`, error)
  }
}
