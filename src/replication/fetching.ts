import { ErrorCode } from '#protocol/errors.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { LogError } from '#storage/log-error.js'
import type { RawRequest } from '../handlers/raw-handler.js'
import type { MetadataImage } from '../metadata/image.js'
import type { BufferPool } from '../runtime/buffer-pool.js'
import type { MemoryBudget } from '../runtime/memory-budget.js'
import type { ParkingPlace } from '../runtime/parked.js'
import type { Clock, Logger } from '../runtime/ports.js'
import { FetchOperation, type FetchOutcome } from './fetch-operation.js'
import { type FetchParameters, isConsumer } from './fetch-parameters.js'
import type { FetchPartition } from './fetch-partition.js'
import { locateRecords, partOf, presenceCode, readBound } from './fetch-reading.js'
import { FetchReply, type RecordPiece } from './fetch-reply.js'
import { type FetchRequestData, readFetchRequest } from './fetch-request.js'
import type { FetchContext, FetchSessions } from './fetch-session.js'
import { LeaderThrottle } from './leader-throttle.js'
import type { Partition } from './partition.js'
import { PreferredReplicas } from './preferred-replicas.js'
import type { LeaderHint } from './produce-reply.js'
import { ReadAhead } from './read-ahead.js'
import type { ReplicationConfig } from './replication-config.js'
import { errorCodeOf } from './replication-error.js'
import { absenceCode, type HostedTopic, type TopicIndex } from './topic-index.js'

const ERROR_CODE_FROM = 7
const STORAGE_ERROR_FROM = 6
const CLIENT_METADATA_FROM = 11
const TOPIC_IDS_FROM = 13
const LEADER_FROM = 16

const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

/** However short memory is, an answer may have this much. */
const ANSWER_BYTES_MIN = 65536
/** Of the memory that is left, one answer may take this part. */
const BUDGET_SHARE = 0.5
/** What a waiting fetch keeps in memory for each partition. */
const PARTITION_BYTES = 300

export interface FetchingOptions {
  readonly topics: TopicIndex
  readonly sessions: FetchSessions
  readonly parking: ParkingPlace
  readonly pool: BufferPool
  readonly budget: MemoryBudget
  readonly clock: Clock
  readonly logger: Logger
  /** `fetch.max.bytes`. */
  readonly maxBytes: () => number
  readonly leaderHint: (topic: HostedTopic, partition: number, listenerName: string) => LeaderHint | null
  /** A follower fetched: what it has may be committed now. */
  readonly onFollowerFetch: (asked: FetchPartition, parameters: FetchParameters) => void
  readonly image: () => MetadataImage | null
  readonly nodeId: number
  readonly config: ReplicationConfig
}

/** Who is given buffers of so much (more than 16 KiB of records) is behind, and will ask for the rest at once. */
const CATCHING_UP_BYTES = 32_768

/**
 * Answers Fetch requests. Records go from the page cache into the buffer of the answer, between the fields that stand
 * around them, and out with one write; records that have probably left the page cache are read off the event loop. A
 * fetch without enough to answer waits in the lists of its partitions until they move or its time is up.
 */
