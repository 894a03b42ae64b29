import { InitProducerId } from '#protocol/messages/init-producer-id.js'
import { Produce } from '#protocol/messages/produce.js'
import { buildBatch } from '#protocol/records/build.js'
import { Peer, PeerError } from '#src/client/peer.js'
import { createNodeClock } from '#src/runtime/node/clock.js'
import { createNodeNetwork } from '#src/runtime/node/network.js'

const clock = createNodeClock()
const network = createNodeNetwork()

/** Kafka keeps the last five batches of a producer, so no more may be under way. */
const IN_FLIGHT_MAX = 5
const RECORDS_A_BATCH_MAX = 20

export function connectPeer(port: number, clientId: string): Promise<Peer> {
  return Peer.connect(network, clock, {
    host: '127.0.0.1',
    port,
    clientId,
    connectTimeoutMs: 5000,
    requestTimeoutMs: 60_000,
  })
}

interface Batch {
  readonly firstNumber: number
  readonly count: number
  readonly sequence: number
  readonly bytes: Buffer
}

export interface Acknowledged {
  readonly value: string
  readonly offset: number
}

/**
 * A producer that numbers its records and knows which were acknowledged at which offset. An idempotent one sends what was
 * not acknowledged again, under the same producer id and sequences; a plain one never sends anything twice.
 */
export class NumberedWriter {
  readonly name: string
  readonly partition: number
  readonly acknowledged: Acknowledged[] = []
  readonly failures: string[] = []
  readonly #topic: string
  readonly #isIdempotent: boolean
  readonly #below: (bound: number) => number
  #producerId = -1
  #next = 0
  #sequence = 0
  #unacknowledged: Batch[] = []

  constructor(name: string, topic: string, partition: number, isIdempotent: boolean, below: (bound: number) => number) {
    this.name = name
    this.#topic = topic
    this.partition = partition
    this.#isIdempotent = isIdempotent
    this.#below = below
  }

  /** Writes until the connection breaks or `isOver` says so. */
  async run(port: number, isOver: () => boolean): Promise<void> {
    let peer: Peer
    try {
      peer = await connectPeer(port, this.name)
    } catch {
      return
    }
    try {
      if (this.#isIdempotent && this.#producerId < 0) await this.#initialize(peer)
      const again = this.#unacknowledged
      if (!this.#isIdempotent) this.#unacknowledged = []
      else for (const batch of again) await this.#send(peer, batch)
      await this.#stream(peer, isOver)
    } catch (error) {
      if (!(error instanceof PeerError)) this.failures.push(`${this.name}: ${String(error)}`)
    } finally {
      peer.close()
    }
  }

  async #initialize(peer: Peer): Promise<void> {
    const answer = await peer.send(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 60_000 })
    if (answer.errorCode !== 0) throw new Error(`InitProducerId answered ${answer.errorCode}`)
    this.#producerId = answer.producerId
  }

  async #stream(peer: Peer, isOver: () => boolean): Promise<void> {
    const inFlight = new Set<Promise<void>>()
    let broken: unknown = null
    while (broken === null && !isOver()) {
      const batch = this.#makeBatch()
      const sending = this.#send(peer, batch).then(
        () => void inFlight.delete(sending),
        error => {
          inFlight.delete(sending)
          broken ??= error
        },
      )
      inFlight.add(sending)
      if (inFlight.size >= IN_FLIGHT_MAX) await Promise.race(inFlight)
    }
    await Promise.all(inFlight)
    if (broken !== null) throw broken
  }

  #makeBatch(): Batch {
    const count = 1 + this.#below(RECORDS_A_BATCH_MAX)
    const timestamp = Date.now()
    const records = Array.from({ length: count }, (_, index) => ({
      key: Buffer.from(this.name),
      value: Buffer.from(`${this.name}-${this.#next + index}`),
      timestamp,
    }))
    const producer = this.#isIdempotent
      ? { producerId: this.#producerId, producerEpoch: 0, baseSequence: this.#sequence }
      : {}
    const batch = {
      firstNumber: this.#next,
      count,
      sequence: this.#sequence,
      bytes: buildBatch({ baseOffset: 0, records, ...producer }),
    }
    this.#next += count
    this.#sequence += count
    this.#unacknowledged.push(batch)
    return batch
  }

  async #send(peer: Peer, batch: Batch): Promise<void> {
    const response = await peer.send(Produce, 9, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: this.#topic, partitionData: [{ index: this.partition, records: batch.bytes }] }],
    })
    const answer = response.responses[0]?.partitionResponses[0]
    if (answer === undefined) throw new Error('produce answered nothing')
    if (answer.errorCode !== 0) throw new Error(`produce answered ${answer.errorCode} for number ${batch.firstNumber}`)
    this.#unacknowledged = this.#unacknowledged.filter(waiting => waiting !== batch)
    for (let i = 0; i < batch.count; i++) {
      this.acknowledged.push({ value: `${this.name}-${batch.firstNumber + i}`, offset: answer.baseOffset + i })
    }
  }
}
