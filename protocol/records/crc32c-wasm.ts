import { runCrc } from './crc-tables.js'

/*
 * CRC-32C by folding with SIMD.
 *
 * A checksum is a remainder, and modulo the polynomial of CRC-32C there are sparse identities, as
 * x^5275 = x^4508 + x^2751 + 1. Squared three times, an identity of bits is one of bytes: a byte may be struck out if
 * it is added (xor) to the bytes 767, 2524 and 5275 places further on. Seen from the receiving side:
 *
 *   n[i] = d[i] ^ n[i-767] ^ n[i-2524] ^ n[i-5275]
 *
 * So sixteen bytes cost four loads, three xor and a store. What cannot be struck out that way are the last 5275 bytes:
 * they are folded once more by an identity with more and nearer taps, and the tables finish the last 290 to 353.
 *
 * None has fewer than three taps (x + 1 divides the polynomial, so all have an even number of terms, and two terms are
 * 2^31 - 1 bits apart), and none with three is shorter: up to there CRC-32C finds every error of four bits. The near
 * taps are no nearer than 150 bytes, because reading what has only just been written is slow.
 *
 * Memory of the module, which is folded in place:
 *
 *   0         512                    11.4 KiB                       41.5 KiB
 *   | the end | near: zeros, then    | far: zeros or what was       |
 *   |         | up to 10 KiB of data | before, then 24 KiB of data  |
 */

interface Level {
  /** How far behind a byte the bytes are that are added to it, the nearest first. */
  readonly taps: readonly number[]
  /** Bytes that the taps reach, in whole vectors: zeros, or what was folded before, stand in front of the data. */
  readonly reach: number
  /** Where the data begins. */
  readonly dataAt: number
}

const near: Level = { taps: [154, 177, 183, 258, 290], reach: 304, dataAt: 1024 }
const far: Level = { taps: [767, 2524, 5275], reach: 5280, dataAt: 17600 }

const endAt = 0
const stepBytes = 64
/** What the far level takes at once: with what stands before it, it fits into a first-level cache. */
const chunkBytes = 24576
/** Up to here the near level alone is faster. */
const nearBytesMax = 10240
/** Below this, folding takes longer than it saves. */
const tableBytesMax = 512

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
const advance = (index: number, by: number) => [...getLocal(index), ...constant(by), 0x6a, ...setLocal(index)]
/** Ends the loop around it unless local `index` is below local `limit`. */
const whileBelow = (index: number, limit: number) => [...getLocal(index), ...getLocal(limit), 0x49, 0x0d, 0x00]
const loop = (...code: number[]) => [0x03, 0x40, ...code, 0x0b]
const body = (...code: number[]) => [0x00, ...code, 0x0b]

/** Pushes the vector at `local 0 + reach + offset` plus its taps: loads cannot look back, so local 0 is behind. */
const folded = ({ taps, reach }: Level, offset: number) => [
  ...[...getLocal(0), ...load(reach + offset)],
  ...taps.flatMap(tap => [...getLocal(0), ...load(reach + offset - tap), ...xor]),
]

/** fold(at - reach, end - reach): folds in place from `at` up to `end`, which are a multiple of 64 bytes apart. */
function foldBody(level: Level): number[] {
  const step = []
  for (let at = 0; at < stepBytes; at += 16) {
    step.push(...getLocal(0), ...folded(level, at), ...store(level.reach + at))
  }
  return body(...loop(...step, ...advance(0, stepBytes), ...whileBelow(0, 1)))
}

/**
 * tail(at - reach, to, toEnd): moves the vectors from `at` on to `[to, toEnd)`, with what stands before `at` folded in.
 * Leaves zeros, so that none of what was moved is folded into what comes after it.
 */
function tailBody(level: Level): number[] {
  return body(
    ...loop(
      ...[...getLocal(1), ...folded(level, 0), ...store(0)],
      ...[...getLocal(0), ...zero, ...store(level.reach)],
      ...[...advance(0, 16), ...advance(1, 16), ...whileBelow(1, 2)],
    ),
  )
}

