import { ErrorCode } from '#protocol/errors.js'
import { batchExtentAt, isTransactional } from '#protocol/records/batch.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import { checkProduceRecords } from '#protocol/records/validate.js'
import type { RawRequest } from '../handlers/raw-handler.js'
import type { ParkingPlace } from '../runtime/parked.js'
import type { Clock, Logger } from '../runtime/ports.js'
import type { Turn } from '../runtime/turn.js'
import { DelayedProduce } from './delayed-produce.js'
import type { GatheredAppends } from './gathered-appends.js'
import type { Partition } from './partition.js'
import { type ErrorDetails, type LeaderHint, ProduceResults, replyBytesMax, writeReply } from './produce-reply.js'
import { ProduceRequestReader } from './produce-request.js'
import { errorCodeOf, isExpectedError } from './replication-error.js'
import { absenceCode, type HostedTopic, type TopicIndex } from './topic-index.js'

const TOPIC_IDS_FROM = 13
const LEADER_FROM = 10

/** The only client that may write Kafka's own topics. */
const ADMIN_CLIENT = Buffer.from('__admin_client')

const ACKS_NONE = 0
const ACKS_LEADER = 1
const ACKS_ALL = -1

/** Whether a transactional batch may be appended to a partition. */
export interface TransactionVerifier {
  /** NONE, or what the producer is told; `message` is the error message of the answer. */
  verify(partition: Partition, producerId: number, producerEpoch: number): { code: ErrorCode; message: string | null }
}

export interface ProducingOptions {
  readonly topics: TopicIndex
  readonly appends: GatheredAppends
  readonly parking: ParkingPlace
  readonly clock: Clock
  readonly turn: Turn
  readonly logger: Logger
  /** Who leads a partition and where, for producers that asked the wrong broker. */
  readonly leaderHint: (topic: HostedTopic, partition: number, listenerName: string) => LeaderHint | null
  /** Null: transactions have no engine here. */
  readonly verifier: TransactionVerifier | null
}

/**
 * Answers Produce requests: reads them where they lie, gathers their batches, writes their answers; see GatheredAppends
 * for when those go out. Codes and their order are those of KafkaApis.handleProduceRequest and ReplicaManager.
 */
export class Producing {
  readonly #options: ProducingOptions
  readonly #request = new ProduceRequestReader()
  readonly #results = new ProduceResults()
  /** The partitions to which records of the request went, and the offset after them; -1 where they did not. */
  readonly #partitions: (Partition | null)[] = []
  readonly #ends: number[] = []
  #hasErrors = false
  #mustWait = false
  #time = 0
  #timeIn = -1

  constructor(options: ProducingOptions) {
    this.#options = options
  }

  /** Throws ProtocolError if the request cannot be read, and then nothing has happened. */
  handle(raw: RawRequest): void {
    const request = this.#request
    request.read(raw.buffer, raw.start, raw.end, raw.apiVersion)
    const { acks } = request
    const results = this.#results
    results.count = 0
    this.#hasErrors = false
    this.#mustWait = false
    if (!this.#refuseWhole(raw)) {
      const nowMs = this.#wallTime()
      const allowInternal = isAdminClient(raw)
      for (let i = 0; i < request.partitionCount; i++) this.#append(raw, i, nowMs, allowInternal)
    }
    if (acks === ACKS_NONE) this.#answerNothing(raw)
    else if (this.#mustWait) this.#answerLater(raw)
    else this.#answer(raw)
  }

  /** The time of day, looked up once in a turn. */
  #wallTime(): number {
    const { turn, clock } = this.#options
    if (this.#timeIn !== turn.number) {
      this.#timeIn = turn.number
      this.#time = clock.wallTime()
    }
    return this.#time
  }

