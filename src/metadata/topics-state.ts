import type { TopicChange } from './delta.js'
import type { PartitionImage, TopicImage, TopicsImage } from './image.js'
import { changedPartition, NO_PARTITION_CHANGE, partitionOfRecord } from './partition-state.js'
import type { MetadataRecordValues } from './record.js'

interface OwnedTopic extends TopicImage {
  readonly partitions: PartitionImage[]
}

/** A topic that this step has touched: it may be changed in place until the step ends. */
interface Touched {
  readonly before: TopicImage | null
  readonly topic: OwnedTopic
  /** Changed partitions of a topic that was there before. */
  readonly partitions: Set<number>
}

/**
 * Topics and partitions as replayed records. A step is what is replayed between two calls of `takeChanges`; a topic's
 * entry is copied when the step first touches it, so that a thousand changes to one topic cost one copy of its list.
 */
export class TopicsState implements TopicsImage {
  readonly #byName = new Map<string, TopicImage>()
  readonly #byId = new Map<string, TopicImage>()
  #touched = new Map<string, Touched>()
  #partitionCount = 0
  #sortedNames: readonly string[] | null = null
  /** Names with '.' or '_', by what they are with '_' in all those places. */
  readonly #similarNames = new Map<string, Set<string>>()
  #lastPartition: PartitionImage | undefined

  get topicCount(): number {
    return this.#byId.size
  }

  get partitionCount(): number {
    return this.#partitionCount
  }

  byName(name: string): TopicImage | undefined {
    return this.#byName.get(name)
  }

  byId(id: string): TopicImage | undefined {
    return this.#byId.get(id)
  }

  partition(name: string, partition: number): PartitionImage | undefined {
    return this.#byName.get(name)?.partitions[partition]
  }

  partitionById(id: string, partition: number): PartitionImage | undefined {
    return this.#byId.get(id)?.partitions[partition]
  }

  all(): IterableIterator<TopicImage> {
    return this.#byId.values()
  }

  sortedNames(): readonly string[] {
    this.#sortedNames ??= [...this.#byName.keys()].sort()
    return this.#sortedNames
  }

