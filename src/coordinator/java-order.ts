/**
 * Hashes and orders of Java's collections, where Kafka lets them be seen: which partition coordinates a key, and in
 * which order its answers list groups, topics and partitions. Answers need no order to be right; having Kafka's makes
 * them comparable.
 */

/** `String.hashCode`: over UTF-16 units, 32 bits, signed. */
export function javaHash(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return hash
}

/** The partition of an internal topic that a key belongs to: |hash| modulo the count, where |INT_MIN| is 0. */
export function partitionOf(key: string, partitions: number): number {
  const hash = javaHash(key)
  return (hash === -2147483648 ? 0 : Math.abs(hash)) % partitions
}

/** The hash of a topic and partition (Kafka's TopicPartition). */
export function topicPartitionHash(topic: string, partition: number): number {
  return (Math.imul(31, (31 + partition) | 0) + javaHash(topic)) | 0
}

function spread(hash: number): number {
  return hash ^ (hash >>> 16)
}

function sortedBy<T>(items: readonly T[], slotOf: (item: T) => number, latestFirst: boolean): T[] {
  const placed = items.map((item, index) => ({ item, slot: slotOf(item), index }))
  placed.sort((a, b) => a.slot - b.slot || (latestFirst ? b.index - a.index : a.index - b.index))
  return placed.map(({ item }) => item)
}

/** The order in which a HashMap yields `items` that were put in one after the other. */
export function hashMapOrder<T>(items: readonly T[], hashOf: (item: T) => number): T[] {
  let capacity = 16
  while (items.length > capacity * 0.75) capacity *= 2
  return sortedBy(items, item => spread(hashOf(item)) & (capacity - 1), false)
}

/** The same of a ConcurrentHashMap, which grows one element earlier. */
export function concurrentMapOrder<T>(items: readonly T[], hashOf: (item: T) => number): T[] {
  let capacity = 16
  while (items.length >= capacity * 0.75) capacity *= 2
  return sortedBy(items, item => spread(hashOf(item)) & (capacity - 1), false)
}

const FIBONACCI = -7046029254386353131n

/**
 * The same of a TimelineHashMap: slots by the high bits of a Fibonacci hash, the latest of a slot first. It does not
 * shrink: `sizeMax` is how many items it has held at once.
 */
export function timelineMapOrder<T>(
  items: readonly T[],
  hashOf: (item: T) => number,
  sizeMax: number = items.length,
): T[] {
  let bits = 1
  while (Math.max(items.length, sizeMax) * 0.75 > 2 ** bits) bits++
  const shift = BigInt(64 - bits)
  return sortedBy(items, item => Number(BigInt.asUintN(64, BigInt(hashOf(item)) * FIBONACCI) >> shift), true)
}
