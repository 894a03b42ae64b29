import { ErrorCode } from '#protocol/errors.js'
import { UnregisterController } from '#protocol/messages/unregister-controller.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { unregisterController as unregisterControllerCommand } from '../controller/register-controller.js'
import { handler } from './handler.js'

/**
 * UnregisterController 0.
 * Behaviour: answered by the controller: forgets a controller that will not come back (KIP-1312);
 *            CONTROLLER_ID_NOT_REGISTERED for one that is not known.
 */
export const unregisterController = handler(
  UnregisterController,
  async ({ controller }: { readonly controller: ControllerRequests }, request) => {
    await controller.run(unregisterControllerCommand(request.controllerId), { untilPublished: true })
    return { errorCode: ErrorCode.NONE, errorMessage: '' }
  },
)
