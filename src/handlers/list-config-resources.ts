import { ErrorCode } from '#protocol/errors.js'
import { ListConfigResources } from '#protocol/messages/list-config-resources.js'
import type { PublishedMetadata } from '../metadata/delta.js'
import { type MetadataImage, ResourceType } from '../metadata/image.js'
import { inOrderOfHash } from './answer-order.js'
import { endpointOf } from './cluster-endpoints.js'
import { handler } from './handler.js'

/** The order in which the kinds are answered. */
const answerOrder: readonly number[] = [
  ResourceType.GROUP,
  ResourceType.CLIENT_METRICS,
  ResourceType.BROKER_LOGGER,
  ResourceType.BROKER,
  ResourceType.TOPIC,
]

/**
 * ListConfigResources 0-1.
 * Behaviour: what DescribeConfigs can be asked about: groups and client metrics subscriptions that have options, the
 *            registered brokers, also those that are away (twice: themselves and their loggers), all topics.
 *            UNSUPPORTED_VERSION for a kind that there is none of.
 * Versions:  0 client metrics subscriptions only, 1 kinds asked for, none for all.
 */
export const listConfigResources = handler(
  ListConfigResources,
  ({ metadata }: { readonly metadata: PublishedMetadata }, request, { apiVersion, listenerName }) => {
    const asked = apiVersion === 0 ? [ResourceType.CLIENT_METRICS] : request.resourceTypes
    if (asked.some(type => !answerOrder.includes(type))) {
      return { throttleTimeMs: 0, errorCode: ErrorCode.UNSUPPORTED_VERSION, configResources: [] }
    }
    const types = answerOrder.filter(type => asked.length === 0 || asked.includes(type))
    const configResources = types.flatMap(resourceType =>
      namesOf(metadata.image, resourceType, listenerName).map(resourceName => ({ resourceName, resourceType })),
    )
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, configResources }
  },
)

function namesOf(image: MetadataImage, resourceType: number, listenerName: string): readonly string[] {
  switch (resourceType) {
    case ResourceType.TOPIC:
      return inOrderOfHash([...image.topics.all()].map(topic => topic.name))
    case ResourceType.BROKER:
    case ResourceType.BROKER_LOGGER:
      return [...image.cluster.brokers.values()]
        .filter(broker => endpointOf(broker, listenerName) !== undefined)
        .map(broker => String(broker.id))
    default:
      return image.configs.resourceNames(resourceType)
  }
}
