import { ApiError, ErrorCode } from '#protocol/errors.js'
import type {
  ControllerRegistrationRequest,
  ControllerRegistrationResponse,
} from '#protocol/messages/controller-registration.js'
import { metadataAllows } from '../metadata/metadata-version.js'
import type { Command } from './command.js'

/** A controller says where it is and which features it can work with; the same process says it once. */
export function registerController(request: ControllerRegistrationRequest): Command<ControllerRegistrationResponse> {
  return ({ image }) => {
    if (!metadataAllows(image.features.metadataVersion, 'controllerRegistration')) {
      // metadata.version is too old; Kafka says it in the words for any API.
      throw new ApiError(ErrorCode.UNSUPPORTED_VERSION, 'The version of API is not supported.')
    }
    const { controllerId, incarnationId, zkMigrationReady } = request
    return {
      records: [
        {
          type: 'RegisterControllerRecord',
          version: 0,
          value: {
            controllerId,
            incarnationId,
            zkMigrationReady,
            endPoints: request.listeners.map(({ name, host, port, securityProtocol }) => ({
              name,
              host,
              port,
              securityProtocol,
            })),
            features: request.features.map(({ name, minSupportedVersion, maxSupportedVersion }) => ({
              name,
              minSupportedVersion,
              maxSupportedVersion,
            })),
          },
        },
      ],
      response: { throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: '' },
    }
  }
}

/** Forgets a controller that will not come back. */
export function unregisterController(controllerId: number): Command<void> {
  return ({ image, identity }) => {
    if (controllerId === identity.nodeId) {
      throw new ApiError(ErrorCode.INVALID_REQUEST, 'Controller cannot unregister itself while it is active.')
    }
    if (!metadataAllows(image.features.metadataVersion, 'controllerUnregistration')) {
      throw new ApiError(
        ErrorCode.UNSUPPORTED_VERSION,
        'The current MetadataVersion is too old to support controller unregistration.',
      )
    }
    if (!image.cluster.controllers.has(controllerId)) {
      throw new ApiError(
        ErrorCode.CONTROLLER_ID_NOT_REGISTERED,
        `Controller ID ${controllerId} is not currently registered.`,
      )
    }
    return {
      records: [{ type: 'UnregisterControllerRecord', version: 0, value: { controllerId } }],
      response: undefined,
    }
  }
}
