import { messageCodec, requestCodec } from '#protocol/codec.js'
import { encodeResponse, requestHeaderVersion } from '#protocol/frame.js'
import { RequestHeader } from '#protocol/header.js'
import { ApiVersions } from '#protocol/messages/api-versions.js'
import { Reader } from '#protocol/reader.js'
import type { Api, Fields, RequestOf, ResponseOf } from '#protocol/schema.js'
import type { Connection, ConnectionHandler, ConnectOptions, Listener, Network } from '#src/runtime/ports.js'

/** What a peer of the test does with requests of one API. Null: it says nothing. */
// biome-ignore lint/suspicious/noExplicitAny: peers of a test answer any API
export type Answerer = { readonly api: Api<any, any>; readonly answer: (request: any) => object | null }

export function answerer<Q extends Fields, R extends Fields>(
  api: Api<Q, R>,
  answer: (request: RequestOf<Api<Q, R>>) => ResponseOf<Api<Q, R>> | null,
): Answerer {
  return { api, answer }
}

interface Peer {
  readonly answerers: readonly Answerer[]
  readonly open: Set<ConnectionHandler>
}

/** A network of peers that answer requests as the test says, one event after another; nobody listens elsewhere. */
export class AnsweringNetwork implements Network {
  readonly #peers = new Map<number, Peer>()
  /** 'port API version' of every request, ApiVersions left out. */
  readonly requests: string[] = []
  /** Ports to which connections were made. */
  readonly connects: number[] = []

  /** From now on a peer answers on this port. */
  serve(port: number, ...answerers: readonly Answerer[]): void {
    this.#peers.set(port, { answerers, open: new Set() })
  }

  /** Nothing listens there any more, and connections break. */
  stop(port: number): void {
    const peer = this.#peers.get(port)
    this.#peers.delete(port)
    for (const handler of peer?.open ?? []) handler.onClose(null)
  }

  openConnections(port: number): number {
    return this.#peers.get(port)?.open.size ?? 0
  }

  addressOf(host: string): Promise<string> {
    return Promise.resolve(host)
  }

  listen(): Promise<Listener> {
    return Promise.reject(new Error('not here'))
  }

  connect({ port }: ConnectOptions): Promise<Connection> {
    const peer = this.#peers.get(port)
    this.connects.push(port)
    if (peer === undefined) {
      return Promise.reject(Object.assign(new Error(`nothing listens on ${port}`), { code: 'ECONNREFUSED' }))
    }
    let handler: ConnectionHandler | null = null
    const close = (): void => {
      if (handler !== null) peer.open.delete(handler)
    }
    return Promise.resolve({
      remoteAddress: '127.0.0.1',
      remotePort: port,
      localPort: 50_000,
      bytesWaiting: 0,
      bytesLeaving: 0,
      start: given => {
        handler = given
        peer.open.add(given)
      },
      write: chunks => {
        const answer = this.#answer(port, peer, Buffer.concat(chunks))
        if (answer !== null) {
          queueMicrotask(() => {
            if (handler !== null && peer.open.has(handler)) handler.onData(answer, 0, answer.length)
          })
        }
        return true
      },
      resume: () => {},
      end: close,
      destroy: close,
    })
  }

  #answer(port: number, { answerers }: Peer, frame: Buffer): Buffer | null {
    const key = frame.readInt16BE(4)
    const version = frame.readInt16BE(6)
    const known = answerers.find(({ api }) => api.key === key)
    const api = known?.api ?? ApiVersions
    const reader = new Reader(frame, 4)
    const { correlationId } = messageCodec(RequestHeader, requestHeaderVersion(api as Api, version)).read(reader)
    const request = requestCodec(api, version).read(reader)
    if (known === undefined) {
      const apiKeys = answerers.map(one => ({
        apiKey: one.api.key,
        minVersion: one.api.versions.from,
        maxVersion: one.api.versions.to,
      }))
      return Buffer.concat(encodeResponse(ApiVersions, version, correlationId, { errorCode: 0, apiKeys }))
    }
    this.requests.push(`${port} ${api.name} ${version}`)
    const response = known.answer(request)
    return response === null ? null : Buffer.concat(encodeResponse(api, version, correlationId, response as never))
  }
}
