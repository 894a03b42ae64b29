import { ErrorCode } from '#protocol/errors.js'
import type { Partition } from './partition.js'

/** A topic of the cluster, with those of its partitions that have a replica here. */
export interface HostedTopic {
  readonly name: string
  /** Kafka's text form. */
  readonly id: string
  /** Kafka's own topics, which clients do not write. */
  readonly isInternal: boolean
  /** How many partitions it has in the cluster. */
  partitionCount: number
  /** By partition number; undefined where this broker has no replica. */
  readonly hosted: (Partition | undefined)[]
  /** Partitions that should be here, but whose log directory is offline. */
  readonly offline: Set<number>
  /** It was deleted: who kept this entry looks the topic up again. */
  isGone: boolean
}

const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
])

/** Whether a topic is one of Kafka's own. */
export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name)
}

/** Why this broker has no partition with this number: it is unknown, it is elsewhere, or its directory is offline. */
export function absenceCode(topic: HostedTopic, partition: number): ErrorCode {
  if (partition < 0 || partition >= topic.partitionCount) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  return topic.offline.has(partition) ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.NOT_LEADER_OR_FOLLOWER
}

const UUID_BYTES = 16

/** Entries of the cache by bytes; a power of two. */
const CACHE_SIZE = 1024
/** Names longer than this are never cached: no topic has one. */
const NAME_BYTES_MAX = 249

/** By the low bits of the hash of the bytes: a newcomer takes the place of who was there. */
type Cache = (CacheEntry | undefined)[]

interface CacheEntry {
  readonly bytes: Buffer
  readonly topic: HostedTopic
}

/**
 * The topics of the cluster by name and by id, and by the bytes of either as they stand in a request, so that the hot
 * path makes no string.
 */
export class TopicIndex {
  readonly #byName = new Map<string, HostedTopic>()
  readonly #byId = new Map<string, HostedTopic>()
  readonly #names: Cache = new Array<CacheEntry | undefined>(CACHE_SIZE).fill(undefined)
  readonly #ids: Cache = new Array<CacheEntry | undefined>(CACHE_SIZE).fill(undefined)

  get size(): number {
    return this.#byName.size
  }

  all(): IterableIterator<HostedTopic> {
    return this.#byName.values()
  }

  byName(name: string): HostedTopic | undefined {
    return this.#byName.get(name)
  }

  byId(id: string): HostedTopic | undefined {
    return this.#byId.get(id)
  }

  /** Adds a topic that is new. One of the same name must have been removed before. */
  add(name: string, id: string, partitionCount: number): HostedTopic {
    if (this.#byName.has(name)) throw new Error(`topic ${name} is there already`)
    const topic: HostedTopic = {
      name,
      id,
      isInternal: isInternalTopic(name),
      partitionCount,
      hosted: [],
      offline: new Set(),
      isGone: false,
    }
    this.#byName.set(name, topic)
    this.#byId.set(id, topic)
    return topic
  }

  remove(topic: HostedTopic): void {
    topic.isGone = true
    if (this.#byName.get(topic.name) === topic) this.#byName.delete(topic.name)
    this.#byId.delete(topic.id)
  }

  /** The topic whose name is the UTF-8 text in `buffer[at, at + length)`. */
  byNameBytes(buffer: Buffer, at: number, length: number): HostedTopic | undefined {
    if (length > NAME_BYTES_MAX) return undefined
    const slot = hash(buffer, at, length) & (CACHE_SIZE - 1)
    const cached = cachedAt(this.#names, slot, buffer, at, length)
    if (cached !== undefined) return cached
    const topic = this.#byName.get(buffer.utf8Slice(at, at + length))
    if (topic !== undefined) keep(this.#names, slot, buffer, at, length, topic)
    return topic
  }

  /** The topic whose id is the 16 bytes at `at`. */
  byIdBytes(buffer: Buffer, at: number): HostedTopic | undefined {
    const slot = hash(buffer, at, UUID_BYTES) & (CACHE_SIZE - 1)
    const cached = cachedAt(this.#ids, slot, buffer, at, UUID_BYTES)
    if (cached !== undefined) return cached
    const topic = this.#byId.get(buffer.base64urlSlice(at, at + UUID_BYTES))
    if (topic !== undefined) keep(this.#ids, slot, buffer, at, UUID_BYTES, topic)
    return topic
  }
}

function cachedAt(cache: Cache, slot: number, buffer: Buffer, at: number, length: number): HostedTopic | undefined {
  const entry = cache[slot]
  if (entry === undefined || entry.bytes.length !== length || entry.topic.isGone) return undefined
  const { bytes } = entry
  for (let i = 0; i < length; i++) if (bytes[i] !== buffer[at + i]) return undefined
  return entry.topic
}

function keep(cache: Cache, slot: number, buffer: Buffer, at: number, length: number, topic: HostedTopic): void {
  cache[slot] = { bytes: Buffer.from(buffer.subarray(at, at + length)), topic }
}

/** FNV-1a. */
function hash(buffer: Buffer, at: number, length: number): number {
  let value = 0x811c9dc5
  for (let i = at; i < at + length; i++) value = Math.imul(value ^ buffer[i]!, 0x01000193)
  return value ^ (value >>> 15)
}
