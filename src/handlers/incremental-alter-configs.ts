import { ErrorCode } from '#protocol/errors.js'
import {
  IncrementalAlterConfigs,
  type IncrementalAlterConfigsRequest,
  type IncrementalAlterConfigsResponse,
} from '#protocol/messages/incremental-alter-configs.js'
import { DUPLICATE_RESOURCE } from '../config/alter.js'
import {
  type AlterResponse,
  incrementalAlterConfigs as incrementalAlterConfigsCommand,
} from '../controller/alter-configs.js'
import { NO_ERROR } from '../controller/command.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
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

/** Loggers are those of the node that was asked; everything else is the controller's. */
export function splitConfigs(request: IncrementalAlterConfigsRequest): SplitRequest {
  const { resources } = request
  const isLogger = ({ resourceType }: { readonly resourceType: number }): boolean =>
    resourceType === ResourceType.BROKER_LOGGER
  const part = (wanted: boolean): IncrementalAlterConfigsRequest | null => {
    const some = resources.filter(resource => isLogger(resource) === wanted)
    return some.length === 0 && !(resources.length === 0 && !wanted) ? null : { ...request, resources: some }
  }
  return {
    forController: part(false),
    forThisNode: part(true),
    merge: (fromController, fromThisNode) => {
      const remote = [...((fromController as IncrementalAlterConfigsResponse | null)?.responses ?? [])]
      const local = [...((fromThisNode as IncrementalAlterConfigsResponse | null)?.responses ?? [])]
      const responses = resources.map(resource => (isLogger(resource) ? local.shift() : remote.shift())!)
      return { throttleTimeMs: 0, responses }
    },
  }
}
