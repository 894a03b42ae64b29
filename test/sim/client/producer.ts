import { ErrorCode } from '#protocol/errors.js'
import { InitProducerId } from '#protocol/messages/init-producer-id.js'
import { Produce } from '#protocol/messages/produce.js'
import { buildBatch } from '#protocol/records/build.js'
import type { CompressionType } from '#protocol/records/compression.js'
import { PeerError } from '#src/client/peer.js'
import type { Millis } from '#src/runtime/ports.js'
import type { PartitionHistory, SentRecord } from '../checkers/history.js'
import type { World } from '../world.js'
import type { ClusterClient } from './cluster-client.js'
import { isPassing, unexpected } from './errors.js'

export interface ProducerOptions {
  readonly topic: string
  readonly partition: number
  readonly isIdempotent: boolean
  readonly acks: -1 | 0 | 1
  readonly inFlightMax: number
  readonly recordsMax: number
  readonly valueBytes: number
  readonly pauseMs: Millis
  readonly compression: CompressionType
  readonly version: number
}

interface Batch {
  readonly records: readonly SentRecord[]
  readonly sequence: number
  readonly bytes: Buffer
  /** How often brokers had been started when it was first sent. */
  readonly starts: number
  /** It was sent before, and nobody said what became of it. */
  isInDoubt: boolean
}

type Outcome =
  | {
      readonly code: number
      readonly baseOffset: number
      readonly disasters: number
      /** Of the leader that was asked, as the producer knew it. */
      readonly leaderEpoch: number
    }
  | 'no answer'

const PRODUCE_TIMEOUT_MS = 10_000

/**
 * A producer of one partition. An idempotent one sends what was not acknowledged again, in order, under the same id and
 * sequences; a plain one sends everything once.
 */
export class SimProducer {
  readonly #world: World
  readonly #client: ClusterClient
  readonly #options: ProducerOptions
  readonly #history: PartitionHistory
  #writer = ''
  #incarnation = 0
  #producerId = -1
  #producerEpoch = -1
  #number = 0
  #sequence = 0
  /** The least sequence that was acknowledged; Infinity: none. */
  #leastAcknowledged = Infinity
  #unacknowledged: Batch[] = []
  /** Batches acknowledged so far. */
  acknowledged = 0

  constructor(world: World, client: ClusterClient, options: ProducerOptions) {
    this.#world = world
    this.#client = client
    this.#options = options
    this.#history = world.history.partition(options.topic, options.partition)
    this.#newWriter()
  }

  get name(): string {
    return this.#client.process.name
  }

  async run(isOver: () => boolean): Promise<void> {
    const { isIdempotent, pauseMs } = this.#options
    while (!isOver()) {
      if (isIdempotent && this.#producerId < 0 && !(await this.#initialize())) continue
      await this.#sendWindow(isOver)
      if (pauseMs > 0) await this.#client.pause(pauseMs)
    }
    // What an idempotent producer has begun it ends, so that nothing is left in doubt.
    const { process } = this.#client
    for (let tries = 0; tries < 20 && this.#unacknowledged.length > 0 && !process.isDead; tries++) {
      await this.#sendWindow(() => false, false)
    }
  }

  #newWriter(): void {
    this.#writer = `${this.#client.process.name}.${this.#incarnation++}`
    this.#number = 0
    this.#sequence = 0
    this.#leastAcknowledged = Infinity
    this.#unacknowledged = []
  }

