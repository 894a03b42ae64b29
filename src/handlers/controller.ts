/** What is served on the listeners for controllers and admin tools, one line an API. */
import { alterConfigs } from './alter-configs.js'
import { alterPartitionReassignments } from './alter-partition-reassignments.js'
import { apiVersions } from './api-versions.js'
import { createPartitions } from './create-partitions.js'
import { createTopics } from './create-topics.js'
import { deleteTopics } from './delete-topics.js'
import { describeCluster } from './describe-cluster.js'
import { describeConfigs } from './describe-configs.js'
import { describeQuorum } from './describe-quorum.js'
import { electLeaders } from './elect-leaders.js'
import { incrementalAlterConfigs } from './incremental-alter-configs.js'
import { listPartitionReassignments } from './list-partition-reassignments.js'
import { updateFeatures } from './update-features.js'

export const controllerHandlers = [
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
  describeQuorum,
  updateFeatures,
  describeCluster,
] as const
