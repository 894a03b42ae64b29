import { runCrc } from './crc-tables.js'

/*
 * CRC-32C by folding with SIMD, for machines where the native package cannot be loaded.
 *
 * Modulo the polynomial of CRC-32C, x^1672 = x^1152 + x^432 + x^312 + x^112 + 1. All exponents are multiples of 8, so
 * the identity speaks about whole bytes: a byte may be struck out if it is added (xor) to the bytes 65, 155, 170, 195
 * and 209 places further on. Seen from the receiving side:
 *
 *   n[i] = d[i] ^ n[i-65] ^ n[i-155] ^ n[i-170] ^ n[i-195] ^ n[i-209]
 *
 * No tap is nearer than 65 bytes, so 64 bytes are folded per step with four 16 byte vectors. What remains are the last
 * 209 to 272 bytes, which the tables finish. Memory of the module:
 *
 *   [0, 512)          zeros: what stands before the first byte
 *   [512, +65536)     the data, folded in place;  then 288 bytes that `tail` zeroes behind what was folded
 *   [66048, +288)     the remaining bytes with everything folded into them
 */
const dataAt = 512
const chunkBytes = 65536
const tailBytes = 288
const tailAt = dataAt + chunkBytes + tailBytes
const taps = [65, 155, 170, 195, 209]
const farthestTap = 209
/** Loads have unsigned offsets only: the address operand stays this far behind the byte that is meant. */
const behind = 256

const i32 = 0x7f

function unsigned(value: number): number[] {
  const bytes = []
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80)
  bytes.push(value)
  return bytes
}

function signed(value: number): number[] {
  const bytes = []
  for (; value > 0x3f || value < -0x40; value >>= 7) bytes.push((value & 0x7f) | 0x80)
  bytes.push(value & 0x7f)
  return bytes
}

const section = (id: number, ...content: number[]) => [id, ...unsigned(content.length), ...content]
const getLocal = (index: number) => [0x20, index]
const setLocal = (index: number) => [0x21, index]
const constant = (value: number) => [0x41, ...signed(value)]
const load = (offset: number) => [0xfd, 0x00, 0x00, ...unsigned(offset)]
const store = (offset: number) => [0xfd, 0x0b, 0x00, ...unsigned(offset)]
const xor = [0xfd, 0x51]
const zero = [0xfd, 0x0c, ...new Array<number>(16).fill(0)]

/** Pushes `folded byte vector at (local 0 + offset)`: the vector that is on the stack plus the five taps before it. */
const addTaps = (offset: number) => taps.flatMap(tap => [...getLocal(0), ...load(offset - tap), ...xor])

/** fold(at - 256, end - 256): folds 64 bytes a step in place, from `at` up to `end`; `end - at` is a multiple of 64. */
function foldBody(): number[] {
  const code = [0x03, 0x40] // loop
  for (let vector = 0; vector < 64; vector += 16) {
    const offset = behind + vector
    code.push(...getLocal(0), ...getLocal(0), ...load(offset), ...addTaps(offset), ...store(offset))
  }
  code.push(...getLocal(0), ...constant(64), 0x6a, ...setLocal(0)) // at += 64
  code.push(...getLocal(0), ...getLocal(1), 0x49, 0x0d, 0x00, 0x0b) // br_if at < end; end
  return [0x00, ...code, 0x0b]
}

/** tail(at - 256): moves the 288 bytes at `at` to the tail area and folds what stands before `at` into them. */
function tailBody(): number[] {
  const code: number[] = []
  const each = (emit: (vector: number) => number[]) => {
    for (let vector = 0; vector < tailBytes; vector += 16) code.push(...emit(vector))
  }
  each(vector => [...constant(tailAt), ...getLocal(0), ...load(behind + vector), ...store(vector)])
  each(vector => [...getLocal(0), ...zero, ...store(behind + vector)])
  each(vector => [
    ...constant(tailAt),
    ...constant(tailAt),
    ...load(vector),
    ...addTaps(behind + vector),
    ...store(vector),
  ])
  return [0x00, ...code, 0x0b]
}

function moduleBytes(): Uint8Array {
  const ascii = (text: string) => [text.length, ...Buffer.from(text)]
  const bodies = [foldBody(), tailBody()].flatMap(body => [...unsigned(body.length), ...body])
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, 2, 0x60, 2, i32, i32, 0, 0x60, 1, i32, 0), // types: (i32, i32) -> (), (i32) -> ()
    ...section(3, 2, 0, 1),
    ...section(5, 1, 0x00, 2), // memory of two pages of 64 KiB
    ...section(7, 3, ...ascii('memory'), 0x02, 0, ...ascii('fold'), 0x00, 0, ...ascii('tail'), 0x00, 1),
    ...section(10, 2, ...bodies),
  ])
}

/** The part of the WebAssembly API that is used here; its types are not among those of Node. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: FoldExports }
}

interface FoldExports {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly fold: (at: number, end: number) => void
  readonly tail: (at: number) => void
}

/** Runs the raw register of a CRC over `buffer[start, end)`, as `runCrc` does. */
export type CrcRunner = (register: number, buffer: Uint8Array, start: number, end: number) => number

/**
 * Compiles the fold; `tables` are those of CRC-32C and serve the ends. Throws where the engine has no WebAssembly or no
 * SIMD.
 */
export function makeFoldedCrc(tables: Int32Array): CrcRunner {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly
  const { memory, fold, tail } = new Instance(new Module(moduleBytes())).exports
  const bytes = new Uint8Array(memory.buffer)
  return (register, buffer, start, end) => {
    let crc = register
    let at = start
    while (end - at > 2 * farthestTap) {
      const length = Math.min(end - at, chunkBytes)
      bytes.set(buffer.subarray(at, at + length), dataAt)
      for (let byte = 0; byte < 4; byte++) bytes[dataAt + byte] = bytes[dataAt + byte]! ^ (crc >>> (8 * byte))
      const folded = Math.floor((length - farthestTap) / 64) * 64
      fold(dataAt - behind, dataAt - behind + folded)
      tail(dataAt - behind + folded)
      crc = runCrc(tables, 0, bytes, tailAt, tailAt + length - folded)
      at += length
    }
    return runCrc(tables, crc, buffer, at, end)
  }
}
