import { InvalidRecordError } from './error.js'

/*
 * One record of a v2 batch, as it lies among its neighbours (varints are zigzag, varlong is the 64 bit kind):
 *
 *   length varint (bytes after it) | attributes i8 | timestampDelta varlong | offsetDelta varint
 *   | keyLength varint (-1 null) | key | valueLength varint (-1 null) | value | headersCount varint | headers
 *   header: keyLength varint | key (UTF-8) | valueLength varint (-1 null) | value
 *
 * `readRecord` parses and checks one record into a cursor that the caller owns: no allocation per record, whatever is
 * done with it. Reading, validation, recompression and compaction all stand on it.
 */

/**
 * Where a reader of records is, and what the record that it read last is made of. Positions are indexes of `buffer`.
 */
export interface RecordCursor {
  buffer: Uint8Array
  /** Where the next record begins. */
  position: number
  /** Where the records end. */
  end: number
  /** Where the record that was read last begins, with its length, and where what the length counts begins. */
  start: number
  bodyStart: number
  /** Milliseconds after the base timestamp of the batch; exact up to 2^53. */
  timestampDelta: number
  offsetDelta: number
  /** Where the length of the key begins: from there to the end of the record nothing depends on the batch. */
  contentStart: number
  keyStart: number
  /** -1 is a null key. */
  keyLength: number
  valueStart: number
  /** -1 is a null value. */
  valueLength: number
  /** Where the headers begin, after their count. They end where the next record begins. */
  headersStart: number
  headersCount: number
}

/** A cursor before the first record of `buffer[start, end)`. */
export function recordCursor(buffer: Uint8Array, start: number, end: number): RecordCursor {
  return {
    buffer,
    position: start,
    end,
    start,
    bodyStart: start,
    timestampDelta: 0,
    offsetDelta: 0,
    contentStart: start,
    keyStart: start,
    keyLength: -1,
    valueStart: start,
    valueLength: -1,
    headersStart: start,
    headersCount: 0,
  }
}

/** Sets a cursor that was used elsewhere before the first record of `buffer[start, end)`. */
export function resetCursor(cursor: RecordCursor, buffer: Uint8Array, start: number, end: number): void {
  cursor.buffer = buffer
  cursor.position = start
  cursor.end = end
}

/** Where the varint ended that `readVarint` or `readVarlong` read last. */
let after = 0

function invalid(message: string): InvalidRecordError {
  return new InvalidRecordError('INVALID_RECORD', message)
}

function prematureEnd(): InvalidRecordError {
  return invalid('Incorrect declared batch size, premature EOF reached')
}

function invalidStructure(): InvalidRecordError {
  return invalid('Found invalid record structure')
}

/** A zigzag varint of up to five bytes. Bytes past the end of the buffer are caught by what comes after. */
function readVarint(buffer: Uint8Array, start: number): number {
  let at = start
  let byte = buffer[at++]!
  let value = byte & 0x7f
  if (byte > 0x7f) {
    byte = buffer[at++]!
    value |= (byte & 0x7f) << 7
  }
  for (let shift = 14; byte > 0x7f; shift += 7) {
    if (shift > 28) throw invalidStructure()
    byte = buffer[at++]!
    value |= (byte & 0x7f) << shift
  }
  after = at
  return (value >>> 1) ^ -(value & 1)
}

/** A zigzag varlong of up to ten bytes as a number: exact between -2^53 and 2^53, rounded beyond. */
function readVarlong(buffer: Uint8Array, start: number): number {
  let at = start
  let byte = buffer[at++]!
  let low = byte & 0x7f
  for (let shift = 7; byte > 0x7f && shift < 28; shift += 7) {
    byte = buffer[at++]!
    low |= (byte & 0x7f) << shift
  }
  if (byte <= 0x7f) {
    after = at
    return (low >>> 1) ^ -(low & 1)
  }
  let raw = low
  let scale = 0x1000_0000
  for (let bytes = 4; byte > 0x7f; bytes++) {
    if (bytes === 10) throw invalidStructure()
    byte = buffer[at++]!
    // Of the tenth byte only one bit has a place in 64.
    raw += (bytes === 9 ? byte & 1 : byte & 0x7f) * scale
    scale *= 0x80
  }
  after = at
  return low & 1 ? -((raw + 1) / 2) : raw / 2
}

/**
 * Reads the record at `cursor.position` and steps behind it. Throws INVALID_RECORD if it is not well formed or does not
 * end where its length says; texts are those of Kafka's DefaultRecord.
 */
