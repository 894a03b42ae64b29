import { ProtocolError } from './protocol-error.js'

/** How many array elements one message may hold in all, so that a small frame cannot become a large heap. */
export const ELEMENTS_MAX = 2_000_000

/** The longest string of a message, in bytes of UTF-8. */
const STRING_BYTES_MAX = 32767

const TWO_32 = 4294967296

/**
 * Whether the text between two places of a buffer can be written again. Bytes that are not UTF-8 become U+FFFD, which
 * has three: so a text that fits into its request may not fit into an answer or a record.
 */
export function isSoundText(buffer: Buffer, start: number, end: number): boolean {
  if (3 * (end - start) <= STRING_BYTES_MAX) return true
  return Buffer.byteLength(buffer.utf8Slice(start, end)) <= STRING_BYTES_MAX
}

/** The text between two places of a buffer; ProtocolError if it could not be written again. */
export function textAt(buffer: Buffer, start: number, end: number): string {
  if (!isSoundText(buffer, start, end)) throw new ProtocolError(`a string of ${end - start} bytes is not UTF-8`)
  return buffer.utf8Slice(start, end)
}

/**
 * A bounds-checked cursor over a message. Sizes and counts are believed only as far as the bytes go; every failure is a
 * ProtocolError. Byte fields are views into the buffer.
 */
export class Reader {
  readonly buffer: Buffer
  position: number
  readonly end: number
  #elementsLeft: number

  /** Reads `buffer` from `start` (inclusive) to `end` (exclusive). */
  constructor(buffer: Buffer, start = 0, end = buffer.length, elementsMax = ELEMENTS_MAX) {
    this.buffer = buffer
    this.position = start
    this.end = end
    this.#elementsLeft = elementsMax
  }

  get remaining(): number {
    return this.end - this.position
  }

  /** Moves past `length` bytes and returns where they began. */
  take(length: number): number {
    const at = this.position
    if (length < 0 || length > this.end - at) {
      throw new ProtocolError(`${length} bytes wanted at ${at}, ${this.end - at} left`)
    }
    this.position = at + length
    return at
  }

  bool(): boolean {
    return this.buffer[this.take(1)] !== 0
  }

  int8(): number {
    return (this.buffer[this.take(1)]! << 24) >> 24
  }

  uint8(): number {
    return this.buffer[this.take(1)]!
  }

  int16(): number {
    const at = this.take(2)
    return ((this.buffer[at]! << 24) | (this.buffer[at + 1]! << 16)) >> 16
  }

  uint16(): number {
    const at = this.take(2)
    return (this.buffer[at]! << 8) | this.buffer[at + 1]!
  }

  int32(): number {
    const at = this.take(4)
    const b = this.buffer
    return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!
  }

  uint32(): number {
    return this.int32() >>> 0
  }

  int64(): number {
    const high = this.int32()
    const value = high * TWO_32 + (this.int32() >>> 0)
    if (!Number.isSafeInteger(value)) throw new ProtocolError(`int64 out of range at ${this.position - 8}`)
    return value
  }

  /** As int64, with INT64_MAX as Infinity; anything else past 2^53 counts as unbounded too. */
  int64Unbounded(): number {
    const high = this.int32()
    const value = high * TWO_32 + (this.int32() >>> 0)
    if (Number.isSafeInteger(value)) return value
    if (value > 0) return Infinity
    throw new ProtocolError(`int64 out of range at ${this.position - 8}`)
  }

  /** As int64, but one past 2^53 counts as the safe integer that is next to it. */
  int64Clamped(): number {
    const high = this.int32()
    const value = high * TWO_32 + (this.int32() >>> 0)
    return Math.max(Number.MIN_SAFE_INTEGER, Math.min(value, Number.MAX_SAFE_INTEGER))
  }

  float64(): number {
    return this.buffer.readDoubleBE(this.take(8))
  }

  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.buffer[this.take(1)]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    const last = this.buffer[this.take(1)]!
    if (last > 0x0f) throw new ProtocolError(`unsigned varint longer than 32 bits at ${this.position - 5}`)
    return (value | (last << 28)) >>> 0
  }

  string(length: number): string {
    const at = this.take(length)
    return textAt(this.buffer, at, at + length)
  }

  bytes(length: number): Buffer {
    const at = this.take(length)
    return this.buffer.subarray(at, at + length)
  }

  uuid(): string {
    const at = this.take(16)
    return this.buffer.base64urlSlice(at, at + 16)
  }

  /** Checks a count of array elements, each of at least one byte, against what is left. */
  count(elements: number): number {
    if (elements > this.end - this.position) {
      throw new ProtocolError(`${elements} elements announced at ${this.position}, ${this.remaining} bytes left`)
    }
    this.#elementsLeft -= elements
    if (this.#elementsLeft < 0) throw new ProtocolError('more array elements than one message may hold')
    return elements
  }

  /** The end of the message: bytes left over are an error. */
  finish(): void {
    if (this.position !== this.end) throw new ProtocolError(`${this.remaining} bytes left over after the message`)
  }
}
