import type {
  Connection,
  ConnectionHandler,
  ConnectOptions,
  Listener,
  ListenOptions,
  Network,
} from '#src/runtime/ports.js'

/**
 * The broker's end of a connection, whose other end is the test: it feeds bytes in pieces as it likes, and takes what is
 * sent when it likes.
 */
export class FakeTransport implements Connection {
  readonly remoteAddress: string
  readonly remotePort = 50_000
  readonly localPort = 9092
  handler: ConnectionHandler | null = null
  /** What the test may read: sent and taken. */
  readonly taken: Buffer[] = []
  /** How many times `write` was called. */
  writes = 0
  isPaused = false
  isDestroyed = false
  isEnded = false
  /** The peer does not take what is sent. */
  isStuck = false
  /** The peer has asked at once lately. */
  isQuick = false
  readonly #waiting: { readonly chunks: readonly Uint8Array[]; readonly done: (() => void) | undefined }[] = []
  readonly #shared = Buffer.alloc(262_144)
  #wantsDrain = false
  #isClosed = false

  constructor(remoteAddress = '127.0.0.1') {
    this.remoteAddress = remoteAddress
  }

  start(handler: ConnectionHandler): void {
    this.handler = handler
    if (this.#isClosed) handler.onClose(null)
  }

  /** Bytes come in, as one read or several of at most `pieceBytes`; those that do not fit a paused connection are returned. */
  feed(bytes: Uint8Array, pieceBytes = 262_144): Buffer {
    let at = 0
    while (at < bytes.length && !this.isPaused && !this.isDestroyed) {
      const direct = this.handler!.nextBuffer?.() ?? null
      const target = direct ?? this.#shared
      const length = Math.min(bytes.length - at, pieceBytes, target.length)
      target.set(bytes.subarray(at, at + length))
      at += length
      if (!this.handler!.onData(target, 0, length)) this.isPaused = true
      // Bytes are valid only during the call: whoever kept a view of the shared buffer sees other ones now.
      if (direct === null) this.#shared.fill(0xee, 0, length)
    }
    return Buffer.from(bytes.subarray(at))
  }

  write(chunks: readonly Uint8Array[], done?: () => void): boolean {
    this.writes++
    if (this.#isClosed) {
      done?.()
      return false
    }
    if (!this.isStuck && this.#waiting.length === 0) {
      for (const chunk of chunks) this.taken.push(Buffer.from(chunk))
      done?.()
      return true
    }
    this.#waiting.push({ chunks, done })
    this.#wantsDrain = true
    return false
  }

  expectRequest(): boolean {
    return this.isQuick
  }

  /** The peer takes what waits. */
  unstick(): void {
    this.isStuck = false
    for (const { chunks, done } of this.#waiting.splice(0)) {
      for (const chunk of chunks) this.taken.push(Buffer.from(chunk))
      done?.()
    }
    if (this.#wantsDrain && !this.#isClosed) {
      this.#wantsDrain = false
      this.handler!.onDrain()
    }
  }

  get bytesWaiting(): number {
    return this.#waiting.reduce((sum, { chunks }) => sum + chunks.reduce((bytes, chunk) => bytes + chunk.length, 0), 0)
  }

  /** The peer has taken some of what waits. */
  takenBytes = 0

  get bytesLeaving(): number {
    return Math.max(0, this.bytesWaiting - this.takenBytes)
  }

  resume(): void {
    this.isPaused = false
  }

  end(): void {
    this.isEnded = true
  }

  destroy(): void {
    this.isDestroyed = true
    queueMicrotask(() => this.close(null))
  }

  /** The connection is over. */
  close(error: Error | null): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.isDestroyed = true
    for (const { done } of this.#waiting.splice(0)) done?.()
    this.handler?.onClose(error)
  }

  /** Everything taken so far, and forgets it. */
  take(): Buffer {
    return Buffer.concat(this.taken.splice(0))
  }
}

/** A network of one process, in which tests are the peers. */
export class FakeNetwork implements Network {
  readonly #listeners = new Map<number, (connection: Connection) => void>()
  #nextPort = 40_000
  /** What listeners are told that fail to accept. */
  readonly onAcceptErrors: ((error: Error) => void)[] = []

  listen(options: ListenOptions, onConnection: (connection: Connection) => void): Promise<Listener> {
    const port = options.port === 0 ? this.#nextPort++ : options.port
    if (this.#listeners.has(port)) {
      return Promise.reject(new Error(`cannot listen on ${options.host}:${port}: the address is in use`))
    }
    this.#listeners.set(port, onConnection)
    if (options.onAcceptError !== undefined) this.onAcceptErrors.push(options.onAcceptError)
    return Promise.resolve({
      port,
      close: () => {
        this.#listeners.delete(port)
        return Promise.resolve()
      },
    })
  }

  addressOf(host: string): Promise<string> {
    return Promise.resolve(host)
  }

  connect({ host, port }: ConnectOptions): Promise<Connection> {
    return Promise.reject(new Error(`cannot connect to ${host}:${port}: there is nobody`))
  }

  /** A client comes to a port. */
  dial(port: number, address = '127.0.0.1'): FakeTransport {
    const onConnection = this.#listeners.get(port)
    if (onConnection === undefined) throw new Error(`nobody listens on port ${port}`)
    const transport = new FakeTransport(address)
    onConnection(transport)
    return transport
  }
}
