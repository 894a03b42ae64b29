import { sizeInBytes } from '#protocol/records/batch.js'
import { lastOffsetAt, maxTimestampAt } from './any-batch.js'
import { cleanedSuffix, indexSuffix, logSuffix, swapSuffix, timeIndexSuffix } from './file-names.js'
import type { LogState } from './log-state.js'
import type { AbortedTransaction } from './log-types.js'
import { discard } from './retention.js'
import { Segment } from './segment.js'

/** Pieces that wait to be written at most. */
const piecesMax = 512

/**
 * The segment that compaction writes, and how it takes the place of those it was made of. At each moment the files
 * say how far it has come (see log-loader.ts):
 *
 * 1. `.cleaned`  being written
 * 2. `.swap`     whole and on the device: from here on it counts
 * 3. the old ones `.deleted`, then the new one by its plain name
 */
export class CompactionWriter {
  readonly #state: LogState
  readonly #segment: Segment
  readonly #nowMs: number
  #pieces: Buffer[] = []
  #bytes = 0

  constructor(state: LogState, baseOffset: number, nowMs: number) {
    this.#state = state
    this.#nowMs = nowMs
    const { environment, place } = state
    const options = { environment, place, baseOffset, size: 0, createdMs: nowMs, hasAbortedIndex: false }
    this.#segment = new Segment({ ...options, suffix: cleanedSuffix })
    this.#segment.createFiles()
  }

  get size(): number {
    return this.#segment.size
  }

  /** Takes a batch as it is; its bytes must stay until `write`. */
  copy(buffer: Buffer, at: number, size: number): void {
    this.add(buffer.subarray(at, at + size))
  }

  add(piece: Buffer): void {
    const segment = this.#segment
    const position = segment.size + this.#bytes
    if (position + piece.length > 0x7fff_ffff) throw new Error(`${segment.pathOf(logSuffix)} would be too large`)
    const lastOffset = lastOffsetAt(piece, 0)
    const interval = this.#state.config.indexIntervalBytes
    segment.noteBatch(position, sizeInBytes(piece, 0), lastOffset, maxTimestampAt(piece, 0), interval)
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#pieces.length === piecesMax) this.write()
  }

  addAborted(transaction: AbortedTransaction): void {
    this.#segment.aborted.append(transaction)
  }

  write(): void {
    if (this.#pieces.length === 0) return
    this.#segment.file.append(this.#pieces)
    this.#segment.size += this.#bytes
    this.#pieces = []
    this.#bytes = 0
  }

  /** Makes the segment whole and durable; it is as old as `last`, the last of those it was made of. */
  async finish(last: Segment): Promise<void> {
    const segment = this.#segment
    const { disk } = segment
    this.write()
    segment.seal()
    const modified = disk.modifiedTime(last.pathOf(logSuffix))
    for (const suffix of [logSuffix, indexSuffix, timeIndexSuffix])
      disk.setModifiedTime(segment.pathOf(suffix), modified)
    await segment.sync(true)
  }

  /** Takes the place of `old`, neighbours in the log. */
  swapIn(old: readonly Segment[]): void {
    const state = this.#state
    const segment = this.#segment
    const first = state.segments.indexOf(old[0]!)
    segment.changeSuffix(swapSuffix)
    state.environment.disk.syncDirectory(state.place.path)
    state.segments.splice(first, old.length, segment)
    for (const one of old) {
      state.size -= one.size
      discard(state, one, this.#nowMs)
    }
    state.size += segment.size
    segment.changeSuffix('')
    const bases = new Set(old.slice(1).map(one => one.baseOffset))
    state.discardSnapshots(offset => bases.has(offset), this.#nowMs)
    state.namesChanged()
    state.isTouched = true
    segment.close()
  }

  /** Gives up: the old segments stay. */
  discard(): void {
    this.#segment.removeFiles()
  }
}
