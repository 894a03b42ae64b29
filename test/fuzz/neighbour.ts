import { CreateTopics } from '#protocol/messages/create-topics.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { Produce } from '#protocol/messages/produce.js'
import { buildBatch } from '#protocol/records/build.js'
import { readRecords } from '#protocol/records/reader.js'
import { Peer } from '#src/client/peer.js'
import { createNodeClock } from '#src/runtime/node/clock.js'
import { createNodeNetwork } from '#src/runtime/node/network.js'

const TOPIC = 'neighbour'
const PAUSE_MS = 2
const FETCH_BYTES_MAX = 1 << 20

/** A well-behaved client: writes a numbered record, reads it back, again and again; every answer must be right. */
export class Neighbour {
  readonly #peer: Peer
  readonly #latenciesMs: number[] = []
  readonly #failures: string[] = []
  #next = 0
  #stopped = false
  #running: Promise<void> = Promise.resolve()

  private constructor(peer: Peer) {
    this.#peer = peer
  }

  static async start(port: number): Promise<Neighbour> {
    const peer = await Peer.connect(createNodeNetwork(), createNodeClock(), {
      host: '127.0.0.1',
      port,
      clientId: 'neighbour',
      connectTimeoutMs: 5000,
      requestTimeoutMs: 30_000,
    })
    const created = await peer.send(CreateTopics, 5, {
      topics: [{ name: TOPIC, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs: 10_000,
    })
    if (created.topics[0]?.errorCode !== 0) throw new Error(`cannot create ${TOPIC}: ${created.topics[0]?.errorCode}`)
    const neighbour = new Neighbour(peer)
    neighbour.#running = neighbour.#run()
    return neighbour
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped) {
        const begun = performance.now()
        await this.#round()
        this.#latenciesMs.push(performance.now() - begun)
        await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
      }
    } catch (error) {
      this.#failures.push(`the neighbour was disturbed at record ${this.#next}: ${String(error)}`)
    }
  }

  async #round(): Promise<void> {
    const value = `value-${this.#next}`
    const batch = buildBatch({
      baseOffset: 0,
      records: [{ key: null, value: Buffer.from(value), timestamp: Date.now() }],
    })
    const produced = await this.#peer.send(Produce, 8, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 10_000,
      topicData: [{ name: TOPIC, partitionData: [{ index: 0, records: batch }] }],
    })
    const answer = produced.responses[0]?.partitionResponses[0]
    if (answer?.errorCode !== 0 || answer.baseOffset !== this.#next) {
      throw new Error(`produce answered ${JSON.stringify(answer)}`)
    }
    const fetched = await this.#peer.send(Fetch, 11, {
      maxWaitMs: 10_000,
      minBytes: 1,
      maxBytes: FETCH_BYTES_MAX,
      topics: [
        { topic: TOPIC, partitions: [{ partition: 0, fetchOffset: this.#next, partitionMaxBytes: FETCH_BYTES_MAX }] },
      ],
    })
    const records = fetched.responses[0]?.partitions[0]?.records
    if (records === undefined || records === null) throw new Error('fetch answered no records')
    const [record] = [...readRecords(Buffer.from(records), 0)]
    const text = record?.value === null || record === undefined ? null : Buffer.from(record.value).toString()
    if (text !== value || record?.offset !== this.#next) throw new Error(`read ${text} instead of ${value}`)
    this.#next++
  }

  /** Ends the rounds and returns what went wrong. */
  async finish(): Promise<readonly string[]> {
    this.#stopped = true
    await this.#running
    this.#peer.close()
    if (this.#next === 0) this.#failures.push('the neighbour never got an answer')
    return this.#failures
  }

  summary(): string {
    const sorted = [...this.#latenciesMs].sort((a, b) => a - b)
    const at = (share: number) => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(1)
    return `${this.#next} rounds, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`
  }
}
