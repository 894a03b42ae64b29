/** What is served on the listeners for controllers and admin tools, one line an API. */
import type { ServicesOf } from '../server/api-table.js'
import { addRaftVoter } from './add-raft-voter.js'
import { allocateProducerIds } from './allocate-producer-ids.js'
import { alterConfigs } from './alter-configs.js'
import { alterPartition } from './alter-partition.js'
import { alterPartitionReassignments } from './alter-partition-reassignments.js'
import { apiVersions } from './api-versions.js'
import { assignReplicasToDirs } from './assign-replicas-to-dirs.js'
import { beginQuorumEpoch } from './begin-quorum-epoch.js'
import { brokerHeartbeat } from './broker-heartbeat.js'
import { brokerRegistration } from './broker-registration.js'
import { controllerRegistration } from './controller-registration.js'
import { createPartitions } from './create-partitions.js'
import { createTopics } from './create-topics.js'
import { deleteTopics } from './delete-topics.js'
import { describeCluster } from './describe-cluster.js'
import { describeConfigs } from './describe-configs.js'
import { describeQuorum } from './describe-quorum.js'
import { electLeaders } from './elect-leaders.js'
import { endQuorumEpoch } from './end-quorum-epoch.js'
import { envelope } from './envelope.js'
import { fetchMetadataLog } from './fetch-metadata-log.js'
import { fetchSnapshot } from './fetch-snapshot.js'
import { incrementalAlterConfigs } from './incremental-alter-configs.js'
import { listPartitionReassignments } from './list-partition-reassignments.js'
import { removeRaftVoter } from './remove-raft-voter.js'
import { unregisterBroker } from './unregister-broker.js'
import { unregisterController } from './unregister-controller.js'
import { updateFeatures } from './update-features.js'
import { updateRaftVoter } from './update-raft-voter.js'
import { vote } from './vote.js'

export const controllerHandlers = [
  fetchMetadataLog,
  apiVersions,
  createTopics,
  deleteTopics,
  describeConfigs,
  alterConfigs,
  createPartitions,
  electLeaders,
  incrementalAlterConfigs,
  alterPartitionReassignments,
  listPartitionReassignments,
  vote,
  beginQuorumEpoch,
  endQuorumEpoch,
  describeQuorum,
  alterPartition,
  updateFeatures,
  envelope,
  fetchSnapshot,
  describeCluster,
  brokerRegistration,
  brokerHeartbeat,
  unregisterBroker,
  allocateProducerIds,
  controllerRegistration,
  assignReplicasToDirs,
  addRaftVoter,
  removeRaftVoter,
  updateRaftVoter,
  unregisterController,
] as const

/** What all of them need. */
export type ControllerServices = ServicesOf<typeof controllerHandlers>
