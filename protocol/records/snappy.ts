import { copyLiteral, copyMatch, viewOf } from './copy.js'
import { InvalidRecordError } from './error.js'

/*
 * Snappy, in plain JavaScript, both ways: blocks are small, so that calls into native code and their fresh outputs cost
 * more than they save, and nothing needs to be installed.
 *
 * On the wire it is the stream of the Java library ("xerial"): a header, then blocks of at most 32 KiB of plain data.
 *
 *   header  82 "SNAPPY" 00 | version i32 = 1 | compatible version i32 = 1
 *   block   length i32 | raw snappy: plain length (unsigned varint), then literals and copies
 *
 * Other clients send one raw block without header; both are read. Streams may stand one after the other.
 */
const streamMagic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]
const streamHeaderBytes = 16
const streamVersion = 1
/** Plain bytes of a block that we write, as the Java library does. */
const blockPlainBytes = 32 * 1024

function corrupt(what: string): InvalidRecordError {
  return new InvalidRecordError('CORRUPT_MESSAGE', `Invalid snappy data: ${what}`)
}

function isStream(source: Uint8Array, at: number): boolean {
  if (source.length - at < streamHeaderBytes) return false
  for (let index = 0; index < streamMagic.length; index++) if (source[at + index] !== streamMagic[index]) return false
  return true
}

function int32At(source: Uint8Array, at: number): number {
  return (source[at]! << 24) | (source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!
}

/** Calls `visit` with the bounds of each raw block of a stream, or of the only one; returns the sum of the results. */
function eachBlock(source: Uint8Array, visit: (start: number, end: number, sum: number) => number): number {
  if (source.length === 0) throw corrupt('it is empty')
  if (!isStream(source, 0)) return visit(0, source.length, 0)
  let at = 0
  let sum = 0
  while (at < source.length) {
    if (isStream(source, at)) {
      const compatible = int32At(source, at + 12)
      if (compatible > streamVersion) throw corrupt(`the stream needs version ${compatible}`)
      at += streamHeaderBytes
      continue
    }
    if (source.length - at < 4) throw corrupt('a block is cut')
    const length = int32At(source, at)
    at += 4
    if (length < 0 || length > source.length - at)
      throw corrupt(`a block of ${length} bytes of which ${source.length - at} are there`)
    sum += visit(at, at + length, sum)
    at += length
  }
  return sum
}

/** The plain length that a raw block declares. */
function declaredLength(source: Uint8Array, start: number, end: number): number {
  let value = 0
  let scale = 1
  for (let at = start; at < end && at < start + 5; at++) {
    const byte = source[at]!
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return value
    scale *= 0x80
  }
  throw corrupt('a length that does not end')
}

/** How many bytes snappy data says it inflates to; nothing is inflated. */
export function snappyInflatedBytes(source: Uint8Array): number {
  return eachBlock(source, (start, end) => declaredLength(source, start, end))
}

/**
 * Inflates snappy data (a stream or one raw block) into `target`, which must have room for `snappyInflatedBytes` of it.
 * Returns how many bytes it wrote. Throws CORRUPT_MESSAGE if a block is not what it says it is.
 */
export function snappyInflate(source: Uint8Array, target: Uint8Array): number {
  const views: Views = { source: viewOf(source), target: viewOf(target) }
  return eachBlock(source, (start, end, sum) => inflateBlock(source, start, end, views, sum))
}

interface Views {
  readonly source: DataView
  readonly target: DataView
}

/** Inflates one raw block to `target[targetStart...]` and returns its plain length. */
function inflateBlock(source: Uint8Array, start: number, end: number, views: Views, targetStart: number): number {
  const plain = declaredLength(source, start, end)
  const targetEnd = targetStart + plain
  if (targetEnd > views.target.byteLength) throw corrupt('it is longer than it says')
  let at = start + 1
  while (source[at - 1]! > 0x7f) at++
  let to = targetStart
  while (at < end) {
    const tag = source[at++]!
    let length = (tag >> 2) + 1
    if ((tag & 3) === 0) {
      if (length > 60) {
        const bytes = length - 60
        if (at + bytes > end) throw corrupt('a literal is cut')
        length = 1
        for (let index = 0; index < bytes; index++) length += source[at + index]! * 2 ** (8 * index)
        at += bytes
      }
      if (length > end - at || length > targetEnd - to) throw corrupt('a literal runs over the end')
      copyLiteral(views.source, at, views.target, to, length)
      to += length
      at += length
      continue
    }
    let distance = 0
    if ((tag & 3) === 1) {
      length = ((tag >> 2) & 7) + 4
      distance = ((tag >> 5) << 8) | source[at]!
      at += 1
    } else if ((tag & 3) === 2) {
      distance = source[at]! | (source[at + 1]! << 8)
      at += 2
    } else {
      distance = (source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24)) >>> 0
      at += 4
    }
    if (at > end || distance === 0 || distance > to - targetStart || length > targetEnd - to) {
      throw corrupt('a copy points out of the block')
    }
    copyMatch(views.target, to, distance, length)
    to += length
  }
  if (to !== targetEnd) throw corrupt('it is shorter than it says')
  return plain
}

