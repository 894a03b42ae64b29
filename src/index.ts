/** The library: a broker or a cluster in the calling process. */

export type { Logger } from './runtime/ports.js'
export type { EmbeddedBroker, StartBrokerOptions } from './testing/start-broker.js'
export { startBroker } from './testing/start-broker.js'
export type { AddNodeOptions, ClusterNode, EmbeddedCluster, StartClusterOptions } from './testing/start-cluster.js'
export { startCluster } from './testing/start-cluster.js'
