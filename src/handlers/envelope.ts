import { messageCodec } from '#protocol/codec.js'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { DefaultPrincipalData } from '#protocol/internal/principal-data.js'
import { Envelope } from '#protocol/messages/envelope.js'
import { Reader } from '#protocol/reader.js'
import { addressText } from '../client/address-bytes.js'
import { handler, type RequestContext } from './handler.js'

/** Handles requests that came inside others. */
export interface InnerRequests {
  /**
   * `data`: header and body of a request. Resolves with header and body of the response. Rejects with ApiError:
   * INVALID_REQUEST for an API that is not forwarded, UNSUPPORTED_VERSION for one that cannot be read, NOT_CONTROLLER
   * when this node is not the active controller.
   */
  handle(data: Buffer, context: RequestContext): Promise<Buffer>
}

/**
 * Envelope 0.
 * Behaviour: on controllers: a request that a client sent to a broker, with the client's principal and address, and its
 *            answer in the version that the client chose. That this node is not the active controller is said of the
 *            envelope, so that the broker looks for another one and the client does not notice.
 */
export const envelope = handler(
  Envelope,
  async ({ innerRequests }: { readonly innerRequests: InnerRequests }, request, context) => {
    // The views end with this call's first wait.
    const data = Buffer.from(request.requestData)
    checkPrincipal(request.requestPrincipal)
    const clientAddress = addressText(request.clientHostAddress)
    if (clientAddress === null) {
      throw new ApiError(ErrorCode.INVALID_REQUEST, 'Failed to parse client address from the envelope')
    }
    const responseData = await innerRequests.handle(data, { ...context, clientAddress })
    return { responseData, errorCode: ErrorCode.NONE }
  },
)

function checkPrincipal(bytes: Uint8Array | null): void {
  try {
    const reader = new Reader(Buffer.from(bytes ?? []))
    const version = reader.int16()
    messageCodec(DefaultPrincipalData, version).read(reader)
  } catch (error) {
    throw new ApiError(ErrorCode.PRINCIPAL_DESERIALIZATION_FAILURE, (error as Error).message)
  }
}
