import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'
import { InvalidRecordError } from './error.js'
import { tooLarge } from './inflate-limit.js'

/*
 * Zstandard by @bokuweb/zstd-wasm, or by node:zlib where Node has it (22.15 and later); the first inflates faster, the
 * second deflates faster. Neither is trusted with sizes, nor with several frames in a row (node:zlib used to stop after
 * the first): frames are walked here first, which tells where each ends and bounds what it can become.
 *
 *   frame  28 B5 2F FD | descriptor | [window] | [dictionary id] | [content size]
 *          | blocks: u24 (bit 0 last, bits 1-2 type, then size), data | [checksum u32]
 */
const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50
const blockBytesMax = 128 * 1024

export const zstdPackage = '@bokuweb/zstd-wasm'
export const zstdLevelMin = -131072
export const zstdLevelMax = 22
export const zstdLevelDefault = 3

interface WasmZstd {
  init(): Promise<void>
  compress(source: Uint8Array, level: number): Uint8Array
  decompress(source: Uint8Array, options: { defaultHeapSize: number }): Uint8Array
}

interface ZlibWithZstd {
  zstdCompressSync?(source: Uint8Array, options: { params: Record<number, number> }): Uint8Array
  zstdDecompressSync?(source: Uint8Array, options: { maxOutputLength: number }): Uint8Array
  readonly constants: { readonly ZSTD_c_compressionLevel?: number }
}

/** What the package is under its surface, as far as it is needed to start it without a promise. */
interface WasmZstdModule {
  instantiateWasm?: (imports: unknown, received: (instance: object) => unknown) => unknown
  onRuntimeInitialized?: () => void
  init(bytes: Uint8Array): void
}

/** The part of the WebAssembly API that is used here; its types are not among those of Node. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: unknown) => object
}

const builtIn = zlib as unknown as ZlibWithZstd
let wasm: WasmZstd | null = null
let loading: Promise<void> | null = null
let readFile: ((path: string) => Uint8Array) | null = null

/**
 * Lets zstd be loaded when the first batch of it comes, in the middle of whatever is going on, which saves its memory
 * until then: `read` reads a file of a package. Without it, `loadZstd` has to be called before.
 */
export function loadZstdWhenNeeded(read: (path: string) => Uint8Array): void {
  readFile = read
}

/** Whether zstd can be used right away; loads it if that can be done at once. */
export function isZstdLoaded(): boolean {
  return wasm !== null || loadAtOnce() || builtIn.zstdDecompressSync !== undefined
}

/** Whether `isZstdLoaded` would say so, without loading anything. */
export function isZstdAtHand(): boolean {
  return wasm !== null || readFile !== null || builtIn.zstdDecompressSync !== undefined
}

function loadAtOnce(): boolean {
  if (readFile === null) return false
  const read = readFile
  readFile = null
  try {
    const require = createRequire(import.meta.url)
    const found = require(zstdPackage) as WasmZstd
    const sibling = (name: string) => require.resolve(zstdPackage).replace(/[^/\\]+$/, name)
    const { Module } = require(sibling('module.js')) as { Module: WasmZstdModule }
    let isReady = false
    Module.onRuntimeInitialized = () => {
      isReady = true
    }
    const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi }
    const bytes = read(sibling('zstd.wasm'))
    const compiled = new WebAssembly.Module(bytes)
    Module.instantiateWasm = (imports, received) => received(new WebAssembly.Instance(compiled, imports))
    Module.init(bytes)
    if (isReady) wasm = found
  } catch {
    // Not installed, or another version of the package: what is left is said by the error of whoever needs it.
  }
  return wasm !== null
}

async function load(): Promise<void> {
  if (wasm !== null || loadAtOnce()) return
  let found: WasmZstd
  try {
    found = createRequire(import.meta.url)(zstdPackage) as WasmZstd
  } catch (cause) {
    if (builtIn.zstdDecompressSync !== undefined) return
    throw new Error(missingZstd, { cause })
  }
  await found.init()
  wasm = found
}

/** Loads what zstd needs; rejects with a message that names the package if there is nothing. May be called often. */
export function loadZstd(): Promise<void> {
  loading ??= load().catch(error => {
    loading = null
    throw error
  })
  return loading
}

const missingZstd = `zstd needs the package ${zstdPackage} (npm install ${zstdPackage}) or Node 22.15 and later`

function corrupt(what: string): InvalidRecordError {
  return new InvalidRecordError('CORRUPT_MESSAGE', `Invalid zstd data: ${what}`)
}

interface Frame {
  readonly start: number
  readonly end: number
  /** The most plain bytes that it can become. */
  readonly bound: number
  /** Whether its header says how many they are: exactly `bound`. */
  readonly isSizeKnown: boolean
}

