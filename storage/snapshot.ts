import { readInt16, readInt32, readInt64, writeInt16, writeInt32, writeInt64 } from '#protocol/records/batch.js'
import { crc32c } from '#protocol/records/crc32c.js'
import { ProducerEntry } from './producer-entry.js'
import { ProducerState } from './producer-state.js'

/*
 * Snapshots of the state of producers, `<offset>.snapshot`: what was known when the log ended at that offset.
 *
 *   i16 version 1 | u32 crc (CRC-32C of all that follows) | i32 count | entries of 46 bytes:
 *   i64 producerId | i16 epoch | i32 lastSequence | i64 lastOffset | i32 offsetDelta | i64 timestamp
 *   | i32 coordinatorEpoch | i64 first offset of the open transaction or -1
 *
 * Only the last batch of a producer is kept: after a restart an older one is recognised only if it was read again.
 */

const version = 1
const headerBytes = 10
const crcStart = 6
const entryBytes = 46

export function encodeSnapshot(state: ProducerState): Buffer {
  const buffer = Buffer.alloc(headerBytes + state.count * entryBytes)
  writeInt16(buffer, 0, version)
  writeInt32(buffer, 6, state.count)
  let at = headerBytes
  for (const entry of state.entries()) {
    writeInt64(buffer, at, entry.producerId)
    writeInt16(buffer, at + 8, entry.epoch)
    writeInt32(buffer, at + 10, entry.lastSequence)
    writeInt64(buffer, at + 14, entry.lastOffset)
    writeInt32(buffer, at + 22, entry.lastOffsetDelta)
    writeInt64(buffer, at + 26, entry.lastTimestamp)
    writeInt32(buffer, at + 34, entry.coordinatorEpoch)
    writeInt64(buffer, at + 38, entry.transactionStart)
    at += entryBytes
  }
  writeInt32(buffer, 2, crc32c(buffer, crcStart, buffer.length) | 0)
  return buffer
}

/** The state that a snapshot of the log's end at `offset` holds; null if the file is damaged. */
export function decodeSnapshot(buffer: Buffer, offset: number): ProducerState | null {
  if (buffer.length < headerBytes || readInt16(buffer, 0) !== version) return null
  if (readInt32(buffer, 2) >>> 0 !== crc32c(buffer, crcStart, buffer.length)) return null
  const count = readInt32(buffer, 6)
  if (count < 0 || headerBytes + count * entryBytes !== buffer.length) return null
  const state = new ProducerState(offset)
  for (let index = 0; index < count; index++) {
    const at = headerBytes + index * entryBytes
    const entry = new ProducerEntry(readInt64(buffer, at))
    const epoch = readInt16(buffer, at + 8)
    const lastOffset = readInt64(buffer, at + 14)
    const timestamp = readInt64(buffer, at + 26)
    entry.epoch = epoch
    if (lastOffset >= 0) {
      entry.addBatch(epoch, readInt32(buffer, at + 10), lastOffset, readInt32(buffer, at + 22), timestamp)
    }
    entry.lastTimestamp = timestamp
    entry.coordinatorEpoch = readInt32(buffer, at + 34)
    entry.transactionStart = readInt64(buffer, at + 38)
    state.load(entry)
  }
  state.sortOpen()
  return state
}
