import { ApiError, ErrorCode } from '#protocol/errors.js'
import { AllocateProducerIds, type AllocateProducerIdsRequest } from '#protocol/messages/allocate-producer-ids.js'
import { BrokerHeartbeat, type BrokerHeartbeatRequest } from '#protocol/messages/broker-heartbeat.js'
import { BrokerRegistration, type BrokerRegistrationRequest } from '#protocol/messages/broker-registration.js'
import {
  ControllerRegistration,
  type ControllerRegistrationRequest,
} from '#protocol/messages/controller-registration.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import type { LocalRequests } from '../client/controller-channel.js'
import { allocateProducerIds } from '../controller/allocate-producer-ids.js'
import { processHeartbeat } from '../controller/broker-heartbeat.js'
import type { Command } from '../controller/command.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { registerBroker } from '../controller/register-broker.js'
import { registerController } from '../controller/register-controller.js'
import type { Millis } from '../runtime/ports.js'

/**
 * The requests of a broker to a controller in its own process. What it says of itself goes by direct calls, answered
 * when the image of this node shows the change; everything else as if it had come over the network.
 */
export class LocalController implements LocalRequests {
  readonly #controller: ControllerRequests
  readonly #others: LocalRequests
  readonly #timeoutMs: Millis

  /** `timeoutMs`: how long a direct call may wait for its commit. */
  constructor(controller: ControllerRequests, others: LocalRequests, timeoutMs: Millis) {
    this.#controller = controller
    this.#others = others
    this.#timeoutMs = timeoutMs
  }

  async call<Q extends Fields, R extends Fields>(api: Api<Q, R>, request: Encodable<Q>): Promise<Decoded<R>> {
    const command = directCommand(api.key, request)
    if (command === null) return this.#others.call(api, request)
    try {
      const response = await this.#controller.run(command, { untilPublished: true, timeoutMs: this.#timeoutMs })
      return response as Decoded<R>
    } catch (error) {
      // The command was refused: that is an answer, as over the network.
      if (error instanceof ApiError && error.code !== ErrorCode.NOT_CONTROLLER) {
        return { errorCode: error.code, throttleTimeMs: 0 } as unknown as Decoded<R>
      }
      throw error
    }
  }
}

function directCommand(apiKey: number, request: unknown): Command<unknown> | null {
  switch (apiKey) {
    case BrokerRegistration.key:
      return registerBroker(request as BrokerRegistrationRequest, true)
    case BrokerHeartbeat.key:
      return processHeartbeat(request as BrokerHeartbeatRequest, true)
    case ControllerRegistration.key:
      return registerController(request as ControllerRegistrationRequest)
    case AllocateProducerIds.key:
      return allocateProducerIds(request as AllocateProducerIdsRequest)
    default:
      return null
  }
}
