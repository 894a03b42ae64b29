import { ApiError, ErrorCode } from '#protocol/errors.js'
import {
  DescribeConfigs,
  type DescribeConfigsRequest,
  type DescribeConfigsResponse,
} from '#protocol/messages/describe-configs.js'
import type { BrokerConfig } from '../config/broker-config.js'
import {
  CONFIG_SOURCES,
  type DescribedConfig,
  type DescribeQuestion,
  describeBroker,
  describeClientMetrics,
  describeClusterDefault,
  describeGroup,
  describeTopic,
  undescribable,
} from '../config/describe.js'
import { topicNameProblem } from '../controller/topic-name.js'
import type { PublishedMetadata } from '../metadata/delta.js'
import { ResourceType } from '../metadata/image.js'
import type { BrokerLoggers } from './broker-loggers.js'
import { handler } from './handler.js'

export interface DescribeConfigsServices {
  readonly brokerId: number
  readonly metadata: PublishedMetadata
  readonly config: () => BrokerConfig
  readonly loggers: BrokerLoggers
}

type Resource = DescribeConfigsRequest['resources'][number]
type Result = DescribeConfigsResponse['results'][number]

const resourceTypes: readonly number[] = Object.values(ResourceType)

/**
 * Groups and client metrics subscriptions have options whether they are there or not. Of those without any of their own
 * one request may name so many, for the answer to each is a thousand times as long as its name.
 */
const UNSET_RESOURCES_MAX = 1000
const TOO_MANY = `more than ${UNSET_RESOURCES_MAX} resources without options of their own in one request`

/** What Kafka says of a request that it cannot make sense of. */
const malformed =
  'This most likely occurs because of a request being malformed by the client library or the message was sent to an ' +
  'incompatible broker. See the broker logs for more details.'

/**
 * DescribeConfigs 1-4.
 * Behaviour: the options of topics, this broker, the cluster's dynamic defaults, groups, client metrics subscriptions
 *            and loggers, with where each value comes from; only those named, if any are. Secrets are null. One unknown
 *            resource type makes the whole request invalid. What is named twice is answered once.
 * Versions:  1 sources and synonyms, 3 types and documentation, 4 flexible.
 */
export const describeConfigs = handler(DescribeConfigs, (services: DescribeConfigsServices, request) => {
  const { resources, includeSynonyms, includeDocumentation } = request
  if (resources.some(({ resourceType }) => !resourceTypes.includes(resourceType))) {
    throw new ApiError(ErrorCode.INVALID_REQUEST, malformed)
  }
  const { configs } = services.metadata.image
  let unset = 0
  const results = withoutRepeats(resources).map(resource => {
    const { resourceType, resourceName, configurationKeys: keys } = resource
    const needNotExist = resourceType === ResourceType.GROUP || resourceType === ResourceType.CLIENT_METRICS
    if (needNotExist && configs.of(resourceType, resourceName).size === 0 && ++unset > UNSET_RESOURCES_MAX) {
      return { errorCode: ErrorCode.POLICY_VIOLATION, errorMessage: TOO_MANY, resourceType, resourceName, configs: [] }
    }
    return describe(services, resource, { keys, includeSynonyms, includeDocumentation })
  })
  return { throttleTimeMs: 0, results }
})

/** Each resource where it is first named, with the options that are asked for in all places where it stands. */
function withoutRepeats(resources: readonly Resource[]): readonly Resource[] {
  const byKey = new Map<string, Resource>()
  for (const resource of resources) {
    const key = `${resource.resourceType}:${resource.resourceName}`
    const known = byKey.get(key)
    const keys = resource.configurationKeys
    if (known === undefined) byKey.set(key, { ...resource, configurationKeys: keys === null ? null : [...keys] })
    else if (known.configurationKeys === null || known.configurationKeys.length === 0) continue
    else if (keys === null || keys.length === 0) known.configurationKeys = null
    else for (const name of keys) known.configurationKeys.push(name)
  }
  return [...byKey.values()]
}

function describe(services: DescribeConfigsServices, resource: Resource, question: DescribeQuestion): Result {
  const { metadata, config, brokerId, loggers } = services
  const { resourceType, resourceName } = resource
  const failure = (errorCode: ErrorCode, errorMessage: string): Result => {
    return { errorCode, errorMessage, resourceType, resourceName, configs: [] }
  }
  // An answer without an error has an empty message, and so has that for a topic that is not there.
  const success = (configs: readonly DescribedConfig[]): Result => {
    return { errorCode: ErrorCode.NONE, errorMessage: '', resourceType, resourceName, configs }
  }
  const problem = undescribable(resourceType, resourceName, brokerId)
  if (problem !== null) return failure(ErrorCode.INVALID_REQUEST, problem)
  const { configs, topics } = metadata.image
  const overrides = configs.of(resourceType, resourceName)
  switch (resourceType) {
    case ResourceType.TOPIC: {
      const illegal = topicNameProblem(resourceName)
      if (illegal !== null) return failure(ErrorCode.INVALID_TOPIC_EXCEPTION, illegal)
      if (topics.byName(resourceName) === undefined) return failure(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, '')
      return success(describeTopic(config(), overrides, question))
    }
    case ResourceType.BROKER:
      return success((resourceName === '' ? describeClusterDefault : describeBroker)(config(), question))
    case ResourceType.BROKER_LOGGER:
      return success(describeLoggers(loggers, question))
    case ResourceType.CLIENT_METRICS:
      return success(describeClientMetrics(overrides, question))
    default:
      return success(describeGroup(config(), overrides, question))
  }
}

function describeLoggers(loggers: BrokerLoggers, { keys }: DescribeQuestion): readonly DescribedConfig[] {
  const isWanted = (name: string): boolean => keys === null || keys.length === 0 || keys.includes(name)
  return [...loggers.levels()]
    .filter(([name]) => isWanted(name))
    .map(([name, value]) => ({
      name,
      value,
      readOnly: false,
      configSource: CONFIG_SOURCES.dynamicBrokerLogger,
      isSensitive: false,
      synonyms: [],
      configType: 0,
      documentation: '',
    }))
}
