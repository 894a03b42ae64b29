import * as zlib from 'node:zlib'
import { makeCrcTables, runCrc } from './crc-tables.js'

type NativeCrc32 = (data: Uint8Array, value?: number) => number

/** Since Node 20.15 and 22.2. */
const native = (zlib as { crc32?: NativeCrc32 }).crc32

let tables: Int32Array | null = null

/** The CRC-32 (IEEE 802.3) of `buffer[start, end)` by tables, unsigned. */
export function crc32ByTables(buffer: Uint8Array, start: number, end: number): number {
  tables ??= makeCrcTables(0xedb88320)
  return ~runCrc(tables, -1, buffer, start, end) >>> 0
}

/** The CRC-32 (IEEE 802.3) of `buffer[start, end)`, unsigned: the checksum of messages with magic 0 and 1. */
export function crc32(buffer: Uint8Array, start: number, end: number): number {
  return native ? native(buffer.subarray(start, end)) : crc32ByTables(buffer, start, end)
}
