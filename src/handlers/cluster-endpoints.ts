import { ErrorCode } from '#protocol/errors.js'
import { isOnlineDirectory } from '../metadata/directory-id.js'
import type { BrokerRegistration, ClusterImage, Endpoint, PartitionImage } from '../metadata/image.js'
import { NO_LEADER } from '../metadata/image.js'

/** Where a node is found on a listener; undefined where it does not have that listener. */
export function endpointOf(
  node: { readonly endpoints: readonly Endpoint[] },
  listenerName: string,
): Endpoint | undefined {
  return node.endpoints.find(endpoint => endpoint.name === listenerName)
}

/** A broker that clients of a listener can use: unfenced, and on that listener. */
export function isReachable(broker: BrokerRegistration | undefined, listenerName: string): boolean {
  return broker !== undefined && !broker.fenced && endpointOf(broker, listenerName) !== undefined
}

/** Brokers that clients of a listener can use. */
export function reachableBrokers(cluster: ClusterImage, listenerName: string): readonly BrokerRegistration[] {
  return [...cluster.brokers.values()].filter(broker => isReachable(broker, listenerName))
}

/**
 * The broker that is named as controller: the real one is nobody that clients can reach, and every broker takes what is
 * meant for it. This one, if it can be reached, otherwise any; -1 for none.
 */
export function controllerForClients(cluster: ClusterImage, listenerName: string, brokerId: number): number {
  if (isReachable(cluster.broker(brokerId), listenerName)) return brokerId
  return reachableBrokers(cluster, listenerName)[0]?.id ?? -1
}

/** How leaders that cannot be reached are told, which differs by version. */
export interface LeaderView {
  readonly leaderId: number
  readonly errorCode: ErrorCode
}

/**
 * The leader of a partition for clients of a listener. `tellsListener`: whether the version knows LISTENER_NOT_FOUND,
 * the error for a leader that is registered but not on the listener (or fenced).
 */
export function leaderFor(
  cluster: ClusterImage,
  partition: PartitionImage,
  listenerName: string,
  tellsListener: boolean,
): LeaderView {
  const leader = cluster.broker(partition.leader)
  if (isReachable(leader, listenerName)) return { leaderId: partition.leader, errorCode: ErrorCode.NONE }
  const isRegistered = leader !== undefined && tellsListener
  const errorCode = isRegistered ? ErrorCode.LISTENER_NOT_FOUND : ErrorCode.LEADER_NOT_AVAILABLE
  return { leaderId: NO_LEADER, errorCode }
}

/** Replicas that cannot be used now: the broker is away, not on the listener, or has lost the directory. */
export function offlineReplicas(cluster: ClusterImage, partition: PartitionImage, listenerName: string): number[] {
  return partition.replicas.filter((replica, at) => {
    const broker = cluster.broker(replica)
    return !isReachable(broker, listenerName) || !isOnlineDirectory(partition.directories[at]!, broker!.directories)
  })
}
