import { createRequire } from 'node:module'
import { makeCrcTables, runCrc } from './crc-tables.js'
import { makeFoldedCrc } from './crc32c-wasm.js'

/** Computes the CRC-32C of `buffer[start, end)` as an unsigned 32 bit number. */
export type Crc32c = (buffer: Uint8Array, start: number, end: number) => number

export interface Crc32cImplementation {
  readonly name: 'native' | 'wasm' | 'tables'
  readonly crc32c: Crc32c
}

const tables = makeCrcTables(0x82f63b78)

/** Below this many bytes a call into native code costs more than the tables do. */
const nativeBytesMin = 256
/** From here on folding is faster than native code, the more so the more there is (test/bench/micro/crc32c.ts). */
const foldedBytesMin = 4096

const byTables: Crc32c = (buffer, start, end) => ~runCrc(tables, -1, buffer, start, end) >>> 0

interface NativeCrc {
  crc32c(input: Uint8Array, previous?: number): number
}

/** Of the packages that `@node-rs/crc32` picks from, those for the most usual platforms: one is installed. */
const builds = ['linux-x64-gnu', 'linux-arm64-gnu', 'darwin-arm64', 'darwin-x64', 'win32-x64-msvc']

function loadNative(): NativeCrc {
  const require = createRequire(import.meta.url)
  for (const build of builds) {
    try {
      // At once, without the search that the package makes at every start.
      return require(`@node-rs/crc32-${build}`) as NativeCrc
    } catch {
      // Not for this platform.
    }
  }
  return require('@node-rs/crc32') as NativeCrc
}

function native(): Crc32cImplementation {
  const { crc32c: compute } = loadNative()
  const probe = Buffer.from('123456789')
  if (compute(probe) !== 0xe3069283) throw new Error('@node-rs/crc32 does not compute CRC-32C')
  return {
    name: 'native',
    crc32c: (buffer, start, end) => {
      if (end - start < nativeBytesMin) return ~runCrc(tables, -1, buffer, start, end) >>> 0
      return compute(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end))
    },
  }
}

function wasm(): Crc32cImplementation {
  const run = makeFoldedCrc(tables)
  return { name: 'wasm', crc32c: (buffer, start, end) => ~run(-1, buffer, start, end) >>> 0 }
}

/** What folds is made when there is something to fold: a broker without load does without it. */
function withFolding(small: Crc32cImplementation): Crc32cImplementation {
  let large: Crc32c | undefined
  const begin = (): Crc32c => {
    try {
      return wasm().crc32c
    } catch {
      return small.crc32c
    }
  }
  return {
    name: small.name,
    crc32c: (buffer, start, end) => {
      if (end - start < foldedBytesMin) return small.crc32c(buffer, start, end)
      large ??= begin()
      return large(buffer, start, end)
    },
  }
}

const pure: Crc32cImplementation = { name: 'tables', crc32c: byTables }

/** Every implementation that works here, the fastest first; the last one, plain JavaScript, always does. */
export function crc32cImplementations(): Crc32cImplementation[] {
  const working = []
  for (const make of [native, wasm]) {
    try {
      working.push(make())
    } catch {
      // Not installed for this platform, or the engine lacks the feature: the next one does the same work.
    }
  }
  return [...working, pure]
}

function fastest(): Crc32cImplementation {
  for (const make of [() => withFolding(native()), wasm]) {
    try {
      return make()
    } catch {
      // See above.
    }
  }
  return pure
}

const chosen = fastest()

/** Which implementation `crc32c` is, for what is not large. */
export const crc32cName: Crc32cImplementation['name'] = chosen.name

/**
 * The CRC-32C (Castagnoli) of `buffer[start, end)`, unsigned: the checksum of a v2 batch, which covers everything after
 * the checksum itself, and of producer snapshots.
 */
export const crc32c: Crc32c = chosen.crc32c
