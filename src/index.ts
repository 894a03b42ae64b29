/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The library: a broker or a cluster in the calling process. The types that it tells of stand in files that use none of
 * Node.js, so that who imports it needs no @types/node.
 */

export type { Logger } from './runtime/logger.js'
export type { EmbeddedBroker, StartBrokerOptions } from './testing/start-broker.js'
export { startBroker } from './testing/start-broker.js'
export type { AddNodeOptions, ClusterNode, EmbeddedCluster, StartClusterOptions } from './testing/start-cluster.js'
export { startCluster } from './testing/start-cluster.js'
