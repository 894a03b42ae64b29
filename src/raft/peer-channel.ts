import { ErrorCode } from '#protocol/errors.js'
import { ApiVersions } from '#protocol/messages/api-versions.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { Peer, PeerError } from '../client/peer.js'
import type { Clock, Millis, Network } from '../runtime/ports.js'
import { CallFailedError, type RaftChannel } from './channel.js'
import type { OutboundCall } from './raft-types.js'
import type { Address } from './voters.js'
import type { RequestSender } from './wire-calls.js'

export interface PeerChannelOptions {
  readonly network: Network
  readonly clock: Clock
  readonly clientId: string
  readonly connectTimeoutMs: Millis
  readonly requestTimeoutMs: Millis
}

/** A connection, and which versions the other side has. */
interface Way {
  readonly peer: Peer
  readonly versions: ReadonlyMap<number, { readonly min: number; readonly max: number }>
}

/**
 * The way to the other nodes of the quorum over the network. A node has up to two connections: one for fetches, which
 * the leader holds, and one for everything else. They come about when something is sent and again after they broke.
 */
export class PeerChannel implements RaftChannel {
  readonly #options: PeerChannelOptions
  readonly #ways = new Map<string, Promise<Way>>()
  #isClosed = false

  constructor(options: PeerChannelOptions) {
    this.#options = options
  }

  to(_nodeId: number, { host, port }: Address, api: OutboundCall['api']): RequestSender {
    const kind = api === 'fetch' || api === 'fetchSnapshot' ? 'fetch' : 'call'
    return { send: (schema, minVersion, request) => this.#send(host, port, kind, schema, minVersion, request) }
  }

  close(): void {
    this.#isClosed = true
    for (const way of this.#ways.values()) {
      way.then(
        ({ peer }) => peer.close(),
        () => {},
      )
    }
    this.#ways.clear()
  }

  async #send<Q extends Fields, R extends Fields>(
    host: string,
    port: number,
    kind: string,
    api: Api<Q, R>,
    minVersion: number,
    request: Encodable<Q>,
  ): Promise<Decoded<R>> {
    const name = `${host}:${port}/${kind}`
    let way = this.#way(name, host, port)
    try {
      if ((await way).peer.isClosed) {
        // It broke while nothing was asked: that says nothing about the node.
        if (this.#ways.get(name) === way) this.#ways.delete(name)
        way = this.#way(name, host, port)
      }
      const { peer, versions } = await way
      const range = versions.get(api.key)
      const version = Math.min(range?.max ?? -1, api.versions.to)
      if (range === undefined || version < Math.max(range.min, minVersion, api.versions.from)) {
        throw new CallFailedError(
          'unsupportedVersion',
          `${host}:${port} has no ${api.name} from version ${minVersion} on`,
        )
      }
      return await peer.send(api, version, request)
    } catch (error) {
      if (error instanceof CallFailedError) throw error
      if (this.#ways.get(name) === way) this.#ways.delete(name)
      throw new CallFailedError(isRefused(error) ? 'refused' : 'disconnected', (error as Error).message)
    }
  }

  #way(name: string, host: string, port: number): Promise<Way> {
    if (this.#isClosed) return Promise.reject(new PeerError('the node is stopping'))
    const known = this.#ways.get(name)
    if (known !== undefined) return known
    const way = this.#connect(host, port)
    this.#ways.set(name, way)
    return way
  }

  async #connect(host: string, port: number): Promise<Way> {
    const { network, clock, clientId, connectTimeoutMs, requestTimeoutMs } = this.#options
    const peer = await Peer.connect(network, clock, { host, port, clientId, connectTimeoutMs, requestTimeoutMs })
    const asked = { clientSoftwareName: 'ottla', clientSoftwareVersion: '1' }
    const response = await peer.send(ApiVersions, 3, asked)
    if (response.errorCode !== ErrorCode.NONE) throw new PeerError(`${host}:${port} refuses ApiVersions`)
    const versions = new Map(response.apiKeys.map(api => [api.apiKey, { min: api.minVersion, max: api.maxVersion }]))
    return { peer, versions }
  }
}

/** Whether the host is there and nothing listens, which the operating system says somewhere down the causes. */
function isRefused(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ((at as NodeJS.ErrnoException).code === 'ECONNREFUSED') return true
  }
  return false
}
