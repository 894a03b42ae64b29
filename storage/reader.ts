import type { Appender } from './appender.js'
import { isMissing } from './disk-error.js'
import { LogError } from './log-error.js'
import type { LogState } from './log-state.js'
import type { ReadLocation, ReadResult } from './log-types.js'
import type { FoundBatch, Segment } from './segment.js'

/** A location to be filled in by `locate`. */
export function readLocation(): ReadLocation {
  return { segment: null, position: 0, length: 0, firstBatchOffset: 0, isRecent: false }
}

/** Finds and reads slices of a log. */
export class Reader {
  readonly #state: LogState
  readonly #appender: Appender
  readonly #found: FoundBatch = { position: 0, size: 0, baseOffset: 0 }

  constructor(state: LogState, appender: Appender) {
    this.#state = state
    this.#appender = appender
  }

  /** See PartitionLog.locate. */
  locate(offset: number, maxBytes: number, maxOffset: number, minOneBatch: boolean, into: ReadLocation): boolean {
    const state = this.#state
    if (offset < state.logStartOffset || offset > state.logEndOffset) throw outOfRange(state, offset)
    into.segment = null
    into.length = 0
    const limit = Math.min(maxOffset, state.logEndOffset)
    if (offset >= limit) return false
    if (state.environment.failure !== null) throw state.environment.offlineError()
    try {
      return this.#locateIn(offset, maxBytes, limit, minOneBatch, into)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  #locateIn(offset: number, maxBytes: number, limit: number, minOneBatch: boolean, into: ReadLocation): boolean {
    const { segments, environment } = this.#state
    const found = this.#found
    let index = Math.max(0, this.#state.segmentIndexOf(offset))
    while (!this.#find(segments[index]!, offset, found)) {
      index++
      // What lies between the last batch of a segment and the next segment was compacted away.
      if (index === segments.length || segments[index]!.baseOffset >= limit) return false
    }
    const segment = segments[index]!
    const { position, size, baseOffset } = found
    const end = this.#endPosition(index, limit)
    const wanted = minOneBatch ? Math.max(maxBytes, size) : maxBytes
    const length = Math.min(wanted, end - position)
    if (length <= 0) return false
    into.segment = segment
    into.position = position
    into.length = length
    into.firstBatchOffset = baseOffset
    into.isRecent = environment.isCached(segment.appendMark - segment.size + position)
    return true
  }

  /** The first batch of a segment that ends at `offset` or after it. */
  #find(segment: Segment, offset: number, into: FoundBatch): boolean {
    if (segment === this.#state.active) {
      const { recent } = this.#appender
      const slot = recent.slotOf(offset)
      if (slot >= 0) {
        into.position = recent.positionAt(slot)
        into.size = recent.endOf(slot, segment.size + this.#appender.bytes) - into.position
        into.baseOffset = recent.baseOffsetAt(slot)
        return true
      }
    }
    return segment.find(offset, into)
  }

  /** Where the batches of a segment end that lie below `limit`. Overwrites what was found. */
  #endPosition(index: number, limit: number): number {
    const { segments, logEndOffset } = this.#state
    const segment = segments[index]!
    const next = segments[index + 1]
    if (limit >= logEndOffset || (next !== undefined && next.baseOffset <= limit)) return segment.size
    return this.#find(segment, limit, this.#found) ? this.#found.position : segment.size
  }

  /** See PartitionLog.offsetBehind. */
  offsetBehind({ segment, position, length, firstBatchOffset }: ReadLocation): number {
    const { segments, logEndOffset } = this.#state
    const known = segment!.offsetIndex.offsetBehind(position + length)
    if (known !== -1) return known
    return segments[this.#state.segmentIndexOf(firstBatchOffset) + 1]?.baseOffset ?? logEndOffset
  }

  readInto(location: ReadLocation, target: Buffer, at: number): number {
    try {
      return location.segment!.file.readInto(target, at, location.length, location.position)
    } catch (error) {
      throw this.#failed(error, location.segment)
    }
  }

  async readIntoAsync(location: ReadLocation, target: Buffer, at: number): Promise<number> {
    const { segment, length, position } = location
    try {
      return await segment!.file.readIntoAsync(target, at, length, position)
    } catch (error) {
      throw this.#failed(error, segment)
    }
  }

  read(offset: number, maxBytes: number, maxOffset: number, minOneBatch: boolean): ReadResult | null {
    const location = readLocation()
    if (!this.locate(offset, maxBytes, maxOffset, minOneBatch, location)) return null
    const buffer = Buffer.allocUnsafe(location.length)
    const length = this.readInto(location, buffer, 0)
    return { buffer: buffer.subarray(0, length), firstBatchOffset: location.firstBatchOffset }
  }

  async readAsync(
    offset: number,
    maxBytes: number,
    maxOffset: number,
    minOneBatch: boolean,
  ): Promise<ReadResult | null> {
    const location = readLocation()
    if (!this.locate(offset, maxBytes, maxOffset, minOneBatch, location)) return null
    const buffer = Buffer.allocUnsafe(location.length)
    const length = await this.readIntoAsync(location, buffer, 0)
    return { buffer: buffer.subarray(0, length), firstBatchOffset: location.firstBatchOffset }
  }

  /** A segment may go while somebody has a slice of it in hand; anything else that fails is the disk. */
  #failed(error: unknown, segment: Segment | null = null): Error {
    const state = this.#state
    if (isMissing(error) && (state.isClosed || segment?.isRemoved === true)) {
      return new LogError('OFFSET_OUT_OF_RANGE', `The segment of ${state.name} that was read has been removed`)
    }
    return state.environment.fail(`reading ${state.place.path}`, error)
  }
}

export function outOfRange(state: LogState, offset: number): LogError {
  const { name, logStartOffset, logEndOffset } = state
  const text = `Offset ${offset} of ${name} is out of range: the log has ${logStartOffset} to ${logEndOffset}`
  return new LogError('OFFSET_OUT_OF_RANGE', text)
}
