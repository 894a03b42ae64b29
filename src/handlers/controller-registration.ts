import { ControllerRegistration } from '#protocol/messages/controller-registration.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import { registerController } from '../controller/register-controller.js'
import { handler } from './handler.js'

/**
 * ControllerRegistration 0.
 * Behaviour: on controllers: another controller tells the active one where it listens and what it can do.
 */
export const controllerRegistration = handler(
  ControllerRegistration,
  ({ controller }: { readonly controller: ControllerRequests }, request) => controller.run(registerController(request)),
)