function moduleBytes(): Uint8Array {
  const ascii = (text: string) => [text.length, ...Buffer.from(text)]
  const names = ['foldNear', 'tailNear', 'foldFar', 'tailFar']
  const functions = names.flatMap((name, index) => [...ascii(name), 0x00, index])
  const bodies = [near, far].flatMap(level => [foldBody(level), tailBody(level)])
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, 2, ...[0x60, 2, i32, i32, 0], ...[0x60, 3, i32, i32, i32, 0]), // types: of fold, of tail
    ...section(3, 4, 0, 1, 0, 1),
    ...section(5, 1, 0x00, 1), // memory of a page of 64 KiB
    ...section(7, 5, ...ascii('memory'), 0x02, 0, ...functions),
    ...section(10, 4, ...bodies.flatMap(code => [...unsigned(code.length), ...code])),
  ])
}

/** The part of the WebAssembly API that is used here; its types are not among those of Node. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: FoldExports }
}

type Fold = (at: number, end: number) => void
type Tail = (at: number, to: number, toEnd: number) => void

interface FoldExports {
  readonly memory: { readonly buffer: ArrayBuffer }
  readonly foldNear: Fold
  readonly tailNear: Tail
  readonly foldFar: Fold
  readonly tailFar: Tail
}

/** Runs the raw register of a CRC over `buffer[start, end)`, as `runCrc` does. */
export type CrcRunner = (register: number, buffer: Uint8Array, start: number, end: number) => number

const wholeSteps = (bytes: number) => bytes - (bytes % stepBytes)

/**
 * Compiles the folds; `tables` are those of CRC-32C and serve the end. Throws where the engine has no WebAssembly or no
 * SIMD.
 */
export function makeFoldedCrc(tables: Int32Array): CrcRunner {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly
  const { memory, foldNear, tailNear, foldFar, tailFar } = new Instance(new Module(moduleBytes())).exports
  const bytes = new Uint8Array(memory.buffer)

  /** Folds `length` bytes of a level, and moves those that remain to `to`; returns how many they are. */
  const reduce = (level: Level, fold: Fold, tail: Tail, length: number, to: number): number => {
    const count = wholeSteps(length - level.taps.at(-1)!)
    const at = level.dataAt - level.reach
    fold(at, at + count)
    tail(at + count, to, to + length - count)
    return length - count
  }

  const finish = (length: number): number =>
    runCrc(tables, 0, bytes, endAt, endAt + reduce(near, foldNear, tailNear, length, endAt))

  const put = (register: number, buffer: Uint8Array, start: number, end: number, to: number): void => {
    bytes.set(buffer.subarray(start, end), to)
    for (let byte = 0; byte < 4; byte++) bytes[to + byte] = bytes[to + byte]! ^ (register >>> (8 * byte))
  }

  return (register, buffer, start, end) => {
    if (end - start < tableBytesMax) return runCrc(tables, register, buffer, start, end)
    if (end - start <= nearBytesMax) {
      put(register, buffer, start, end, near.dataAt)
      return finish(end - start)
    }
    let before = register
    let at = start
    const { dataAt, reach } = far
    bytes.fill(0, dataAt - reach, dataAt)
    while (end - at > chunkBytes) {
      // What remains has a step to fold, too.
      const count = Math.min(chunkBytes, wholeSteps(end - at - reach - stepBytes))
      put(before, buffer, at, at + count, dataAt)
      before = 0
      foldFar(dataAt - reach, dataAt - reach + count)
      bytes.copyWithin(dataAt - reach, dataAt + count - reach, dataAt + count)
      at += count
    }
    put(before, buffer, at, end, dataAt)
    return finish(reduce(far, foldFar, tailFar, end - at, near.dataAt))
  }
}
