import { Metadata } from '#protocol/messages/metadata.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { Peer, PeerError } from '#src/client/peer.js'
import type { Millis, Network } from '#src/runtime/ports.js'
import type { SeededRandom } from '../../support/random.js'
import type { SimClock, SimProcess } from '../process.js'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface PartitionPlace {
  readonly leaderId: number
  readonly leaderEpoch: number
}

const METADATA_VERSION = 12
const CONNECT_MS = 3000

/** A client of the cluster: it knows who leads what, and has a connection to each broker that it talks to. */
export class ClusterClient {
  readonly process: SimProcess
  readonly clock: SimClock
  readonly random: SeededRandom
  readonly clientId: string
  readonly #network: Network
  readonly #bootstrap: readonly Address[]
  readonly #peers = new Map<string, Promise<Peer>>()
  readonly #brokers = new Map<number, Address>()
  readonly #topics = new Map<string, readonly PartitionPlace[]>()
  requestTimeoutMs: Millis = 15_000

  constructor(
    process: SimProcess,
    clock: SimClock,
    network: Network,
    random: SeededRandom,
    bootstrap: readonly Address[],
  ) {
    this.process = process
    this.clock = clock
    this.random = random
    this.clientId = process.name
    this.#network = network
    this.#bootstrap = bootstrap
  }

  get brokerIds(): readonly number[] {
    return [...this.#brokers.keys()]
  }

  /** Asks a broker; any of the bootstrap servers for a broker id that is not known. Rejects with PeerError. */
  async ask<Q extends Fields, R extends Fields>(
    brokerId: number,
    api: Api<Q, R>,
    version: number,
    request: Encodable<Q>,
  ): Promise<Decoded<R>> {
    const address = this.#brokers.get(brokerId) ?? this.random.pick(this.#bootstrap)
    return this.askAt(address, api, version, request)
  }

  async askAt<Q extends Fields, R extends Fields>(
    address: Address,
    api: Api<Q, R>,
    version: number,
    request: Encodable<Q>,
  ): Promise<Decoded<R>> {
    const peer = await this.#peer(address)
    return peer.send(api, version, request)
  }

  /**
   * Sends what has no answer. Rejects with PeerError once after the connection was closed: with that the broker says that
   * it has refused what came before.
   */
  async tell<Q extends Fields, R extends Fields>(
    brokerId: number,
    api: Api<Q, R>,
    version: number,
    request: Encodable<Q>,
  ): Promise<void> {
    const { host, port } = this.#brokers.get(brokerId) ?? this.random.pick(this.#bootstrap)
    const name = `${host}:${port}`
    const known = await this.#peers.get(name)?.catch(() => null)
    if (known?.isClosed === true) {
      this.#peers.delete(name)
      throw new PeerError(`${name} has closed the connection`)
    }
    const peer = await this.#peer({ host, port })
    peer.sendOnly(api, version, request)
  }

  async #peer({ host, port }: Address): Promise<Peer> {
    const name = `${host}:${port}`
    const known = this.#peers.get(name)
    if (known !== undefined) {
      const peer = await known.catch(() => null)
      if (peer !== null && !peer.isClosed) return peer
      if (this.#peers.get(name) === known) this.#peers.delete(name)
      else return this.#peer({ host, port })
    }
    const { clientId, requestTimeoutMs } = this
    const options = { host, port, clientId, connectTimeoutMs: CONNECT_MS, requestTimeoutMs }
    const connecting = Peer.connect(this.#network, this.clock, options)
    this.#peers.set(name, connecting)
    return connecting
  }

  /** Learns brokers and leaders anew; rejects with PeerError. */
  async refresh(topics: readonly string[]): Promise<void> {
    const known = [...this.#brokers.values()]
    const address = this.random.pick(known.length > 0 && this.random.below(3) > 0 ? known : this.#bootstrap)
    const answer = await this.askAt(address, Metadata, METADATA_VERSION, {
      topics: topics.map(name => ({ name })),
      allowAutoTopicCreation: false,
    })
    this.#brokers.clear()
    for (const { nodeId, host, port } of answer.brokers) this.#brokers.set(nodeId, { host, port })
    for (const { name, errorCode, partitions } of answer.topics) {
      if (errorCode !== 0 || name === null) continue
      const places: PartitionPlace[] = []
      for (const { partitionIndex, leaderId, leaderEpoch } of partitions) {
        const known = this.#topics.get(name)?.[partitionIndex]
        // A broker that lags behind must not talk a client out of what it has learnt.
        places[partitionIndex] =
          known !== undefined && known.leaderEpoch > leaderEpoch ? known : { leaderId, leaderEpoch }
      }
      const before = this.#topics.get(name)
      if (before === undefined || before.length <= places.length) this.#topics.set(name, places)
    }
  }

  partitionCount(topic: string): number {
    return this.#topics.get(topic)?.length ?? 0
  }

  place(topic: string, partition: number): PartitionPlace | undefined {
    return this.#topics.get(topic)?.[partition]
  }

  /** The leader of a partition; refreshes until one is known or `isOver`. */
  async leaderOf(topic: string, partition: number, isOver: () => boolean): Promise<number | null> {
    while (!isOver()) {
      const place = this.place(topic, partition)
      if (place !== undefined && place.leaderId >= 0 && this.#brokers.has(place.leaderId)) return place.leaderId
      await this.refreshQuietly([topic])
      const again = this.place(topic, partition)
      if (again === undefined || again.leaderId < 0) await this.pause(100)
    }
    return null
  }

  /** As `refresh`, but a failure is only waited out. */
  async refreshQuietly(topics: readonly string[]): Promise<void> {
    try {
      await this.refresh(topics)
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      await this.pause(100)
    }
  }

  /** Waits about so long. */
  pause(ms: Millis): Promise<void> {
    return this.clock.sleep(ms / 2 + this.random.next() * ms)
  }

  close(): void {
    for (const peer of this.#peers.values()) {
      peer.then(
        open => open.close(),
        () => {},
      )
    }
    this.#peers.clear()
  }
}
