/** Records of the metadata log, `__cluster_metadata`. The key is the record type of the frame. */
import {
  array,
  bool,
  bytes,
  float64,
  int8,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.js'

/** A broker registered; it begins fenced. */
export const RegisterBrokerRecord = message({
  name: 'RegisterBrokerRecord',
  key: 0,
  versions: '0-4',
  flexible: '0+',
  fields: {
    brokerId: int32,
    isMigratingZkBroker: bool.versions('2+').default(false),
    incarnationId: uuid,
    brokerEpoch: int64,
    endPoints: array(struct({ name: string, host: string, port: uint16, securityProtocol: int16 })),
    features: array(struct({ name: string, minSupportedVersion: int16, maxSupportedVersion: int16 })),
    rack: string.nullable(),
    fenced: bool.default(true),
    inControlledShutdown: bool.versions('1+').default(false),
    logDirs: array(uuid).versions('3+').tagged(0),
    cordonedLogDirs: array(uuid).nullable().versions('4+').tagged(1).default(null),
  },
})

/** A broker registration is removed. */
export const UnregisterBrokerRecord = message({
  name: 'UnregisterBrokerRecord',
  key: 1,
  versions: '0',
  flexible: '0+',
  fields: { brokerId: int32, brokerEpoch: int64 },
})

/** A topic was created; its partitions follow. */
export const TopicRecord = message({
  name: 'TopicRecord',
  key: 2,
  versions: '0',
  flexible: '0+',
  fields: { name: string, topicId: uuid },
})

/** The whole state of a partition. */
export const PartitionRecord = message({
  name: 'PartitionRecord',
  key: 3,
  versions: '0-2',
  flexible: '0+',
  fields: {
    partitionId: int32.default(-1),
    topicId: uuid,
    replicas: array(int32),
    isr: array(int32),
    removingReplicas: array(int32),
    addingReplicas: array(int32),
    leader: int32.default(-1),
    leaderRecoveryState: int8.tagged(0).default(0),
    leaderEpoch: int32.default(-1),
    partitionEpoch: int32.default(-1),
    directories: array(uuid).versions('1+'),
    eligibleLeaderReplicas: array(int32).nullable().versions('2+').tagged(1).default(null),
    lastKnownElr: array(int32).nullable().versions('2+').tagged(2).default(null),
  },
})

/** A dynamic configuration value is set, or removed by a null value. */
export const ConfigRecord = message({
  name: 'ConfigRecord',
  key: 4,
  versions: '0',
  flexible: '0+',
  fields: { resourceType: int8, resourceName: string, name: string, value: string.nullable() },
})

/** What changed of a partition; tagged fields that are left out did not change. */
export const PartitionChangeRecord = message({
  name: 'PartitionChangeRecord',
  key: 5,
  versions: '0-2',
  flexible: '0+',
  fields: {
    partitionId: int32.default(-1),
    topicId: uuid,
    isr: array(int32).nullable().tagged(0).default(null),
    leader: int32.tagged(1).default(-2),
    replicas: array(int32).nullable().tagged(2).default(null),
    removingReplicas: array(int32).nullable().tagged(3).default(null),
    addingReplicas: array(int32).nullable().tagged(4).default(null),
    leaderRecoveryState: int8.tagged(5).default(-1),
    directories: array(uuid).nullable().versions('1+').tagged(8).default(null),
    eligibleLeaderReplicas: array(int32).nullable().versions('2+').tagged(6).default(null),
    lastKnownElr: array(int32).nullable().versions('2+').tagged(7).default(null),
  },
})

/** A broker is fenced (old form). */
export const FenceBrokerRecord = message({
  name: 'FenceBrokerRecord',
  key: 7,
  versions: '0',
  flexible: '0+',
  fields: { id: int32, epoch: int64 },
})

/** A broker is unfenced (old form). */
export const UnfenceBrokerRecord = message({
  name: 'UnfenceBrokerRecord',
  key: 8,
  versions: '0',
  flexible: '0+',
  fields: { id: int32, epoch: int64 },
})

/** A topic is removed with its partitions and configuration. */
export const RemoveTopicRecord = message({
  name: 'RemoveTopicRecord',
  key: 9,
  versions: '0',
  flexible: '0+',
  fields: { topicId: uuid },
})

/** A delegation token. */
export const DelegationTokenRecord = message({
  name: 'DelegationTokenRecord',
  key: 10,
  versions: '0',
  flexible: '0+',
  fields: {
    owner: string,
    requester: string,
    renewers: array(string),
    issueTimestamp: int64,
    maxTimestamp: int64,
    expirationTimestamp: int64,
    tokenId: string,
  },
})

/** A SCRAM credential. */
export const UserScramCredentialRecord = message({
  name: 'UserScramCredentialRecord',
  key: 11,
  versions: '0',
  flexible: '0+',
  fields: { name: string, mechanism: int8, salt: bytes, storedKey: bytes, serverKey: bytes, iterations: int32 },
})

/** A feature is finalized at a level; 0 removes it. */
export const FeatureLevelRecord = message({
  name: 'FeatureLevelRecord',
  key: 12,
  versions: '0',
  flexible: '0+',
  fields: { name: string, featureLevel: int16 },
})

/** A client quota is set or removed. */
export const ClientQuotaRecord = message({
  name: 'ClientQuotaRecord',
  key: 14,
  versions: '0',
  flexible: '0+',
  fields: {
    entity: array(struct({ entityType: string, entityName: string.nullable() })),
    key: string,
    value: float64,
    remove: bool,
  },
})

/** A block of producer ids was handed out. */
export const ProducerIdsRecord = message({
  name: 'ProducerIdsRecord',
  key: 15,
  versions: '0',
  flexible: '0+',
  fields: { brokerId: int32, brokerEpoch: int64.default(-1), nextProducerId: int64 },
})

/** A broker is fenced, unfenced, shutting down, or its directories changed. */
export const BrokerRegistrationChangeRecord = message({
  name: 'BrokerRegistrationChangeRecord',
  key: 17,
  versions: '0-3',
  flexible: '0+',
  fields: {
    brokerId: int32,
    brokerEpoch: int64,
    fenced: int8.tagged(0),
    inControlledShutdown: int8.versions('1+').tagged(1),
    logDirs: array(uuid).versions('2+').tagged(2),
    cordonedLogDirs: array(uuid).nullable().versions('3+').tagged(3).default(null),
  },
})

/** An access control entry. */
export const AccessControlEntryRecord = message({
  name: 'AccessControlEntryRecord',
  key: 18,
  versions: '0',
  flexible: '0+',
  fields: {
    id: uuid,
    resourceType: int8,
    resourceName: string,
    patternType: int8,
    principal: string,
    host: string,
    operation: int8,
    permissionType: int8,
  },
})

/** An access control entry is removed. */
export const RemoveAccessControlEntryRecord = message({
  name: 'RemoveAccessControlEntryRecord',
  key: 19,
  versions: '0',
  flexible: '0+',
  fields: { id: uuid },
})

/** Nothing: shows that the log moves. */
export const NoOpRecord = message({ name: 'NoOpRecord', key: 20, versions: '0', flexible: '0+', fields: {} })

/** State of a migration from ZooKeeper; read and kept, without meaning today. */
export const ZkMigrationStateRecord = message({
  name: 'ZkMigrationStateRecord',
  key: 21,
  versions: '0',
  flexible: '0+',
  fields: { zkMigrationState: int8 },
})

/** A SCRAM credential is removed. */
export const RemoveUserScramCredentialRecord = message({
  name: 'RemoveUserScramCredentialRecord',
  key: 22,
  versions: '0',
  flexible: '0+',
  fields: { name: string, mechanism: int8 },
})

/** What follows counts only when the transaction ends. */
export const BeginTransactionRecord = message({
  name: 'BeginTransactionRecord',
  key: 23,
  versions: '0',
  flexible: '0+',
  fields: { name: string.nullable().tagged(0).default(null) },
})

/** The metadata transaction counts. */
export const EndTransactionRecord = message({
  name: 'EndTransactionRecord',
  key: 24,
  versions: '0',
  flexible: '0+',
  fields: {},
})

/** The metadata transaction is dropped. */
export const AbortTransactionRecord = message({
  name: 'AbortTransactionRecord',
  key: 25,
  versions: '0',
  flexible: '0+',
  fields: { reason: string.nullable().tagged(0).default(null) },
})

/** A delegation token is removed. */
export const RemoveDelegationTokenRecord = message({
  name: 'RemoveDelegationTokenRecord',
  key: 26,
  versions: '0',
  flexible: '0+',
  fields: { tokenId: string },
})

/** A controller registered. */
export const RegisterControllerRecord = message({
  name: 'RegisterControllerRecord',
  key: 27,
  versions: '0',
  flexible: '0+',
  fields: {
    controllerId: int32,
    incarnationId: uuid,
    zkMigrationReady: bool,
    endPoints: array(struct({ name: string, host: string, port: uint16, securityProtocol: int16 })),
    features: array(struct({ name: string, minSupportedVersion: int16, maxSupportedVersion: int16 })),
  },
})

/** Eligible leader replicas of a topic (or of all) are cleared. */
export const ClearElrRecord = message({
  name: 'ClearElrRecord',
  key: 28,
  versions: '0',
  flexible: '0+',
  fields: { topicName: string },
})

/** A controller registration is removed. */
export const UnregisterControllerRecord = message({
  name: 'UnregisterControllerRecord',
  key: 29,
  versions: '0',
  flexible: '0+',
  fields: { controllerId: int32 },
})

/** All of them; a record is found by its key. */
export const METADATA_RECORDS = [
  RegisterBrokerRecord,
  UnregisterBrokerRecord,
  TopicRecord,
  PartitionRecord,
  ConfigRecord,
  PartitionChangeRecord,
  FenceBrokerRecord,
  UnfenceBrokerRecord,
  RemoveTopicRecord,
  DelegationTokenRecord,
  UserScramCredentialRecord,
  FeatureLevelRecord,
  ClientQuotaRecord,
  ProducerIdsRecord,
  BrokerRegistrationChangeRecord,
  AccessControlEntryRecord,
  RemoveAccessControlEntryRecord,
  NoOpRecord,
  ZkMigrationStateRecord,
  RemoveUserScramCredentialRecord,
  BeginTransactionRecord,
  EndTransactionRecord,
  AbortTransactionRecord,
  RemoveDelegationTokenRecord,
  RegisterControllerRecord,
  ClearElrRecord,
  UnregisterControllerRecord,
] as const
