import { headerBytesMax, soundSizeAt } from './any-batch.js'
import type { File } from './disk.js'

/**
 * Walks over the headers of the batches of a segment file, reading some KiB at a time and nothing of large batches but
 * their headers. One object is used over and over:
 *
 *     cursor.start(file, position, end)
 *     while (cursor.next()) … cursor.buffer, cursor.at, cursor.position, cursor.size
 */
export class HeaderCursor {
  readonly buffer: Buffer
  /** Where in `buffer` the header is. */
  at = 0
  /** Where in the file the batch is. */
  position = 0
  /** Bytes of the whole batch. */
  size = 0
  /** The walk ended before the end, at `position`, where no whole batch begins. */
  isDamaged = false
  #file: File | null = null
  #end = 0
  #chunkStart = 0
  #chunkEnd = 0

  /** `buffer` is what chunks are read into: at least a header long. */
  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  /** Begins before the batch at `position`; the walk ends at `end`. */
  start(file: File, position: number, end: number): void {
    this.#file = file
    this.#end = end
    this.#chunkStart = 0
    this.#chunkEnd = 0
    this.position = position
    this.size = 0
    this.isDamaged = false
  }

  next(): boolean {
    const position = this.position + this.size
    const left = this.#end - position
    this.position = position
    this.size = 0
    if (left <= 0) return false
    const needed = Math.min(left, headerBytesMax)
    if (position < this.#chunkStart || position + needed > this.#chunkEnd) this.#read(position, left)
    this.at = position - this.#chunkStart
    const size = this.#chunkEnd - position < needed ? 0 : soundSizeAt(this.buffer, this.at, left)
    this.size = size
    this.isDamaged = size === 0
    return size > 0
  }

  #read(position: number, left: number): void {
    const length = this.#file!.readInto(this.buffer, 0, Math.min(this.buffer.length, left), position)
    this.#chunkStart = position
    this.#chunkEnd = position + length
  }
}
