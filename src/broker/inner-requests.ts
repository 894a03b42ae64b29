import { messageCodec, requestCodec, responseCodec } from '#protocol/codec.js'
import { ApiError, ErrorCode, errorName } from '#protocol/errors.js'
import { encodeResponse, FRAME_SIZE_BYTES, requestHeaderVersion } from '#protocol/frame.js'
import { RequestHeader } from '#protocol/header.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import { Reader } from '#protocol/reader.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import type { LocalRequests } from '../client/controller-channel.js'
import type { ControllerRequests } from '../controller/controller-driver.js'
import type { InnerRequests } from '../handlers/envelope.js'
import { FORWARDABLE_KEYS } from '../handlers/forwarded.js'
import { OWN_PROCESS, type RequestContext } from '../handlers/handler.js'
import { WatchedController } from '../handlers/watched-controller.js'
import type { Logger } from '../runtime/ports.js'
import { type AnyHandler, type ServedApi, servedApis } from '../server/api-table.js'
import { errorResponse } from '../server/error-response.js'

export interface HandledRequestsParts<Services extends { readonly controller: ControllerRequests }> {
  readonly handlers: readonly AnyHandler<Services>[]
  /** Asked for at each request: they hold this object. */
  readonly services: () => Services
  readonly unstableVersions: boolean
  /** The listener on which requests of this process are said to have come. */
  readonly listenerName: string
  readonly logger: Logger
}

const HEADER_MIN_BYTES = 8

/**
 * Requests for the handlers of a controller that did not come as frames on a connection of their own: inside an
 * Envelope, or from this very process. They are answered as on a connection.
 */
export class HandledRequests<Services extends { readonly controller: ControllerRequests }>
  implements InnerRequests, LocalRequests
{
  readonly #parts: HandledRequestsParts<Services>
  readonly #served: readonly (ServedApi<Services> | undefined)[]

  constructor(parts: HandledRequestsParts<Services>) {
    this.#parts = parts
    this.#served = servedApis(parts.handlers, 'controller', parts.unstableVersions)
  }

  async handle(data: Buffer, context: RequestContext): Promise<Buffer> {
    const { served, version } = this.#find(data)
    const { api } = served
    const reader = new Reader(data)
    let body: unknown
    let correlationId: number
    let clientId: string | null
    try {
      const header = messageCodec(RequestHeader, requestHeaderVersion(api, version)).read(reader)
      correlationId = header.correlationId
      clientId = header.clientId
      body = requestCodec(api, version).read(reader)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      throw new ApiError(ErrorCode.UNSUPPORTED_VERSION, error.message)
    }
    const inner = { ...context, apiVersion: version, correlationId, clientId }
    const response = await this.#run(served, version, body, inner)
    const frame = Buffer.concat(encodeResponse(api, version, correlationId, response as never))
    return frame.subarray(FRAME_SIZE_BYTES)
  }

  async call<Q extends Fields, R extends Fields>(api: Api<Q, R>, request: Encodable<Q>): Promise<Decoded<R>> {
    const served = this.#served[api.key]
    if (served === undefined) throw new ApiError(ErrorCode.UNSUPPORTED_VERSION, `no ${api.name} here`)
    const { versionMax: version } = served
    const context: RequestContext = {
      apiVersion: version,
      correlationId: 0,
      clientId: null,
      listenerName: this.#parts.listenerName,
      listenerKind: 'controller',
      clientAddress: '127.0.0.1',
      connectionId: OWN_PROCESS,
      onClose: () => () => {},
    }
    const body = copyOf(requestCodec(api, version), request)
    const response = await this.#run(served, version, body, context)
    return copyOf(responseCodec(api, version), response as Encodable<R>)
  }

  #find(data: Buffer): { readonly served: ServedApi<Services>; readonly version: number } {
    if (data.length < HEADER_MIN_BYTES) throw new ApiError(ErrorCode.INVALID_REQUEST, 'an envelope without a request')
    const served = this.#served[data.readInt16BE(0)]
    const version = data.readInt16BE(2)
    if (served === undefined || !FORWARDABLE_KEYS.has(served.api.key)) {
      throw new ApiError(ErrorCode.INVALID_REQUEST, `API ${data.readInt16BE(0)} is not forwarded`)
    }
    if (version < served.versionMin || version > served.versionMax) {
      throw new ApiError(ErrorCode.UNSUPPORTED_VERSION, `${served.api.name} has no version ${version} here`)
    }
    return { served, version }
  }

  async #run(
    { api, handler }: ServedApi<Services>,
    version: number,
    body: unknown,
    context: RequestContext,
  ): Promise<object> {
    if (!('handle' in handler)) throw new ApiError(ErrorCode.INVALID_REQUEST, `${api.name} has no answer here`)
    const services = this.#parts.services()
    const controller = new WatchedController(services.controller)
    let response: object
    try {
      response = await handler.handle({ ...services, controller }, body, context)
    } catch (error) {
      response = this.#failure(api, version, body, error)
    }
    if (controller.wasLost) throw new ApiError(ErrorCode.NOT_CONTROLLER)
    return response
  }

  #failure(api: Api, version: number, body: unknown, error: unknown): object {
    if (error instanceof ApiError) {
      const message = error.message === errorName(error.code) ? null : error.message
      return errorResponse(api, version, body, error.code, message)
    }
    this.#parts.logger.error({ err: error, api: api.name, version }, 'a request failed for a reason without error code')
    return errorResponse(api, version, body, ErrorCode.UNKNOWN_SERVER_ERROR, null)
  }
}

/** What the other side of a connection would have read. */
function copyOf<Out, In>(codec: { read(reader: Reader): Out; write(writer: Writer, value: In): void }, value: In): Out {
  const writer = new Writer()
  codec.write(writer, value)
  return codec.read(new Reader(Buffer.concat(writer.finish())))
}
