import { requestCodec, responseCodec } from '#protocol/codec.js'
import { ApiError, ErrorCode, errorName } from '#protocol/errors.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import { isSoundText, Reader } from '#protocol/reader.js'
import type { ListenerKind } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import type { Handler, RequestContext } from '../handlers/handler.js'
import type { RawHandler, RawRequest, Reply, RequestOrder } from '../handlers/raw-handler.js'
import type { Clock, Logger, Millis } from '../runtime/ports.js'
import type { Turn } from '../runtime/turn.js'
import { type AnyHandler, type ServedApi, servedApis } from './api-table.js'
import type { FrameHandler, ServerConnection } from './connection.js'
import { errorResponse } from './error-response.js'
import type { ReplyObserver } from './reply-queue.js'
import { type ApiCounters, newCounters } from './request-metrics.js'

const PRODUCE_KEY = 0
const API_VERSIONS_KEY = 18

/** Array elements that one request may have in all: each becomes an object, and most a piece of the answer. */
const ELEMENTS_MAX = 500_000

/**
 * A frame of this many bytes or more is accounted for while it is decoded, at so many bytes of memory for each of its
 * own.
 */
const LARGE_FRAME_BYTES = 262144
const DECODED_BYTES_PER_BYTE = 8

export interface DispatcherOptions<Services> {
  readonly broker: readonly AnyHandler<Services>[]
  readonly controller: readonly AnyHandler<Services>[]
  readonly services: Services
  readonly clock: Clock
  readonly logger: Logger
  /** `unstable.api.versions.enable`. */
  readonly unstableVersions: boolean
  readonly turn: Turn
  /**
   * Writes records that were gathered in this turn. Called before any request but Produce, so that a request sees what
   * the ones before it on its connection did.
   */
  readonly writeGathered: () => void
}

/** A served API with what is counted of it. */
interface Entry<Services> extends ServedApi<Services>, ReplyObserver {
  readonly counters: ApiCounters
  readonly order: RequestOrder
  /** Answers of the present turn, which are all counted at its end. */
  answers: number
}

/**
 * Finds the handler of a request, hands it over and sees to the answer.
 *
 * What nobody serves (an unknown API, a version out of range, an API of the other kind of listener) and what cannot be
 * read ends the connection, as in Kafka; but an ApiVersions request of an unknown version is answered with version 0
 * and the versions that there are, because that is how clients find out.
 */
export class Dispatcher<Services> implements FrameHandler {
  readonly #services: Services
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #entries: Record<ListenerKind, (Entry<Services> | undefined)[]>
  readonly #request = new CurrentRequest()
  readonly #writeGathered: () => void
  readonly #turn: Turn
  /** The time at which the present turn began, and APIs that were answered in it. */
  #startedAt: Millis = 0
  #startedIn = -1
  #answered: Entry<Services>[] = []

  constructor(options: DispatcherOptions<Services>) {
    this.#services = options.services
    this.#clock = options.clock
    this.#logger = options.logger
    this.#writeGathered = options.writeGathered
    this.#turn = options.turn
    const entries = (kind: ListenerKind): (Entry<Services> | undefined)[] =>
      servedApis(options[kind], kind, options.unstableVersions).map(served => served && this.#entry(served))
    this.#entries = { broker: entries('broker'), controller: entries('controller') }
    this.#turn.add('reply', () => this.#countAnswered())
  }

  #entry(served: ServedApi<Services>): Entry<Services> {
    const counters = newCounters(served.api.key, served.api.name)
    const order = 'handleRaw' in served.handler ? served.handler.order : 'serial'
    const onReply = (bytes: number, startedAt: Millis): void => {
      counters.responseBytes += bytes
      count(counters, 1, this.#clock.now() - startedAt)
    }
    return { ...served, counters, order, onReply, answers: 0 }
  }

  /** What was counted of each API. */
  counters(kind: ListenerKind): readonly ApiCounters[] {
    return this.#entries[kind].flatMap(entry => (entry === undefined ? [] : [entry.counters]))
  }

  orderOf(kind: ListenerKind, apiKey: number): RequestOrder {
    return this.#entries[kind][apiKey]?.order ?? 'serial'
  }

  onFrame(connection: ServerConnection, buffer: Buffer, start: number, end: number): void {
    if (end - start < 10) {
      connection.refuse(`a request of ${end - start} bytes has no whole header`)
      return
    }
    const apiKey = (buffer[start]! << 8) | buffer[start + 1]!
    const version = (buffer[start + 2]! << 8) | buffer[start + 3]!
    const entry = this.#entries[connection.listenerKind][apiKey]
    if (entry === undefined) {
      connection.refuse(`nobody serves API ${apiKey} (version ${version}) here`)
      return
    }
    const request = this.#request
    if (!request.begin(connection, buffer, start, end)) {
      connection.refuse(`the client id of a request (${entry.api.name}) is longer than the request, or no UTF-8`)
      return
    }
    if (version < entry.versionMin || version > entry.versionMax) {
      if (apiKey === API_VERSIONS_KEY) this.#answerUnknownApiVersions(entry, request)
      else connection.refuse(`${entry.api.name} has no version ${version} here`)
      return
    }
    if (version >= entry.flexibleFrom && !request.skipTaggedFields()) {
      connection.refuse(`the header of a request (${entry.api.name} ${version}) cannot be read`)
      return
    }
    this.#run(entry, request)
  }

  #run(entry: Entry<Services>, request: CurrentRequest): void {
    const { counters, handler } = entry
    const { replies } = request.channel
    counters.requests++
    counters.requestBytes += request.end - request.start
    replies.observer = entry
    replies.startedAt = this.#turnStart()
    const before = replies.totalBytes
    if (entry.api.key !== PRODUCE_KEY) this.#writeGathered()
    if ('handleRaw' in handler) this.#runRaw(entry, handler, request)
    else this.#runDecoded(entry, handler, request)
    // What was answered at once was not observed; what comes later will be.
    const bytes = replies.totalBytes - before
    if (bytes === 0) return
    counters.responseBytes += bytes
    if (entry.answers++ === 0) this.#answered.push(entry)
  }

