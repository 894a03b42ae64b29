import type {
  BrokerRegistration,
  ConfigResource,
  ControllerRegistration,
  MetadataImage,
  PartitionImage,
  TopicImage,
} from './image.js'

/** What a published step changed; every collection is empty where nothing did. */
export interface MetadataDelta {
  /** A snapshot replaced the image: the delta lists all differences to what stood before. */
  readonly fromSnapshot: boolean
  /** By topic id. A topic that was deleted and created again stands twice, with its two ids. */
  readonly topics: ReadonlyMap<string, TopicChange>
  readonly brokers: ReadonlyMap<number, Change<BrokerRegistration>>
  readonly controllers: ReadonlyMap<number, Change<ControllerRegistration>>
  /** Resources whose dynamic configuration changed. A deleted topic's configuration goes with it and is listed too. */
  readonly configs: readonly ConfigResource[]
  /** Features whose finalized level changed, metadata.version among them; 0 means no longer finalized. */
  readonly features: ReadonlyMap<string, number>
  readonly clientQuotasChanged: boolean
  readonly producerIdsChanged: boolean
  readonly aclsChanged: boolean
  readonly scramChanged: boolean
  readonly delegationTokensChanged: boolean
}

export interface Change<Entry> {
  /** null: it is new. */
  readonly before: Entry | null
  /** null: it is gone. */
  readonly after: Entry | null
}

export interface TopicChange extends Change<TopicImage> {
  readonly id: string
  readonly name: string
  /** Numbers of the partitions that are new or changed, ascending; empty for a deleted topic. */
  readonly partitions: readonly number[]
}

/** One that acts on changes: the replica manager, a coordinator, the dynamic configuration. */
export interface MetadataSubscriber {
  readonly name: string
  /**
   * Called after the image shows the change and before anyone who waits for its offset goes on. Subscribers are called
   * one after the other in the order in which they were given; a promise holds up the next one.
   */
  onMetadata(delta: MetadataDelta, image: MetadataImage): void | Promise<void>
}

/** What handlers and rooms use of the published metadata. */
export interface PublishedMetadata {
  readonly image: MetadataImage
  /** Resolves when the image holds the record at `offset` and every subscriber has acted on it. */
  waitFor(offset: number): Promise<void>
}

/** The partition before and after, for a subscriber that walks a TopicChange. */
export function partitionChange(change: TopicChange, partition: number): Change<PartitionImage> {
  return {
    before: change.before?.partitions[partition] ?? null,
    after: change.after?.partitions[partition] ?? null,
  }
}

/** Nothing that anyone acts on changed: NoOpRecords, or a metadata transaction that has not ended. */
export function isEmptyDelta(delta: MetadataDelta): boolean {
  return !(
    delta.topics.size > 0 ||
    delta.brokers.size > 0 ||
    delta.controllers.size > 0 ||
    delta.configs.length > 0 ||
    delta.features.size > 0 ||
    delta.clientQuotasChanged ||
    delta.producerIdsChanged ||
    delta.aclsChanged ||
    delta.scramChanged ||
    delta.delegationTokensChanged
  )
}
