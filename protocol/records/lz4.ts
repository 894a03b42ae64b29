import { copyLiteral, copyMatch, viewOf } from './copy.js'
import { InvalidRecordError } from './error.js'
import { tooLarge } from './inflate-limit.js'
import { xxhash32 } from './xxhash32.js'

/*
 * LZ4 frames, in plain JavaScript, both ways: the limit on what a frame may inflate to holds inside each block, frames
 * with the faults of old clients can be read, and nothing needs to be installed.
 *
 *   magic 04 22 4D 18 | FLG | BD | [content size u64] | header checksum u8
 *   | blocks: size u32 (bit 31: stored plain), data, [checksum u32] | end mark 00000000 | [content checksum u32]
 *
 * As Kafka's reader has it: blocks must be independent, the content checksum is passed over, and what follows the end
 * mark is too.
 */
const frameMagic = 0x184d2204
const independentBlocksFlag = 0x20
const blockChecksumFlag = 0x10
const contentSizeFlag = 0x08
const dictionaryFlag = 0x01
const storedFlag = 0x8000_0000
/** The most that one compressed byte of a block can inflate to. */
const blockRatioMax = 255

function corrupt(what: string): InvalidRecordError {
  return new InvalidRecordError('CORRUPT_MESSAGE', `Invalid lz4 data: ${what}`)
}

function uint32At(source: Uint8Array, at: number): number {
  return (source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24)) >>> 0
}

interface FrameHeader {
  readonly blocksStart: number
  readonly blockBytesMax: number
  readonly hasBlockChecksums: boolean
}

function readFrameHeader(source: Uint8Array, ignoreHeaderChecksum: boolean): FrameHeader {
  if (source.length < 7) throw corrupt('Stream ended prematurely')
  if (uint32At(source, 0) !== frameMagic) throw corrupt('Stream unsupported (invalid magic bytes)')
  const flags = source[4]!
  const blockCode = (source[5]! >> 4) & 7
  if (flags >> 6 !== 1 || (source[5]! & 0x8f) !== 0 || blockCode < 4 || (flags & (dictionaryFlag | 2)) !== 0) {
    throw corrupt('Stream frame descriptor corrupted')
  }
  if ((flags & independentBlocksFlag) === 0) throw corrupt('Dependent block stream is unsupported')
  const checksumAt = flags & contentSizeFlag ? 14 : 6
  if (source.length <= checksumAt) throw corrupt('Stream ended prematurely')
  if (!ignoreHeaderChecksum && ((xxhash32(source, 4, checksumAt) >>> 8) & 0xff) !== source[checksumAt]) {
    throw corrupt('Stream frame descriptor corrupted')
  }
  return {
    blocksStart: checksumAt + 1,
    blockBytesMax: 1 << (8 + 2 * blockCode),
    hasBlockChecksums: (flags & blockChecksumFlag) !== 0,
  }
}

/**
 * Calls `visit` with the bounds of every block, up to the end mark. Block checksums are compared if `verify` says so.
 */
function eachBlock(
  source: Uint8Array,
  header: FrameHeader,
  verify: boolean,
  visit: (start: number, end: number, stored: boolean) => void,
): void {
  let at = header.blocksStart
  for (;;) {
    if (source.length - at < 4) throw corrupt('Stream ended prematurely')
    const word = uint32At(source, at)
    at += 4
    if (word === 0) return
    const stored = word >= storedFlag
    const size = stored ? word - storedFlag : word
    if (size > header.blockBytesMax) throw corrupt(`Block size ${size} exceeded max: ${header.blockBytesMax}`)
    if (size > source.length - at) throw corrupt('Stream ended prematurely')
    visit(at, at + size, stored)
    at += size
    if (header.hasBlockChecksums) {
      if (source.length - at < 4) throw corrupt('Stream ended prematurely')
      if (verify && uint32At(source, at) !== xxhash32(source, at - size, at)) throw corrupt('Block checksum mismatch')
      at += 4
    }
  }
}

/**
 * Inflates one frame into memory that `take` gives for the most that it can become, but for no more than `bytesMax`.
 * Returns how many bytes were written. Throws CORRUPT_MESSAGE, or MESSAGE_TOO_LARGE beyond `bytesMax`.
 * `ignoreHeaderChecksum` is for messages of magic 0, whose writers computed it over the wrong bytes (KAFKA-3160).
 */
export function lz4Inflate(
  source: Uint8Array,
  bytesMax: number,
  ignoreHeaderChecksum: boolean,
  take: (bytes: number) => Uint8Array,
): { target: Uint8Array; length: number } {
  const header = readFrameHeader(source, ignoreHeaderChecksum)
  const { blockBytesMax } = header
  let bound = 0
  eachBlock(source, header, false, (start, end, stored) => {
    bound += stored ? end - start : Math.min(blockBytesMax, (end - start) * blockRatioMax)
  })
  const target = take(Math.min(bound, bytesMax))
  const limit = Math.min(target.length, bytesMax)
  const views: Views = { source: viewOf(source), target: viewOf(target) }
  let length = 0
  eachBlock(source, header, true, (start, end, stored) => {
    if (stored) {
      if (end - start > limit - length) throw tooLarge('lz4', bytesMax)
      target.set(source.subarray(start, end), length)
      length += end - start
      return
    }
    length += inflateBlock(source, start, end, views, length, Math.min(limit, length + blockBytesMax), bytesMax)
  })
  return { target, length }
}

interface Views {
  readonly source: DataView
  readonly target: DataView
}

