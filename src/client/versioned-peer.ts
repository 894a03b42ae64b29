import { ErrorCode } from '#protocol/errors.js'
import { ApiVersions } from '#protocol/messages/api-versions.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import type { Clock, Network } from '../runtime/ports.js'
import { Peer, PeerError, type PeerOptions } from './peer.js'

/** A peer that does not serve an API, or not in the versions that are needed. */
export class UnsupportedVersionError extends Error {
  override readonly name = 'UnsupportedVersionError'
}

/** A connection to a peer that has said which versions it serves. */
export class VersionedPeer {
  readonly #peer: Peer
  readonly #versions: ReadonlyMap<number, { readonly min: number; readonly max: number }>

  private constructor(peer: Peer, versions: ReadonlyMap<number, { readonly min: number; readonly max: number }>) {
    this.#peer = peer
    this.#versions = versions
  }

  /** Connects and asks for the versions; rejects with PeerError. */
  static async connect(network: Network, clock: Clock, options: PeerOptions): Promise<VersionedPeer> {
    const peer = await Peer.connect(network, clock, options)
    try {
      const asked = { clientSoftwareName: 'ottla', clientSoftwareVersion: '1' }
      const response = await peer.send(ApiVersions, 3, asked)
      if (response.errorCode !== ErrorCode.NONE) throw new PeerError(`${peer.address} refuses ApiVersions`)
      const versions = new Map(response.apiKeys.map(api => [api.apiKey, { min: api.minVersion, max: api.maxVersion }]))
      return new VersionedPeer(peer, versions)
    } catch (error) {
      peer.close()
      throw error
    }
  }

  get address(): string {
    return this.#peer.address
  }

  get isClosed(): boolean {
    return this.#peer.isClosed
  }

  /**
   * Sends a request in the highest version that both sides have. Rejects with PeerError, or with
   * UnsupportedVersionError when the peer has no version from `minVersion` on.
   */
  async send<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    minVersion: number,
    request: Encodable<Q>,
  ): Promise<Decoded<R>> {
    const range = this.#versions.get(api.key)
    const version = Math.min(range?.max ?? -1, api.versions.to)
    if (range === undefined || version < Math.max(range.min, minVersion, api.versions.from)) {
      throw new UnsupportedVersionError(`${this.address} has no ${api.name} from version ${minVersion} on`)
    }
    return this.#peer.send(api, version, request)
  }

  close(): void {
    this.#peer.close()
  }
}

/** The host is there and nothing listens; nobody has the name any more, as that of a container that has ended. */
const NOTHING_THERE: readonly unknown[] = ['ECONNREFUSED', 'ENOTFOUND']

/** Whether nothing listens at the address, which the operating system says somewhere down the causes. */
export function isConnectionRefused(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (NOTHING_THERE.includes((at as NodeJS.ErrnoException).code)) return true
  }
  return false
}
