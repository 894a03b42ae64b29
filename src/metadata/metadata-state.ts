import { strict as assert } from 'node:assert'
import { AclsState, DelegationTokensState, ProducerIdsState, ScramState } from './access-state.js'
import { ClientQuotasState } from './client-quotas-state.js'
import { ClusterState } from './cluster-state.js'
import { ConfigsState } from './configs-state.js'
import { isEmptyDelta, type MetadataDelta } from './delta.js'
import { FeaturesState } from './features-state.js'
import type { MetadataImage } from './image.js'
import type { MetadataRecord, MetadataRecordType, MetadataRecordValues } from './record.js'
import { TopicsState } from './topics-state.js'

/** Records that one metadata transaction may hold; the real ones are a few hundred at the most. */
const transactionRecordsMax = 1_000_000

/**
 * The image that replays. Two of them live in a node: the publisher's, which holds what is committed, and the active
 * controller's, which is ahead by what it has appended. `replay` is the only way in which they change.
 *
 * Records of a metadata transaction (KIP-868) wait until it ends:
 *
 *   Begin  a b c  End     -> a b c are replayed at End
 *   Begin  a b c  Abort   -> nothing
 */
export class MetadataState implements MetadataImage {
  readonly features = new FeaturesState()
  readonly cluster = new ClusterState()
  readonly topics = new TopicsState()
  readonly configs = new ConfigsState()
  readonly clientQuotas = new ClientQuotasState()
  readonly producerIds = new ProducerIdsState()
  readonly acls = new AclsState()
  readonly scram = new ScramState()
  readonly delegationTokens = new DelegationTokensState()
  #offset = -1
  #epoch = -1
  #changeNumber = 0
  #transaction: MetadataRecord[] | null = null

  get offset(): number {
    return this.#offset
  }

  get epoch(): number {
    return this.#epoch
  }

  get changeNumber(): number {
    return this.#changeNumber
  }

  /** A metadata transaction has begun and not ended. */
  get inTransaction(): boolean {
    return this.#transaction !== null
  }

  /**
   * Applies one record, or keeps it if a metadata transaction is open. Throws where a record does not fit what was
   * replayed before: a node must not go on with an image that is not the others'.
   */
  replay(record: MetadataRecord): void {
    const transaction = this.#transaction
    switch (record.type) {
      case 'BeginTransactionRecord':
        if (transaction !== null) throw new Error('a metadata transaction begins within another')
        this.#transaction = []
        return
      case 'EndTransactionRecord':
        if (transaction === null) throw new Error('a metadata transaction ends that has not begun')
        this.#transaction = null
        for (const kept of transaction) this.#apply(kept)
        return
      case 'AbortTransactionRecord':
        if (transaction === null) throw new Error('a metadata transaction is aborted that has not begun')
        this.#transaction = null
        return
    }
    if (transaction === null) this.#apply(record)
    else if (transaction.length >= transactionRecordsMax) throw new Error('a metadata transaction is too long')
    else transaction.push(withOwnBytes(record))
  }

  /** The last record that was replayed stands at this offset. */
  setPosition(offset: number, epoch: number): void {
    assert(offset >= this.#offset && epoch >= this.#epoch, 'replay is the same everywhere: records come in order')
    this.#offset = offset
    this.#epoch = epoch
  }

  /** Ends a step: what was replayed since the last call; entries that were changed are immutable from here on. */
  takeDelta(): MetadataDelta {
    const delta = {
      fromSnapshot: false,
      topics: this.topics.takeChanges(),
      brokers: this.cluster.takeBrokerChanges(),
      controllers: this.cluster.takeControllerChanges(),
      configs: this.configs.takeChanges(),
      features: this.features.takeChanges(),
      clientQuotasChanged: this.clientQuotas.takeChanged(),
      producerIdsChanged: this.producerIds.takeChanged(),
      aclsChanged: this.acls.takeChanged(),
      scramChanged: this.scram.takeChanged(),
      delegationTokensChanged: this.delegationTokens.takeChanged(),
    }
    if (!isEmptyDelta(delta)) this.#changeNumber++
    return delta
  }

  /** Another one that shows the same; the immutable entries are shared. The step must have ended. */
  copy(): MetadataState {
    const copy = new MetadataState()
    copy.replaceWith(this)
    copy.#changeNumber = this.#changeNumber
    return copy
  }

  /** Becomes what the other one is. */
  replaceWith(other: MetadataState): void {
    this.features.copyFrom(other.features)
    this.cluster.copyFrom(other.cluster)
    this.topics.copyFrom(other.topics)
    this.configs.copyFrom(other.configs)
    this.clientQuotas.copyFrom(other.clientQuotas)
    this.producerIds.copyFrom(other.producerIds)
    this.acls.copyFrom(other.acls)
    this.scram.copyFrom(other.scram)
    this.delegationTokens.copyFrom(other.delegationTokens)
    this.#offset = other.#offset
    this.#epoch = other.#epoch
    this.#transaction = other.#transaction === null ? null : [...other.#transaction]
    this.#changeNumber++
    // Changes that were not taken concern what is gone.
    this.takeDelta()
  }

  #apply(record: MetadataRecord): void {
    const replayer = replayers[record.type] as ((state: MetadataState, value: unknown) => void) | undefined
    if (replayer === undefined) throw new Error(`metadata record of unknown type '${record.type}'`)
    replayer(this, record.value)
  }
}

