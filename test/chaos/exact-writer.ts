import { ErrorCode } from '#protocol/errors.js'
import { InitProducerId } from '#protocol/messages/init-producer-id.js'
import { Produce } from '#protocol/messages/produce.js'
import { buildBatch } from '#protocol/records/build.js'
import { PeerError } from '#src/client/peer.js'
import type { SeededRandom } from '../support/random.js'
import { ClusterClient } from './cluster-client.js'
import { type ChaosEvent, valueText } from './history.js'
import { pause } from './nodes.js'

/** Kafka knows the last five batches of a producer again: none may be sent that is further ahead of the oldest one. */
const IN_FLIGHT_MAX = 5
const RECORDS_A_BATCH_MAX = 4
/** A batch after that time, ms; and a pause after a failure. */
const INTERVAL_MS = 15
const BACKOFF_MS = 10
/** A node that does not answer is given up after that, ms: less than a session, so that it is seen what the cluster does. */
const REQUEST_TIMEOUT_MS = 1000
/** Sequence errors for the oldest batch that is not acknowledged: the first may come of an answer that was lost. */
const SEQUENCE_ERRORS_MAX = 20

interface Batch {
  /** Counts the batches of a writer. */
  readonly index: number
  readonly from: number
  readonly count: number
  readonly bytes: Buffer
}

/** What may come of a change of leaders, and is asked again. */
const RETRIABLE = new Set<number>([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.BROKER_NOT_AVAILABLE,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
])

/**
 * An idempotent producer, acks=all, of one partition. It has up to five batches under way; when anything goes wrong, it
 * waits for the answers of all, asks who leads, and sends everything that was not acknowledged again, in order.
 */
export class ExactWriter {
  readonly name: string
  readonly topic: string
  readonly partition: number
  readonly #client: ClusterClient
  readonly #random: SeededRandom
  readonly #say: (event: ChaosEvent) => void
  readonly #onAcknowledged: (at: number) => void
  #producerId = -1
  #next = 0
  #sequence = 0
  #batches = 0
  #waiting: Batch[] = []
  #sequenceErrors = 0
  #isOver = false
  #lastProblem = 'none'

  constructor(
    name: string,
    topic: string,
    partition: number,
    addresses: readonly string[],
    random: SeededRandom,
    say: (event: ChaosEvent) => void,
    onAcknowledged: (at: number) => void,
  ) {
    this.name = name
    this.topic = topic
    this.partition = partition
    this.#client = new ClusterClient({ name: `chaos-${name}`, addresses, requestTimeoutMs: REQUEST_TIMEOUT_MS })
    this.#random = random
    this.#say = say
    this.#onAcknowledged = onAcknowledged
    say({ e: 'writer', w: name, topic, p: partition, idempotent: true, acks: -1, once: false })
  }

  /** What kept it from going on, and since which number. */
  get state(): string {
    return `${this.name}: ${this.#waiting.length} batches wait, the last problem was ${this.#lastProblem}`
  }

  /** Writes until it is stopped, and all that it sent is acknowledged. */
  async run(): Promise<void> {
    await this.#client.until('a producer id', 60_000, () => this.#initialize())
    while (!this.#isOver || this.#waiting.length > 0) {
      try {
        await this.#stream()
      } catch (error) {
        if (!(error instanceof PeerError)) throw error
        this.#lastProblem = error.message
        await pause(BACKOFF_MS)
        await this.#client.refresh([this.topic]).catch(() => this.#client.forget())
      }
    }
    this.#client.close()
  }

  stop(): void {
    this.#isOver = true
  }

  async #initialize(): Promise<true | null> {
    const answer = await this.#client.ask(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 60_000 })
    if (answer.errorCode !== 0) return null
    this.#producerId = answer.producerId
    return true
  }

  /** Sends what waits, then new batches, until something goes wrong (throws PeerError) or it is stopped. */
  async #stream(): Promise<void> {
    const inFlight = new Set<Promise<void>>()
    let broken: Error | null = null
    const send = (batch: Batch) => {
      const sending: Promise<void> = this.#send(batch).then(
        () => void inFlight.delete(sending),
        error => {
          inFlight.delete(sending)
          broken ??= error
        },
      )
      inFlight.add(sending)
    }
    const again = [...this.#waiting]
    for (;;) {
      if (broken !== null) break
      const next = again.shift() ?? (this.#isOver ? null : this.#makeBatch())
      if (next === null) break
      send(next)
      if (again.length > 0) continue
      await pause(INTERVAL_MS)
      while (broken === null && this.#isFull()) await Promise.race(inFlight)
    }
    await Promise.all(inFlight)
    if (broken !== null) throw broken
  }

  #isFull(): boolean {
    const oldest = this.#waiting[0]
    return oldest !== undefined && this.#batches - oldest.index >= IN_FLIGHT_MAX
  }

  #makeBatch(): Batch {
    const count = 1 + this.#random.below(RECORDS_A_BATCH_MAX)
    const timestamp = Date.now()
    const records = Array.from({ length: count }, (_, i) => ({
      key: Buffer.from(this.name),
      value: Buffer.from(valueText(this.name, this.#next + i)),
      timestamp,
    }))
    const producer = { producerId: this.#producerId, producerEpoch: 0, baseSequence: this.#sequence }
    const index = this.#batches++
    const batch = { index, from: this.#next, count, bytes: buildBatch({ baseOffset: 0, records, ...producer }) }
    this.#next += count
    this.#sequence += count
    this.#waiting.push(batch)
    this.#say({ e: 'send', w: this.name, n: this.#next - 1, at: Math.round(performance.now()) })
    return batch
  }

  async #send(batch: Batch): Promise<void> {
    const peer = await this.#client.leader(this.topic, this.partition)
    const response = await peer.send(Produce, 9, {
      transactionalId: null,
      acks: -1,
      timeoutMs: REQUEST_TIMEOUT_MS,
      topicData: [{ name: this.topic, partitionData: [{ index: this.partition, records: batch.bytes }] }],
    })
    const answer = response.responses[0]?.partitionResponses[0]
    const code = answer?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR
    if (answer !== undefined && (code === 0 || code === ErrorCode.DUPLICATE_SEQUENCE_NUMBER)) {
      this.#acknowledged(batch, code === 0 ? answer.baseOffset : -1)
      return
    }
    const isOldest = batch === this.#waiting[0]
    if (!RETRIABLE.has(code)) this.#judge(batch, code, isOldest)
    throw new PeerError(`Produce answered ${code}`)
  }

  /**
   * What is behind a batch that failed is out of order. The oldest one never is: all before it are acknowledged, and
   * its leader must know them.
   */
  #judge(batch: Batch, code: number, isOldest: boolean): void {
    const isSequence = code === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER || code === ErrorCode.UNKNOWN_PRODUCER_ID
    if (isSequence && !isOldest) return
    this.#sequenceErrors++
    if (isSequence && this.#sequenceErrors < SEQUENCE_ERRORS_MAX) return
    const times = this.#sequenceErrors
    if (times === 1 || times === SEQUENCE_ERRORS_MAX) {
      const what = `Produce answered ${code} for number ${batch.from} of ${this.name}, the oldest that waits`
      this.#say({ e: 'wrong', what })
    }
  }

  #acknowledged(batch: Batch, offset: number): void {
    const at = performance.now()
    this.#waiting = this.#waiting.filter(waiting => waiting !== batch)
    this.#sequenceErrors = 0
    const { from, count } = batch
    this.#say({ e: 'ack', w: this.name, from, count, offset, at: Math.round(at) })
    this.#onAcknowledged(at)
  }
}
