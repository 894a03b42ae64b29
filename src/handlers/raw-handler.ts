import type { Api } from '#protocol/schema.js'
import type { RequestContext } from './handler.js'

/**
 * When a request may begin while others of its connection are not answered yet. All begin in the order in which they
 * came.
 *
 * - serial: when all before it are answered, and no later one before it is answered: what it does is seen by the next
 *   one;
 * - alone: beside others, but not beside one of the same API (a fetch goes on where the one before it ended);
 * - free: at once (a producer with acks=all is not held to one request in each round trip).
 */
export type RequestOrder = 'serial' | 'alone' | 'free'

/**
 * Handlers of the hot path read their request by offsets where it lies and write their answer by hand: no object for
 * each request, and none for each partition.
 */
export interface RawHandler<Services> {
  readonly order: RequestOrder
  // biome-ignore lint/suspicious/noExplicitAny: a table of handlers holds every shape
  readonly api: Api<any, any>
  /**
   * Handles one request before it returns: it commits an answer, or takes a place for one that comes later, or neither
   * if there is none to give. May throw ProtocolError before it has done either, which ends the connection.
   */
  readonly handleRaw: (services: Services, request: RawRequest) => void
}

/**
 * One request as it lies in the receive buffer. The object is used again for the next one: it is valid during the call.
 */
export interface RawRequest {
  readonly buffer: Buffer
  /** The body: `buffer[start, end)`. The bytes stay until gathered records have been written at the end of the turn. */
  readonly start: number
  readonly end: number
  readonly apiVersion: number
  readonly correlationId: number
  /** The client id lies at `buffer[clientIdAt, clientIdAt + clientIdBytes)`; -1 bytes: it is null. */
  readonly clientIdAt: number
  readonly clientIdBytes: number
  readonly channel: Channel
  /** Made when asked for. */
  context(): RequestContext
}

/** The connection that a request came on, as a raw handler sees it. */
export interface Channel {
  readonly id: number
  readonly listenerName: string
  readonly replies: Replies
  readonly closed: boolean
  /** Calls `forget` once when the connection is gone; the function returned takes that back. */
  onceClosed(forget: () => void): () => void
  /** Ends the connection; `why` goes to the log. */
  refuse(why: string): void
  /**
   * The peer is likely to ask again as soon as it has the answer that is written next. True if it has asked at once
   * lately.
   */
  expectRequest?(): boolean
  /** The peer is a replica: what it fetches goes before what consumers do. */
  expectReplication?(): void
}

/** The answers of one connection, which leave it in the order of the requests. */
export interface Replies {
  /** Where an answer may be written after `reserve`, from `at` on. */
  readonly buffer: Buffer
  readonly at: number
  /** Makes room for an answer of at most `bytes`: write it into `buffer` from `at` on, then call `commit`. */
  reserve(bytes: number): void
  /**
   * The answer stands in `buffer` from `at` to `end`. It stays there until the end of the turn, and may be mended till
   * then.
   */
  commit(end: number): void
  /**
   * Queues a whole answer. `release` is called when the chunks are not needed any more; their owner accounts for them.
   */
  send(chunks: readonly Uint8Array[], release?: () => void): void
  /** A place for an answer that comes later. `keptBytes`: memory that the request keeps until then. */
  defer(order: RequestOrder, keptBytes: number): Reply
}

/** The place of an answer that comes later. Exactly one of `send` and `sendNothing` is called, once. */
export interface Reply {
  /** The connection is gone; what is sent is dropped. */
  readonly isClosed: boolean
  /**
   * The answer, a whole frame. `release` is called when the chunks are not needed any more; their owner accounts for
   * them.
   */
  send(chunks: readonly Uint8Array[], release?: () => void): void
  /** There is no answer to this request (Produce with acks=0). */
  sendNothing(): void
}

/** Declares a handler of the hot path. */
export function rawHandler<Services>(
  // biome-ignore lint/suspicious/noExplicitAny: a table of handlers holds every shape
  api: Api<any, any>,
  order: RequestOrder,
  handleRaw: (services: Services, request: RawRequest) => void,
): RawHandler<Services> {
  return { api, order, handleRaw }
}