const ignore = (): void => {}

/** Which part takes which record. Those that open and end transactions never come here. */
const replayers: {
  readonly [T in MetadataRecordType]: (state: MetadataState, value: MetadataRecordValues[T]) => void
} = {
  RegisterBrokerRecord: (state, value) => state.cluster.replayRegisterBroker(value),
  UnregisterBrokerRecord: (state, value) => state.cluster.replayUnregisterBroker(value),
  BrokerRegistrationChangeRecord: (state, value) => state.cluster.replayRegistrationChange(value),
  FenceBrokerRecord: (state, value) => state.cluster.replayFence(value.id, value.epoch, true),
  UnfenceBrokerRecord: (state, value) => state.cluster.replayFence(value.id, value.epoch, false),
  RegisterControllerRecord: (state, value) => state.cluster.replayRegisterController(value),
  UnregisterControllerRecord: (state, value) => state.cluster.replayUnregisterController(value.controllerId),
  TopicRecord: (state, value) => state.topics.replayTopic(value),
  PartitionRecord: (state, value) => state.topics.replayPartition(value),
  PartitionChangeRecord: (state, value) => state.topics.replayPartitionChange(value),
  RemoveTopicRecord: (state, value) => state.configs.removeTopic(state.topics.replayRemoveTopic(value).name),
  ClearElrRecord: (state, value) => state.topics.replayClearElr(value),
  ConfigRecord: (state, value) => state.configs.replayConfig(value),
  FeatureLevelRecord: (state, value) => state.features.replayFeatureLevel(value),
  ProducerIdsRecord: (state, value) => state.producerIds.replayProducerIds(value),
  ClientQuotaRecord: (state, value) => state.clientQuotas.replayClientQuota(value),
  AccessControlEntryRecord: (state, value) => state.acls.replayAccessControlEntry(value),
  RemoveAccessControlEntryRecord: (state, value) => state.acls.replayRemoveAccessControlEntry(value),
  UserScramCredentialRecord: (state, value) => state.scram.replayUserScramCredential(value),
  RemoveUserScramCredentialRecord: (state, value) => state.scram.replayRemoveUserScramCredential(value),
  DelegationTokenRecord: (state, value) => state.delegationTokens.replayDelegationToken(value),
  RemoveDelegationTokenRecord: (state, value) => state.delegationTokens.replayRemoveDelegationToken(value),
  NoOpRecord: ignore,
  ZkMigrationStateRecord: ignore,
  BeginTransactionRecord: ignore,
  EndTransactionRecord: ignore,
  AbortTransactionRecord: ignore,
}

/** Bytes of a decoded record are views that live shorter than an open transaction. */
function withOwnBytes(record: MetadataRecord): MetadataRecord {
  if (record.type !== 'UserScramCredentialRecord') return record
  const { salt, storedKey, serverKey } = record.value
  const value = {
    ...record.value,
    salt: Buffer.from(salt),
    storedKey: Buffer.from(storedKey),
    serverKey: Buffer.from(serverKey),
  }
  return { ...record, value }
}
