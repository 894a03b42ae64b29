/**
 * Orders in which Kafka's answers list topics: those of the Java and Scala collections that it keeps them in. No client
 * depends on them; having the same makes answers comparable.
 */
import { hashMapOrder, javaHash } from '../coordinator/java-order.js'
import type { MetadataImage, TopicImage } from '../metadata/image.js'

/** Names by their Java hash, as a persistent map by hash yields them. */
export function inOrderOfHash(names: readonly string[]): string[] {
  const hashed = names.map(name => ({ name, hash: javaHash(name) }))
  return hashed.sort((a, b) => a.hash - b.hash).map(({ name }) => name)
}

const allTopics = new WeakMap<MetadataImage, { readonly changeNumber: number; readonly names: readonly string[] }>()

/** All topics of an image; ordered once for each change of it. */
export function topicsInOrder(image: MetadataImage): TopicImage[] {
  let ordered = allTopics.get(image)
  if (ordered?.changeNumber !== image.changeNumber) {
    const names = inOrderOfHash([...image.topics.all()].map(topic => topic.name))
    ordered = { changeNumber: image.changeNumber, names: hashMapOrder(names, javaHash) }
    allTopics.set(image, ordered)
  }
  return ordered!.names.map(name => image.topics.byName(name)!)
}

/** Up to this many elements, a Scala set keeps the order in which they came. */
const smallSetMax = 4
const bitsPerLevel = 5

interface Hashed {
  readonly name: string
  readonly hash: number
}

/** Distinct names as an immutable Scala set yields them: five bits of the hash a level, leaves before branches. */
export function inOrderOfScalaSet(names: readonly string[]): readonly string[] {
  const distinct = [...new Set(names)]
  if (distinct.length <= smallSetMax) return distinct
  return walk(
    distinct.map(name => ({ name, hash: improved(javaHash(name)) })),
    0,
  )
}

function walk(entries: readonly Hashed[], depth: number): string[] {
  if (depth > 30) return entries.map(({ name }) => name)
  const slots = new Map<number, Hashed[]>()
  for (const entry of entries) {
    const slot = (entry.hash >>> depth) & (2 ** bitsPerLevel - 1)
    const others = slots.get(slot)
    if (others === undefined) slots.set(slot, [entry])
    else others.push(entry)
  }
  const ordered = [...slots].sort(([a], [b]) => a - b).map(([, group]) => group)
  const leaves = ordered.filter(group => group.length === 1).map(([only]) => only!.name)
  const branches = ordered.filter(group => group.length > 1).flatMap(group => walk(group, depth + bitsPerLevel))
  return [...leaves, ...branches]
}

function improved(hash: number): number {
  let mixed = (hash + ~(hash << 9)) | 0
  mixed ^= mixed >>> 14
  mixed = (mixed + (mixed << 4)) | 0
  return mixed ^ (mixed >>> 10)
}
