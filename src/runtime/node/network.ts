import { lookup } from 'node:dns/promises'
import net from 'node:net'
import type { Connection, ConnectionHandler, ConnectOptions, Listener, ListenOptions, Network } from '../ports.js'
import { AskingPace, BusyPoll } from './busy-poll.js'

/**
 * TCP of Node.js.
 *
 * Plain connections read into one buffer that all of them share: a socket asks for memory, reads and calls back in one
 * synchronous step, so no two of them use it at once. For accepted sockets this needs a second Socket around the same
 * handle, because a server hands none of the options of a Socket on; where that is not to be had, connections fall back
 * to the 'data' event, which allocates 64 KiB for every read.
 */
const RECEIVE_BYTES = 262144

/**
 * How much a connection reads in one go while others read too: libuv would read a busy socket up to 32 times before it
 * looks at the next one.
 */
const TURN_BYTES_MAX = 2097152
/**
 * After so many windows alone a connection lets the loop look at the others, whom it may have kept from being heard.
 */
const WINDOWS_ALONE_MAX = 4

/** Entries of a queue that are left behind before they are cut off. */
const DONES_COMPACTED = 256

/** An answer of at least so much is worth waking the peer before it is all there, with so much of it. */
const WAKING_BYTES_MIN = 16384
const WAKING_BYTES = 512

/** `write` returns false when more than this is waiting. */
const HIGH_WATER_BYTES = 65536

export interface NodeNetworkOptions {
  /** Read accepted connections into the shared buffer if this Node.js can do it; true unless said otherwise. */
  readonly sharedBuffer?: boolean
}

/** What all connections of one network share. */
interface Shared {
  readonly buffer: Buffer
  /** The connection that read last. */
  lastReader: NodeConnection | null
  readonly poll: BusyPoll
}

type Handle = {
  readStop(): number
  useUserBuffer?: unknown
  readStart(): number
  readonly writeQueueSize?: number
}
type OnRead = { buffer: () => Buffer; callback: (length: number) => boolean }

export function createNodeNetwork(options: NodeNetworkOptions = {}): Network {
  const shared: Shared = { buffer: Buffer.allocUnsafeSlow(RECEIVE_BYTES), lastReader: null, poll: new BusyPoll() }
  const rewrap = options.sharedBuffer ?? true
  return {
    listen: (listen, onConnection) => startListener(listen, shared, rewrap, onConnection),
    connect: connect => openConnection(connect, shared),
    addressOf,
  }
}

async function startListener(
  options: ListenOptions,
  shared: Shared,
  rewrap: boolean,
  onConnection: (connection: Connection) => void,
): Promise<Listener> {
  const server = net.createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true }, socket => {
    const wrapped = rewrap ? wrap(socket, shared) : null
    onConnection(wrapped ?? new NodeConnection(socket, shared, true))
  })
  const { port, backlog } = options
  try {
    const host = await bindAddress(options.host)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port, backlog, ...(host === '' ? {} : { host }) }, resolve)
    })
  } catch (error) {
    throw new Error(`cannot listen on ${options.host || '*'}:${port}: ${reason(error)}`, { cause: error })
  }
  server.removeAllListeners('error')
  // A failing accept (no descriptors left, say) costs that one peer; the listener goes on.
  server.on('error', error => options.onAcceptError?.(error))
  return {
    port: (server.address() as net.AddressInfo).port,
    close: () =>
      new Promise(resolve => {
        server.close()
        setImmediate(resolve)
      }),
  }
}

/** A name with several addresses is bound to its IPv4 address, as Kafka's brokers do. */
async function bindAddress(host: string): Promise<string> {
  if (host === '' || net.isIP(host) !== 0) return host
  const addresses = await lookup(host, { all: true })
  return (addresses.find(({ family }) => family === 4) ?? addresses[0]!).address
}

async function addressOf(host: string): Promise<string> {
  try {
    const address = (await bindAddress(host)).replace(/%.*$/, '')
    return net.isIPv6(address) ? plainAddress(new net.SocketAddress({ address, family: 'ipv6' }).address) : address
  } catch (error) {
    throw new Error(`${host}: ${reason(error)}`, { cause: error })
  }
}

