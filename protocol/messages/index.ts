import type { Api } from '../schema.js'
import { AddOffsetsToTxn } from './add-offsets-to-txn.js'
import { AddPartitionsToTxn } from './add-partitions-to-txn.js'
import { AddRaftVoter } from './add-raft-voter.js'
import { AllocateProducerIds } from './allocate-producer-ids.js'
import { AlterClientQuotas } from './alter-client-quotas.js'
import { AlterConfigs } from './alter-configs.js'
import { AlterPartition } from './alter-partition.js'
import { AlterPartitionReassignments } from './alter-partition-reassignments.js'
import { AlterReplicaLogDirs } from './alter-replica-log-dirs.js'
import { AlterShareGroupOffsets } from './alter-share-group-offsets.js'
import { AlterUserScramCredentials } from './alter-user-scram-credentials.js'
import { ApiVersions } from './api-versions.js'
import { AssignReplicasToDirs } from './assign-replicas-to-dirs.js'
import { BeginQuorumEpoch } from './begin-quorum-epoch.js'
import { BrokerHeartbeat } from './broker-heartbeat.js'
import { BrokerRegistration } from './broker-registration.js'
import { ConsumerGroupDescribe } from './consumer-group-describe.js'
import { ConsumerGroupHeartbeat } from './consumer-group-heartbeat.js'
import { ControllerRegistration } from './controller-registration.js'
import { CreateAcls } from './create-acls.js'
import { CreateDelegationToken } from './create-delegation-token.js'
import { CreatePartitions } from './create-partitions.js'
import { CreateTopics } from './create-topics.js'
import { DeleteAcls } from './delete-acls.js'
import { DeleteGroups } from './delete-groups.js'
import { DeleteRecords } from './delete-records.js'
import { DeleteShareGroupOffsets } from './delete-share-group-offsets.js'
import { DeleteShareGroupState } from './delete-share-group-state.js'
import { DeleteTopics } from './delete-topics.js'
import { DescribeAcls } from './describe-acls.js'
import { DescribeClientQuotas } from './describe-client-quotas.js'
import { DescribeCluster } from './describe-cluster.js'
import { DescribeConfigs } from './describe-configs.js'
import { DescribeDelegationToken } from './describe-delegation-token.js'
import { DescribeGroups } from './describe-groups.js'
import { DescribeLogDirs } from './describe-log-dirs.js'
import { DescribeProducers } from './describe-producers.js'
import { DescribeQuorum } from './describe-quorum.js'
import { DescribeShareGroupOffsets } from './describe-share-group-offsets.js'
import { DescribeTopicPartitions } from './describe-topic-partitions.js'
import { DescribeTransactions } from './describe-transactions.js'
import { DescribeUserScramCredentials } from './describe-user-scram-credentials.js'
import { ElectLeaders } from './elect-leaders.js'
import { EndQuorumEpoch } from './end-quorum-epoch.js'
import { EndTxn } from './end-txn.js'
import { Envelope } from './envelope.js'
import { ExpireDelegationToken } from './expire-delegation-token.js'
import { Fetch } from './fetch.js'
import { FetchSnapshot } from './fetch-snapshot.js'
import { FindCoordinator } from './find-coordinator.js'
import { GetTelemetrySubscriptions } from './get-telemetry-subscriptions.js'
import { Heartbeat } from './heartbeat.js'
import { IncrementalAlterConfigs } from './incremental-alter-configs.js'
import { InitProducerId } from './init-producer-id.js'
import { InitializeShareGroupState } from './initialize-share-group-state.js'
import { JoinGroup } from './join-group.js'
import { LeaveGroup } from './leave-group.js'
import { ListConfigResources } from './list-config-resources.js'
import { ListGroups } from './list-groups.js'
import { ListOffsets } from './list-offsets.js'
import { ListPartitionReassignments } from './list-partition-reassignments.js'
import { ListTransactions } from './list-transactions.js'
import { Metadata } from './metadata.js'
import { OffsetCommit } from './offset-commit.js'
import { OffsetDelete } from './offset-delete.js'
import { OffsetFetch } from './offset-fetch.js'
import { OffsetForLeaderEpoch } from './offset-for-leader-epoch.js'
import { Produce } from './produce.js'
import { PushTelemetry } from './push-telemetry.js'
import { ReadShareGroupState } from './read-share-group-state.js'
import { ReadShareGroupStateSummary } from './read-share-group-state-summary.js'
import { RemoveRaftVoter } from './remove-raft-voter.js'
import { RenewDelegationToken } from './renew-delegation-token.js'
import { SaslAuthenticate } from './sasl-authenticate.js'
import { SaslHandshake } from './sasl-handshake.js'
import { ShareAcknowledge } from './share-acknowledge.js'
import { ShareFetch } from './share-fetch.js'
import { ShareGroupDescribe } from './share-group-describe.js'
import { ShareGroupHeartbeat } from './share-group-heartbeat.js'
import { StreamsGroupDescribe } from './streams-group-describe.js'
import { StreamsGroupHeartbeat } from './streams-group-heartbeat.js'
import { StreamsGroupTopologyDescriptionUpdate } from './streams-group-topology-description-update.js'
import { SyncGroup } from './sync-group.js'
import { TxnOffsetCommit } from './txn-offset-commit.js'
import { UnregisterBroker } from './unregister-broker.js'
import { UnregisterController } from './unregister-controller.js'
import { UpdateFeatures } from './update-features.js'
import { UpdateRaftVoter } from './update-raft-voter.js'
import { Vote } from './vote.js'
import { WriteShareGroupState } from './write-share-group-state.js'
import { WriteTxnMarkers } from './write-txn-markers.js'