  async #initialize(): Promise<boolean> {
    const client = this.#client
    try {
      if (client.brokerIds.length === 0) await client.refresh([this.#options.topic])
      const broker = client.random.pick([-1, ...client.brokerIds])
      const request = { transactionalId: null, transactionTimeoutMs: 60_000 }
      const answer = await client.ask(broker, InitProducerId, 4, request)
      if (answer.errorCode === ErrorCode.NONE) {
        this.#world.checkProducerId(answer.producerId)
        this.#producerId = answer.producerId
        this.#producerEpoch = answer.producerEpoch
        return true
      }
      if (!isPassing(answer.errorCode)) throw unexpected('InitProducerId', answer.errorCode)
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
    }
    await client.refreshQuietly([this.#options.topic])
    await client.pause(100)
    return false
  }

  /** Sends a few batches one behind the other, and waits for all answers. */
  async #sendWindow(isOver: () => boolean, fills = true): Promise<void> {
    const { topic, partition, acks, inFlightMax, isIdempotent } = this.#options
    const client = this.#client
    const leader = await client.leaderOf(topic, partition, isOver)
    if (leader === null) return
    if (!isIdempotent) this.#unacknowledged = []
    const window = 1 + client.random.below(inFlightMax)
    while (fills && this.#unacknowledged.length < window) this.#unacknowledged.push(this.#makeBatch())
    const batches = this.#unacknowledged.slice(0, Math.max(1, window))
    if (acks === 0) {
      for (const batch of batches) await this.#sendUnheard(leader, batch)
      return
    }
    this.#world.coverage.count('batch sent again', batches.filter(({ isInDoubt }) => isInDoubt).length)
    const outcomes = await Promise.all(batches.map(batch => this.#send(leader, batch)))
    let failed = false
    for (const [index, outcome] of outcomes.entries()) {
      if (!this.#settle(batches[index]!, outcome, index === 0 || !failed)) failed = true
    }
    if (!failed) return
    await client.pause(50)
    await client.refreshQuietly([topic])
  }

  #makeBatch(): Batch {
    const { isIdempotent, recordsMax, valueBytes, compression } = this.#options
    const { clock, random } = this.#client
    const count = 1 + random.below(recordsMax)
    const records: SentRecord[] = []
    for (let i = 0; i < count; i++) {
      const number = this.#number++
      const value = `${this.#writer}-${number}`
      const isSentOnce = !isIdempotent
      records.push({ value, writer: this.#writer, number, isIdempotent, isSentOnce, isAcknowledged: false })
    }
    const sequence = this.#sequence
    this.#sequence += count
    for (const record of records) this.#history.willSend(record)
    const timestamp = clock.wallTime()
    const padding = ' '.repeat(random.below(valueBytes + 1))
    const producer = isIdempotent
      ? { producerId: this.#producerId, producerEpoch: this.#producerEpoch, baseSequence: sequence }
      : {}
    const bytes = buildBatch({
      baseOffset: 0,
      compression,
      ...producer,
      records: records.map(({ value, writer }) => ({
        timestamp,
        key: Buffer.from(writer),
        value: Buffer.from(value + padding),
      })),
    })
    return { records, sequence, bytes, starts: this.#world.starts, isInDoubt: false }
  }

  #request(batch: Batch) {
    const { topic, partition, acks } = this.#options
    const partitionData = [{ index: partition, records: batch.bytes }]
    return { acks, timeoutMs: PRODUCE_TIMEOUT_MS, topicData: [{ name: topic, partitionData }] }
  }

  async #sendUnheard(leader: number, batch: Batch): Promise<void> {
    try {
      await this.#client.tell(leader, Produce, this.#options.version, this.#request(batch))
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      await this.#client.refreshQuietly([this.#options.topic])
    }
  }

  async #send(leader: number, batch: Batch): Promise<Outcome> {
    const outcome = await this.#ask(leader, batch)
    if (this.#world.logsDebug) {
      this.#world.note(this.name, `${this.#history.name} ${this.#writer} ${batch.sequence}: ${JSON.stringify(outcome)}`)
    }
    return outcome
  }

  async #ask(leader: number, batch: Batch): Promise<Outcome> {
    const { disasters } = this.#history
    const { leaderEpoch } = this.#client.place(this.#options.topic, this.#options.partition)!
    try {
      const answer = await this.#client.ask(leader, Produce, this.#options.version, this.#request(batch))
      const partition = answer.responses[0]?.partitionResponses[0]
      if (partition === undefined) throw unexpected('Produce', -1)
      return { code: partition.errorCode, baseOffset: partition.baseOffset, disasters, leaderEpoch }
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      return 'no answer'
    }
  }

  /** Takes an answer; whether the batch is acknowledged. `isFirst`: all before it are. */
  #settle(batch: Batch, outcome: Outcome, isFirst: boolean): boolean {
    const wasInDoubt = batch.isInDoubt
    batch.isInDoubt = true
    if (outcome === 'no answer') return false
    const { code, baseOffset, disasters, leaderEpoch } = outcome
    const { isIdempotent, acks } = this.#options
    const isThere = code === ErrorCode.NONE || (isIdempotent && code === ErrorCode.DUPLICATE_SEQUENCE_NUMBER)
    if (isThere) {
      const index = this.#unacknowledged.indexOf(batch)
      if (index >= 0) this.#unacknowledged.splice(index, 1)
      if (wasInDoubt) this.#world.coverage.count('batch sent again is acknowledged')
      this.acknowledged++
      this.#leastAcknowledged = Math.min(this.#leastAcknowledged, batch.sequence)
      const isSound = disasters === this.#history.disasters && !this.#history.isOutdated(leaderEpoch)
      const isFirm = isSound && (acks === -1 || this.#world.isAcksOneFirm)
      batch.records.forEach((record, at) => {
        this.#world.history.acknowledged++
        this.#history.acknowledged(record, baseOffset < 0 ? -1 : baseOffset + at, isFirm, disasters)
      })
      if (acks === -1 && baseOffset >= 0 && isSound) {
        this.#world.committed(this.#history, baseOffset + batch.records.length)
      }
      return true
    }
    if (isPassing(code)) return false
    if (isIdempotent && code === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER && !isFirst) return false
    const isLost = code === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER || code === ErrorCode.UNKNOWN_PRODUCER_ID
    // A broker that restarts knows of each producer only the last batch that its snapshot holds, and those behind it: the
    // format of Kafka has no room for more. One that was in doubt before may be unknown to it.
    const isForgotten = wasInDoubt && batch.starts !== this.#world.starts
    if (isForgotten) this.#world.coverage.count('a producer in doubt was forgotten at a restart')
    // A leader takes any sequence of a producer that it does not know, as Kafka does: when it learnt of the topic between
    // the first batches of a window, the first one comes too late, and a client has to begin anew.
    const isOvertaken = batch.sequence < this.#leastAcknowledged && this.#leastAcknowledged !== Infinity
    if (isOvertaken) this.#world.coverage.count('the first batch of a producer was overtaken')
    if (!isIdempotent || !isLost || (this.#history.disasters === 0 && !isForgotten && !isOvertaken)) {
      throw unexpected(`Produce of ${batch.records[0]!.value} to ${this.#history.name}`, code)
    }
    // It begins anew, and lets rest what it cannot know.
    this.#producerId = -1
    this.#newWriter()
    return false
  }
}
