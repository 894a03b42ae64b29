/**
 * The ports: all the non-determinism there is. Production hands in those of Node.js (runtime/node), the simulator hands
 * in its own. `Disk` is declared by the storage layer (storage/disk.ts).
 */

export type { Logger } from './logger.js'

/** A duration or a point of time in milliseconds. */
export type Millis = number

/** A wake-up that has been asked for. */
export interface Timer {
  /** The wake-up will not happen; without effect if it has happened. */
  cancel(): void
}

export interface Clock {
  /** Monotonic time in ms, with fractions; its zero means nothing. For durations and deadlines. */
  now(): Millis
  /** Milliseconds since 1970-01-01 UTC, whole. For timestamps that are stored or sent. */
  wallTime(): Millis
  /** Calls `wake` once when `now()` has reached `deadline`. Does not keep the process alive. */
  at(deadline: Millis, wake: () => void): Timer
  /** Calls `wake` once after what waits in the event loop now. Keeps order among its callers. */
  soon(wake: () => void): void
}

export interface Random {
  /** A uniform integer in [0, bound). */
  below(bound: number): number
  /** A random (version 4) uuid in Kafka's text form: 22 characters of URL-safe base64; never beginning with '-'. */
  uuid(): string
}

/**
 * What one end of a TCP connection is told. The receiver's methods are called one at a time, never from within a call
 * that it makes.
 */
export interface ConnectionHandler {
  /**
   * Bytes arrived: `buffer` from `start` to `end`. They are valid only during this call (the buffer is shared by all
   * connections): copy what must stay. Return false to stop reading until `connection.resume()`.
   */
  onData(buffer: Buffer, start: number, end: number): boolean
  /**
   * Asked before each read: a view that the next bytes shall go straight into (the rest of a large frame), or null for
   * the shared buffer. Bytes that land in it come to `onData` with that same view and `start` 0. A port that cannot aim
   * its reads never asks.
   */
  nextBuffer?(): Buffer | null
  /** All that was written has left the process; called only after `write` has returned false. */
  onDrain(): void
  /** The connection is over; `error` is null when the peer ended it in order. Called exactly once. */
  onClose(error: Error | null): void
}

export interface Connection {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localPort: number
  /** Hands in the receiver; nothing is read before. */
  start(handler: ConnectionHandler): void
  /**
   * Sends the chunks in order, together; they belong to the connection until `done`, which is called once, also
   * when the connection fails, and perhaps before `write` returns. Returns false when more is waiting than the socket
   * takes (wait for onDrain, which comes when nothing is waiting any more).
   */
  write(chunks: readonly Uint8Array[], done?: () => void): boolean
  /**
   * The peer is likely to ask again as soon as it has what is written next: a hint, for who can be quicker then. True
   * if it has asked at once lately.
   */
  expectRequest?(): boolean
  /** Bytes written and not yet taken by the operating system. */
  readonly bytesWaiting: number
  /** What of the write that is under way has not been taken: a peer that reads makes it another number. */
  readonly bytesLeaving: number
  /** Reads on after `onData` returned false; without effect otherwise. */
  resume(): void
  /** Ends the connection after what was written is sent. */
  end(): void
  /** Ends it at once. */
  destroy(): void
}

export interface ListenOptions {
  /** '' or '0.0.0.0' or '::' for all interfaces. */
  readonly host: string
  /** 0 for a free one. */
  readonly port: number
  readonly backlog: number
  /** A connection could not be accepted, as when the process has no descriptors left; the listener goes on. */
  readonly onAcceptError?: (error: Error) => void
}

export interface Listener {
  readonly port: number
  /** Stops accepting; connections that were accepted go on. Resolves when the port is free. */
  close(): Promise<void>
}

export interface ConnectOptions {
  readonly host: string
  readonly port: number
  readonly timeoutMs: Millis
}

export interface Network {
  /** Rejects with an error whose message names host and port when they cannot be had. */
  listen(options: ListenOptions, onConnection: (connection: Connection) => void): Promise<Listener>
  connect(options: ConnectOptions): Promise<Connection>
  /**
   * The address of a host, an address itself or a name, as `remoteAddress` of its connections has it. Rejects with an
   * error whose message names the host when it is not known.
   */
  addressOf(host: string): Promise<string>
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'