  /** What concerns the request as a whole: every partition of it gets the code. */
  #refuseWhole(raw: RawRequest): boolean {
    const request = this.#request
    let hasTransactional = false
    try {
      for (let i = 0; i < request.partitionCount && !hasTransactional; i++) {
        const at = request.recordsAt[i]!
        const bytes = request.recordsBytes[i]!
        if (bytes > 0 && batchExtentAt(raw.buffer, at, at + bytes) > 0 && raw.buffer[at + 16] === 2) {
          hasTransactional = isTransactional(raw.buffer, at)
        }
      }
    } catch (error) {
      if (!(error instanceof InvalidRecordError)) throw error
      this.#failAll(errorCodeOf(error), error.message)
      return true
    }
    if (!hasTransactional || request.transactionalIdBytes >= 0) return false
    this.#failAll(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, null)
    return true
  }

  #failAll(code: ErrorCode, message: string | null): void {
    const details = message === null ? null : { recordErrors: [], message }
    for (let i = 0; i < this.#request.partitionCount; i++) this.#fail(i, code, -1, details)
  }

  #fail(i: number, code: number, logStartOffset: number, details: ErrorDetails | null): void {
    this.#results.add(code, -1, -1, logStartOffset)
    this.#results.details[i] = details
    this.#partitions[i] = null
    this.#hasErrors = true
  }

  #append(raw: RawRequest, i: number, nowMs: number, allowInternal: boolean): void {
    const topic = this.#topicOf(raw, i)
    const code = this.#refusalOf(raw, i, topic, allowInternal)
    if (code === ErrorCode.NONE) {
      this.#appendTo(raw, i, topic!.hosted[this.#request.partitionIndex[i]!]!, nowMs)
      return
    }
    this.#fail(i, code, -1, null)
    if (code === ErrorCode.NOT_LEADER_OR_FOLLOWER) this.#nameLeader(raw, i, topic!)
  }

  #topicOf(raw: RawRequest, i: number): HostedTopic | undefined {
    const request = this.#request
    const { topics } = this.#options
    const topic = request.partitionTopic[i]!
    const at = request.topicAt[topic]!
    if (raw.apiVersion >= TOPIC_IDS_FROM) return topics.byIdBytes(raw.buffer, at)
    return topics.byNameBytes(raw.buffer, at, request.topicBytes[topic]!)
  }

  /** Why a partition gets no records, as far as that can be said without its log; NONE if it can. */
  #refusalOf(raw: RawRequest, i: number, topic: HostedTopic | undefined, allowInternal: boolean): ErrorCode {
    const { acks, partitionIndex, recordsAt, recordsBytes } = this.#request
    if (topic === undefined) {
      return raw.apiVersion >= TOPIC_IDS_FROM ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    }
    const index = partitionIndex[i]!
    if (index < 0 || index >= topic.partitionCount) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    const at = recordsAt[i]!
    try {
      checkProduceRecords(raw.buffer, at, at + Math.max(0, recordsBytes[i]!), raw.apiVersion)
    } catch (error) {
      if (!(error instanceof InvalidRecordError)) throw error
      return errorCodeOf(error)
    }
    if (acks !== ACKS_NONE && acks !== ACKS_LEADER && acks !== ACKS_ALL) return ErrorCode.INVALID_REQUIRED_ACKS
    if (topic.isInternal && !allowInternal) return ErrorCode.INVALID_TOPIC_EXCEPTION
    const partition = topic.hosted[index]
    if (partition === undefined) return absenceCode(topic, index)
    if (partition.isOffline) return ErrorCode.KAFKA_STORAGE_ERROR
    return partition.isLeader ? ErrorCode.NONE : ErrorCode.NOT_LEADER_OR_FOLLOWER
  }

  #nameLeader(raw: RawRequest, i: number, topic: HostedTopic): void {
    if (raw.apiVersion < LEADER_FROM) return
    const index = this.#request.partitionIndex[i]!
    this.#results.hints[i] = this.#options.leaderHint(topic, index, raw.channel.listenerName)
  }

  #appendTo(raw: RawRequest, i: number, partition: Partition, nowMs: number): void {
    const { acks, recordsAt } = this.#request
    const at = recordsAt[i]!
    const refusal = isTransactional(raw.buffer, at) ? this.#verify(raw, partition, at) : null
    if (refusal !== null) {
      this.#fail(i, refusal.code, -1, { recordErrors: [], message: refusal.message })
      return
    }
    try {
      const info = partition.appendFromClient(raw.buffer, at, nowMs, acks === ACKS_ALL)
      const end = info.lastOffset + 1
      this.#results.add(ErrorCode.NONE, info.baseOffset, info.logAppendTimeMs, info.logStartOffset)
      this.#partitions[i] = partition
      this.#ends[i] = end
      if (acks === ACKS_ALL) this.#mustWait ||= !partition.commitsAtOnce && end > partition.highWatermark
      else this.#mustWait ||= !partition.isSynced(end)
    } catch (error) {
      this.#failAppend(i, partition, error)
    }
  }

  /**
   * The same distinctions as ReplicaManager.appendToLocalLog: what is told beside the code depends on what went wrong.
   */
  #failAppend(i: number, partition: Partition, error: unknown): void {
    if (!isExpectedError(error)) {
      this.#options.logger.error({ err: error, partition: partition.name }, 'an append failed for no known reason')
    }
    const code = errorCodeOf(error)
    const details = error instanceof InvalidRecordError && error.recordErrors.length > 0 ? error : null
    const isSilent = details === null && WITHOUT_LOG_START.has(code)
    this.#fail(i, code, isSilent ? -1 : partition.log.logStartOffset, details)
  }

  #verify(raw: RawRequest, partition: Partition, at: number): { code: ErrorCode; message: string | null } | null {
    const { verifier } = this.#options
    if (verifier === null) return { code: ErrorCode.INVALID_TXN_STATE, message: null }
    const reader = raw.buffer
    const verdict = verifier.verify(partition, Number(reader.readBigInt64BE(at + 43)), reader.readInt16BE(at + 51))
    return verdict.code === ErrorCode.NONE ? null : verdict
  }

  /** acks=0: no answer; an error ends the connection, which is all that the producer can notice. */
  #answerNothing(raw: RawRequest): void {
    if (this.#hasErrors) {
      const code = this.#results.errorCode.find((each, i) => i < this.#results.count && each !== ErrorCode.NONE)
      raw.channel.refuse(`records sent with acks=0 were refused with error ${code}`)
    }
    this.#note(raw, null)
  }

  /** Remembers which answers speak of records that are not written yet. */
  #note(raw: RawRequest, target: Buffer | null): void {
    const { appends } = this.#options
    const results = this.#results
    for (let i = 0; i < results.count; i++) {
      const partition = this.#partitions[i]!
      if (partition === null || this.#ends[i]! <= partition.log.logEndOffset) continue
      const errorAt = target === null ? 0 : results.errorAt[i]!
      appends.note(partition, this.#ends[i]!, target, errorAt, raw.apiVersion, raw.channel)
    }
  }

  #answer(raw: RawRequest): void {
    const { replies } = raw.channel
    replies.reserve(replyBytesMax(this.#request, this.#results))
    const target = replies.buffer
    const { apiVersion, correlationId, buffer } = raw
    const end = writeReply(target, replies.at, apiVersion, correlationId, buffer, this.#request, this.#results)
    replies.commit(end)
    this.#note(raw, target)
  }

  #answerLater(raw: RawRequest): void {
    const { clock, parking } = this.#options
    const request = this.#request
    const results = this.#results
    const { apiVersion, correlationId, buffer } = raw
    const target = Buffer.allocUnsafe(replyBytesMax(request, results))
    const end = writeReply(target, 0, apiVersion, correlationId, buffer, request, results)
    const reply = raw.channel.replies.defer('free', 0)
    const deadline = clock.now() + Math.max(0, request.timeoutMs)
    const delayed = new DelayedProduce(parking, reply, target.subarray(0, end), deadline)
    for (let i = 0; i < results.count; i++) {
      const partition = this.#partitions[i]!
      if (partition !== null) delayed.add(partition, this.#ends[i]!, results.errorAt[i]!, request.acks === ACKS_ALL)
    }
    this.#note(raw, target)
    delayed.start()
  }
}

/** Errors whose answers do not say where the log starts. */
const WITHOUT_LOG_START: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.MESSAGE_TOO_LARGE,
  ErrorCode.RECORD_LIST_TOO_LARGE,
  ErrorCode.CORRUPT_MESSAGE,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.UNKNOWN_TOPIC_ID,
])

function isAdminClient(raw: RawRequest): boolean {
  const { clientIdBytes, clientIdAt, buffer } = raw
  return (
    clientIdBytes === ADMIN_CLIENT.length &&
    buffer.compare(ADMIN_CLIENT, 0, clientIdBytes, clientIdAt, clientIdAt + clientIdBytes) === 0
  )
}
