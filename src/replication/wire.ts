import { ProtocolError } from '#protocol/protocol-error.js'
import type { Reader } from '#protocol/reader.js'

/* What the readers of this folder, which spare the general codec, have in common. */

/** Throws ProtocolError if they are not well formed. */
export function skipTaggedFields(reader: Reader): void {
  readTaggedFields(reader, (_tag, size) => {
    reader.take(size)
  })
}

/**
 * Hands each tagged field over to be read or skipped; it must have the size that it announces. Throws ProtocolError.
 */
export function readTaggedFields(reader: Reader, read: (tag: number, size: number) => void): void {
  let previous = -1
  for (let left = reader.count(reader.unsignedVarint()); left > 0; left--) {
    const tag = reader.unsignedVarint()
    const size = reader.unsignedVarint()
    if (tag <= previous) throw new ProtocolError(`tag ${tag} after tag ${previous}`)
    previous = tag
    const at = reader.position
    read(tag, size)
    if (reader.position !== at + size)
      throw new ProtocolError(`tag ${tag} does not have the ${size} bytes it announces`)
  }
}
