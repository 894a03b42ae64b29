/** What each level of metadata.version allows (KIP-778); levels are those of Kafka 4.4. */

export const METADATA_VERSION = 'metadata.version'
/** 3.3-IV3: what a log without a FeatureLevelRecord for metadata.version stands at, and the lowest that can be had. */
export const METADATA_VERSION_MIN = 7
/** 4.4-IV2: the newest production level of Kafka 4.4. */
export const METADATA_VERSION_MAX = 33

const firstLevels = {
  inControlledShutdown: 7,
  zkMigration: 8,
  scram: 11,
  /** From here on a shrinking ISR leaves the leader epoch alone. */
  isrShrinkKeepsLeaderEpoch: 12,
  metadataTransactions: 13,
  delegationTokens: 14,
  controllerRegistration: 15,
  directoryAssignment: 17,
  eligibleLeaderReplicas: 23,
  cordonedDirectories: 30,
  controllerUnregistration: 33,
} as const

export type MetadataCapability = keyof typeof firstLevels

/** Whether metadata.version at this level can express something. */
export function metadataAllows(metadataVersion: number, capability: MetadataCapability): boolean {
  return metadataVersion >= firstLevels[capability]
}

/** The level from which metadata.version can express something. */
export function firstLevelOf(capability: MetadataCapability): number {
  return firstLevels[capability]
}

/** Levels that brought new records or fields: a downgrade across one of them would lose metadata. */
const levelsThatChangedMetadata = [7, 8, 11, 13, 14, 15, 17, 23, 30, 32, 33]

/** Whether going down from one level to another would have to drop metadata. */
export function losesMetadata(from: number, to: number): boolean {
  return levelsThatChangedMetadata.some(level => level > to && level <= from)
}

const names = [
  '3.3-IV3',
  '3.4-IV0',
  '3.5-IV0',
  '3.5-IV1',
  '3.5-IV2',
  '3.6-IV0',
  '3.6-IV1',
  '3.6-IV2',
  '3.7-IV0',
  '3.7-IV1',
  '3.7-IV2',
  '3.7-IV3',
  '3.7-IV4',
  '3.8-IV0',
  '3.9-IV0',
  '4.0-IV0',
  '4.0-IV1',
  '4.0-IV2',
  '4.0-IV3',
  '4.1-IV0',
  '4.1-IV1',
  '4.2-IV0',
  '4.2-IV1',
  '4.3-IV0',
  '4.4-IV0',
  '4.4-IV1',
  '4.4-IV2',
]

/** '4.4-IV2' for 33; undefined for a level that is not known. */
export function metadataVersionName(level: number): string | undefined {
  return names[level - METADATA_VERSION_MIN]
}

export function partitionRecordVersion(metadataVersion: number): number {
  if (metadataAllows(metadataVersion, 'eligibleLeaderReplicas')) return 2
  return metadataAllows(metadataVersion, 'directoryAssignment') ? 1 : 0
}

export function registerBrokerRecordVersion(metadataVersion: number): number {
  if (metadataAllows(metadataVersion, 'cordonedDirectories')) return 4
  if (metadataAllows(metadataVersion, 'directoryAssignment')) return 3
  return metadataAllows(metadataVersion, 'zkMigration') ? 2 : 1
}
