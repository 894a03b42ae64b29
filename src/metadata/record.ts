import {
  type AbortTransactionRecord,
  type AccessControlEntryRecord,
  type BeginTransactionRecord,
  type BrokerRegistrationChangeRecord,
  type ClearElrRecord,
  type ClientQuotaRecord,
  type ConfigRecord,
  type DelegationTokenRecord,
  type EndTransactionRecord,
  type FeatureLevelRecord,
  type FenceBrokerRecord,
  METADATA_RECORDS,
  type NoOpRecord,
  type PartitionChangeRecord,
  type PartitionRecord,
  type ProducerIdsRecord,
  type RegisterBrokerRecord,
  type RegisterControllerRecord,
  type RemoveAccessControlEntryRecord,
  type RemoveDelegationTokenRecord,
  type RemoveTopicRecord,
  type RemoveUserScramCredentialRecord,
  type TopicRecord,
  type UnfenceBrokerRecord,
  type UnregisterBrokerRecord,
  type UnregisterControllerRecord,
  type UserScramCredentialRecord,
  type ZkMigrationStateRecord,
} from '#protocol/internal/metadata-records.js'
import type { Fields, Message, ValueOf } from '#protocol/schema.js'

/** The record types of the metadata log by name, each with what it decodes to. */
export interface MetadataRecordValues {
  RegisterBrokerRecord: ValueOf<typeof RegisterBrokerRecord>
  UnregisterBrokerRecord: ValueOf<typeof UnregisterBrokerRecord>
  TopicRecord: ValueOf<typeof TopicRecord>
  PartitionRecord: ValueOf<typeof PartitionRecord>
  ConfigRecord: ValueOf<typeof ConfigRecord>
  PartitionChangeRecord: ValueOf<typeof PartitionChangeRecord>
  FenceBrokerRecord: ValueOf<typeof FenceBrokerRecord>
  UnfenceBrokerRecord: ValueOf<typeof UnfenceBrokerRecord>
  RemoveTopicRecord: ValueOf<typeof RemoveTopicRecord>
  DelegationTokenRecord: ValueOf<typeof DelegationTokenRecord>
  UserScramCredentialRecord: ValueOf<typeof UserScramCredentialRecord>
  FeatureLevelRecord: ValueOf<typeof FeatureLevelRecord>
  ClientQuotaRecord: ValueOf<typeof ClientQuotaRecord>
  ProducerIdsRecord: ValueOf<typeof ProducerIdsRecord>
  BrokerRegistrationChangeRecord: ValueOf<typeof BrokerRegistrationChangeRecord>
  AccessControlEntryRecord: ValueOf<typeof AccessControlEntryRecord>
  RemoveAccessControlEntryRecord: ValueOf<typeof RemoveAccessControlEntryRecord>
  NoOpRecord: ValueOf<typeof NoOpRecord>
  ZkMigrationStateRecord: ValueOf<typeof ZkMigrationStateRecord>
  RemoveUserScramCredentialRecord: ValueOf<typeof RemoveUserScramCredentialRecord>
  BeginTransactionRecord: ValueOf<typeof BeginTransactionRecord>
  EndTransactionRecord: ValueOf<typeof EndTransactionRecord>
  AbortTransactionRecord: ValueOf<typeof AbortTransactionRecord>
  RemoveDelegationTokenRecord: ValueOf<typeof RemoveDelegationTokenRecord>
  RegisterControllerRecord: ValueOf<typeof RegisterControllerRecord>
  ClearElrRecord: ValueOf<typeof ClearElrRecord>
  UnregisterControllerRecord: ValueOf<typeof UnregisterControllerRecord>
}

export type MetadataRecordType = keyof MetadataRecordValues

/** One record of the metadata log, decoded: what the controller makes and what an image replays. */
export type MetadataRecord = {
  [T in MetadataRecordType]: {
    /** The name of its schema in protocol/internal/metadata-records.ts. */
    readonly type: T
    /** The version in which it was or is to be written. */
    readonly version: number
    readonly value: MetadataRecordValues[T]
  }
}[MetadataRecordType]

const byKey = new Map<number, Message<Fields>>()
const byName = new Map<string, Message<Fields>>()
for (const schema of METADATA_RECORDS) {
  byKey.set(schema.key, schema as unknown as Message<Fields>)
  byName.set(schema.name, schema as unknown as Message<Fields>)
}

/** The schema of a record type by the api key of its frame; undefined for a type that nobody knows. */
export function metadataRecordSchema(apiKey: number): Message<Fields> | undefined {
  return byKey.get(apiKey)
}

/** The schema of a record type by its name. */
export function metadataRecordSchemaOf(type: MetadataRecordType): Message<Fields> {
  return byName.get(type)!
}