export function readRecord(cursor: RecordCursor): void {
  const buffer = cursor.buffer
  const end = cursor.end
  let at = cursor.position
  if (at >= end) throw prematureEnd()
  cursor.start = at
  const length = readVarint(buffer, at)
  at = after
  if (length > end - at) throw tooLong(length, end - at)
  const bodyStart = at
  cursor.bodyStart = at
  at++ // attributes, of which no bit has a meaning
  let byte = buffer[at]!
  if (byte > 0x7f) {
    cursor.timestampDelta = readVarlong(buffer, at)
    at = after
  } else {
    cursor.timestampDelta = (byte >>> 1) ^ -(byte & 1)
    at++
  }
  byte = buffer[at]!
  if (byte > 0x7f) {
    cursor.offsetDelta = readVarint(buffer, at)
    at = after
  } else {
    cursor.offsetDelta = (byte >>> 1) ^ -(byte & 1)
    at++
  }
  cursor.contentStart = at
  byte = buffer[at]!
  let size = 0
  if (byte > 0x7f) {
    size = readVarint(buffer, at)
    at = after
  } else {
    size = (byte >>> 1) ^ -(byte & 1)
    at++
  }
  cursor.keyStart = at
  cursor.keyLength = size
  if (size > 0) at += size
  if (at >= end) throw invalidStructure()
  byte = buffer[at]!
  if (byte > 0x7f) {
    size = readVarint(buffer, at)
    at = after
  } else {
    size = (byte >>> 1) ^ -(byte & 1)
    at++
  }
  cursor.valueStart = at
  cursor.valueLength = size
  if (size > 0) at += size
  if (at >= end) throw invalidStructure()
  byte = buffer[at]!
  if (byte === 0) {
    at++
    cursor.headersStart = at
    cursor.headersCount = 0
  } else {
    at = skipHeaders(cursor, at)
  }
  cursor.position = at
  if (at - bodyStart !== length || at > end) throw wrongLength(length, at - bodyStart)
}

function tooLong(length: number, left: number): InvalidRecordError {
  const expected = `Invalid record size: expected ${length} bytes in record payload`
  return invalid(`${expected}, but instead the buffer has only ${left} remaining bytes.`)
}

function wrongLength(length: number, read: number): InvalidRecordError {
  return invalid(`Invalid record size: expected to read ${length} bytes in record payload, but instead read ${read}`)
}

/** Checks the headers whose count is at `start` and returns where they end. */
function skipHeaders(cursor: RecordCursor, start: number): number {
  const { buffer, end } = cursor
  const count = readVarint(buffer, start)
  let at = after
  if (count < 0) throw invalid(`Found invalid number of record headers ${count}`)
  if (count > end - at) {
    throw invalid(`Found invalid number of record headers. ${count} is larger than the remaining size of the buffer`)
  }
  cursor.headersStart = at
  cursor.headersCount = count
  for (let index = 0; index < count; index++) {
    const keyLength = readVarint(buffer, at)
    if (keyLength < 0) throw invalid(`Invalid negative header key size ${keyLength}`)
    at = after + keyLength
    if (at >= end) throw invalidStructure()
    const valueLength = readVarint(buffer, at)
    at = valueLength > 0 ? after + valueLength : after
    if (at > end) throw invalidStructure()
  }
  return at
}

/** A header of a record: an application's own name and value. */
export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

/** The headers of the record that the cursor read last; values are views of its buffer. */
export function recordHeaders(cursor: RecordCursor): RecordHeader[] {
  const { buffer, headersCount } = cursor
  const headers: RecordHeader[] = []
  let at = cursor.headersStart
  for (let index = 0; index < headersCount; index++) {
    const keyLength = readVarint(buffer, at)
    const keyStart = after
    at = keyStart + keyLength
    const key = Buffer.from(buffer.buffer, buffer.byteOffset + keyStart, keyLength).toString('utf8')
    const valueLength = readVarint(buffer, at)
    headers.push({ key, value: valueLength < 0 ? null : buffer.subarray(after, after + valueLength) })
    at = valueLength > 0 ? after + valueLength : after
  }
  return headers
}

/** The key of the record that the cursor read last, as a view of its buffer. */
export function recordKey(cursor: RecordCursor): Uint8Array | null {
  const { keyStart, keyLength } = cursor
  return keyLength < 0 ? null : cursor.buffer.subarray(keyStart, keyStart + keyLength)
}

/** The value of the record that the cursor read last, as a view of its buffer. */
export function recordValue(cursor: RecordCursor): Uint8Array | null {
  const { valueStart, valueLength } = cursor
  return valueLength < 0 ? null : cursor.buffer.subarray(valueStart, valueStart + valueLength)
}