function openConnection(options: ConnectOptions, shared: Shared): Promise<Connection> {
  const { host, port, timeoutMs } = options
  return new Promise((resolve, reject) => {
    let connection: NodeConnection | null = null
    const onread: OnRead = {
      buffer: () => connection?.aim() ?? shared.buffer,
      callback: length => connection!.received(length),
    }
    const socket = new net.Socket({ onread } as unknown as net.SocketConstructorOpts)
    const fail = (why: string, cause?: unknown): void => {
      socket.destroy()
      reject(new Error(`cannot connect to ${host}:${port}: ${why}`, { cause }))
    }
    const timer = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs)
    socket.once('error', error => {
      clearTimeout(timer)
      fail(reason(error), error)
    })
    socket.connect({ host, port, noDelay: true, keepAlive: true }, () => {
      clearTimeout(timer)
      socket.removeAllListeners('error')
      socket.pause()
      connection = new NodeConnection(socket, shared, false)
      resolve(connection)
    })
  })
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'EADDRINUSE':
      return 'the address is in use (EADDRINUSE)'
    case 'EACCES':
      return 'not allowed (EACCES)'
    case 'EADDRNOTAVAIL':
      return 'this machine does not have the address (EADDRNOTAVAIL)'
    case 'ENOTFOUND':
      return 'the name is not known (ENOTFOUND)'
    case 'ECONNREFUSED':
      return 'connection refused (ECONNREFUSED)'
    default:
      return code === undefined ? message : `${message} (${code})`
  }
}

const MAPPED_IPV4 = '::ffff:'

/** IPv4 in IPv6 clothes is IPv4. */
function plainAddress(address: string): string {
  return address.startsWith(MAPPED_IPV4) && net.isIPv4(address.slice(MAPPED_IPV4.length))
    ? address.slice(MAPPED_IPV4.length)
    : address
}

/**
 * A second Socket around the handle of an accepted one, which reads where we say; null if this Node.js has no such
 * thing.
 */
function wrap(accepted: net.Socket, shared: Shared): NodeConnection | null {
  const owner = accepted as unknown as { _handle: Handle | null }
  const handle = owner._handle
  if (handle === null || typeof handle !== 'object' || typeof handle.useUserBuffer !== 'function') return null
  owner._handle = null
  let connection: NodeConnection | null = null
  const onread: OnRead = {
    buffer: () => connection?.aim() ?? shared.buffer,
    callback: length => connection!.received(length),
  }
  const socket = new net.Socket({ handle, onread, pauseOnCreate: true } as unknown as net.SocketConstructorOpts)
  // The accepted one is still counted by its server.
  socket.on('close', () => accepted.destroy())
  connection = new NodeConnection(socket, shared, false)
  return connection
}

class NodeConnection implements Connection {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localPort: number
  readonly #socket: net.Socket
  readonly #shared: Shared
  #handler: ConnectionHandler | null = null
  readonly #usesData: boolean
  /** Where the next read goes. */
  #target: Buffer
  #windowBytes = 0
  #windowsAlone = 0
  #reading = false
  #resumes = false
  #closed = false
  #error: Error | null = null

  /** Writes that were handed to the socket, how many of them it has reported, and for how many `done` was called. */
  #written = 0
  #reported = 0
  #released = 0
  /** The `done` of each write that was not called yet, from index `#head` on. */
  readonly #dones: ((() => void) | undefined)[] = []
  #head = 0
  #wantsDrain = false
  /** Only of connections that were told to expect requests. */
  #pace: AskingPace | null = null
  #expects = false

