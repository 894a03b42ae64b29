/**
 * The cluster as a node knows it: what the records of the metadata log add up to. These are the views that everyone
 * reads; metadata-state.ts makes them, by replaying records and in no other way.
 *
 * The image itself always shows the newest published state. Its entries (a topic, a partition, a broker) are immutable:
 * a change replaces them, so an entry that was looked up may be kept across an await and stays what it was.
 */
export interface MetadataImage {
  /** Offset of the last record that it holds; -1 when there is none. */
  readonly offset: number
  /** Leader epoch of that record; -1 when there is none. */
  readonly epoch: number
  /** A number that is different after every published change; a key for caches. */
  readonly changeNumber: number
  readonly features: FeaturesImage
  readonly cluster: ClusterImage
  readonly topics: TopicsImage
  readonly configs: ConfigsImage
  readonly clientQuotas: ClientQuotasImage
  readonly producerIds: ProducerIdsImage
  readonly acls: AclsImage
  readonly scram: ScramImage
  readonly delegationTokens: DelegationTokensImage
}

/** Finalized features. */
export interface FeaturesImage {
  /** The level of metadata.version; the lowest that is supported when the log does not say. */
  readonly metadataVersion: number
  /** The log has a FeatureLevelRecord for metadata.version. */
  readonly hasMetadataVersion: boolean
  /** The finalized level of a feature; 0 when it is not finalized. */
  level(name: string): number
  /** Features other than metadata.version that stand above level 0. */
  readonly levels: ReadonlyMap<string, number>
}

export interface ClusterImage {
  readonly brokers: ReadonlyMap<number, BrokerRegistration>
  readonly controllers: ReadonlyMap<number, ControllerRegistration>
  broker(id: number): BrokerRegistration | undefined
}

export interface Endpoint {
  /** Name of the listener, in capitals as configured. */
  readonly name: string
  readonly host: string
  readonly port: number
  /** 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL. */
  readonly securityProtocol: number
}

export interface SupportedFeature {
  readonly name: string
  readonly minSupportedVersion: number
  readonly maxSupportedVersion: number
}

export interface BrokerRegistration {
  readonly id: number
  /** The offset of its registration in the metadata log, by which its requests are fenced. */
  readonly epoch: number
  /** A fresh one for each process. */
  readonly incarnationId: string
  readonly endpoints: readonly Endpoint[]
  readonly features: readonly SupportedFeature[]
  readonly rack: string | null
  readonly fenced: boolean
  readonly inControlledShutdown: boolean
  readonly isMigratingZkBroker: boolean
  /** Ids of the log directories that are online, as `sortedUuids` has them. */
  readonly directories: readonly string[]
  /** Those that take no new replicas (KIP-1066), in that order; null until the broker has said it in a heartbeat. */
  readonly cordonedDirectories: readonly string[] | null
}

export interface ControllerRegistration {
  readonly id: number
  readonly incarnationId: string
  readonly zkMigrationReady: boolean
  readonly endpoints: readonly Endpoint[]
  readonly features: readonly SupportedFeature[]
}

export interface TopicsImage {
  readonly topicCount: number
  readonly partitionCount: number
  byName(name: string): TopicImage | undefined
  byId(id: string): TopicImage | undefined
  partition(name: string, partition: number): PartitionImage | undefined
  partitionById(id: string, partition: number): PartitionImage | undefined
  /** All topics, in no particular order. */
  all(): IterableIterator<TopicImage>
  /** A topic whose name is the same but for '.' and '_', which metric names do not tell apart; undefined if none. */
  collidingName(name: string): string | undefined
  /** Names of all topics in Kafka's order (by UTF-16 code unit); sorted once per change. */
  sortedNames(): readonly string[]
}

export interface TopicImage {
  readonly name: string
  readonly id: string
  /** By partition number, without gaps. */
  readonly partitions: readonly PartitionImage[]
}

/** No leader. */
export const NO_LEADER = -1

/** 0: the leader was clean; 1: it was elected uncleanly and has not yet recovered. */
export type LeaderRecoveryState = 0 | 1

export interface PartitionImage {
  readonly replicas: readonly number[]
  /** The directory id of each replica, in the order of `replicas`; see directory-id.ts for the reserved ids. */
  readonly directories: readonly string[]
  readonly isr: readonly number[]
  readonly removingReplicas: readonly number[]
  readonly addingReplicas: readonly number[]
  /** Eligible leader replicas (KIP-966). */
  readonly elr: readonly number[]
  readonly lastKnownElr: readonly number[]
  /** A broker id, or NO_LEADER. */
  readonly leader: number
  readonly leaderRecoveryState: LeaderRecoveryState
  readonly leaderEpoch: number
  readonly partitionEpoch: number
}

/** ConfigResource types as they are stored and sent. */
export const ResourceType = { TOPIC: 2, BROKER: 4, BROKER_LOGGER: 8, CLIENT_METRICS: 16, GROUP: 32 } as const

export interface ConfigResource {
  /** One of ResourceType. */
  readonly type: number
  /** '' with BROKER stands for the default of all brokers. */
  readonly name: string
}

export interface ConfigsImage {
  /** The dynamic configuration of a resource; an empty map when there is none. */
  of(type: number, name: string): ReadonlyMap<string, string>
  /** Names of the resources of a type that have dynamic configuration. */
  resourceNames(type: number): readonly string[]
}

export interface QuotaEntityPart {
  /** 'user', 'client-id' or 'ip'. */
  readonly entityType: string
  /** null stands for the default entity. */
  readonly entityName: string | null
}

export interface ClientQuotaEntry {
  readonly entity: readonly QuotaEntityPart[]
  /** Quota key (producer_byte_rate, …) to value. */
  readonly quotas: ReadonlyMap<string, number>
}

export interface ClientQuotasImage {
  all(): IterableIterator<ClientQuotaEntry>
}

export interface ProducerIdsImage {
  /** The first id of the next block; 0 when none was handed out. */
  readonly nextProducerId: number
}

export interface AclEntry {
  readonly id: string
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}

export interface AclsImage {
  readonly entries: ReadonlyMap<string, AclEntry>
}

export interface ScramCredential {
  readonly salt: Uint8Array
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
  readonly iterations: number
}

export interface ScramImage {
  /** `mechanism`: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512. */
  credential(mechanism: number, user: string): ScramCredential | undefined
  /** User to credential. */
  users(mechanism: number): ReadonlyMap<string, ScramCredential>
}

export interface DelegationToken {
  readonly tokenId: string
  /** Principals as 'User:name'. */
  readonly owner: string
  readonly requester: string
  readonly renewers: readonly string[]
  readonly issueTimestamp: number
  readonly maxTimestamp: number
  readonly expirationTimestamp: number
}

export interface DelegationTokensImage {
  readonly tokens: ReadonlyMap<string, DelegationToken>
}
