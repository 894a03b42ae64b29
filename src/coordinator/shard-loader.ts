import {
  batchSizeAt,
  compressionCode,
  currentMagic,
  isControl,
  lastOffset,
  magic,
  noProducerId,
  producerId,
} from '#protocol/records/batch.js'
import { compressionTypeOf, isCompressionLoaded, loadCompression } from '#protocol/records/compression.js'
import { readControlMarker } from '#protocol/records/control.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import { legacyLastOffset } from '#protocol/records/legacy.js'
import { readRecords } from '#protocol/records/reader.js'
import type { Clock } from '../runtime/ports.js'
import type { ShardLog } from './shard-log.js'
import type { RecordOrigin, ShardRecord } from './shard-machine.js'

/** A log that cannot be replayed, however often it is tried. */
export class ShardLoadError extends Error {
  override readonly name = 'ShardLoadError'
}

export interface ShardLoad<Rec extends ShardRecord> {
  readonly log: ShardLog
  /** Where the records go. */
  readonly target: {
    replay(record: Rec, origin: RecordOrigin): void
    replayMarker(producerId: number, isCommitted: boolean): void
  }
  /** The record that these bytes are; null for a type that nobody here knows. Throws if they are damaged. */
  readonly decode: (key: Uint8Array | null, value: Uint8Array | null) => Rec | null
  readonly bytesMax: number
  readonly clock: Clock
  /** Asked between reads: true if nobody wants the result any more. */
  readonly isAbandoned: () => boolean
}

/** How many records were replayed, and how many passed over because their type is unknown. */
export interface LoadSummary {
  readonly records: number
  readonly unknown: number
}

/**
 * Replays the log of a shard from its start to its end. Throws ShardLoadError (with the offset) if a record cannot be
 * read, and whatever `log.read` throws. Gives the event loop a turn after every read.
 */
export async function loadShard<Rec extends ShardRecord>(load: ShardLoad<Rec>): Promise<LoadSummary> {
  const summary = { records: 0, unknown: 0 }
  let offset = load.log.startOffset
  while (offset < load.log.endOffset && !load.isAbandoned()) {
    const chunk = await load.log.read(offset, load.bytesMax)
    const next = await replayChunk(load, chunk, offset, summary)
    // The end of a compacted log may be a gap: there is nothing to read before its end offset.
    if (next === offset) break
    offset = next
    await new Promise<void>(resolve => load.clock.soon(resolve))
  }
  return summary
}

/** Replays the batches of a chunk from `offset` on, and returns the offset after them. */
async function replayChunk<Rec extends ShardRecord>(
  load: ShardLoad<Rec>,
  chunk: Uint8Array,
  offset: number,
  summary: { records: number; unknown: number },
): Promise<number> {
  let position = 0
  try {
    for (;;) {
      const size = batchSizeAt(chunk, position, chunk.length)
      if (size === 0 || load.isAbandoned()) return offset
      const isLegacy = magic(chunk, position) < currentMagic
      const last = isLegacy ? legacyLastOffset(chunk, position) : lastOffset(chunk, position)
      if (last >= offset) {
        if (isLegacy) replayRecords(load, chunk, position, noProducerId, summary)
        else await replayBatch(load, chunk, position, summary)
        offset = last + 1
      }
      position += size
    }
  } catch (error) {
    if (!(error instanceof InvalidRecordError)) throw error
    throw new ShardLoadError(`the batch at or after offset ${offset} cannot be read: ${error.message}`)
  }
}

async function replayBatch<Rec extends ShardRecord>(
  load: ShardLoad<Rec>,
  chunk: Uint8Array,
  position: number,
  summary: { records: number; unknown: number },
): Promise<void> {
  const producer = producerId(chunk, position)
  if (isControl(chunk, position)) {
    const type = readControlMarker(chunk, position)?.type
    if (type === 'COMMIT' || type === 'ABORT') load.target.replayMarker(producer, type === 'COMMIT')
    return
  }
  const compression = compressionTypeOf(compressionCode(chunk, position))
  if (!isCompressionLoaded(compression)) await loadCompression(compression)
  replayRecords(load, chunk, position, producer, summary)
}

function replayRecords<Rec extends ShardRecord>(
  load: ShardLoad<Rec>,
  chunk: Uint8Array,
  position: number,
  producer: number,
  summary: { records: number; unknown: number },
): void {
  for (const { offset, key, value } of readRecords(chunk, position)) {
    try {
      const record = load.decode(key, value)
      if (record === null) {
        summary.unknown++
      } else {
        load.target.replay(record, { offset, producerId: producer })
        summary.records++
      }
    } catch (error) {
      throw new ShardLoadError(`the record at offset ${offset} cannot be replayed: ${(error as Error).message}`)
    }
  }
}