/** Every API of the protocol, in the order of the keys. */
// biome-ignore lint/suspicious/noExplicitAny: a table holds messages of every shape
export const APIS: readonly Api<any, any>[] = [
  Produce,
  Fetch,
  ListOffsets,
  Metadata,
  OffsetCommit,
  OffsetFetch,
  FindCoordinator,
  JoinGroup,
  Heartbeat,
  LeaveGroup,
  SyncGroup,
  DescribeGroups,
  ListGroups,
  SaslHandshake,
  ApiVersions,
  CreateTopics,
  DeleteTopics,
  DeleteRecords,
  InitProducerId,
  OffsetForLeaderEpoch,
  AddPartitionsToTxn,
  AddOffsetsToTxn,
  EndTxn,
  WriteTxnMarkers,
  TxnOffsetCommit,
  DescribeAcls,
  CreateAcls,
  DeleteAcls,
  DescribeConfigs,
  AlterConfigs,
  AlterReplicaLogDirs,
  DescribeLogDirs,
  SaslAuthenticate,
  CreatePartitions,
  CreateDelegationToken,
  RenewDelegationToken,
  ExpireDelegationToken,
  DescribeDelegationToken,
  DeleteGroups,
  ElectLeaders,
  IncrementalAlterConfigs,
  AlterPartitionReassignments,
  ListPartitionReassignments,
  OffsetDelete,
  DescribeClientQuotas,
  AlterClientQuotas,
  DescribeUserScramCredentials,
  AlterUserScramCredentials,
  Vote,
  BeginQuorumEpoch,
  EndQuorumEpoch,
  DescribeQuorum,
  AlterPartition,
  UpdateFeatures,
  Envelope,
  FetchSnapshot,
  DescribeCluster,
  DescribeProducers,
  BrokerRegistration,
  BrokerHeartbeat,
  UnregisterBroker,
  DescribeTransactions,
  ListTransactions,
  AllocateProducerIds,
  ConsumerGroupHeartbeat,
  ConsumerGroupDescribe,
  ControllerRegistration,
  GetTelemetrySubscriptions,
  PushTelemetry,
  AssignReplicasToDirs,
  ListConfigResources,
  DescribeTopicPartitions,
  ShareGroupHeartbeat,
  ShareGroupDescribe,
  ShareFetch,
  ShareAcknowledge,
  AddRaftVoter,
  RemoveRaftVoter,
  UpdateRaftVoter,
  InitializeShareGroupState,
  ReadShareGroupState,
  WriteShareGroupState,
  DeleteShareGroupState,
  ReadShareGroupStateSummary,
  StreamsGroupHeartbeat,
  StreamsGroupDescribe,
  DescribeShareGroupOffsets,
  AlterShareGroupOffsets,
  DeleteShareGroupOffsets,
  StreamsGroupTopologyDescriptionUpdate,
  UnregisterController,
]

/** Keys that Kafka 4.0 gave up: they belonged to the time of ZooKeeper. */
export const REMOVED_APIS = [
  { key: 4, name: 'LeaderAndIsr' },
  { key: 5, name: 'StopReplica' },
  { key: 6, name: 'UpdateMetadata' },
  { key: 7, name: 'ControlledShutdown' },
] as const

const byKey = new Map(APIS.map(api => [api.key, api]))

/** The API of a key, or undefined if there is none (any more). */
// biome-ignore lint/suspicious/noExplicitAny: a table holds messages of every shape
export function apiOf(key: number): Api<any, any> | undefined {
  return byKey.get(key)
}
