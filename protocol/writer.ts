const TWO_32 = 4294967296

/** Byte fields of at least this many bytes are taken by reference instead of being copied. */
export const REFERENCE_BYTES_MIN = 16384

/** No message grows beyond this, references apart: a longer one would take the memory of the whole process. */
const OWN_BYTES_MAX = 2 ** 29

/**
 * A growing buffer. Large byte fields are kept by reference, so the result is a list of chunks; those buffers must not
 * change before the chunks are sent.
 *
 *   own bytes        reference      own bytes
 *   [size|header|..] [record data]  [..tail]
 */
export class Writer {
  #buffer: Buffer
  #position = 0
  /** Where the own bytes begin that are not yet in a chunk. */
  #chunkStart = 0
  #chunks: Uint8Array[] | null = null
  #chunkedBytes = 0

  /** `buffer` is where writing begins; it is outgrown, never written past its end. */
  constructor(buffer: Buffer = Buffer.allocUnsafe(256)) {
    this.#buffer = buffer
  }

  /** Bytes written so far, references included. */
  get length(): number {
    return this.#chunkedBytes + this.#position - this.#chunkStart
  }

  #need(length: number): number {
    const at = this.#position
    if (at + length > this.#buffer.length) {
      const own = at - this.#chunkStart
      if (own + length > OWN_BYTES_MAX) throw new RangeError(`a message of more than ${OWN_BYTES_MAX} bytes`)
      const grown = Buffer.allocUnsafe(Math.max(256, (own + length) * 2))
      this.#buffer.copy(grown, 0, this.#chunkStart, at)
      this.#buffer = grown
      this.#chunkStart = 0
      this.#position = own + length
      return own
    }
    this.#position = at + length
    return at
  }

  bool(value: boolean): void {
    const at = this.#need(1)
    this.#buffer[at] = value ? 1 : 0
  }

  int8(value: number): void {
    const at = this.#need(1)
    this.#buffer[at] = value
  }

  int16(value: number): void {
    const at = this.#need(2)
    this.#buffer[at] = value >> 8
    this.#buffer[at + 1] = value
  }

  uint16(value: number): void {
    this.int16(value)
  }

  int32(value: number): void {
    const at = this.#need(4)
    const b = this.#buffer
    b[at] = value >> 24
    b[at + 1] = value >> 16
    b[at + 2] = value >> 8
    b[at + 3] = value
  }

  uint32(value: number): void {
    this.int32(value | 0)
  }

  int64(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`not a safe integer: ${value}`)
    const high = Math.floor(value / TWO_32)
    this.int32(high)
    this.int32((value - high * TWO_32) | 0)
  }

  int64Unbounded(value: number): void {
    if (value === Infinity) {
      this.int32(0x7fffffff)
      this.int32(-1)
    } else {
      this.int64(value)
    }
  }

  float64(value: number): void {
    const at = this.#need(8)
    this.#buffer.writeDoubleBE(value, at)
  }

  unsignedVarint(value: number): void {
    while (value > 0x7f) {
      this.int8((value & 0x7f) | 0x80)
      value >>>= 7
    }
    this.int8(value)
  }

  /** Writes text whose UTF-8 length is known. */
  utf8(value: string, byteLength: number): void {
    const at = this.#need(byteLength)
    this.#buffer.utf8Write(value, at, byteLength)
  }

  uuid(value: string): void {
    if (value.length !== 22) throw new RangeError(`not a uuid: '${value}'`)
    const at = this.#need(16)
    this.#buffer.base64urlWrite(value, at, 16)
  }

  /** Copies short bytes, refers to long ones. */
  bytes(value: Uint8Array): void {
    if (value.length < REFERENCE_BYTES_MIN) {
      const at = this.#need(value.length)
      this.#buffer.set(value, at)
      return
    }
    this.#closeChunk()
    this.#chunks!.push(value)
    this.#chunkedBytes += value.length
  }

  /** What `write` writes to this writer, with its length in front of it as an unsigned varint. */
  sized(write: () => void): void {
    // Most lengths take one byte. Where it stands is counted from the first own byte: the buffer may be outgrown.
    const sizeAt = this.#need(1) - this.#chunkStart
    const start = this.length
    const chunkCount = this.#chunks?.length ?? 0
    write()
    const size = this.length - start
    if (this.#chunks !== null && this.#chunks.length > chunkCount) this.#setSizeOfChunk(chunkCount, sizeAt, size)
    else this.#setSize(sizeAt, size)
  }

  #setSize(sizeAt: number, size: number): void {
    const extra = varintLength(size) - 1
    if (extra > 0) this.#need(extra)
    const buffer = this.#buffer
    const at = this.#chunkStart + sizeAt
    if (extra > 0) buffer.copyWithin(at + 1 + extra, at + 1, at + 1 + size)
    writeUnsignedVarint(buffer, at, size)
  }

  /** The byte for the size is in a chunk that was closed because a reference came after it. */
  #setSizeOfChunk(index: number, sizeAt: number, size: number): void {
    const chunk = this.#chunks![index]!
    const varint = Buffer.allocUnsafe(varintLength(size))
    writeUnsignedVarint(varint, 0, size)
    this.#chunks![index] = Buffer.concat([chunk.subarray(0, sizeAt), varint, chunk.subarray(sizeAt + 1)])
    this.#chunkedBytes += varint.length - 1
  }

  #closeChunk(): void {
    this.#chunks ??= []
    if (this.#position > this.#chunkStart) {
      this.#chunks.push(this.#buffer.subarray(this.#chunkStart, this.#position))
      this.#chunkedBytes += this.#position - this.#chunkStart
      this.#chunkStart = this.#position
    }
  }

  /** Everything written, as chunks in order. Ends the use of this writer. */
  finish(): Uint8Array[] {
    if (this.#chunks === null) return [this.#buffer.subarray(0, this.#position)]
    this.#closeChunk()
    return this.#chunks
  }

  /** Everything written, as one buffer: copies if there were references. */
  toBuffer(): Buffer {
    const chunks = this.finish()
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
  }
}

function varintLength(value: number): number {
  let length = 1
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) length++
  return length
}

/** Returns where it ends: at most five bytes on. */
export function writeUnsignedVarint(target: Uint8Array, at: number, value: number): number {
  while (value > 0x7f) {
    target[at++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  target[at++] = value
  return at
}
