import { isDeepStrictEqual } from 'node:util'
import type { Change, MetadataDelta, TopicChange } from './delta.js'
import {
  type ConfigResource,
  type FeaturesImage,
  type MetadataImage,
  type PartitionImage,
  ResourceType,
  type TopicsImage,
} from './image.js'
import { METADATA_VERSION } from './metadata-version.js'

/** What lies between two images: the delta for those who knew `before` and now see `after`, as after a snapshot. */
export function imageDifference(before: MetadataImage, after: MetadataImage): MetadataDelta {
  return {
    fromSnapshot: true,
    topics: topicChanges(before.topics, after.topics),
    brokers: entryChanges(before.cluster.brokers, after.cluster.brokers),
    controllers: entryChanges(before.cluster.controllers, after.cluster.controllers),
    configs: configChanges(before, after),
    features: featureChanges(before.features, after.features),
    clientQuotasChanged: !isDeepStrictEqual([...before.clientQuotas.all()], [...after.clientQuotas.all()]),
    producerIdsChanged: before.producerIds.nextProducerId !== after.producerIds.nextProducerId,
    aclsChanged: !isDeepStrictEqual(before.acls.entries, after.acls.entries),
    scramChanged: [1, 2].some(
      mechanism => !isDeepStrictEqual(before.scram.users(mechanism), after.scram.users(mechanism)),
    ),
    delegationTokensChanged: !isDeepStrictEqual(before.delegationTokens.tokens, after.delegationTokens.tokens),
  }
}

function topicChanges(before: TopicsImage, after: TopicsImage): ReadonlyMap<string, TopicChange> {
  const changes = new Map<string, TopicChange>()
  for (const topic of before.all()) {
    if (after.byId(topic.id) !== undefined) continue
    changes.set(topic.id, { id: topic.id, name: topic.name, before: topic, after: null, partitions: [] })
  }
  for (const topic of after.all()) {
    const old = before.byId(topic.id)
    if (old === topic) continue
    const partitions: number[] = []
    for (const [number, partition] of topic.partitions.entries()) {
      const oldPartition = old?.partitions[number]
      if (oldPartition === undefined || !samePartition(oldPartition, partition)) partitions.push(number)
    }
    if (old !== undefined && partitions.length === 0) continue
    changes.set(topic.id, { id: topic.id, name: topic.name, before: old ?? null, after: topic, partitions })
  }
  return changes
}

function samePartition(a: PartitionImage, b: PartitionImage): boolean {
  // Every change raises the partition epoch; the rest is compared because an old image may be another cluster's.
  return a === b || (a.partitionEpoch === b.partitionEpoch && isDeepStrictEqual(a, b))
}

function entryChanges<Entry>(
  before: ReadonlyMap<number, Entry>,
  after: ReadonlyMap<number, Entry>,
): ReadonlyMap<number, Change<Entry>> {
  const changes = new Map<number, Change<Entry>>()
  for (const [id, entry] of before) if (!after.has(id)) changes.set(id, { before: entry, after: null })
  for (const [id, entry] of after) {
    const old = before.get(id) ?? null
    if (!isDeepStrictEqual(old, entry)) changes.set(id, { before: old, after: entry })
  }
  return changes
}

function configChanges(before: MetadataImage, after: MetadataImage): readonly ConfigResource[] {
  const changes: ConfigResource[] = []
  for (const type of Object.values(ResourceType)) {
    const names = new Set([...before.configs.resourceNames(type), ...after.configs.resourceNames(type)])
    for (const name of names) {
      if (!isDeepStrictEqual(before.configs.of(type, name), after.configs.of(type, name))) changes.push({ type, name })
    }
  }
  return changes
}

function featureChanges(before: FeaturesImage, after: FeaturesImage): ReadonlyMap<string, number> {
  const changes = new Map<string, number>()
  if (before.hasMetadataVersion !== after.hasMetadataVersion || before.metadataVersion !== after.metadataVersion) {
    changes.set(METADATA_VERSION, after.metadataVersion)
  }
  for (const name of new Set([...before.levels.keys(), ...after.levels.keys()])) {
    if (before.level(name) !== after.level(name)) changes.set(name, after.level(name))
  }
  return changes
}
