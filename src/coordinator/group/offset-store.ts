import type { RecordOrigin } from '../shard-machine.js'
import type { StateAccount } from '../state-budget.js'
import type { CommittedOffset, GroupRecordContent } from './records.js'

/** An offset, and where in the log its record stands. */
export interface StoredOffset {
  readonly value: CommittedOffset
  readonly recordOffset: number
}

/**
 * What an offset takes of the memory that groups may take, in bytes. The names count for each of them, though it shares
 * them with others: the key of its tombstone has them, and all the tombstones of a group are made at once.
 */
export function offsetBytes(groupId: string, topic: string, value: Pick<CommittedOffset, 'metadata'>): number {
  return 256 + groupId.length + topic.length + 2 * value.metadata.length
}

type ByPartition<V> = Map<number, V>
type ByTopic<V> = Map<string, ByPartition<V>>

/** Values by group, topic and partition; no level is ever empty. */
class OffsetTable<V> {
  readonly #groups = new Map<string, ByTopic<V>>()

  get groups(): ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<number, V>>> {
    return this.#groups
  }

  get(groupId: string, topic: string, partition: number): V | undefined {
    return this.#groups.get(groupId)?.get(topic)?.get(partition)
  }

  put(groupId: string, topic: string, partition: number, value: V): void {
    let topics = this.#groups.get(groupId)
    if (topics === undefined) this.#groups.set(groupId, (topics = new Map()))
    let partitions = topics.get(topic)
    if (partitions === undefined) topics.set(topic, (partitions = new Map()))
    partitions.set(partition, value)
  }

  remove(groupId: string, topic: string, partition: number): V | undefined {
    const topics = this.#groups.get(groupId)
    const partitions = topics?.get(topic)
    const value = partitions?.get(partition)
    if (topics === undefined || partitions === undefined || value === undefined) return undefined
    partitions.delete(partition)
    if (partitions.size === 0) topics.delete(topic)
    if (topics.size === 0) this.#groups.delete(groupId)
    return value
  }
}

/**
 * The committed offsets of all groups of a shard, and those that transactions will commit when they end well. Changes
 * by records alone.
 */
export class OffsetStore {
  readonly #account: StateAccount
  readonly #committed = new OffsetTable<StoredOffset>()
  /** By producer id. */
  readonly #pending = new Map<number, OffsetTable<StoredOffset>>()
  /** The producers with a pending offset for a partition. */
  readonly #open = new OffsetTable<Set<number>>()

  constructor(account: StateAccount) {
    this.#account = account
  }

  get(groupId: string, topic: string, partition: number): StoredOffset | undefined {
    return this.#committed.get(groupId, topic, partition)
  }

  /** Everything that a group has committed, by topic and partition. */
  of(groupId: string): ReadonlyMap<string, ReadonlyMap<number, StoredOffset>> {
    return this.#committed.groups.get(groupId) ?? new Map()
  }

  /** The producers with an offset in a transaction that has not ended, by topic and partition. */
  openOf(groupId: string): ReadonlyMap<string, ReadonlyMap<number, ReadonlySet<number>>> {
    return this.#open.groups.get(groupId) ?? new Map()
  }

  /** Whether a transaction that has not ended has an offset for the partition. */
  isUnstable(groupId: string, topic: string, partition: number): boolean {
    return this.#open.get(groupId, topic, partition) !== undefined
  }

  /** Whether a transaction that has not ended has offsets for the group. */
  hasOpenTransaction(groupId: string): boolean {
    return this.#open.groups.has(groupId)
  }

