/*
 * The two copies that codecs of the LZ77 family are made of. They go by words, which the engine turns into plain loads
 * and stores. Most copies are short: the first sixteen bytes go without a loop, whose end the processor would guess
 * wrong. So up to `slackBytes` more than asked for are written where there is room; what belongs there comes later.
 */
const slackBytes = 16

/** A view for `copyLiteral` and `copyMatch` of what an array holds. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Copies `source[at, at + length)` to `target[to...]`. Both ranges must lie within their views. */
export function copyLiteral(source: DataView, at: number, target: DataView, to: number, length: number): void {
  const stop = to + length
  if (at + length + slackBytes > source.byteLength || stop + slackBytes > target.byteLength) {
    for (; to < stop; to++, at++) target.setUint8(to, source.getUint8(at))
    return
  }
  target.setInt32(to, source.getInt32(at, true), true)
  target.setInt32(to + 4, source.getInt32(at + 4, true), true)
  target.setInt32(to + 8, source.getInt32(at + 8, true), true)
  target.setInt32(to + 12, source.getInt32(at + 12, true), true)
  for (to += 16, at += 16; to < stop; to += 8, at += 8) {
    target.setInt32(to, source.getInt32(at, true), true)
    target.setInt32(to + 4, source.getInt32(at + 4, true), true)
  }
}

/**
 * Copies `length` bytes to `target[to...]` from `distance` bytes before, byte after byte: a distance shorter than the
 * length repeats what it has just written. Both ranges must lie within the view.
 */
export function copyMatch(target: DataView, to: number, distance: number, length: number): void {
  const stop = to + length
  let from = to - distance
  if (distance < 4 || stop + slackBytes > target.byteLength) {
    for (; to < stop; to++, from++) target.setUint8(to, target.getUint8(from))
    return
  }
  // In this order: a word may be one that has just been written.
  target.setInt32(to, target.getInt32(from, true), true)
  target.setInt32(to + 4, target.getInt32(from + 4, true), true)
  target.setInt32(to + 8, target.getInt32(from + 8, true), true)
  target.setInt32(to + 12, target.getInt32(from + 12, true), true)
  for (to += 16, from += 16; to < stop; to += 8, from += 8) {
    target.setInt32(to, target.getInt32(from, true), true)
    target.setInt32(to + 4, target.getInt32(from + 4, true), true)
  }
}