function uintAt(source: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > source.length) throw corrupt('a frame is cut')
  let value = 0
  for (let index = 0; index < bytes; index++) value += source[at + index]! * 2 ** (8 * index)
  return value
}

const contentSizeBytes = [0, 2, 4, 8]
const dictionaryIdBytes = [0, 1, 2, 4]

/** Walks the frame at `start`: its blocks are passed over by their sizes, nothing is inflated. */
function walkFrame(source: Uint8Array, start: number): Frame {
  const word = uintAt(source, start, 4)
  if (word - (word % 16) === skippableMagic) {
    const end = start + 8 + uintAt(source, start + 4, 4)
    if (end > source.length) throw corrupt('a skippable frame is cut')
    return { start, end, bound: 0, isSizeKnown: true }
  }
  if (word !== frameMagic) throw corrupt('no frame begins where one should')
  const descriptor = uintAt(source, start + 4, 1)
  if (descriptor & 8) throw corrupt('a reserved bit of the frame header is set')
  const isSingleSegment = (descriptor & 0x20) !== 0
  let at = start + 5
  let window = 0
  if (!isSingleSegment) {
    const code = uintAt(source, at++, 1)
    window = 2 ** (10 + (code >> 3)) * (1 + (code & 7) / 8)
  }
  const idBytes = dictionaryIdBytes[descriptor & 3]!
  if (uintAt(source, at, idBytes) !== 0) throw corrupt('it needs a dictionary')
  at += idBytes
  const sizeBytes = descriptor >> 6 === 0 && isSingleSegment ? 1 : contentSizeBytes[descriptor >> 6]!
  const isSizeKnown = sizeBytes !== 0
  const declared = uintAt(source, at, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
  at += sizeBytes
  const blockMax = Math.min(isSingleSegment ? declared : window, blockBytesMax)
  let bound = 0
  for (let last = false; !last; ) {
    const block = uintAt(source, at, 3)
    const type = (block >> 1) & 3
    const size = block >>> 3
    if (type === 3 || size > blockBytesMax) throw corrupt('a block of an unknown kind or size')
    last = (block & 1) === 1
    bound += type === 2 ? blockMax : size
    at += 3 + (type === 1 ? 1 : size)
  }
  const end = at + (descriptor & 4 ? 4 : 0)
  if (end > source.length) throw corrupt('a frame is cut')
  if (isSizeKnown && declared > bound) throw corrupt('a frame that cannot become as long as it says')
  return { start, end, bound: isSizeKnown ? declared : bound, isSizeKnown }
}

function inflateFrame(source: Uint8Array, frame: Frame, room: number, bytesMax: number): Uint8Array {
  // The package allocates what the header says: nothing may reach it that says too much.
  if (frame.isSizeKnown && frame.bound > room) throw tooLarge('zstd', bytesMax)
  const bytes = source.subarray(frame.start, frame.end)
  const target = Math.min(frame.bound, room)
  try {
    if (wasm !== null) return wasm.decompress(bytes, { defaultHeapSize: Math.max(target, 1) })
    return builtIn.zstdDecompressSync!(bytes, { maxOutputLength: Math.max(target, 1) })
  } catch (error) {
    if (frame.bound > room) throw tooLarge('zstd', bytesMax)
    throw corrupt(error instanceof Error ? error.message : String(error))
  }
}

/**
 * Inflates all frames of `source`, one after the other; the result is the caller's. Throws CORRUPT_MESSAGE, or
 * MESSAGE_TOO_LARGE beyond `bytesMax`.
 */
export function zstdInflate(source: Uint8Array, bytesMax: number): Uint8Array {
  if (!isZstdLoaded()) throw new InvalidRecordError('UNSUPPORTED_COMPRESSION_TYPE', missingZstd)
  const parts: Uint8Array[] = []
  let length = 0
  for (let at = 0; at < source.length; ) {
    const frame = walkFrame(source, at)
    at = frame.end
    if (frame.bound === 0) continue
    const part = inflateFrame(source, frame, bytesMax - length, bytesMax)
    length += part.length
    if (length > bytesMax) throw tooLarge('zstd', bytesMax)
    parts.push(part)
  }
  const [only] = parts
  return only !== undefined && parts.length === 1 ? only : Buffer.concat(parts, length)
}

/** Deflates `source` to one frame. `level` is from -131072 (fastest) to 22 (smallest). */
export function zstdDeflate(source: Uint8Array, level: number): Uint8Array {
  if (!isZstdLoaded()) throw new InvalidRecordError('UNSUPPORTED_COMPRESSION_TYPE', missingZstd)
  const parameter = builtIn.constants.ZSTD_c_compressionLevel
  if (builtIn.zstdCompressSync !== undefined && parameter !== undefined) {
    return builtIn.zstdCompressSync(source, { params: { [parameter]: level } })
  }
  return wasm!.compress(source, level)
}
