import { DescribeQuorum } from '#protocol/messages/describe-quorum.js'
import { Metadata, type MetadataResponse } from '#protocol/messages/metadata.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { Peer, PeerError } from '#src/client/peer.js'
import { createNodeClock } from '#src/runtime/node/clock.js'
import { createNodeNetwork } from '#src/runtime/node/network.js'
import { pause } from './nodes.js'

const network = createNodeNetwork()
const clock = createNodeClock()
const CONNECT_MS_MAX = 1000
const METADATA_VERSION = 12
const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** An answer that says no, by the error code of the protocol. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly code: number

  constructor(what: string, code: number, message?: string | null) {
    super(`${what} answered ${code}${message === undefined || message === null ? '' : `: ${message}`}`)
    this.code = code
  }
}

export interface ClientOptions {
  readonly name: string
  /** host:port of each node. */
  readonly addresses: readonly string[]
  /** After this an answer is not waited for any more, and the connection is given up, ms. */
  readonly requestTimeoutMs: number
}

/**
 * A client of the cluster that can be looked into: a connection to each node that it needs, the leaders as some node
 * told them last, and no repetition behind the back of the caller.
 */
export class ClusterClient {
  readonly #options: ClientOptions
  readonly #peers = new Map<string, Promise<Peer>>()
  #next = 0
  #isFresh = false
  /** Where each node is, as it was told last. */
  readonly #brokers = new Map<number, string>()
  /** By topic-partition. A node that is cut off may tell of a leader of the past: the highest epoch counts. */
  readonly #leaders = new Map<string, { readonly leaderId: number; readonly epoch: number }>()

  constructor(options: ClientOptions) {
    this.#options = options
    this.#next = options.name.length % options.addresses.length
  }

  get addresses(): readonly string[] {
    return this.#options.addresses
  }

  close(): void {
    for (const peer of this.#peers.values())
      peer.then(
        open => open.close(),
        () => {},
      )
    this.#peers.clear()
  }

  /** A connection to an address; rejects with PeerError. */
  async peer(address: string): Promise<Peer> {
    const known = this.#peers.get(address)
    if (known !== undefined) {
      const open = await known.catch(() => null)
      if (open !== null && !open.isClosed) return open
      if (this.#peers.get(address) === known) this.#peers.delete(address)
      else return this.peer(address)
    }
    const [host = '', port = ''] = address.split(':')
    const { name: clientId, requestTimeoutMs } = this.#options
    const timeouts = { connectTimeoutMs: CONNECT_MS_MAX, requestTimeoutMs }
    const made = Peer.connect(network, clock, { host, port: Number(port), clientId, ...timeouts })
    made.catch(() => {})
    this.#peers.set(address, made)
    return made
  }

  /** Sends to some node; to another one the next time, if this one does not answer. */
  async ask<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    version: number,
    request: Encodable<Q>,
  ): Promise<Decoded<R>> {
    const address = this.addresses[this.#next % this.addresses.length]!
    try {
      const peer = await this.peer(address)
      return await peer.send(api, version, request)
    } catch (error) {
      this.#next++
      throw error
    }
  }

  /** Asks again what may be asked again, until there is an answer that is wanted; throws after the time. */
  async until<T>(what: string, msMax: number, ask: () => Promise<T | null>): Promise<T> {
    const deadline = performance.now() + msMax
    let last = 'nothing'
    for (;;) {
      try {
        const answer = await ask()
        if (answer !== null) return answer
        last = 'not yet'
      } catch (error) {
        if (!(error instanceof PeerError || error instanceof RefusedError)) throw error
        last = error.message
      }
      if (performance.now() > deadline) throw new Error(`${what} does not come about within ${msMax} ms (${last})`)
      await pause(20)
    }
  }

  /** Leaders and in-sync replicas of topics, or of all, as some node knows them now; another one the next time. */
  async refresh(topics: readonly string[] | null = null): Promise<MetadataResponse> {
    const wanted = topics?.map(name => ({ name, topicId: NO_ID })) ?? null
    const answer = await this.ask(Metadata, METADATA_VERSION, { topics: wanted, allowAutoTopicCreation: false })
    this.#next++
    for (const { nodeId, host, port } of answer.brokers) this.#brokers.set(nodeId, `${host}:${port}`)
    for (const { name, partitions } of topics === null ? [] : answer.topics) {
      for (const { partitionIndex, leaderId, leaderEpoch: epoch } of partitions) {
        const key = `${name}-${partitionIndex}`
        if (epoch >= (this.#leaders.get(key)?.epoch ?? -1)) this.#leaders.set(key, { leaderId, epoch })
      }
    }
    this.#isFresh = true
    return answer
  }

  forget(): void {
    this.#isFresh = false
  }

  /** A connection to the leader of a partition; rejects with PeerError if it is not known or not reached. */
  async leader(topic: string, partition: number): Promise<Peer> {
    if (!this.#isFresh) await this.refresh([topic])
    const leaderId = this.#leaders.get(`${topic}-${partition}`)?.leaderId ?? -1
    const address = this.#brokers.get(leaderId)
    if (address === undefined) {
      this.#isFresh = false
      throw new PeerError(`${topic}-${partition} has no leader (${leaderId})`)
    }
    return this.peer(address)
  }

  /** The active controller and the voters, as some node knows them. */
  async quorum(): Promise<{ leaderId: number; voters: { id: number; directoryId: string; lag: number }[] }> {
    const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
    const answer = await this.ask(DescribeQuorum, 2, { topics })
    if (answer.errorCode !== 0) throw new RefusedError('DescribeQuorum', answer.errorCode, answer.errorMessage)
    const partition = answer.topics[0]?.partitions[0]
    if (partition === undefined || partition.errorCode !== 0) {
      throw new RefusedError('DescribeQuorum', partition?.errorCode ?? -1)
    }
    const { leaderId, currentVoters, observers } = partition
    const end = Math.max(...[...currentVoters, ...observers].map(({ logEndOffset }) => logEndOffset))
    const voters = currentVoters.map(({ replicaId: id, replicaDirectoryId: directoryId, logEndOffset }) => {
      return { id, directoryId, lag: end - logEndOffset }
    })
    return { leaderId, voters }
  }
}
