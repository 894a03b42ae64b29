import { decodeResponse, encodeRequest } from '#protocol/frame.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import type { FakeTransport } from './fake-network.js'

/** A client that speaks over a connection of the test: whole requests out, whole answers in. */
export class WireClient {
  readonly transport: FakeTransport
  clientId: string | null = 'test'
  #correlationId = 0
  #received: Buffer = Buffer.alloc(0)

  constructor(transport: FakeTransport) {
    this.transport = transport
  }

  /** The bytes of a request, and the correlation id that its answer will have. */
  frame<Q extends Fields, R extends Fields>(api: Api<Q, R>, version: number, request: Encodable<Q>): Buffer {
    const envelope = { version, correlationId: this.#correlationId++, clientId: this.clientId }
    return Buffer.concat(encodeRequest(api, envelope, request))
  }

  send<Q extends Fields, R extends Fields>(api: Api<Q, R>, version: number, request: Encodable<Q>): void {
    this.transport.feed(this.frame(api, version, request))
  }

  /** The next answer, if it has come whole. */
  receiveFrame(): Buffer | null {
    this.#received = Buffer.concat([this.#received, this.transport.take()])
    if (this.#received.length < 4) return null
    const size = this.#received.readInt32BE(0)
    if (this.#received.length < 4 + size) return null
    const frame = Buffer.from(this.#received.subarray(4, 4 + size))
    this.#received = this.#received.subarray(4 + size)
    return frame
  }

  /** The next answer, decoded; throws if there is none. */
  receive<Q extends Fields, R extends Fields>(api: Api<Q, R>, version: number): Decoded<R> {
    const frame = this.receiveFrame()
    if (frame === null) throw new Error(`no answer to ${api.name}`)
    return decodeResponse(api, version, frame).response
  }

  /** Sends and returns what is answered at once. */
  ask<Q extends Fields, R extends Fields>(api: Api<Q, R>, version: number, request: Encodable<Q>): Decoded<R> {
    this.send(api, version, request)
    return this.receive(api, version)
  }
}
