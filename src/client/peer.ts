import { decodeResponse, encodeRequest, FRAME_SIZE_BYTES } from '#protocol/frame.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import type { Clock, Connection, ConnectionHandler, Millis, Network, Timer } from '../runtime/ports.js'

/** The largest response that is believed, in bytes. */
const RESPONSE_BYTES_MAX = 256 * 1024 * 1024

/** A peer that could not be reached, went away, or did not answer in time. */
export class PeerError extends Error {
  override readonly name = 'PeerError'
}

export interface PeerOptions {
  readonly host: string
  readonly port: number
  readonly clientId: string
  /** How long a connection may take to come about, ms. */
  readonly connectTimeoutMs: Millis
  /** How long an answer may take, ms; a peer that is slower is disconnected. */
  readonly requestTimeoutMs: Millis
}

interface Waiting {
  readonly api: Api
  readonly version: number
  readonly deadline: Millis
  readonly resolve: (response: unknown) => void
  readonly reject: (error: Error) => void
}

/**
 * A connection to a peer, as a client: requests are pipelined, answers are matched by correlation id and must come in
 * the order of the requests. Any failure ends the connection and rejects all that waits.
 */
export class Peer {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #options: PeerOptions
  readonly #waiting = new Map<number, Waiting>()
  readonly #handler: ConnectionHandler
  #correlationId = 0
  #timer: Timer | null = null
  #closed: Error | null = null
  /** The bytes of a frame that has not arrived whole, with its size in front. */
  #partial: Buffer | null = null
  #partialBytes = 0

  private constructor(connection: Connection, clock: Clock, options: PeerOptions) {
    this.#connection = connection
    this.#clock = clock
    this.#options = options
    this.#handler = {
      onData: (buffer, start, end) => this.#receive(buffer, start, end),
      onDrain: () => {},
      onClose: error => this.#fail(new PeerError(`${this.address} closed the connection`, { cause: error })),
    }
    connection.start(this.#handler)
  }

  /** Connects; rejects with PeerError when the peer cannot be reached in time. */
  static async connect(network: Network, clock: Clock, options: PeerOptions): Promise<Peer> {
    const { host, port, connectTimeoutMs: timeoutMs } = options
    try {
      return new Peer(await network.connect({ host, port, timeoutMs }), clock, options)
    } catch (error) {
      throw new PeerError((error as Error).message, { cause: error })
    }
  }

  get address(): string {
    return `${this.#options.host}:${this.#options.port}`
  }

  get isClosed(): boolean {
    return this.#closed !== null
  }

  /** Sends a request and resolves with the response; rejects with PeerError if there is none. */
  send<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    version: number,
    request: Encodable<Q>,
  ): Promise<Decoded<R>> {
    if (this.#closed !== null) return Promise.reject(this.#closed)
    const correlationId = this.#correlationId++
    const chunks = encodeRequest(api, { version, correlationId, clientId: this.#options.clientId }, request)
    return new Promise((resolve, reject) => {
      this.#waiting.set(correlationId, {
        api: api as unknown as Api,
        version,
        deadline: this.#clock.now() + this.#options.requestTimeoutMs,
        resolve: resolve as (response: unknown) => void,
        reject,
      })
      this.#connection.write(chunks)
      this.#watch()
    })
  }

  /** Sends a request that has no answer (Produce with acks=0). */
  sendOnly<Q extends Fields, R extends Fields>(api: Api<Q, R>, version: number, request: Encodable<Q>): void {
    if (this.#closed !== null) throw this.#closed
    const correlationId = this.#correlationId++
    this.#connection.write(encodeRequest(api, { version, correlationId, clientId: this.#options.clientId }, request))
  }

  /** Ends the connection; what waits is rejected. */
  close(): void {
    this.#fail(new PeerError(`the connection to ${this.address} was closed`))
  }

  #watch(): void {
    if (this.#timer !== null) return
    const next = this.#waiting.values().next()
    if (next.done === true) return
    this.#timer = this.#clock.at(next.value.deadline, () => {
      this.#timer = null
      const oldest = this.#waiting.values().next()
      if (oldest.done === true) return
      if (oldest.value.deadline > this.#clock.now()) return this.#watch()
      this.#fail(new PeerError(`${this.address} did not answer ${oldest.value.api.name} in time`))
    })
  }

  #receive(buffer: Buffer, start: number, end: number): boolean {
    let at = start
    while (at < end && this.#closed === null) {
      if (this.#partial === null) {
        this.#partial = Buffer.allocUnsafe(FRAME_SIZE_BYTES)
        this.#partialBytes = 0
      }
      const taken = Math.min(end - at, this.#partial.length - this.#partialBytes)
      buffer.copy(this.#partial, this.#partialBytes, at, at + taken)
      this.#partialBytes += taken
      at += taken
      if (this.#partialBytes === this.#partial.length) this.#advance(this.#partial)
    }
    return true
  }

  /** The size or the whole frame has arrived. */
  #advance(partial: Buffer): void {
    if (partial.length === FRAME_SIZE_BYTES) {
      const size = partial.readInt32BE(0)
      if (size < 4 || size > RESPONSE_BYTES_MAX) {
        this.#fail(new PeerError(`${this.address} announced a response of ${size} bytes`))
        return
      }
      this.#partial = Buffer.allocUnsafe(FRAME_SIZE_BYTES + size)
      partial.copy(this.#partial)
      return
    }
    this.#partial = null
    this.#answer(partial.subarray(FRAME_SIZE_BYTES))
  }

  #answer(frame: Buffer): void {
    const correlationId = frame.readInt32BE(0)
    const waiting = this.#waiting.get(correlationId)
    if (waiting === undefined || this.#waiting.keys().next().value !== correlationId) {
      this.#fail(new PeerError(`${this.address} answered out of order (correlation id ${correlationId})`))
      return
    }
    this.#waiting.delete(correlationId)
    try {
      waiting.resolve(decodeResponse(waiting.api, waiting.version, frame).response)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      waiting.reject(new PeerError(`${this.address} answered ${waiting.api.name} with other bytes`, { cause: error }))
      this.#fail(new PeerError(`${this.address} sent a response that cannot be read`, { cause: error }))
    }
  }

  #fail(error: PeerError): void {
    if (this.#closed !== null) return
    this.#closed = error
    this.#timer?.cancel()
    this.#timer = null
    this.#connection.destroy()
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }
}
