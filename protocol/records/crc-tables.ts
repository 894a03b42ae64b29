/**
 * The sixteen tables of a reflected CRC-32, one after the other: entry `k * 256 + b` is the checksum of byte `b`
 * followed by `k` zero bytes, so that sixteen bytes are taken by sixteen independent look-ups ("slicing by 16").
 */
export function makeCrcTables(reflectedPolynomial: number): Int32Array {
  const tables = new Int32Array(16 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte
    for (let bit = 0; bit < 8; bit++)
      remainder = remainder & 1 ? (remainder >>> 1) ^ reflectedPolynomial : remainder >>> 1
    tables[byte] = remainder
  }
  for (let at = 256; at < tables.length; at++) {
    const shorter = tables[at - 256]!
    tables[at] = (shorter >>> 8) ^ tables[shorter & 0xff]!
  }
  return tables
}

/**
 * Runs the raw register of a CRC over `buffer[start, end)`. The register is the checksum without the inversions at the
 * beginning and the end: those are the caller's. The result is a signed 32 bit number.
 */
export function runCrc(tables: Int32Array, register: number, buffer: Uint8Array, start: number, end: number): number {
  const t = tables
  const b = buffer
  let crc = register | 0
  let at = start
  for (const last = end - 16; at <= last; at += 16) {
    crc ^= b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24)
    crc =
      t[3840 + (crc & 0xff)]! ^
      t[3584 + ((crc >>> 8) & 0xff)]! ^
      t[3328 + ((crc >>> 16) & 0xff)]! ^
      t[3072 + (crc >>> 24)]! ^
      t[2816 + b[at + 4]!]! ^
      t[2560 + b[at + 5]!]! ^
      t[2304 + b[at + 6]!]! ^
      t[2048 + b[at + 7]!]! ^
      t[1792 + b[at + 8]!]! ^
      t[1536 + b[at + 9]!]! ^
      t[1280 + b[at + 10]!]! ^
      t[1024 + b[at + 11]!]! ^
      t[768 + b[at + 12]!]! ^
      t[512 + b[at + 13]!]! ^
      t[256 + b[at + 14]!]! ^
      t[b[at + 15]!]!
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ t[(crc ^ b[at]!) & 0xff]!
  return crc
}
