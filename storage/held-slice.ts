import type { PartitionLog } from './log.js'
import type { ReadLocation } from './log-types.js'
import type { Segment } from './segment.js'

/**
 * A slice of a log that was read before anybody asked for it. It is given away once, and only while it is what a read
 * would give: for the very bytes of the very segment, if that was not cut since.
 */
export class HeldSlice {
  readonly #bytesMax: number
  #buffer: Buffer | null = null
  #segment: Segment | null = null
  #truncations = 0
  #position = 0
  #length = 0

  /** `bytesMax`: what it has room for; the memory is taken with the first slice. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get isEmpty(): boolean {
    return this.#segment === null
  }

  clear(): void {
    this.#segment = null
  }

  /** Reads a slice in place of what is held, as much of it as is there. Throws what `PartitionLog.readInto` throws. */
  fill(log: PartitionLog, { segment, position, length: wanted, ...rest }: ReadLocation): void {
    this.clear()
    // To read what was closed or removed would open its files again.
    if (segment === null || segment.isRemoved || log.isClosed) return
    const length = Math.min(wanted, segment.size - position, this.#bytesMax)
    if (length <= 0) return
    this.#buffer ??= Buffer.allocUnsafeSlow(this.#bytesMax)
    if (log.readInto({ ...rest, segment, position, length }, this.#buffer, 0) < length) return
    this.#segment = segment
    this.#truncations = segment.truncations
    this.#position = position
    this.#length = length
  }

  /** Copies what was located into `target` from `at` on, and forgets it, if it is held. Says whether it was. */
  take({ segment, position, length }: ReadLocation, target: Buffer, at: number): boolean {
    if (segment === null || segment !== this.#segment || position !== this.#position) return false
    if (length > this.#length || segment.truncations !== this.#truncations) return false
    this.#buffer!.copy(target, at, 0, length)
    this.clear()
    return true
  }
}