export class Fetching {
  readonly parking: ParkingPlace
  readonly #options: FetchingOptions
  readonly #preferred: PreferredReplicas
  readonly #throttle: LeaderThrottle
  readonly #ahead: ReadAhead
  readonly #onUnexpected = (error: unknown): void => {
    this.#options.logger.error({ err: error }, 'a fetch failed for no known reason')
  }

  constructor(options: FetchingOptions) {
    this.#options = options
    this.parking = options.parking
    this.#preferred = new PreferredReplicas(options)
    this.#throttle = new LeaderThrottle(options)
    this.#ahead = new ReadAhead(options.clock, this.#onUnexpected)
  }

  /** Whether a follower gets nothing of a partition for now: it is throttled, lags, and the limit is used up. */
  isHeldBack(partition: Partition, { replicaId }: FetchParameters): boolean {
    return replicaId >= 0 && this.#throttle.holdsBack(partition, replicaId)
  }

  /** Throws ProtocolError if the request cannot be read. */
  handle(raw: RawRequest): void {
    const { topics, sessions, clock } = this.#options
    const { apiVersion: version } = raw
    const request = readFetchRequest(raw.buffer, raw.start, raw.end, version, topics)
    if (request.isolationLevel !== READ_UNCOMMITTED && request.isolationLevel !== READ_COMMITTED) {
      this.#refuse(raw, request)
      return
    }
    const context = sessions.open(request, version >= TOPIC_IDS_FROM, clock.now())
    const operation = this.#operation(raw, request, context)
    if (!isConsumer(request.replicaId)) raw.channel.expectReplication?.()
    this.#readAll(operation)
    this.#noteFollower(operation)
    if (this.#mayAnswer(operation, request.maxWaitMs)) {
      this.#answer(operation)
      return
    }
    operation.reply = raw.channel.replies.defer('alone', operation.partitions.length * PARTITION_BYTES)
    if (!operation.park()) this.#answer(operation)
  }

  /** An isolation level that nobody knows: Kafka fails over it. */
  #refuse(raw: RawRequest, request: FetchRequestData): void {
    const partitions = raw.apiVersion >= TOPIC_IDS_FROM ? [] : request.partitions
    for (const partition of partitions) {
      partition.fail(ErrorCode.UNKNOWN_SERVER_ERROR)
      partition.abortedTransactions = []
    }
    const { apiVersion: version, correlationId } = raw
    const head = { version, correlationId, errorCode: ErrorCode.UNKNOWN_SERVER_ERROR, sessionId: 0 }
    const reply = new FetchReply(this.#options.pool, head, partitions)
    this.#send(reply, chunks => raw.channel.replies.send(chunks, () => this.#release(reply)))
  }

  #operation(raw: RawRequest, request: FetchRequestData, context: FetchContext): FetchOperation {
    const { clock } = this.#options
    const { replicaId, replicaEpoch, isolationLevel, minBytes, maxBytes } = request
    const bytesMax = Math.min(maxBytes, this.#options.maxBytes())
    const parameters: FetchParameters = {
      replicaId,
      replicaEpoch,
      isReadCommitted: isolationLevel === READ_COMMITTED && isConsumer(replicaId),
      rackId: isConsumer(replicaId) && raw.apiVersion >= CLIENT_METADATA_FROM ? request.rackId : '',
      onlyLeader: replicaId >= 0 || (isConsumer(replicaId) && raw.apiVersion < CLIENT_METADATA_FROM),
      minBytes: Math.min(minBytes, bytesMax),
      maxBytes: bytesMax,
    }
    const { known, unknown } = this.#sortAll(context.kind === 'error' ? [] : context.partitions, raw.apiVersion)
    const deadline = clock.now() + request.maxWaitMs
    const wire = { version: raw.apiVersion, correlationId: raw.correlationId, deadline }
    return new FetchOperation(this, raw.channel, wire, parameters, context, known, unknown)
  }

  #sortAll(
    partitions: Iterable<FetchPartition>,
    version: number,
  ): { known: FetchPartition[]; unknown: FetchPartition[] } {
    const known: FetchPartition[] = []
    const unknown: FetchPartition[] = []
    for (const partition of partitions) this.#sort(partition, version, known, unknown)
    return { known, unknown }
  }

  /** What a follower's fetch looks at is what has moved until now. */
  #refresh(operation: FetchOperation): void {
    const { standing } = operation
    if (standing === null) return
    const { known, unknown } = this.#sortAll(standing.unsettled, operation.version)
    operation.partitions = known
    operation.unknown = unknown
  }

  #sort(partition: FetchPartition, version: number, known: FetchPartition[], unknown: FetchPartition[]): void {
    this.#lookUp(partition)
    partition.standing?.attach(partition, partition.topic?.hosted[partition.index])
    const code = presenceCode(partition)
    if (code === ErrorCode.NONE) {
      known.push(partition)
      return
    }
    // A name may be empty, too.
    const isUnnamed = code === ErrorCode.UNKNOWN_TOPIC_ID && version < TOPIC_IDS_FROM
    partition.fail(isUnnamed ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : code)
    // As Kafka answers for what it does not find.
    partition.abortedTransactions = []
    unknown.push(partition)
  }

  /** A session may outlive a topic, and may name one before it is there. */
  #lookUp(partition: FetchPartition): void {
    if (partition.topic !== undefined && !partition.topic.isGone) return
    const { topics } = this.#options
    const byId = partition.topicId !== ZERO_UUID || partition.topicName === ''
    partition.topic = byId ? topics.byId(partition.topicId) : topics.byName(partition.topicName)
    if (byId) partition.topicName = partition.topic?.name ?? ''
  }

  /** Finds for each partition what there is, in their order, as long as there is room. */
  #readAll(operation: FetchOperation): void {
    const { budget } = this.#options
    const { parameters } = operation
    const room = isConsumer(parameters.replicaId) ? budget.leftForConsumers : budget.left
    let left = Math.min(parameters.maxBytes, Math.max(ANSWER_BYTES_MIN, Math.floor(room * BUDGET_SHARE)))
    let minOneBatch = true
    for (const asked of operation.partitions) {
      this.#lookUp(asked)
      const partition = asked.topic?.hosted[asked.index]
      if (partition === undefined) {
        asked.fail(asked.topic === undefined ? presenceCode(asked) : absenceCode(asked.topic, asked.index))
      } else this.#read(operation, asked, partition, left, minOneBatch)
      if (asked.bytes > 0) minOneBatch = false
      left = Math.max(0, left - asked.bytes)
      if (asked.errorCode !== ErrorCode.NONE) this.#explain(operation, asked)
    }
  }

  #read(
    { parameters, channel }: FetchOperation,
    asked: FetchPartition,
    partition: Partition,
    bytesMax: number,
    minOneBatch: boolean,
  ): void {
    if (this.isHeldBack(partition, parameters)) {
      locateRecords(asked, partition, parameters, 0, false, this.#onUnexpected)
      return
    }
    const { rackId } = parameters
    const preferred =
      rackId === '' ? -1 : this.#preferred.of(partition, asked.fetchOffset, rackId, channel.listenerName)
    if (preferred === -1) {
      locateRecords(asked, partition, parameters, bytesMax, minOneBatch, this.#onUnexpected)
      return
    }
    locateRecords(asked, partition, parameters, 0, false, this.#onUnexpected)
    if (asked.errorCode === ErrorCode.NONE) asked.preferredReadReplica = preferred
  }

  /** Names the leader where that helps, and the error by the name that old clients know. */
  #explain(operation: FetchOperation, asked: FetchPartition): void {
    const { version, channel } = operation
    const code = asked.errorCode
    if (code === ErrorCode.KAFKA_STORAGE_ERROR && version < STORAGE_ERROR_FROM) {
      asked.errorCode = ErrorCode.NOT_LEADER_OR_FOLLOWER
    }
    if (version < LEADER_FROM || asked.topic === undefined) return
    if (code === ErrorCode.NOT_LEADER_OR_FOLLOWER || code === ErrorCode.FENCED_LEADER_EPOCH) {
      asked.hint = this.#options.leaderHint(asked.topic, asked.index, channel.listenerName)
    }
  }

  #noteFollower({ partitions, parameters }: FetchOperation): void {
    if (parameters.replicaId < 0) return
    for (const asked of partitions) {
      if (asked.errorCode === ErrorCode.NONE && asked.divergingEpoch === -1) {
        this.#options.onFollowerFetch(asked, parameters)
      }
    }
  }

  #mayAnswer(operation: FetchOperation, maxWaitMs: number): boolean {
    const { partitions, parameters } = operation
    const isEmpty = partitions.length === 0 && operation.standing === null
    if (maxWaitMs <= 0 || isEmpty || operation.hasNews) return true
    return totalBytes(partitions) >= parameters.minBytes
  }

  /** Bytes of one partition that could be answered with now. */
  bytesReadable({ parameters }: FetchOperation, asked: FetchPartition): number {
    const partition = asked.topic?.hosted[asked.index]
    if (partition === undefined || partition.isOffline) return 0
    if (readBound(partition, parameters) <= asked.fetchOffset) return 0
    locateRecords(asked, partition, parameters, asked.maxBytes, true, this.#onUnexpected)
    return Math.min(asked.bytes, asked.maxBytes)
  }

  /** A fetch that waited is answered with what there is. */
  complete(operation: FetchOperation): void {
    this.#refresh(operation)
    this.#readAll(operation)
    this.#answer(operation)
  }

  #answer(operation: FetchOperation): void {
    const { version, correlationId } = operation
    const { answered, sessionId, errorCode } = (operation.outcome ??= this.#outcome(operation))
    // Before sessions there was no place for a code at the top, and there were no errors that need one.
    const head = { version, correlationId, errorCode: version >= ERROR_CODE_FROM ? errorCode : 0, sessionId }
    const reply = new FetchReply(this.#options.pool, head, errorCode === ErrorCode.NONE ? answered : [])
    if (operation.parameters.replicaId >= 0) this.#throttle.record(reply.pieces)
    this.#options.budget.take(reply.bufferBytes)
    if (reply.pieces.some(({ partition }) => !partition.location!.isRecent)) {
      this.#readCold(operation, reply)
      return
    }
    try {
      for (const piece of reply.pieces) if (!this.#takeAhead(piece)) readPiece(piece)
    } catch (error) {
      this.#release(reply)
      this.#answerWithout(operation, error)
      return
    }
    this.#sendReply(operation, reply)
  }

  #outcome({ partitions, unknown, context }: FetchOperation): FetchOutcome {
    const answered = [...partitions, ...unknown]
    return { answered, ...this.#options.sessions.close(context, answered, this.#options.clock.now()) }
  }

  /** Reads off the event loop, one piece after the other. */
  #readCold(operation: FetchOperation, reply: FetchReply): void {
    operation.reply ??= operation.channel.replies.defer('alone', 0)
    readPiecesAsync(reply.pieces).then(
      () => this.#sendReply(operation, reply),
      error => {
        this.#release(reply)
        this.#answerWithout(operation, error)
      },
    )
  }

  /**
   * What was located cannot be read: its segment was removed meanwhile, or the disk failed. The client will ask again.
   */
  #answerWithout(operation: FetchOperation, error: unknown): void {
    if (!(error instanceof LogError)) this.#options.logger.error({ err: error }, 'reading records failed')
    const code = errorCodeOf(error)
    for (const asked of operation.partitions) if (asked.bytes > 0) asked.fail(code)
    this.#answer(operation)
  }

  #sendReply(operation: FetchOperation, reply: FetchReply): void {
    const release = (): void => this.#release(reply)
    const isBehind = operation.parkedAt === -1 && reply.bufferBytes >= CATCHING_UP_BYTES
    if (isBehind && operation.parameters.replicaId < 0 && operation.channel.expectRequest?.() === true) {
      this.#readAhead(reply.pieces)
    }
    if (operation.reply !== null) operation.reply.send(reply.frames(), release)
    else operation.channel.replies.send(reply.frames(), release)
  }

  #takeAhead({ partition, from, length, target, at }: RecordPiece): boolean {
    const location = partition.location!
    return from === 0 && length === location.length && this.#ahead.take(location, target, at)
  }

  /** Who reads one partition, and in one piece, is read ahead for. */
  #readAhead(pieces: readonly RecordPiece[]): void {
    const [piece, ...others] = pieces
    if (piece === undefined || others.length > 0) return
    const { partition, target, at } = piece
    this.#ahead.follow(partition.log!, partition.location!, target, at)
  }

  #send(reply: FetchReply, send: (chunks: readonly Uint8Array[]) => void): void {
    this.#options.budget.take(reply.bufferBytes)
    send(reply.frames())
  }

  #release(reply: FetchReply): void {
    this.#options.budget.give(reply.bufferBytes)
    reply.release()
  }
}

function totalBytes(partitions: readonly FetchPartition[]): number {
  let bytes = 0
  for (const { bytes: each } of partitions) bytes += each
  return bytes
}

function readPiece({ partition, from, length, target, at }: RecordPiece): void {
  const read = partition.log!.readInto(partOf(partition.location!, from, length), target, at)
  if (read !== length) throw new LogError('KAFKA_STORAGE_ERROR', `${length} bytes were to be read, there were ${read}`)
}

async function readPiecesAsync(pieces: readonly RecordPiece[]): Promise<void> {
  for (const { partition, from, length, target, at } of pieces) {
    const read = await partition.log!.readIntoAsync(partOf(partition.location!, from, length), target, at)
    if (read !== length)
      throw new LogError('KAFKA_STORAGE_ERROR', `${length} bytes were to be read, there were ${read}`)
  }
}
