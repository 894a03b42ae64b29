import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { ClusterImage, PartitionImage } from '../metadata/image.js'
import { LeaderRecovery } from '../metadata/partition-state.js'
import { defaultDirectory, isActiveBroker, isCordoned } from './cluster-view.js'

/** Checks replicas that a user has chosen; `replicationFactor` is that of the partitions before, null for the first. */
export function checkManualAssignment(
  cluster: ClusterImage,
  replicas: readonly number[],
  replicationFactor: number | null,
): void {
  const refuse = (message: string): never => {
    throw new ApiError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
  }
  if (replicas.length === 0) refuse('The manual partition assignment includes an empty replica list.')
  let previous: number | null = null
  for (const id of [...replicas].sort((a, b) => a - b)) {
    if (!cluster.brokers.has(id)) {
      refuse(`The manual partition assignment includes broker ${id}, but no such broker is registered.`)
    }
    if (isCordoned(cluster, id)) {
      refuse(`The manual partition assignment includes broker ${id}, but all its log directories are cordoned.`)
    }
    if (id === previous) refuse(`The manual partition assignment includes the broker ${id} more than once.`)
    previous = id
  }
  if (replicationFactor !== null && replicas.length !== replicationFactor) {
    refuse(
      `The manual partition assignment includes a partition with ${replicas.length} replica(s), but this is not ` +
        `consistent with previous partitions, which have ${replicationFactor} replica(s).`,
    )
  }
}

/** A partition that begins: active replicas are in sync, the first of them leads. `isr` must not be empty. */
export function newPartition(cluster: ClusterImage, replicas: readonly number[]): PartitionImage {
  const isr = activeReplicas(cluster, replicas)
  return {
    replicas,
    directories: replicas.map(replica => defaultDirectory(cluster, replica)),
    isr: isr.length === replicas.length ? replicas : isr,
    removingReplicas: [],
    addingReplicas: [],
    elr: [],
    lastKnownElr: [],
    leader: isr[0]!,
    leaderRecoveryState: LeaderRecovery.RECOVERED,
    leaderEpoch: 0,
    partitionEpoch: 0,
  }
}

export function activeReplicas(cluster: ClusterImage, replicas: readonly number[]): readonly number[] {
  return replicas.filter(replica => isActiveBroker(cluster, replica))
}
