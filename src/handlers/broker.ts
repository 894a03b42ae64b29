/** What is served on the listeners for clients, one line an API. */
import type { ServicesOf } from '../server/api-table.js'
import { addRaftVoter } from './add-raft-voter.js'
import { alterConfigs, splitLegacy } from './alter-configs.js'
import { alterPartitionReassignments } from './alter-partition-reassignments.js'
import { alterReplicaLogDirs } from './alter-replica-log-dirs.js'
import { apiVersions } from './api-versions.js'
import { createPartitions } from './create-partitions.js'
import { createTopics } from './create-topics.js'
import { deleteGroups } from './delete-groups.js'
import { deleteRecords } from './delete-records.js'
import { deleteTopics } from './delete-topics.js'
import { describeCluster } from './describe-cluster.js'
import { describeConfigs } from './describe-configs.js'
import { describeGroups } from './describe-groups.js'
import { describeLogDirs } from './describe-log-dirs.js'
import { describeProducers } from './describe-producers.js'
import { describeQuorum } from './describe-quorum.js'
import { describeTopicPartitions } from './describe-topic-partitions.js'
import { electLeaders } from './elect-leaders.js'
import { fetch } from './fetch.js'
import { findCoordinator } from './find-coordinator.js'
import { forwarded } from './forwarded.js'
import { heartbeat } from './heartbeat.js'
import { incrementalAlterConfigs, splitIncremental } from './incremental-alter-configs.js'
import { initProducerId } from './init-producer-id.js'
import { joinGroup } from './join-group.js'
import { leaveGroup } from './leave-group.js'
import { listConfigResources } from './list-config-resources.js'
import { listGroups } from './list-groups.js'
import { listOffsets } from './list-offsets.js'
import { listPartitionReassignments } from './list-partition-reassignments.js'
import { metadata } from './metadata.js'
import { offsetCommit } from './offset-commit.js'
import { offsetDelete } from './offset-delete.js'
import { offsetFetch } from './offset-fetch.js'
import { offsetForLeaderEpoch } from './offset-for-leader-epoch.js'
import { produce } from './produce.js'
import { removeRaftVoter } from './remove-raft-voter.js'
import { syncGroup } from './sync-group.js'
import { unregisterBroker } from './unregister-broker.js'
import { unregisterController } from './unregister-controller.js'
import { updateFeatures } from './update-features.js'

export const brokerHandlers = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  apiVersions,
  forwarded(createTopics),
  forwarded(deleteTopics),
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  describeConfigs,
  forwarded(alterConfigs, splitLegacy),
  alterReplicaLogDirs,
  describeLogDirs,
  forwarded(createPartitions),
  deleteGroups,
  forwarded(electLeaders),
  forwarded(incrementalAlterConfigs, splitIncremental),
  forwarded(alterPartitionReassignments),
  forwarded(listPartitionReassignments),
  offsetDelete,
  forwarded(describeQuorum),
  forwarded(updateFeatures),
  describeCluster,
  forwarded(unregisterBroker),
  describeProducers,
  listConfigResources,
  describeTopicPartitions,
  forwarded(addRaftVoter),
  forwarded(removeRaftVoter),
  forwarded(unregisterController),
] as const

/** What all of them need. */
export type BrokerServices = ServicesOf<typeof brokerHandlers>
