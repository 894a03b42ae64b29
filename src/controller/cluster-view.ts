import { topicConfigOf } from '../config/topic-config.js'
import { DirectoryId, isOnlineDirectory } from '../metadata/directory-id.js'
import type { ClusterImage, MetadataImage, PartitionImage } from '../metadata/image.js'
import { ResourceType } from '../metadata/image.js'
import { metadataAllows } from '../metadata/metadata-version.js'
import type { ControllerContext } from './command.js'

export const ELR_FEATURE = 'eligible.leader.replicas.version'

/** Eligible leader replicas (KIP-966) are finalized and can be written. */
export function isElrEnabled({ features }: MetadataImage): boolean {
  return metadataAllows(features.metadataVersion, 'eligibleLeaderReplicas') && features.level(ELR_FEATURE) > 0
}

/** Registered, unfenced and not about to stop: may lead, and may join an ISR. */
export function isActiveBroker(cluster: ClusterImage, brokerId: number): boolean {
  const broker = cluster.broker(brokerId)
  return broker !== undefined && !broker.fenced && !broker.inControlledShutdown
}

/** None of the directories of a broker takes new replicas (KIP-1066). */
export function isCordoned(cluster: ClusterImage, brokerId: number): boolean {
  const broker = cluster.broker(brokerId)
  if (broker === undefined || broker.directories.length === 0) return false
  return broker.directories.every(directory => broker.cordonedDirectories?.includes(directory) ?? false)
}

/** Where a new replica on a broker is put: its only directory, or the broker is to choose one. */
export function defaultDirectory(cluster: ClusterImage, brokerId: number): string {
  const directories = cluster.broker(brokerId)?.directories
  if (directories === undefined) return DirectoryId.UNASSIGNED
  if (directories.length === 0) return DirectoryId.MIGRATING
  return directories.length === 1 ? directories[0]! : DirectoryId.UNASSIGNED
}

/** The directory of a replica is one that its broker has online. */
export function hasOnlineReplica(cluster: ClusterImage, partition: PartitionImage, brokerId: number): boolean {
  const at = partition.replicas.indexOf(brokerId)
  if (at === -1) return false
  return isOnlineDirectory(partition.directories[at]!, cluster.broker(brokerId)?.directories ?? [])
}

/** min.insync.replicas of a topic, but never more than it has replicas. */
export function effectiveMinIsr({ config, image }: ControllerContext, topicName: string): number {
  const { minInsyncReplicas } = topicConfigOf(config, image.configs.of(ResourceType.TOPIC, topicName))
  const replicationFactor = image.topics.partition(topicName, 0)?.replicas.length ?? minInsyncReplicas
  return Math.min(minInsyncReplicas, replicationFactor)
}

/** The topic would rather lose records than be offline. */
export function allowsUncleanElection({ config, image }: ControllerContext, topicName: string): boolean {
  return topicConfigOf(config, image.configs.of(ResourceType.TOPIC, topicName)).uncleanLeaderElectionEnable
}
