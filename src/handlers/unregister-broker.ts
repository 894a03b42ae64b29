import { ErrorCode } from '#protocol/errors.js'
import { UnregisterBroker } from '#protocol/messages/unregister-broker.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { unregisterBroker as unregisterBrokerCommand } from '../controller/register-broker.js'
import { handler } from './handler.js'

/**
 * UnregisterBroker 0.
 * Behaviour: answered by the controller: forgets a broker that will not come back; BROKER_ID_NOT_REGISTERED for one
 *            that is not known. One that lives registers anew.
 */
export const unregisterBroker = handler(
  UnregisterBroker,
  async ({ controller }: { readonly controller: ControllerRequests }, request) => {
    await controller.run(unregisterBrokerCommand(request.brokerId), { untilPublished: true })
    return { errorCode: ErrorCode.NONE, errorMessage: '' }
  },
)
