import type { AclEntry, BrokerRegistration, MetadataImage, PartitionImage, TopicImage } from './image.js'
import { ResourceType } from './image.js'
import {
  METADATA_VERSION,
  metadataAllows,
  partitionRecordVersion,
  registerBrokerRecordVersion,
} from './metadata-version.js'
import type { MetadataRecord } from './record.js'

/**
 * The records that make an image anew, in the order of Kafka's snapshots and at the versions that its metadata.version
 * allows: features, registrations, topics each with its partitions, configuration, quotas, producer ids, access
 * control, SCRAM, delegation tokens.
 *
 * What is to be written is taken down at the call; the records are made one by one as the result is walked through, and
 * later changes of the image do not show in them.
 */
export function imageToRecords(image: MetadataImage): Iterable<MetadataRecord> {
  const { metadataVersion } = image.features
  const small = [
    ...featureRecords(image),
    ...[...image.cluster.brokers.values()].map(broker => brokerRecord(broker, metadataVersion)),
    ...controllerRecords(image),
  ]
  const topics = [...image.topics.all()]
  const rest = [
    ...configRecords(image),
    ...clientQuotaRecords(image),
    ...producerIdsRecords(image),
    ...[...image.acls.entries.values()].map(aclRecord),
    ...scramRecords(image),
    ...delegationTokenRecords(image),
  ]
  return walk(small, topics, rest, metadataVersion)
}

function* walk(
  small: readonly MetadataRecord[],
  topics: readonly TopicImage[],
  rest: readonly MetadataRecord[],
  metadataVersion: number,
): IterableIterator<MetadataRecord> {
  yield* small
  for (const topic of topics) {
    yield { type: 'TopicRecord', version: 0, value: { name: topic.name, topicId: topic.id } }
    for (const [number, partition] of topic.partitions.entries()) {
      yield partitionRecord(topic.id, number, partition, metadataVersion)
    }
  }
  yield* rest
}

function featureRecords({ features }: MetadataImage): MetadataRecord[] {
  const records: MetadataRecord[] = []
  if (features.hasMetadataVersion) {
    const value = { name: METADATA_VERSION, featureLevel: features.metadataVersion }
    records.push({ type: 'FeatureLevelRecord', version: 0, value })
  }
  for (const [name, featureLevel] of features.levels) {
    records.push({ type: 'FeatureLevelRecord', version: 0, value: { name, featureLevel } })
  }
  return records
}

/** The whole registration of a broker at a metadata.version. */
export function brokerRecord(broker: BrokerRegistration, metadataVersion: number): MetadataRecord {
  const hasDirectories = metadataAllows(metadataVersion, 'directoryAssignment')
  const hasCordoned = metadataAllows(metadataVersion, 'cordonedDirectories')
  const cordoned = broker.cordonedDirectories === null ? null : [...broker.cordonedDirectories]
  return {
    type: 'RegisterBrokerRecord',
    version: registerBrokerRecordVersion(metadataVersion),
    value: {
      brokerId: broker.id,
      isMigratingZkBroker: metadataAllows(metadataVersion, 'zkMigration') && broker.isMigratingZkBroker,
      incarnationId: broker.incarnationId,
      brokerEpoch: broker.epoch,
      endPoints: broker.endpoints.map(endpoint => ({ ...endpoint })),
      features: broker.features.map(feature => ({ ...feature })),
      rack: broker.rack,
      fenced: broker.fenced,
      inControlledShutdown: broker.inControlledShutdown,
      logDirs: hasDirectories ? [...broker.directories] : [],
      cordonedLogDirs: hasCordoned ? cordoned : null,
    },
  }
}

function controllerRecords({ cluster, features }: MetadataImage): MetadataRecord[] {
  if (!metadataAllows(features.metadataVersion, 'controllerRegistration')) return []
  return [...cluster.controllers.values()].map(controller => ({
    type: 'RegisterControllerRecord',
    version: 0,
    value: {
      controllerId: controller.id,
      incarnationId: controller.incarnationId,
      zkMigrationReady: controller.zkMigrationReady,
      endPoints: controller.endpoints.map(endpoint => ({ ...endpoint })),
      features: controller.features.map(feature => ({ ...feature })),
    },
  }))
}

/** The whole state of a partition at a metadata.version; what that cannot express is left out. */
export function partitionRecord(
  topicId: string,
  partitionId: number,
  partition: PartitionImage,
  metadataVersion: number,
): MetadataRecord {
  const version = partitionRecordVersion(metadataVersion)
  return {
    type: 'PartitionRecord',
    version,
    value: {
      partitionId,
      topicId,
      replicas: [...partition.replicas],
      isr: [...partition.isr],
      removingReplicas: [...partition.removingReplicas],
      addingReplicas: [...partition.addingReplicas],
      leader: partition.leader,
      leaderRecoveryState: partition.leaderRecoveryState,
      leaderEpoch: partition.leaderEpoch,
      partitionEpoch: partition.partitionEpoch,
      directories: version >= 1 ? [...partition.directories] : [],
      eligibleLeaderReplicas: version >= 2 && partition.elr.length > 0 ? [...partition.elr] : null,
      lastKnownElr: version >= 2 && partition.lastKnownElr.length > 0 ? [...partition.lastKnownElr] : null,
    },
  }
}

function configRecords({ configs }: MetadataImage): MetadataRecord[] {
  const records: MetadataRecord[] = []
  for (const resourceType of Object.values(ResourceType)) {
    for (const resourceName of configs.resourceNames(resourceType)) {
      for (const [name, value] of configs.of(resourceType, resourceName)) {
        records.push({ type: 'ConfigRecord', version: 0, value: { resourceType, resourceName, name, value } })
      }
    }
  }
  return records
}

function clientQuotaRecords({ clientQuotas }: MetadataImage): MetadataRecord[] {
  const records: MetadataRecord[] = []
  for (const { entity, quotas } of clientQuotas.all()) {
    for (const [key, value] of quotas) {
      const parts = entity.map(part => ({ ...part }))
      records.push({ type: 'ClientQuotaRecord', version: 0, value: { entity: parts, key, value, remove: false } })
    }
  }
  return records
}

function producerIdsRecords({ producerIds }: MetadataImage): MetadataRecord[] {
  const { nextProducerId } = producerIds
  if (nextProducerId <= 0) return []
  // Who got the last block is not kept.
  return [{ type: 'ProducerIdsRecord', version: 0, value: { brokerId: -1, brokerEpoch: -1, nextProducerId } }]
}

function aclRecord(entry: AclEntry): MetadataRecord {
  return { type: 'AccessControlEntryRecord', version: 0, value: { ...entry } }
}

function scramRecords({ scram, features }: MetadataImage): MetadataRecord[] {
  if (!metadataAllows(features.metadataVersion, 'scram')) return []
  const records: MetadataRecord[] = []
  for (const mechanism of [1, 2]) {
    for (const [name, credential] of scram.users(mechanism)) {
      const { salt, storedKey, serverKey, iterations } = credential
      const value = { name, mechanism, salt, storedKey, serverKey, iterations }
      records.push({ type: 'UserScramCredentialRecord', version: 0, value })
    }
  }
  return records
}

function delegationTokenRecords({ delegationTokens, features }: MetadataImage): MetadataRecord[] {
  if (!metadataAllows(features.metadataVersion, 'delegationTokens')) return []
  return [...delegationTokens.tokens.values()].map(token => ({
    type: 'DelegationTokenRecord',
    version: 0,
    value: { ...token, renewers: [...token.renewers] },
  }))
}
