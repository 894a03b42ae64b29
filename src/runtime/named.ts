/** How many things of one kind a line of the log names. */
const NAMED_MAX = 10

/** What a line of the log says of a list that may be long: the first ones, and how many more there are. */
export function named(items: readonly string[]): readonly string[] {
  if (items.length <= NAMED_MAX) return items
  return [...items.slice(0, NAMED_MAX), `and ${items.length - NAMED_MAX} more`]
}
