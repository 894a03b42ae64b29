import { ErrorCode } from '#protocol/errors.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { DescribeQuorum } from '#protocol/messages/describe-quorum.js'
import { Metadata } from '#protocol/messages/metadata.js'
import { Produce } from '#protocol/messages/produce.js'
import { buildBatch } from '#protocol/records/build.js'
import { Peer } from '#src/client/peer.js'
import { createNodeClock } from '#src/runtime/node/clock.js'
import { createNodeNetwork } from '#src/runtime/node/network.js'

const network = createNodeNetwork()
const clock = createNodeClock()

/** A client that gives up on a silent leader after this, and asks anew after that. */
const REQUEST_MS_MAX = 500
const RETRY_MS = 5
const METADATA_VERSION = 9
const PRODUCE_VERSION = 8
const CREATE_TOPICS_VERSION = 5
const ALL = -1

export function connect(port: number, requestTimeoutMs = REQUEST_MS_MAX): Promise<Peer> {
  return Peer.connect(network, clock, {
    host: 'localhost',
    port,
    clientId: 'bench',
    connectTimeoutMs: REQUEST_MS_MAX,
    requestTimeoutMs,
  })
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

/** Creates a topic of three replicas each; tries until it is there. */
export async function createTopic(ports: readonly number[], name: string, partitions = 1): Promise<void> {
  const deadline = clock.now() + 120_000
  for (let attempt = 0; clock.now() < deadline; attempt++) {
    try {
      const peer = await connect(ports[attempt % ports.length]!, 30_000)
      const topic = { name, numPartitions: partitions, replicationFactor: 3, assignments: [], configs: [] }
      const response = await peer.send(CreateTopics, CREATE_TOPICS_VERSION, {
        topics: [topic],
        timeoutMs: 30_000,
        validateOnly: false,
      })
      peer.close()
      const { errorCode } = response.topics[0]!
      if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.TOPIC_ALREADY_EXISTS) return
    } catch {
      // Not there yet.
    }
    await pause(RETRY_MS)
  }
  throw new Error(`topic ${name} could not be created`)
}

/** The port of the leader of partition 0, by the node that says so first; null while none does. */
export async function leaderPort(ports: readonly number[], topic: string): Promise<number | null> {
  const ask = async (port: number): Promise<number> => {
    const peer = await connect(port)
    try {
      const response = await peer.send(Metadata, METADATA_VERSION, {
        topics: [{ name: topic }],
        allowAutoTopicCreation: false,
        includeClusterAuthorizedOperations: false,
        includeTopicAuthorizedOperations: false,
      })
      const leaderId = response.topics[0]?.partitions[0]?.leaderId ?? -1
      const leader = response.brokers.find(({ nodeId }) => nodeId === leaderId)
      if (leader === undefined) throw new Error('no leader')
      return leader.port
    } finally {
      peer.close()
    }
  }
  return Promise.any(ports.map(ask)).catch(() => null)
}

/** The node that is the active controller. */
export async function activeController(ports: readonly number[]): Promise<number> {
  for (const port of ports) {
    try {
      const peer = await connect(port, 5000)
      const response = await peer.send(DescribeQuorum, 0, {
        topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }],
      })
      peer.close()
      const leaderId = response.topics[0]?.partitions[0]?.leaderId ?? -1
      if (leaderId >= 0) return leaderId
    } catch {
      // Another node knows.
    }
  }
  throw new Error('no node knows the active controller')
}

/**
 * Produces one batch after the other with acks=all, to whoever leads partition 0 of the topic, and notes when the last
 * one was acknowledged and the longest time between two.
 */
export class GapProducer {
  acknowledged = 0
  longestGapMs = 0
  #lastAt = clock.now()
  #isStopped = false
  readonly #ended: Promise<void>
  readonly #ports: readonly number[]
  readonly #topic: string
  readonly #batch = buildBatch({
    records: [{ timestamp: Date.now(), key: null, value: Buffer.alloc(100, 'x'), headers: [] }],
  })

  constructor(ports: readonly number[], topic: string) {
    this.#ports = ports
    this.#topic = topic
    this.#ended = this.#run()
  }

  /** Begins to measure: gaps before do not count. */
  reset(): void {
    this.longestGapMs = 0
    this.#lastAt = clock.now()
  }

  /** Resolves when `count` more batches are acknowledged; rejects after a minute without any. */
  async more(count: number): Promise<void> {
    const target = this.acknowledged + count
    const deadline = clock.now() + 60_000
    while (this.acknowledged < target) {
      if (clock.now() > deadline) throw new Error('nothing was acknowledged for a minute')
      await pause(RETRY_MS)
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ended
  }

  async #run(): Promise<void> {
    let peer: Peer | null = null
    while (!this.#isStopped) {
      try {
        peer ??= await this.#connect()
        if (peer !== null && (await this.#produce(peer))) continue
      } catch {
        // The leader went away.
      }
      peer?.close()
      peer = null
      await pause(RETRY_MS)
    }
    peer?.close()
  }

  async #connect(): Promise<Peer | null> {
    const port = await leaderPort(this.#ports, this.#topic)
    return port === null ? null : connect(port)
  }

  async #produce(peer: Peer): Promise<boolean> {
    const response = await peer.send(Produce, PRODUCE_VERSION, {
      transactionalId: null,
      acks: ALL,
      timeoutMs: REQUEST_MS_MAX,
      topicData: [{ name: this.#topic, partitionData: [{ index: 0, records: this.#batch }] }],
    })
    if (response.responses[0]?.partitionResponses[0]?.errorCode !== ErrorCode.NONE) return false
    const now = clock.now()
    this.longestGapMs = Math.max(this.longestGapMs, now - this.#lastAt)
    this.#lastAt = now
    this.acknowledged++
    return true
  }
}
