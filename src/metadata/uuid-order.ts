/**
 * Ids in the order in which Kafka keeps them: each half counts as a signed number, so that it is neither the order of
 * their bytes nor that of their text.
 */
export function sortedUuids(uuids: readonly string[]): string[] {
  return uuids
    .map(uuid => ({ uuid, key: orderOf(uuid) }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .map(({ uuid }) => uuid)
}

/** Bytes whose order is that of the id. */
function orderOf(uuid: string): Buffer {
  const bytes = Buffer.from(uuid, 'base64url')
  for (const half of [0, 8]) bytes[half]! ^= 0x80
  return bytes
}
