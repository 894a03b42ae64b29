import { ErrorCode } from '#protocol/errors.js'
import { DescribeCluster, type DescribeClusterResponse } from '#protocol/messages/describe-cluster.js'
import type { PublishedMetadata } from '../metadata/delta.js'
import { CLUSTER_OPERATIONS, NOT_ASKED } from './authorized-operations.js'
import { controllerForClients, endpointOf } from './cluster-endpoints.js'
import { handler, type RequestContext } from './handler.js'

export interface DescribeClusterServices {
  readonly brokerId: number
  readonly clusterId: string
  readonly metadata: PublishedMetadata
  /** The id of the active controller, as soon as there is one; -1 if there is none for long. */
  readonly knownController: (onClose: RequestContext['onClose']) => Promise<number>
}

const EndpointType = { BROKER: 1, CONTROLLER: 2 } as const

const typeNames: Readonly<Record<number, string>> = { 1: 'BROKER', 2: 'CONTROLLER' }

/**
 * DescribeCluster 0-2.
 * Behaviour: the nodes of the cluster on the listener: brokers on a broker's listener, controllers on a controller's;
 *            asked for the other kind, MISMATCHED_ENDPOINT_TYPE. Brokers name any of them as controller, controllers
 *            the real one, for which they wait while it is being elected.
 * Versions:  1 endpoint type, 2 fenced brokers too.
 */
export const describeCluster = handler(
  DescribeCluster,
  async (services: DescribeClusterServices, request, { listenerKind, listenerName, onClose }) => {
    const { brokerId, clusterId, metadata, knownController } = services
    const { endpointType, includeFencedBrokers } = request
    const own = listenerKind === 'broker' ? EndpointType.BROKER : EndpointType.CONTROLLER
    const typeName = typeNames[endpointType]
    if (typeName === undefined) {
      return refused(ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, `Unsupported endpoint type ${endpointType}`)
    }
    if (endpointType !== own) {
      const message =
        `The request was sent to an endpoint of type ${typeNames[own]}, ` +
        `but we wanted an endpoint of type ${typeName}`
      return refused(ErrorCode.MISMATCHED_ENDPOINT_TYPE, message)
    }
    const isBroker = own === EndpointType.BROKER
    const activeController = isBroker ? -1 : await knownController(onClose)
    const { cluster } = metadata.image
    const nodes = isBroker
      ? [...cluster.brokers.values()].filter(broker => includeFencedBrokers || !broker.fenced)
      : [...cluster.controllers.values()].map(controller => ({ ...controller, rack: null, fenced: false }))
    const brokers: NonNullable<DescribeClusterResponse['brokers']>[number][] = []
    for (const node of nodes) {
      const endpoint = endpointOf(node, listenerName)
      if (endpoint === undefined) continue
      const { host, port } = endpoint
      brokers.push({ brokerId: node.id, host, port, rack: node.rack, isFenced: node.fenced })
    }
    return {
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      endpointType: own,
      clusterId,
      controllerId: isBroker ? controllerForClients(cluster, listenerName, brokerId) : activeController,
      brokers,
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : NOT_ASKED,
    }
  },
)

function refused(errorCode: ErrorCode, errorMessage: string): DescribeClusterResponse {
  return { throttleTimeMs: 0, errorCode, errorMessage, clusterId: '', controllerId: -1, brokers: [] }
}
