import * as batch from '#protocol/records/batch.js'
import type { PartitionLog } from '#storage/log.js'
import { LogError } from '#storage/log-error.js'
import type { ReadLocation } from '#storage/log-types.js'
import type { Segment } from '#storage/segment.js'
import type { Clock } from '../runtime/ports.js'

/** More is not read ahead: to copy it then would cost as much as to read it. */
const AHEAD_BYTES_MAX = 131_072
/** After so many reads in vain, as when several consumers take turns, */
const VAIN_MAX = 4
/** so many chances to read ahead are passed over. */
const PASSED_OVER = 64

/**
 * What a consumer that catches up will probably ask for next, read while it is busy with what it was given last:
 *
 *   ask | read | answer | (read ahead)   ask | copy | answer | (read ahead)   ask | ...
 *
 * One place for one consumer, the last that was quick. What stands in it is used only for the very bytes of the very
 * segment, and not if that was cut since: they are what a read would give.
 */
export class ReadAhead {
  readonly #clock: Clock
  #buffer: Buffer | null = null

  /** What is to be read once the answer is out. */
  #log: PartitionLog | null = null
  #wantedSegment: Segment | null = null
  #wantedPosition = 0
  #wantedLength = 0

  /** What was read; `#length` 0: nothing. */
  #segment: Segment | null = null
  #truncations = 0
  #position = 0
  #length = 0

  #vain = 0
  #pause = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Copies what was located into `target` from `at` on, if it was read ahead. Says whether it was. */
  take({ segment, position, length }: ReadLocation, target: Buffer, at: number): boolean {
    if (segment === null || segment !== this.#segment || position !== this.#position) return false
    if (length > this.#length || segment.truncations !== this.#truncations) return false
    this.#buffer!.copy(target, at, 0, length)
    this.#length = 0
    this.#vain = 0
    return true
  }

  /**
   * Reads ahead, after this turn, what follows the slice of `log` that was located: as much again, from the first batch
   * on that is not whole in it. The slice stands in `buffer` from `at` on.
   */
  follow(log: PartitionLog, { segment, position, length }: ReadLocation, buffer: Buffer, at: number): void {
    if (length > AHEAD_BYTES_MAX) return
    if (this.#pause > 0) {
      this.#pause--
      return
    }
    if (this.#log === null) this.#clock.soon(this.#read)
    this.#log = log
    this.#wantedSegment = segment
    this.#wantedPosition = position + wholeBytes(buffer, at, at + length)
    this.#wantedLength = length
  }

  readonly #read = (): void => {
    const log = this.#log!
    const segment = this.#wantedSegment!
    const position = this.#wantedPosition
    const length = Math.min(this.#wantedLength, segment.size - position)
    this.#log = null
    this.#wantedSegment = null
    if (this.#length > 0 && ++this.#vain === VAIN_MAX) {
      this.#vain = 0
      this.#pause = PASSED_OVER
    }
    this.#length = 0
    this.#segment = null
    if (length <= 0 || this.#pause > 0) return
    this.#buffer ??= Buffer.allocUnsafeSlow(AHEAD_BYTES_MAX)
    try {
      if (log.readInto({ segment, position, length, firstBatchOffset: -1, isRecent: true }, this.#buffer, 0) < length)
        return
    } catch (error) {
      // Nobody has asked for it yet; who does will be told.
      if (error instanceof LogError) return
      throw error
    }
    this.#segment = segment
    this.#truncations = segment.truncations
    this.#position = position
    this.#length = length
  }
}

/** Bytes of the whole batches at the beginning of `buffer[start, end)`. */
function wholeBytes(buffer: Buffer, start: number, end: number): number {
  let at = start
  while (end - at >= batch.logOverheadBytes) {
    const size = batch.sizeInBytes(buffer, at)
    // A disk may have spoilt it.
    if (size < batch.logOverheadBytes || size > end - at) break
    at += size
  }
  return at - start
}
