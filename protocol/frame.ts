import { messageCodec, requestCodec, responseCodec } from './codec.js'
import { RequestHeader, ResponseHeader } from './header.js'
import { Reader } from './reader.js'
import { type Api, type Decoded, type Encodable, type Fields, inRange } from './schema.js'
import { Writer } from './writer.js'

/**
 * A frame on the wire:
 *
 *   [size int32][header][body]        size counts what follows it
 *
 * A request has header version 2 when its body is flexible, else 1. A response has header version 1 when its body is
 * flexible, else 0; but the response to ApiVersions always has 0, since a client reads it before it knows anything.
 */
export const FRAME_SIZE_BYTES = 4

const API_VERSIONS_KEY = 18

/** The version of the header in front of a request. */
export function requestHeaderVersion(api: Api, version: number): number {
  return inRange(api.flexible, version) ? 2 : 1
}

/** The version of the header in front of a response. */
export function responseHeaderVersion(api: Api, version: number): number {
  return api.key !== API_VERSIONS_KEY && inRange(api.flexible, version) ? 1 : 0
}

/** What a client sends ahead of a body. */
export interface RequestEnvelope {
  readonly version: number
  readonly correlationId: number
  readonly clientId: string | null
}

/** A whole request frame, size included. */
export function encodeRequest<Q extends Fields, R extends Fields>(
  api: Api<Q, R>,
  envelope: RequestEnvelope,
  request: Encodable<Q>,
): Uint8Array[] {
  const writer = new Writer()
  writer.int32(0)
  messageCodec(RequestHeader, requestHeaderVersion(api as unknown as Api, envelope.version)).write(writer, {
    requestApiKey: api.key,
    requestApiVersion: envelope.version,
    correlationId: envelope.correlationId,
    clientId: envelope.clientId,
  })
  requestCodec(api, envelope.version).write(writer, request)
  return sealed(writer)
}

/** A whole response frame, size included. */
export function encodeResponse<Q extends Fields, R extends Fields>(
  api: Api<Q, R>,
  version: number,
  correlationId: number,
  response: Encodable<R>,
): Uint8Array[] {
  const writer = new Writer()
  writer.int32(0)
  messageCodec(ResponseHeader, responseHeaderVersion(api as unknown as Api, version)).write(writer, { correlationId })
  responseCodec(api, version).write(writer, response)
  return sealed(writer)
}

/** Reads a response frame without its size: header and body. */
export function decodeResponse<Q extends Fields, R extends Fields>(
  api: Api<Q, R>,
  version: number,
  frame: Buffer,
): { correlationId: number; response: Decoded<R> } {
  const reader = new Reader(frame)
  const header = messageCodec(ResponseHeader, responseHeaderVersion(api as unknown as Api, version)).read(reader)
  const response = responseCodec(api, version).read(reader)
  reader.finish()
  return { correlationId: header.correlationId, response }
}

/** Ends a frame: its first four bytes become the size of the rest. */
function sealed(writer: Writer): Uint8Array[] {
  const size = writer.length - FRAME_SIZE_BYTES
  const chunks = writer.finish()
  const first = chunks[0]!
  first[0] = size >> 24
  first[1] = size >> 16
  first[2] = size >> 8
  first[3] = size
  return chunks
}