/** Inflates one block to `target[targetStart, targetEnd)` and returns its plain length. */
function inflateBlock(
  source: Uint8Array,
  start: number,
  end: number,
  views: Views,
  targetStart: number,
  targetEnd: number,
  bytesMax: number,
): number {
  let at = start
  let to = targetStart
  while (at < end) {
    const token = source[at++]!
    let length = token >> 4
    if (length === 15) {
      let byte = 255
      while (byte === 255 && at < end) length += byte = source[at++]!
    }
    if (length > end - at) throw corrupt('literals run over the end of the block')
    if (length > targetEnd - to) throw overrun(targetEnd, bytesMax)
    copyLiteral(views.source, at, views.target, to, length)
    to += length
    at += length
    if (at === end) return to - targetStart
    const distance = source[at]! | (source[at + 1]! << 8)
    at += 2
    length = (token & 15) + 4
    if (length === 19) {
      let byte = 255
      while (byte === 255 && at < end) length += byte = source[at++]!
    }
    if (at >= end || distance === 0 || distance > to - targetStart) throw corrupt('a match points out of the block')
    if (length > targetEnd - to) throw overrun(targetEnd, bytesMax)
    copyMatch(views.target, to, distance, length)
    to += length
  }
  throw corrupt('a block without literals at its end')
}

function overrun(targetEnd: number, bytesMax: number): InvalidRecordError {
  return targetEnd === bytesMax ? tooLarge('lz4', bytesMax) : corrupt('a block is longer than a block may be')
}

const writtenBlockBytes = 64 * 1024
/**
 * Version 1, independent blocks, no checksums; blocks of up to 64 KiB; the checksum of these two. As Kafka writes it.
 */
const writtenHeader = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]

/** The most bytes that `lz4Deflate` writes for `bytes` of plain data. */
export function lz4DeflatedBytesMax(bytes: number): number {
  return writtenHeader.length + bytes + 4 * Math.ceil(bytes / writtenBlockBytes) + 4
}

const hashBits = 13
/** Where four bytes with a hash were seen last, plus one. Only positions of the present block are believed. */
const lastSeen = new Int32Array(1 << hashBits)

/** Deflates `source` to one frame at `target[targetStart...]` and returns its size. */
export function lz4Deflate(source: Uint8Array, target: Uint8Array, targetStart: number): number {
  target.set(writtenHeader, targetStart)
  let to = targetStart + writtenHeader.length
  const views: Views = { source: viewOf(source), target: viewOf(target) }
  lastSeen.fill(0)
  for (let start = 0; start < source.length; start += writtenBlockBytes) {
    const end = Math.min(source.length, start + writtenBlockBytes)
    let size = deflateBlock(source, start, end, target, views, to + 4)
    let word = size
    if (size === 0) {
      size = end - start
      target.set(source.subarray(start, end), to + 4)
      word = size + storedFlag
    }
    for (let byte = 0; byte < 4; byte++) target[to + byte] = word / 2 ** (8 * byte)
    to += 4 + size
  }
  target.fill(0, to, to + 4)
  return to + 4 - targetStart
}

/** Matches may not begin in the last twelve bytes of a block, nor reach into the last five. */
const matchStartMargin = 12
const matchEndMargin = 5

/** Deflates one block greedily and returns its size, or 0 if that would not make it smaller. */
function deflateBlock(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  views: Views,
  targetStart: number,
): number {
  const targetEnd = targetStart + (end - start) - 1
  const lastStart = end - matchStartMargin
  const lastEnd = end - matchEndMargin
  let to = targetStart
  let anchor = start
  let at = start
  let misses = 0
  while (at <= lastStart) {
    const word = views.source.getInt32(at, true)
    const slot = Math.imul(word, 0x9e3779b1) >>> (32 - hashBits)
    const candidate = lastSeen[slot]! - 1
    lastSeen[slot] = at + 1
    if (candidate < start || at - candidate > 0xffff || views.source.getInt32(candidate, true) !== word) {
      at += 1 + (misses++ >> 6)
      continue
    }
    misses = 0
    let matched = at + 4
    for (let from = candidate + 4; matched < lastEnd && source[matched] === source[from]; matched++) from++
    to = writeSequence(views, anchor, at, at - candidate, matched - at, target, to, targetEnd)
    if (to < 0) return 0
    at = matched
    anchor = matched
  }
  to = writeSequence(views, anchor, end, 0, 0, target, to, targetEnd)
  return to < 0 ? 0 : to - targetStart
}

/**
 * Writes the literals `source[anchor, at)` and a match (none if `length` is 0). Returns where it ended, -1 if no room.
 */
function writeSequence(
  views: Views,
  anchor: number,
  at: number,
  distance: number,
  length: number,
  target: Uint8Array,
  targetStart: number,
  targetEnd: number,
): number {
  const literals = at - anchor
  if (targetStart + literals + literals / 255 + length / 255 + 6 > targetEnd) return -1
  let to = targetStart
  const tokenAt = to++
  let token = Math.min(literals, 15) << 4
  if (literals >= 15) to = writeLength(literals - 15, target, to)
  copyLiteral(views.source, anchor, views.target, to, literals)
  to += literals
  if (length > 0) {
    target[to++] = distance
    target[to++] = distance >> 8
    token |= Math.min(length - 4, 15)
    if (length >= 19) to = writeLength(length - 19, target, to)
  }
  target[tokenAt] = token
  return to
}

function writeLength(rest: number, target: Uint8Array, start: number): number {
  let to = start
  for (; rest >= 255; rest -= 255) target[to++] = 255
  target[to++] = rest
  return to
}