  collidingName(name: string): string | undefined {
    for (const other of this.#similarNames.get(unified(name)) ?? []) if (other !== name) return other
    return undefined
  }

  replayTopic({ name, topicId }: MetadataRecordValues['TopicRecord']): void {
    const other = this.#byName.get(name)
    if (other !== undefined)
      throw new Error(`TopicRecord for '${name}' with id ${topicId}: it exists with id ${other.id}`)
    if (this.#byId.has(topicId)) throw new Error(`TopicRecord for '${name}': its id ${topicId} is another topic's`)
    const topic: OwnedTopic = { name, id: topicId, partitions: [] }
    this.#byName.set(name, topic)
    this.#noteName(name)
    this.#byId.set(topicId, topic)
    this.#touched.set(topicId, { before: null, topic, partitions: new Set() })
    this.#sortedNames = null
  }

  replayPartition(record: MetadataRecordValues['PartitionRecord']): void {
    const touched = this.#touch(record.topicId, 'PartitionRecord')
    const { partitions } = touched.topic
    const number = record.partitionId
    if (number < 0) throw new Error(`PartitionRecord for partition ${number} of ${touched.topic.name}`)
    const entry = partitionOfRecord(record, this.#lastPartition)
    if (partitions[number] === undefined) this.#partitionCount++
    partitions[number] = entry
    if (touched.before !== null) touched.partitions.add(number)
    this.#lastPartition = entry
  }

  replayPartitionChange(record: MetadataRecordValues['PartitionChangeRecord']): void {
    const touched = this.#touch(record.topicId, 'PartitionChangeRecord')
    const before = touched.topic.partitions[record.partitionId]
    if (before === undefined) {
      throw new Error(`PartitionChangeRecord for ${touched.topic.name}-${record.partitionId}, which is not there`)
    }
    touched.topic.partitions[record.partitionId] = changedPartition(before, record)
    if (touched.before !== null) touched.partitions.add(record.partitionId)
  }

  /** Returns the topic that is gone. */
  replayRemoveTopic({ topicId }: MetadataRecordValues['RemoveTopicRecord']): TopicImage {
    const topic = this.#byId.get(topicId)
    if (topic === undefined) throw new Error(`RemoveTopicRecord for topic id ${topicId}, which is not there`)
    if (!this.#touched.has(topicId)) {
      this.#touched.set(topicId, { before: topic, topic: { ...topic, partitions: [] }, partitions: new Set() })
    }
    this.#byId.delete(topicId)
    this.#byName.delete(topic.name)
    const similar = this.#similarNames.get(unified(topic.name))
    if (similar?.delete(topic.name) && similar.size === 0) this.#similarNames.delete(unified(topic.name))
    this.#partitionCount -= topic.partitions.length
    this.#sortedNames = null
    return topic
  }

  /** Forgets the eligible leader replicas of one topic, or of all with the name ''. */
  replayClearElr({ topicName }: MetadataRecordValues['ClearElrRecord']): void {
    if (topicName === '') {
      for (const topic of this.#byId.values()) this.#clearElr(topic)
      return
    }
    const topic = this.#byName.get(topicName)
    if (topic === undefined) throw new Error(`ClearElrRecord for '${topicName}', which is not there`)
    this.#clearElr(topic)
  }

  /** What was replayed since the last call; from here on the entries are immutable. */
  takeChanges(): ReadonlyMap<string, TopicChange> {
    const touched = this.#touched
    if (touched.size === 0) return new Map()
    this.#touched = new Map()
    const changes = new Map<string, TopicChange>()
    for (const [id, { before, topic, partitions }] of touched) {
      const after = this.#byId.get(id) ?? null
      if (before === null && after === null) continue
      let numbers: number[] = []
      if (after !== null) {
        numbers = before === null ? [...after.partitions.keys()] : [...partitions].sort((a, b) => a - b)
      }
      changes.set(id, { id, name: topic.name, before, after, partitions: numbers })
    }
    return changes
  }

  copyFrom(other: TopicsImage): void {
    this.#byName.clear()
    this.#byId.clear()
    this.#similarNames.clear()
    for (const topic of other.all()) {
      this.#noteName(topic.name)
      this.#byName.set(topic.name, topic)
      this.#byId.set(topic.id, topic)
    }
    this.#partitionCount = other.partitionCount
    this.#sortedNames = null
  }

  #noteName(name: string): void {
    if (!/[._]/.test(name)) return
    const key = unified(name)
    const similar = this.#similarNames.get(key)
    if (similar === undefined) this.#similarNames.set(key, new Set([name]))
    else similar.add(name)
  }

  #touch(topicId: string, record: string): Touched {
    let touched = this.#touched.get(topicId)
    if (touched !== undefined && this.#byId.has(topicId)) return touched
    const before = this.#byId.get(topicId)
    if (before === undefined) throw new Error(`${record} for topic id ${topicId}, which is not there`)
    const topic: OwnedTopic = { name: before.name, id: topicId, partitions: before.partitions.slice() }
    touched = { before, topic, partitions: new Set() }
    this.#touched.set(topicId, touched)
    this.#byName.set(topic.name, topic)
    this.#byId.set(topicId, topic)
    return touched
  }

  #clearElr(topic: TopicImage): void {
    for (const [number, partition] of topic.partitions.entries()) {
      if (partition.elr.length === 0 && partition.lastKnownElr.length === 0) continue
      const touched = this.#touch(topic.id, 'ClearElrRecord')
      touched.topic.partitions[number] = changedPartition(partition, {
        ...NO_PARTITION_CHANGE,
        eligibleLeaderReplicas: [],
        lastKnownElr: [],
      })
      if (touched.before !== null) touched.partitions.add(number)
    }
  }
}

function unified(name: string): string {
  return name.replaceAll('.', '_')
}
