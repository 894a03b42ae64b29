import type { ErrorCode } from '#protocol/errors.js'

interface PartitionResult {
  readonly partitionIndex: number
  readonly errorCode: ErrorCode
}

interface TopicResult {
  readonly name: string
  readonly topicId: string
  readonly partitions: PartitionResult[]
}

/**
 * Error codes by topic and partition, gathered in the order of Kafka's answers: a topic stands where it first came
 * up.
 */
export class PartitionResults {
  readonly topics: TopicResult[] = []
  readonly #usesIds: boolean
  readonly #byKey = new Map<string, TopicResult>()

  constructor(usesIds: boolean) {
    this.#usesIds = usesIds
  }

  add(name: string, topicId: string, partitions: readonly PartitionResult[]): void {
    const key = this.#usesIds ? topicId : name
    let topic = this.#byKey.get(key)
    if (topic === undefined) {
      topic = { name, topicId, partitions: [] }
      this.#byKey.set(key, topic)
      this.topics.push(topic)
    }
    for (const partition of partitions) topic.partitions.push(partition)
  }

  /** Everything, with what the coordinator says. If there is nothing else, that is left as it is. */
  merge(
    others: readonly {
      readonly name: string
      readonly topicId: string
      readonly partitions: readonly PartitionResult[]
    }[],
  ): readonly { readonly name: string; readonly topicId: string; readonly partitions: readonly PartitionResult[] }[] {
    if (this.topics.length === 0) return others
    for (const { name, topicId, partitions } of others) this.add(name, topicId, partitions)
    return this.topics
  }
}
