import type { MetadataRecord, MetadataRecordType, MetadataRecordValues } from '#src/metadata/record.js'

/** A record in the version given, 0 by default. */
export function record<T extends MetadataRecordType>(
  type: T,
  value: MetadataRecordValues[T],
  version = 0,
): MetadataRecord {
  return { type, version, value } as unknown as MetadataRecord
}

export const exampleTopicId = 'AAAAAAAAAAAAAAAAAAAAEA'
const goneTopicId = 'AAAAAAAAAAAAAAAAAAAAEQ'
const directories = ['directoryAAAAAAAAAAAAA', 'directoryBBBBBBBBBBBBA']

function partition(partitionId: number, topicId = exampleTopicId): MetadataRecord {
  return record(
    'PartitionRecord',
    {
      partitionId,
      topicId,
      replicas: [1, 2],
      isr: [1],
      removingReplicas: [],
      addingReplicas: partitionId === 2 ? [2] : [],
      leader: 1,
      leaderRecoveryState: partitionId === 0 ? 1 : 0,
      leaderEpoch: 7,
      partitionEpoch: 8,
      directories,
      eligibleLeaderReplicas: partitionId === 1 ? [2] : null,
      lastKnownElr: partitionId === 1 ? [1] : null,
    },
    2,
  )
}

function acl(id: string): MetadataRecord {
  return record('AccessControlEntryRecord', {
    id,
    resourceType: 2,
    resourceName: 't',
    patternType: 3,
    principal: 'User:a',
    host: '*',
    operation: 3,
    permissionType: 3,
  })
}

function token(tokenId: string): MetadataRecord {
  return record('DelegationTokenRecord', {
    owner: 'User:a',
    requester: 'User:b',
    renewers: ['User:c'],
    issueTimestamp: 1,
    maxTimestamp: 2,
    expirationTimestamp: 3,
    tokenId,
  })
}

const credential = { salt: Buffer.from('salt'), storedKey: Buffer.from('stored'), serverKey: Buffer.from('server') }
const endPoints = [{ name: 'PLAINTEXT', host: 'h', port: 9092, securityProtocol: 0 }]
const features = [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 33 }]

/**
 * A log that has every type of record at least once; what it leaves is at metadata.version 33 with all there can be.
 */
export function exampleRecords(): MetadataRecord[] {
  return [...clusterRecords(), ...topicRecords(), ...accessRecords()]
}

function clusterRecords(): MetadataRecord[] {
  const broker = {
    brokerId: 1,
    isMigratingZkBroker: false,
    incarnationId: 'incarnationAAAAAAAAAAA',
    brokerEpoch: 5,
    endPoints,
    features,
    rack: 'r',
    fenced: true,
    inControlledShutdown: false,
    logDirs: ['directoryAAAAAAAAAAAAA'],
    cordonedLogDirs: null,
  }
  const controller = { incarnationId: 'incarnationBBBBBBBBBBA', zkMigrationReady: false, endPoints, features }
  const unfence = {
    brokerId: 1,
    brokerEpoch: 5,
    fenced: -1,
    inControlledShutdown: 0,
    logDirs: [],
    cordonedLogDirs: null,
  }
  return [
    record('BeginTransactionRecord', { name: 'aborted' }),
    record('FeatureLevelRecord', { name: 'metadata.version', featureLevel: 8 }),
    record('AbortTransactionRecord', { reason: null }),
    record('BeginTransactionRecord', { name: null }),
    record('FeatureLevelRecord', { name: 'metadata.version', featureLevel: 33 }),
    record('FeatureLevelRecord', { name: 'group.version', featureLevel: 1 }),
    record('FeatureLevelRecord', { name: 'gone.version', featureLevel: 1 }),
    record('FeatureLevelRecord', { name: 'gone.version', featureLevel: 0 }),
    record('EndTransactionRecord', {}),
    record('ZkMigrationStateRecord', { zkMigrationState: 0 }),
    record('NoOpRecord', {}),
    record('RegisterBrokerRecord', broker, 4),
    record('RegisterBrokerRecord', { ...broker, brokerId: 2, brokerEpoch: 6 }, 4),
    record('UnfenceBrokerRecord', { id: 2, epoch: 6 }),
    record('FenceBrokerRecord', { id: 2, epoch: 6 }),
    record('UnregisterBrokerRecord', { brokerId: 2, brokerEpoch: 6 }),
    record('BrokerRegistrationChangeRecord', { ...unfence, cordonedLogDirs: ['directoryAAAAAAAAAAAAA'] }, 3),
    record('RegisterControllerRecord', { controllerId: 1, ...controller }),
    record('RegisterControllerRecord', { controllerId: 2, ...controller }),
    record('UnregisterControllerRecord', { controllerId: 2 }),
  ]
}

function topicRecords(): MetadataRecord[] {
  const change = {
    partitionId: 1,
    topicId: exampleTopicId,
    isr: [2, 1],
    leader: 2,
    replicas: null,
    removingReplicas: null,
    addingReplicas: null,
    leaderRecoveryState: -1,
    directories: null,
    eligibleLeaderReplicas: [],
    lastKnownElr: null,
  }
  const config = (resourceType: number, resourceName: string, name: string, value: string | null) => {
    return record('ConfigRecord', { resourceType, resourceName, name, value })
  }
  return [
    record('TopicRecord', { name: 't', topicId: exampleTopicId }),
    config(2, 't', 'retention.ms', '5'),
    config(2, 't', 'segment.ms', '6'),
    config(2, 't', 'flush.ms', '7'),
    config(2, 't', 'flush.ms', null),
    partition(0),
    partition(1),
    partition(2),
    record('PartitionChangeRecord', change, 2),
    record('ClearElrRecord', { topicName: '' }),
    config(4, '', 'log.retention.ms', '8'),
    record('TopicRecord', { name: 'gone', topicId: goneTopicId }),
    partition(0, goneTopicId),
    config(2, 'gone', 'retention.ms', '5'),
    record('RemoveTopicRecord', { topicId: goneTopicId }),
  ]
}

function accessRecords(): MetadataRecord[] {
  const entity = [
    { entityType: 'user', entityName: 'u' },
    { entityType: 'client-id', entityName: null },
  ]
  return [
    record('ClientQuotaRecord', { entity, key: 'producer_byte_rate', value: 10, remove: false }),
    record('ClientQuotaRecord', { entity: entity.toReversed(), key: 'consumer_byte_rate', value: 10, remove: false }),
    record('ClientQuotaRecord', { entity, key: 'consumer_byte_rate', value: 0, remove: true }),
    record('ProducerIdsRecord', { brokerId: 1, brokerEpoch: 5, nextProducerId: 1000 }),
    record('ProducerIdsRecord', { brokerId: -1, brokerEpoch: -1, nextProducerId: 2000 }),
    acl('AAAAAAAAAAAAAAAAAAAAEg'),
    acl('AAAAAAAAAAAAAAAAAAAAEw'),
    record('RemoveAccessControlEntryRecord', { id: 'AAAAAAAAAAAAAAAAAAAAEg' }),
    record('UserScramCredentialRecord', { name: 'u', mechanism: 1, ...credential, iterations: 4096 }),
    record('UserScramCredentialRecord', { name: 'u', mechanism: 2, ...credential, iterations: 4096 }),
    record('RemoveUserScramCredentialRecord', { name: 'u', mechanism: 2 }),
    token('gone'),
    token('kept'),
    record('RemoveDelegationTokenRecord', { tokenId: 'gone' }),
  ]
}
