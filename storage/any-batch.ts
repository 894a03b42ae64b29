import {
  baseOffset,
  batchHeaderBytes,
  currentMagic,
  hasValidCrc,
  lastOffset,
  logOverheadBytes,
  magic,
  maxTimestamp,
  partitionLeaderEpoch,
  sizeInBytes,
} from '#protocol/records/batch.js'
import { legacyHasValidCrc, legacyMaxTimestamp } from '#protocol/records/legacy.js'

/*
 * Batches as they lie in segment files, which may still hold messages of magic 0 and 1. All but the checksum is read
 * from the header alone.
 */

/** As many bytes of a batch as these functions look at; a legacy message may be shorter as a whole. */
export const headerBytesMax = batchHeaderBytes

/** The size of the smallest batch: no file position nearer to the end of a file can be the beginning of one. */
const sizeMin = logOverheadBytes + 14

/**
 * The size of the batch whose header is at `position` of `buffer`, where `left` bytes of the file are left from that
 * position on; 0 if no whole batch can begin there.
 */
export function soundSizeAt(buffer: Uint8Array, position: number, left: number): number {
  if (left < sizeMin) return 0
  const size = sizeInBytes(buffer, position)
  if (size < sizeMin || size > left) return 0
  const version = magic(buffer, position)
  if (version === currentMagic) return size < batchHeaderBytes ? 0 : size
  return version === 0 || version === 1 ? size : 0
}

/** The offset of the first record; of a compressed legacy message that of the last one, for the first is inside. */
export const baseOffsetAt = baseOffset

export function lastOffsetAt(buffer: Uint8Array, position: number): number {
  return magic(buffer, position) === currentMagic ? lastOffset(buffer, position) : baseOffset(buffer, position)
}

export function maxTimestampAt(buffer: Uint8Array, position: number): number {
  return magic(buffer, position) === currentMagic
    ? maxTimestamp(buffer, position)
    : legacyMaxTimestamp(buffer, position)
}

/** -1 for legacy messages. */
export function leaderEpochAt(buffer: Uint8Array, position: number): number {
  return magic(buffer, position) === currentMagic ? partitionLeaderEpoch(buffer, position) : -1
}

/** Whether the checksum is right; the whole batch must be in the buffer. */
export function isIntactAt(buffer: Uint8Array, position: number): boolean {
  return magic(buffer, position) === currentMagic ? hasValidCrc(buffer, position) : legacyHasValidCrc(buffer, position)
}