  /**
   * The partitions of the topics for which a group has an offset, committed or not, with the topic ids of those
   * offsets.
   */
  *partitionsOf(groupId: string): Generator<{ topic: string; partition: number; topicIds: Set<string> }, void, void> {
    for (const [topic, partitions] of this.of(groupId)) {
      for (const [partition, { value }] of partitions) {
        const topicIds = new Set([value.topicId, ...this.#pendingTopicIds(groupId, topic, partition)])
        yield { topic, partition, topicIds }
      }
    }
    for (const [topic, partitions] of this.#open.groups.get(groupId) ?? []) {
      for (const partition of partitions.keys()) {
        if (this.get(groupId, topic, partition) !== undefined) continue
        yield { topic, partition, topicIds: new Set(this.#pendingTopicIds(groupId, topic, partition)) }
      }
    }
  }

  #pendingTopicIds(groupId: string, topic: string, partition: number): string[] {
    const producers = this.#open.get(groupId, topic, partition) ?? []
    return [...producers].flatMap(id => this.#pending.get(id)?.get(groupId, topic, partition)?.value.topicId ?? [])
  }

  /** The groups with offsets, committed or not. */
  groupIds(): Set<string> {
    return new Set([...this.#committed.groups.keys(), ...this.#open.groups.keys()])
  }

  replay(content: GroupRecordContent & { readonly type: 'offset' }, origin: RecordOrigin): void {
    const { groupId, topic, partition, value } = content
    if (value === null) {
      this.#remove(groupId, topic, partition)
    } else if (origin.producerId === -1) {
      this.#commit(groupId, topic, partition, { value, recordOffset: origin.offset })
    } else {
      this.#hold(origin.producerId, groupId, topic, partition, { value, recordOffset: origin.offset })
    }
  }

  /** A transaction has ended: its offsets are committed, or forgotten. */
  replayMarker(producerId: number, isCommitted: boolean): void {
    const table = this.#pending.get(producerId)
    if (table === undefined) return
    this.#pending.delete(producerId)
    for (const [groupId, topics] of table.groups) {
      for (const [topic, partitions] of topics) {
        for (const [partition, stored] of partitions) {
          this.#account.give(offsetBytes(groupId, topic, stored.value))
          this.#close(producerId, groupId, topic, partition)
          if (!isCommitted) continue
          // The record that was written last counts: compaction keeps that one, whenever its transaction ended.
          const current = this.get(groupId, topic, partition)
          if (current === undefined || stored.recordOffset > current.recordOffset) {
            this.#commit(groupId, topic, partition, stored)
          }
        }
      }
    }
  }

  #commit(groupId: string, topic: string, partition: number, stored: StoredOffset): void {
    const previous = this.get(groupId, topic, partition)
    if (previous !== undefined) this.#account.give(offsetBytes(groupId, topic, previous.value))
    this.#account.take(offsetBytes(groupId, topic, stored.value))
    this.#committed.put(groupId, topic, partition, stored)
  }

  #hold(producerId: number, groupId: string, topic: string, partition: number, stored: StoredOffset): void {
    let table = this.#pending.get(producerId)
    if (table === undefined) this.#pending.set(producerId, (table = new OffsetTable()))
    const previous = table.get(groupId, topic, partition)
    if (previous !== undefined) this.#account.give(offsetBytes(groupId, topic, previous.value))
    this.#account.take(offsetBytes(groupId, topic, stored.value))
    table.put(groupId, topic, partition, stored)
    const producers = this.#open.get(groupId, topic, partition)
    if (producers === undefined) this.#open.put(groupId, topic, partition, new Set([producerId]))
    else producers.add(producerId)
  }

  #close(producerId: number, groupId: string, topic: string, partition: number): void {
    const producers = this.#open.get(groupId, topic, partition)
    if (producers === undefined) return
    producers.delete(producerId)
    if (producers.size === 0) this.#open.remove(groupId, topic, partition)
  }

  #remove(groupId: string, topic: string, partition: number): void {
    const committed = this.#committed.remove(groupId, topic, partition)
    if (committed !== undefined) this.#account.give(offsetBytes(groupId, topic, committed.value))
    for (const producerId of this.#open.remove(groupId, topic, partition) ?? []) {
      const table = this.#pending.get(producerId)
      const pending = table?.remove(groupId, topic, partition)
      if (pending !== undefined) this.#account.give(offsetBytes(groupId, topic, pending.value))
      if (table?.groups.size === 0) this.#pending.delete(producerId)
    }
  }
}
