import { ErrorCode } from '#protocol/errors.js'
import {
  IncrementalAlterConfigs,
  type IncrementalAlterConfigsRequest,
} from '#protocol/messages/incremental-alter-configs.js'
import { alterIncrementally, DUPLICATE_RESOURCE } from '../config/alter.js'
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
import { type OwnOptionsServices, splitOptions } from './own-options.js'

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
    const forController = resources.filter(resource => !isLogger(resource))
    const answers = new Map<unknown, AlterResponse>()
    if (forController.length > 0) {
      const command = incrementalAlterConfigsCommand(forController, validateOnly, listenerKind)
      const { responses } = await controller.run(command, { untilPublished: true })
      for (const [i, resource] of forController.entries()) answers.set(resource, responses[i]!)
    }
    const loggerResources = resources.filter(isLogger)
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

type Resource = IncrementalAlterConfigsRequest['resources'][number]

const isLogger = ({ resourceType }: Pick<Resource, 'resourceType'>): boolean =>
  resourceType === ResourceType.BROKER_LOGGER

/** Loggers are those of the node that was asked; what it accepts of the rest is the controller's. */
export function splitIncremental(request: IncrementalAlterConfigsRequest, services: OwnOptionsServices): SplitRequest {
  return splitOptions(request, services, alterIncrementally, isLogger)
}