/** The most bytes that `snappyDeflate` writes for `bytes` of plain data. */
export function snappyDeflatedBytesMax(bytes: number): number {
  const blocks = Math.max(1, Math.ceil(bytes / blockPlainBytes))
  return streamHeaderBytes + blocks * 36 + bytes + Math.ceil(bytes / 6)
}

const hashBits = 12
/** Where four bytes with a hash were seen last, plus one. Only positions of the present block are believed. */
const lastSeen = new Int32Array(1 << hashBits)

/** Deflates `source` to a stream at `target[targetStart...]` and returns its size. */
export function snappyDeflate(source: Uint8Array, target: Uint8Array, targetStart: number): number {
  target.set(streamMagic, targetStart)
  let to = targetStart + streamMagic.length
  for (let version = 0; version < 2; version++, to += 4) writeInt32(target, to, streamVersion)
  const views: Views = { source: viewOf(source), target: viewOf(target) }
  lastSeen.fill(0)
  for (let start = 0; start < source.length; start += blockPlainBytes) {
    const end = Math.min(source.length, start + blockPlainBytes)
    const size = deflateBlock(source, start, end, target, views, to + 4)
    writeInt32(target, to, size)
    to += 4 + size
  }
  return to - targetStart
}

function writeInt32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >> 24
  target[at + 1] = value >> 16
  target[at + 2] = value >> 8
  target[at + 3] = value
}

/** Deflates one block greedily and returns its size. */
function deflateBlock(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  views: Views,
  targetStart: number,
): number {
  let to = targetStart
  let length = end - start
  for (; length > 0x7f; length >>>= 7) target[to++] = length | 0x80
  target[to++] = length
  let anchor = start
  let at = start
  let misses = 0
  while (at <= end - 4) {
    const word = views.source.getInt32(at, true)
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - hashBits)
    const from = lastSeen[slot]! - 1
    lastSeen[slot] = at + 1
    if (from < start || views.source.getInt32(from, true) !== word) {
      at += 1 + (misses++ >> 5)
      continue
    }
    misses = 0
    to = writeLiteral(views, anchor, at, target, to)
    const distance = at - from
    at += 4
    while (at < end && source[at] === source[at - distance]) at++
    to = writeCopies(distance, at - distance - from, target, to)
    anchor = at
  }
  return writeLiteral(views, anchor, end, target, to) - targetStart
}

function writeLiteral(views: Views, start: number, end: number, target: Uint8Array, targetStart: number): number {
  if (start === end) return targetStart
  let to = targetStart
  const rest = end - start - 1
  if (rest < 60) target[to++] = rest << 2
  else if (rest < 0x100) {
    target[to++] = 60 << 2
    target[to++] = rest
  } else {
    target[to++] = 61 << 2
    target[to++] = rest
    target[to++] = rest >> 8
  }
  copyLiteral(views.source, start, views.target, to, rest + 1)
  return to + rest + 1
}

/** A copy takes at most 64 bytes, and at least 4 in its short form, so that the last two share what is left. */
function writeCopies(distance: number, length: number, target: Uint8Array, targetStart: number): number {
  let to = targetStart
  let left = length
  while (left >= 68) {
    to = writeCopy(distance, 64, target, to)
    left -= 64
  }
  if (left > 64) {
    to = writeCopy(distance, 60, target, to)
    left -= 60
  }
  return writeCopy(distance, left, target, to)
}

function writeCopy(distance: number, length: number, target: Uint8Array, to: number): number {
  if (length < 12 && distance < 2048) {
    target[to] = 1 | ((length - 4) << 2) | ((distance >> 8) << 5)
    target[to + 1] = distance
    return to + 2
  }
  target[to] = 2 | ((length - 1) << 2)
  target[to + 1] = distance
  target[to + 2] = distance >> 8
  return to + 3
}
