import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { PeerError } from '../client/peer.js'
import { isConnectionRefused, UnsupportedVersionError, VersionedPeer } from '../client/versioned-peer.js'
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

/**
 * The way to the other nodes of the quorum over the network. A node has up to two connections: one for fetches, which
 * the leader holds, and one for everything else. They come about when something is sent and again after they broke.
 */
export class PeerChannel implements RaftChannel {
  readonly #options: PeerChannelOptions
  readonly #ways = new Map<string, Promise<VersionedPeer>>()
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
        peer => peer.close(),
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
      if ((await way).isClosed) {
        // It broke while nothing was asked: that says nothing about the node.
        if (this.#ways.get(name) === way) this.#ways.delete(name)
        way = this.#way(name, host, port)
      }
      return await (await way).send(api, minVersion, request)
    } catch (error) {
      if (error instanceof UnsupportedVersionError) throw new CallFailedError('unsupportedVersion', error.message)
      if (this.#ways.get(name) === way) this.#ways.delete(name)
      throw new CallFailedError(isConnectionRefused(error) ? 'refused' : 'disconnected', (error as Error).message)
    }
  }

  #way(name: string, host: string, port: number): Promise<VersionedPeer> {
    if (this.#isClosed) return Promise.reject(new PeerError('the node is stopping'))
    const known = this.#ways.get(name)
    if (known !== undefined) return known
    const { network, clock, clientId, connectTimeoutMs, requestTimeoutMs } = this.#options
    const way = VersionedPeer.connect(network, clock, { host, port, clientId, connectTimeoutMs, requestTimeoutMs })
    this.#ways.set(name, way)
    return way
  }
}
