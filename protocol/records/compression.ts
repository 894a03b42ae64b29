import { constants, gunzipSync, gzipSync } from 'node:zlib'
import { InvalidRecordError } from './error.js'
import { tooLarge } from './inflate-limit.js'
import { lz4Deflate, lz4DeflatedBytesMax, lz4Inflate } from './lz4.js'
import { snappyDeflate, snappyDeflatedBytesMax, snappyInflate, snappyInflatedBytes } from './snappy.js'
import {
  isZstdAtHand,
  isZstdLoaded,
  loadZstd,
  loadZstdWhenNeeded,
  zstdDeflate,
  zstdInflate,
  zstdLevelDefault,
  zstdLevelMax,
  zstdLevelMin,
} from './zstd.js'

/** The codecs of batches; the index of a name is the code that a header has for it. */
export const compressionTypes = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type CompressionType = (typeof compressionTypes)[number]

/**
 * What the records of a batch may inflate to, for they are inflated in one piece: more than the largest request may
 * bring uncompressed (`socket.request.max.bytes`). What a leader lets in must be read again, so this is for both.
 */
export const inflatedBytesMaxDefault = 128 * 1024 * 1024

/** The name of a codec by its code in a header; throws UNSUPPORTED_COMPRESSION_TYPE for codes that belong to nobody. */
export function compressionTypeOf(code: number): CompressionType {
  const type = compressionTypes[code]
  if (type !== undefined) return type
  throw new InvalidRecordError('UNSUPPORTED_COMPRESSION_TYPE', `Unknown compression type id: ${code}`)
}

export function compressionCodeOf(type: CompressionType): number {
  return compressionTypes.indexOf(type)
}

/** Whether `compress` and `decompress` can be called for this codec right away. Only zstd has to be loaded. */
export function isCompressionLoaded(type: CompressionType): boolean {
  return type !== 'zstd' || isZstdLoaded()
}

/** Whether `isCompressionLoaded` is true for every codec as soon as it is asked. */
export function areCompressionsAtHand(): boolean {
  return isZstdAtHand()
}

/** Lets codecs be loaded when they are needed, instead of by `loadCompression`: `read` reads a file of a package. */
export function loadCompressionsWhenNeeded(read: (path: string) => Uint8Array): void {
  loadZstdWhenNeeded(read)
}

/** Loads a codec; rejects with a message that names the package to install if it is missing. May be called often. */
export function loadCompression(type: CompressionType): Promise<void> {
  return type === 'zstd' ? loadZstd() : Promise.resolve()
}

/** Memory that is used again and again for what is inflated and deflated; more than this is given back at once. */
const scratchBytesMax = 4 * 1024 * 1024
let scratch = Buffer.alloc(0)

function takeScratch(bytes: number): Buffer {
  if (bytes <= scratch.length) return scratch
  if (bytes > scratchBytesMax) return Buffer.allocUnsafeSlow(bytes)
  let size = 64 * 1024
  while (size < bytes) size *= 2
  scratch = Buffer.allocUnsafeSlow(size)
  return scratch
}

function inflateGzip(source: Uint8Array, bytesMax: number): Buffer {
  // The last four bytes say what the last member inflates to; believed as far as deflate could have made it so small.
  const hint =
    source.length < 18 ? 0 : new DataView(source.buffer, source.byteOffset + source.length - 4).getUint32(0, true)
  const chunkSize = Math.max(64, Math.min(hint + 1, source.length * 1032, bytesMax, scratchBytesMax))
  try {
    const plain = gunzipSync(source, { maxOutputLength: Math.max(1, bytesMax), chunkSize })
    if (plain.length <= bytesMax) return plain
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge('gzip', bytesMax)
    throw new InvalidRecordError('CORRUPT_MESSAGE', `Invalid gzip data: ${(error as Error).message}`)
  }
  throw tooLarge('gzip', bytesMax)
}

function inflateSnappy(source: Uint8Array, bytesMax: number): Buffer {
  const bytes = snappyInflatedBytes(source)
  if (bytes > bytesMax) throw tooLarge('snappy', bytesMax)
  const target = takeScratch(bytes)
  return target.subarray(0, snappyInflate(source, target))
}

function inflateLz4(source: Uint8Array, bytesMax: number, ignoreHeaderChecksum: boolean): Uint8Array {
  const { target, length } = lz4Inflate(source, bytesMax, ignoreHeaderChecksum, takeScratch)
  return target.subarray(0, length)
}

/**
 * As `decompress`, but what it returns may lie in memory that the next call of any function of this module overwrites:
 * for looking at records and forgetting them.
 */
export function decompressTransient(
  type: CompressionType,
  source: Uint8Array,
  bytesMax: number,
  ignoreLz4HeaderChecksum = false,
): Uint8Array {
  switch (type) {
    case 'none':
      return source
    case 'gzip':
      return inflateGzip(source, bytesMax)
    case 'snappy':
      return inflateSnappy(source, bytesMax)
    case 'lz4':
      return inflateLz4(source, bytesMax, ignoreLz4HeaderChecksum)
    case 'zstd':
      return zstdInflate(source, bytesMax)
  }
}

/**
 * Inflates what a batch or a wrapper message holds after its header. Never allocates more than `bytesMax` (and what the
 * codec itself works with). Throws CORRUPT_MESSAGE for bytes that are not the codec's, MESSAGE_TOO_LARGE for more than
 * `bytesMax`, UNSUPPORTED_COMPRESSION_TYPE if the codec has not been loaded.
 */
export function decompress(
  type: CompressionType,
  source: Uint8Array,
  bytesMax: number,
  ignoreLz4HeaderChecksum = false,
): Buffer {
  const plain = decompressTransient(type, source, bytesMax, ignoreLz4HeaderChecksum)
  return plain.buffer === scratch.buffer ? Buffer.from(plain) : asBuffer(plain)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** The levels that a topic may ask for (`compression.gzip.level` and so on), with what they mean if not given. */
export const compressionLevels = {
  gzip: { min: 1, max: 9, default: -1 },
  lz4: { min: 1, max: 17, default: 9 },
  zstd: { min: zstdLevelMin, max: zstdLevelMax, default: zstdLevelDefault },
} as const

function clamp(level: number | undefined, bounds: { min: number; max: number; default: number }): number {
  if (level === undefined || level === bounds.default) return bounds.default
  return Math.max(bounds.min, Math.min(bounds.max, level))
}

/**
 * Deflates `source`; the result is the caller's. `level` is clamped to what the codec knows. LZ4 has one way of
 * deflating here, whatever the level: any level is legal and reads the same, only the size differs. Snappy has none.
 */
export function compress(type: CompressionType, source: Uint8Array, level?: number): Buffer {
  if (source.buffer === scratch.buffer) source = Buffer.from(source)
  switch (type) {
    case 'none':
      return asBuffer(source)
    case 'gzip': {
      const gzipLevel = clamp(level, compressionLevels.gzip)
      return gzipSync(source, { level: gzipLevel === -1 ? constants.Z_DEFAULT_COMPRESSION : gzipLevel })
    }
    case 'snappy': {
      const target = takeScratch(snappyDeflatedBytesMax(source.length))
      return Buffer.from(target.subarray(0, snappyDeflate(source, target, 0)))
    }
    case 'lz4': {
      const target = takeScratch(lz4DeflatedBytesMax(source.length))
      return Buffer.from(target.subarray(0, lz4Deflate(source, target, 0)))
    }
    case 'zstd':
      return asBuffer(zstdDeflate(source, clamp(level, compressionLevels.zstd)))
  }
}