  /** The time, looked up once in a turn. */
  #turnStart(): Millis {
    if (this.#startedIn !== this.#turn.number) {
      this.#startedIn = this.#turn.number
      this.#startedAt = this.#clock.now()
    }
    return this.#startedAt
  }

  #countAnswered(): void {
    if (this.#answered.length === 0) return
    const elapsed = this.#clock.now() - this.#startedAt
    for (const entry of this.#answered) {
      count(entry.counters, entry.answers, elapsed)
      entry.answers = 0
    }
    this.#answered.length = 0
  }

  #runRaw(entry: Entry<Services>, handler: RawHandler<Services>, request: CurrentRequest): void {
    const { channel } = request
    const { pending } = channel.replies
    try {
      handler.handleRaw(this.#services, request)
    } catch (error) {
      entry.counters.errors++
      if (!(error instanceof ProtocolError)) this.#logFailure(entry, request, error)
      channel.refuse(`${entry.api.name} ${request.apiVersion}: ${(error as Error).message}`)
      // It failed with a place taken, whose answer never comes.
      if (channel.replies.pending > pending) channel.close()
    }
  }

  #runDecoded(entry: Entry<Services>, handler: Handler<Services>, request: CurrentRequest): void {
    const { channel, apiVersion, correlationId } = request
    const { replies } = channel
    const frameBytes = request.end - request.start
    const kept = frameBytes < LARGE_FRAME_BYTES && !entry.hasByteFields ? 0 : frameBytes * DECODED_BYTES_PER_BYTE
    const body = this.#decode(entry, request)
    if (body === undefined) return
    const context = request.context()
    let outcome: unknown
    try {
      outcome = handler.handle(this.#services, body, context)
    } catch (error) {
      outcome = this.#failure(entry, request, body, error)
    }
    const facts = { apiVersion, correlationId, channel }
    if (!(outcome instanceof Promise)) {
      const chunks = this.#encode(entry, facts, body, outcome as object)
      if (chunks !== null) replies.send(chunks)
      return
    }
    const reply = replies.defer('serial', kept)
    const finish = (response: object): void => this.#answer(entry, facts, body, response, reply)
    outcome.then(finish, error => finish(this.#failure(entry, facts, body, error)))
  }

  #answer(entry: Entry<Services>, facts: Facts, body: unknown, response: object, reply: Reply): void {
    const chunks = reply.isClosed ? null : this.#encode(entry, facts, body, response)
    if (chunks === null) reply.sendNothing()
    else reply.send(chunks)
  }

  /** The request as a value; undefined if it cannot be read, and then the connection is closed. */
  #decode(entry: Entry<Services>, request: CurrentRequest): unknown {
    const { api } = entry
    const { channel, apiVersion } = request
    try {
      let { buffer, start, end } = request
      if (entry.hasByteFields) {
        // Byte fields are views, and the frame does not outlive this call.
        buffer = Buffer.from(buffer.subarray(start, end))
        start = 0
        end = buffer.length
      }
      const reader = new Reader(buffer, start, end, ELEMENTS_MAX)
      // Bytes behind the request are passed over, as in Kafka: librdkafka 2.16 sends some after a list of no topics.
      return requestCodec(api, apiVersion).read(reader)
    } catch (error) {
      entry.counters.errors++
      if (!(error instanceof ProtocolError)) this.#logFailure(entry, request, error)
      channel.refuse(`${api.name} ${apiVersion} cannot be read: ${(error as Error).message}`)
      return undefined
    }
  }

  /** The response that says that the whole request failed. */
  #failure(entry: Entry<Services>, request: Facts, body: unknown, error: unknown): object {
    entry.counters.errors++
    if (error instanceof ApiError) {
      // An error that says no more than its name has no message on the wire, as in Kafka.
      const message = error.message === errorName(error.code) ? null : error.message
      return errorResponse(entry.api, request.apiVersion, body, error.code, message)
    }
    this.#logFailure(entry, request, error)
    return errorResponse(entry.api, request.apiVersion, body, ErrorCode.UNKNOWN_SERVER_ERROR, null)
  }

  /** The answer, or one that says that there is none; null if not even that can be said: the connection is closed. */
  #encode(entry: Entry<Services>, facts: Facts, body: unknown, response: object): readonly Uint8Array[] | null {
    const { apiVersion: version, correlationId, channel } = facts
    try {
      return encodeReply(entry, version, correlationId, response)
    } catch (error) {
      entry.counters.errors++
      this.#logger.error({ err: error, api: entry.api.name, version }, 'a response cannot be encoded')
    }
    try {
      const failed = errorResponse(entry.api, version, body, ErrorCode.UNKNOWN_SERVER_ERROR, null)
      return encodeReply(entry, version, correlationId, failed)
    } catch (error) {
      channel.refuse(`${entry.api.name} ${version} has no answer that can be encoded: ${(error as Error).message}`)
      return null
    }
  }

  #answerUnknownApiVersions(entry: Entry<Services>, request: CurrentRequest): void {
    entry.counters.requests++
    const { key: apiKey } = entry.api
    const apiKeys = [{ apiKey, minVersion: entry.versionMin, maxVersion: entry.versionMax }]
    const response = { errorCode: ErrorCode.UNSUPPORTED_VERSION, apiKeys }
    request.channel.replies.send(encodeReply(entry, 0, request.correlationId, response))
  }

  #logFailure(entry: Entry<Services>, request: Facts, error: unknown): void {
    const { apiVersion: version, channel } = request
    const fields = { err: error, api: entry.api.name, version, client: channel.clientAddress }
    this.#logger.error(fields, 'a request failed for a reason that has no error code')
  }
}

