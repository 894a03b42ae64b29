import * as batch from '#protocol/records/batch.js'
import { HeldSlice } from '#storage/held-slice.js'
import type { PartitionLog } from '#storage/log.js'
import { LogError } from '#storage/log-error.js'
import type { ReadLocation } from '#storage/log-types.js'
import type { Clock } from '../runtime/ports.js'

/** More is not read ahead; so much memory it takes. */
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
 * There is one place for one consumer, the last that was quick.
 */
export class ReadAhead {
  readonly #clock: Clock
  readonly #onUnexpected: (error: unknown) => void
  readonly #held = new HeldSlice(AHEAD_BYTES_MAX)
  /** What is to be read once the answer is out. */
  #wanted: { readonly log: PartitionLog; readonly location: ReadLocation } | null = null
  #vain = 0
  #pause = 0

  /** `onUnexpected` is told of errors that no read may have. */
  constructor(clock: Clock, onUnexpected: (error: unknown) => void) {
    this.#clock = clock
    this.#onUnexpected = onUnexpected
  }

  /** Copies what was located into `target` from `at` on, if it was read ahead. Says whether it was. */
  take(location: ReadLocation, target: Buffer, at: number): boolean {
    const isHeld = this.#held.take(location, target, at)
    if (isHeld) this.#vain = 0
    return isHeld
  }

  /**
   * Reads ahead, after this turn, what follows the slice of `log` that was located: as much again, from the first batch
   * on that is not whole in it. The slice stands in `buffer` from `at` on.
   */
  follow(log: PartitionLog, location: ReadLocation, buffer: Buffer, at: number): void {
    if (location.length > AHEAD_BYTES_MAX) return
    if (this.#pause > 0) {
      this.#pause--
      return
    }
    if (this.#wanted === null) this.#clock.soon(this.#read)
    const position = location.position + wholeBytes(buffer, at, at + location.length)
    this.#wanted = { log, location: { ...location, position, firstBatchOffset: -1 } }
  }

  readonly #read = (): void => {
    const { log, location } = this.#wanted!
    this.#wanted = null
    if (!this.#held.isEmpty && ++this.#vain === VAIN_MAX) {
      this.#vain = 0
      this.#pause = PASSED_OVER
      this.#held.clear()
      return
    }
    try {
      this.#held.fill(log, location)
    } catch (error) {
      // Nobody has asked for it yet: who does reads it anew, and is told.
      if (!(error instanceof LogError)) this.#onUnexpected(error)
    }
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
