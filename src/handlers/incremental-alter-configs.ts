import { ErrorCode } from '#protocol/errors.js'
import {
  IncrementalAlterConfigs,
  type IncrementalAlterConfigsRequest,
  type IncrementalAlterConfigsResponse,
} from '#protocol/messages/incremental-alter-configs.js'
import { alterIncrementally, DUPLICATE_RESOURCE } from '../config/alter.js'
import type { BrokerConfig } from '../config/broker-config.js'
import {
  type AlterResponse,
  incrementalAlterConfigs as incrementalAlterConfigsCommand,
} from '../controller/alter-configs.js'
import { isElrEnabled } from '../controller/cluster-view.js'
import { type ItemError, itemError, NO_ERROR } from '../controller/command.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import type { PublishedMetadata } from '../metadata/delta.js'
import { ResourceType } from '../metadata/image.js'
import { applyLoggerOperations, type BrokerLoggers, loggerProblem } from './broker-loggers.js'
import type { SplitRequest } from './forwarded.js'
import { handler } from './handler.js'

export interface IncrementalAlterConfigsServices {
  readonly brokerId: number
  readonly controller: ControllerRequests
  readonly loggers: BrokerLoggers
}

/**
 * IncrementalAlterConfigs 0-1.
 * Behaviour: sets, deletes, appends to and takes out of the dynamic options of topics, brokers, the cluster, groups and
 *            client metrics subscriptions: answered by the controller, in force when the answer comes. Levels of
 *            loggers are set here, until the process ends. Each resource stands or falls for itself; two entries for
 *            one both fall.
 * Versions:  1 flexible.
 */
export const incrementalAlterConfigs = handler(
  IncrementalAlterConfigs,
  async ({ brokerId, controller, loggers }: IncrementalAlterConfigsServices, request, { listenerKind }) => {
    const { resources, validateOnly } = request
    const isLogger = (resourceType: number): boolean => resourceType === ResourceType.BROKER_LOGGER
    const forController = resources.filter(resource => !isLogger(resource.resourceType))
    const answers = new Map<unknown, AlterResponse>()
    if (forController.length > 0) {
      const command = incrementalAlterConfigsCommand(forController, validateOnly, listenerKind)
      const { responses } = await controller.run(command, { untilPublished: true })
      for (const [i, resource] of forController.entries()) answers.set(resource, responses[i]!)
    }
    const loggerResources = resources.filter(resource => isLogger(resource.resourceType))
    for (const resource of loggerResources) {
      const { resourceType, resourceName, configs } = resource
      const twins = loggerResources.filter(other => other.resourceName === resourceName)
      const problem =
        twins.length > 1
          ? { errorCode: ErrorCode.INVALID_REQUEST, errorMessage: DUPLICATE_RESOURCE }
          : loggerProblem(loggers, brokerId, resourceName, configs)
      if (problem === null && !validateOnly) applyLoggerOperations(loggers, configs)
      answers.set(resource, { ...(problem ?? NO_ERROR), resourceType, resourceName })
    }
    return { throttleTimeMs: 0, responses: resources.map(resource => answers.get(resource)!) }
  },
)

/** What a broker needs to judge changes of its own options. */
export interface OwnOptionsServices {
  readonly metadata: PublishedMetadata
  readonly config: () => BrokerConfig
}

type Resource = IncrementalAlterConfigsRequest['resources'][number]

/**
 * Loggers are those of the node that was asked; everything else is the controller's, but for changes of this broker's
 * own options that it cannot live with: no controller knows that.
 */
export function splitConfigs(request: IncrementalAlterConfigsRequest, services: OwnOptionsServices): SplitRequest {
  const { resources } = request
  const isLogger = ({ resourceType }: { readonly resourceType: number }): boolean =>
    resourceType === ResourceType.BROKER_LOGGER
  const refused = new Map<Resource, ItemError>()
  for (const resource of resources) {
    const problem = ownOptionsProblem(services, resource)
    if (problem !== null) refused.set(resource, problem)
  }
  const part = (wanted: boolean): IncrementalAlterConfigsRequest | null => {
    const some = resources.filter(resource => isLogger(resource) === wanted && !refused.has(resource))
    return some.length === 0 && !(resources.length === 0 && !wanted) ? null : { ...request, resources: some }
  }
  return {
    forController: part(false),
    forThisNode: part(true),
    merge: (fromController, fromThisNode) => {
      const remote = [...((fromController as IncrementalAlterConfigsResponse | null)?.responses ?? [])]
      const local = [...((fromThisNode as IncrementalAlterConfigsResponse | null)?.responses ?? [])]
      const responses = resources.map(resource => {
        const problem = refused.get(resource)
        if (problem === undefined) return (isLogger(resource) ? local.shift() : remote.shift())!
        return { ...problem, resourceType: resource.resourceType, resourceName: resource.resourceName }
      })
      return { throttleTimeMs: 0, responses }
    },
  }
}

/** Why this broker refuses a change of its options, or of those of all brokers; null if it does not. */
function ownOptionsProblem({ metadata, config }: OwnOptionsServices, resource: Resource): ItemError | null {
  const { resourceType, resourceName, configs } = resource
  if (resourceType !== ResourceType.BROKER) return null
  const { image } = metadata
  const target = {
    scope: 'broker',
    resourceName,
    current: image.configs.of(resourceType, resourceName),
    broker: config(),
    eligibleLeaderReplicas: isElrEnabled(image),
  } as const
  const altered = alterIncrementally(target, configs)
  return altered.ok ? null : itemError(ErrorCode[altered.error.name], altered.error.message)
}
