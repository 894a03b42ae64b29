/** Remembers what stood in a table before the first change of a step; null for nothing. */
export function noteBefore<Key, Entry>(before: Map<Key, Entry | null>, table: ReadonlyMap<Key, Entry>, key: Key): void {
  if (!before.has(key)) before.set(key, table.get(key) ?? null)
}