  /** `usesData`: bytes come by the 'data' event, not into a buffer that `aim` says. */
  constructor(socket: net.Socket, shared: Shared, usesData: boolean) {
    this.#socket = socket
    this.#shared = shared
    this.#usesData = usesData
    this.#target = shared.buffer
    this.remoteAddress = plainAddress(socket.remoteAddress ?? '')
    this.remotePort = socket.remotePort ?? 0
    this.localPort = socket.localPort ?? 0
    socket.on('error', error => {
      this.#error = error
    })
    socket.on('close', () => this.#onClose())
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler
    if (this.#closed) {
      handler.onClose(this.#error)
      return
    }
    this.#reading = true
    if (this.#usesData) {
      this.#socket.on('data', (chunk: Buffer) => {
        if (!this.#handler!.onData(chunk, 0, chunk.length)) this.#stop()
      })
    }
    this.#socket.resume()
    this.#socket.read(0)
  }

  /** Where the next read shall go. */
  aim(): Buffer {
    return (this.#target = this.#handler?.nextBuffer?.() ?? this.#shared.buffer)
  }

  /** Bytes have come into the target. Whether to read on. */
  received(length: number): boolean {
    if (this.#pace?.isExpecting === true) this.#pace.asked(performance.now())
    if (!this.#handler!.onData(this.#target, 0, length)) {
      this.#reading = false
      return false
    }
    return this.#mayReadOn(length)
  }

  /** Lets others read after each window, if there are others; now and then even if none was heard. */
  #mayReadOn(length: number): boolean {
    const shared = this.#shared
    if (shared.lastReader !== this) {
      shared.lastReader = this
      this.#windowsAlone = 0
    }
    this.#windowBytes += length
    if (this.#windowBytes < TURN_BYTES_MAX) return true
    this.#windowBytes = 0
    if (++this.#windowsAlone % WINDOWS_ALONE_MAX !== 1) return true
    this.#reading = false
    this.#resumes = true
    setImmediate(() => {
      this.#resumes = false
      this.resume()
    })
    return false
  }

  #stop(): void {
    this.#reading = false
    this.#socket.pause()
  }

  resume(): void {
    if (this.#reading || this.#closed || this.#resumes || this.#handler === null) return
    this.#reading = true
    this.#socket.resume()
    if (!this.#usesData) this.#socket.read(0)
  }

  write(chunks: readonly Uint8Array[], done?: () => void): boolean {
    const socket = this.#socket
    this.#written++
    this.#dones.push(done)
    if (this.#closed || socket.destroyed || !socket.writable) {
      this.#release(this.#written)
      this.#reported = this.#written
      return false
    }
    if (chunks.length === 1) {
      socket.write(this.#wake(chunks[0]!), this.#onWritten)
    } else {
      socket.cork()
      const last = chunks.length - 1
      for (let i = 0; i < last; i++) socket.write(chunks[i]!)
      socket.write(chunks[last]!, this.#onWritten)
      socket.uncork()
    }
    const waiting = socket.writableLength
    // The socket took it all in this very call: nothing is to be waited for.
    if (waiting === 0) {
      this.#release(this.#written)
      if (this.#expects) this.#expectRequest()
      return true
    }
    this.#expects = false
    if (waiting < HIGH_WATER_BYTES) return true
    this.#wantsDrain = true
    return false
  }

  expectRequest(): boolean {
    this.#expects = true
    return this.#pace?.isQuick ?? false
  }

  /**
   * A peer that waits for a large answer sleeps until it begins. The beginning goes out by itself, so that the peer
   * wakes up while the rest is copied; returns the rest.
   */
  #wake(chunk: Uint8Array): Uint8Array {
    if (!this.#expects || chunk.length < WAKING_BYTES_MIN || this.#pace?.isQuick !== true) return chunk
    this.#socket.write(chunk.subarray(0, WAKING_BYTES))
    return chunk.subarray(WAKING_BYTES)
  }

  #expectRequest(): void {
    this.#expects = false
    this.#pace ??= new AskingPace()
    const now = performance.now()
    if (this.#pace.answered(now)) this.#shared.poll.extend(now)
  }

  #onWritten = (): void => {
    this.#reported++
    this.#release(this.#reported)
    if (this.#wantsDrain && this.#socket.writableLength === 0 && !this.#closed) {
      this.#wantsDrain = false
      this.#handler!.onDrain()
    }
  }

  /** Calls back for all writes up to number `upTo`. */
  #release(upTo: number): void {
    const dones = this.#dones
    while (this.#released < upTo) {
      this.#released++
      const done = dones[this.#head]
      dones[this.#head++] = undefined
      if (this.#head === dones.length) {
        dones.length = 0
        this.#head = 0
      } else if (this.#head === DONES_COMPACTED) {
        dones.splice(0, this.#head)
        this.#head = 0
      }
      done?.()
    }
  }

  get bytesWaiting(): number {
    return this.#socket.writableLength
  }

  get bytesLeaving(): number {
    // A write counts as waiting until all of it is gone; the queue below the socket shrinks as the peer reads.
    return (this.#socket as unknown as { _handle: Handle | null })._handle?.writeQueueSize ?? this.bytesWaiting
  }

  end(): void {
    this.#socket.end()
    // What a peer still sends is of no interest, but its end is.
    this.#socket.resume()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #onClose(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#shared.lastReader === this) this.#shared.lastReader = null
    this.#release(this.#written)
    this.#handler?.onClose(this.#error)
  }
}