function count(counters: ApiCounters, answers: number, elapsed: Millis): void {
  counters.responses += answers
  counters.timeMs += elapsed * answers
  if (elapsed > counters.timeMsMax) counters.timeMsMax = elapsed
}

interface Facts {
  readonly apiVersion: number
  readonly correlationId: number
  readonly channel: ServerConnection
}

function encodeReply<Services>(
  entry: ServedApi<Services>,
  version: number,
  correlationId: number,
  response: object,
): readonly Uint8Array[] {
  const writer = new Writer()
  writer.int32(0)
  writer.int32(correlationId)
  // The answer to ApiVersions has the oldest header: who reads it knows nothing yet.
  if (version >= entry.flexibleFrom && entry.api.key !== API_VERSIONS_KEY) writer.int8(0)
  responseCodec(entry.api, version).write(writer, response as never)
  const size = writer.length - 4
  const chunks = writer.finish()
  const first = chunks[0]!
  first[0] = size >> 24
  first[1] = size >> 16
  first[2] = size >> 8
  first[3] = size
  return chunks
}

/** The request that is being handled. One object for all of them, so that the hot path makes none. */
class CurrentRequest implements RawRequest {
  buffer: Buffer = Buffer.alloc(0)
  start = 0
  end = 0
  apiVersion = 0
  correlationId = 0
  clientIdAt = 0
  clientIdBytes = -1
  channel!: ServerConnection

  /** Reads the header up to the client id; false if it does not fit, or is none that could be written again. */
  begin(channel: ServerConnection, buffer: Buffer, start: number, end: number): boolean {
    this.channel = channel
    this.buffer = buffer
    this.end = end
    this.apiVersion = (buffer[start + 2]! << 8) | buffer[start + 3]!
    this.correlationId =
      (buffer[start + 4]! << 24) | (buffer[start + 5]! << 16) | (buffer[start + 6]! << 8) | buffer[start + 7]!
    const bytes = ((buffer[start + 8]! << 24) | (buffer[start + 9]! << 16)) >> 16
    this.clientIdAt = start + 10
    this.clientIdBytes = bytes
    this.start = this.clientIdAt + Math.max(bytes, 0)
    return bytes >= -1 && this.start <= end && isSoundText(buffer, this.clientIdAt, this.start)
  }

  /** Moves past the tagged fields at the end of a flexible header; false if they do not fit. */
  skipTaggedFields(): boolean {
    if (this.start < this.end && this.buffer[this.start] === 0) {
      this.start++
      return true
    }
    try {
      const reader = new Reader(this.buffer, this.start, this.end)
      for (let left = reader.unsignedVarint(); left > 0; left--) {
        reader.unsignedVarint()
        reader.take(reader.unsignedVarint())
      }
      this.start = reader.position
      return true
    } catch {
      // The caller closes the connection, and says why.
      return false
    }
  }

  context(): RequestContext {
    const { apiVersion, correlationId, channel, clientIdAt, clientIdBytes } = this
    return {
      apiVersion,
      correlationId,
      clientId: clientIdBytes < 0 ? null : this.buffer.utf8Slice(clientIdAt, clientIdAt + clientIdBytes),
      listenerName: channel.listenerName,
      listenerKind: channel.listenerKind,
      clientAddress: channel.clientAddress,
      connectionId: channel.id,
      onClose: forget => channel.onceClosed(forget),
    }
  }
}
