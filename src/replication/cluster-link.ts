import type { ControllerChannel } from '../client/controller-channel.js'
import type { Network } from '../runtime/ports.js'

/**
 * What replication with other brokers needs of the node: handed in by the one who wires it. Where the other brokers are
 * stands in the metadata, which comes by `onMetadata`.
 */
export interface ClusterLink {
  /** For connections to leaders: one for each leader and fetcher. */
  readonly network: Network
  /** For AlterPartition and AssignReplicasToDirs. */
  readonly controller: ControllerChannel
  /** The epoch of this broker's registration; -1 as long as it has none, and nothing is fetched until then. */
  readonly brokerEpoch: () => number
  /** The listener of the others that is connected to, as `inter.broker.listener.name` says, in capitals. */
  readonly interBrokerListener: string
}
