/*
 * The network between everybody: a door stands before each listener of a node, and everything goes through doors.
 * Who comes is known from the client id in the first request: a node says its number, everybody else is a client.
 */
import { createServer, connect as netConnect, type Server, type Socket } from 'node:net'

/** A node, or all clients. */
export type Party = number | 'clients'

export interface DoorOptions {
  readonly host: string
  /** The node behind it. */
  readonly node: number
  /** Where it stands, and where the node listens. */
  readonly port: number
  readonly target: number
}

/** What happens to the bytes from one party to another. */
interface Way {
  /** Bytes, connections and their ends stay where they are until the way is open again. */
  isCut: boolean
  delayMs: number
}

const QUEUED_BYTES_MAX = 256 * 1024
/** Clients of our nodes, by the names that they give themselves. */
const NODE_CLIENT = /^(?:broker|raft-client|controller|forwarding|lifecycle|replication)-(\d+)(?:-fetcher-\d+)?$/
const CLIENT_ID_AT = 14
const FIRST_BYTES_MAX = 4096

/** The party that sent a first request: undefined while it is not whole enough to tell. */
export function partyOf(first: Buffer): Party | undefined {
  if (first.length < CLIENT_ID_AT) return first.length >= FIRST_BYTES_MAX ? 'clients' : undefined
  const length = first.readInt16BE(CLIENT_ID_AT - 2)
  if (length < 0) return 'clients'
  if (first.length < CLIENT_ID_AT + length) return first.length >= FIRST_BYTES_MAX ? 'clients' : undefined
  const found = NODE_CLIENT.exec(first.toString('latin1', CLIENT_ID_AT, CLIENT_ID_AT + length))
  return found === null ? 'clients' : Number(found[1])
}

export class ProxyNetwork {
  readonly #doors: Door[] = []
  readonly #ways = new Map<string, Way>()
  readonly connections = new Set<Connection>()

  /** A door that is shut; every node needs its own. */
  addDoor(options: DoorOptions): void {
    this.#doors.push(new Door(options, this))
  }

  async open(node: number): Promise<void> {
    await Promise.all(this.#doorsOf(node).map(door => door.open()))
  }

  /** From now on connections are refused, as where nothing listens. */
  shut(node: number): void {
    for (const door of this.#doorsOf(node)) door.shut()
  }

  #doorsOf(node: number): Door[] {
    return this.#doors.filter(door => door.options.node === node)
  }

  way(from: Party, to: Party): Readonly<Way> {
    return this.#ways.get(`${from}>${to}`) ?? { isCut: false, delayMs: 0 }
  }

  set(from: Party, to: Party, way: Partial<Way>): void {
    this.#ways.set(`${from}>${to}`, { ...this.way(from, to), ...way })
    for (const connection of this.connections) connection.pump()
  }

  /** All ways are as they were. */
  heal(): void {
    this.#ways.clear()
    for (const connection of this.connections) connection.pump()
  }

  /** Breaks connections at once, at both ends. */
  reset(isMeant: (from: Party, to: Party) => boolean): number {
    let count = 0
    for (const connection of [...this.connections]) {
      if (connection.from === undefined || !isMeant(connection.from, connection.to)) continue
      connection.destroy()
      count++
    }
    return count
  }

  close(): void {
    for (const door of this.#doors) door.shut()
    for (const connection of [...this.connections]) connection.destroy()
  }
}

class Door {
  readonly options: DoorOptions
  readonly #network: ProxyNetwork
  #server: Server | null = null

  constructor(options: DoorOptions, network: ProxyNetwork) {
    this.options = options
    this.#network = network
  }

  open(): Promise<void> {
    if (this.#server !== null) return Promise.resolve()
    const accept = (socket: Socket) => new Connection(socket, this.options, this.#network)
    const server = createServer({ allowHalfOpen: true, noDelay: true }, accept)
    this.#server = server
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.options.port, this.options.host, () => resolve())
    })
  }

  shut(): void {
    this.#server?.close()
    this.#server = null
  }
}

/** The bytes of one direction, until they may go on. */
interface Direction {
  readonly queue: { readonly bytes: Buffer | null; readonly dueAt: number }[]
  queuedBytes: number
  timer: NodeJS.Timeout | null
}

class Connection {
  readonly #options: DoorOptions
  readonly #network: ProxyNetwork
  readonly #near: Socket
  #far: Socket | null = null
  #first: Buffer = Buffer.alloc(0)
  readonly #there: Direction = { queue: [], queuedBytes: 0, timer: null }
  readonly #back: Direction = { queue: [], queuedBytes: 0, timer: null }
  /** Who made it; undefined as long as nothing was said. */
  from: Party | undefined

  constructor(near: Socket, options: DoorOptions, network: ProxyNetwork) {
    this.#near = near
    this.#options = options
    this.#network = network
    network.connections.add(this)
    near.on('data', bytes => this.#take(bytes))
    near.on('end', () => this.#push(this.#there, null))
    near.on('error', () => this.destroy())
    near.on('close', () => this.#closed())
  }

  get to(): number {
    return this.#options.node
  }

  destroy(): void {
    this.#network.connections.delete(this)
    for (const direction of [this.#there, this.#back]) {
      direction.queue.length = 0
      if (direction.timer !== null) clearTimeout(direction.timer)
      direction.timer = null
    }
    for (const socket of [this.#near, this.#far]) if (socket !== null && !socket.destroyed) socket.resetAndDestroy()
  }

  /** Sends on what may go on now. */
  pump(): void {
    if (this.from === undefined) return
    this.#pumpOne(this.#there, this.#network.way(this.from, this.to))
    this.#pumpOne(this.#back, this.#network.way(this.to, this.from))
  }

  #take(bytes: Buffer): void {
    if (this.from === undefined) {
      this.#first = Buffer.concat([this.#first, bytes])
      this.from = partyOf(this.#first)
      if (this.from === undefined) return
      bytes = this.#first
    }
    this.#push(this.#there, bytes)
  }

  #push(direction: Direction, bytes: Buffer | null): void {
    if (this.from === undefined) return this.destroy()
    const [from, to] = direction === this.#there ? [this.from, this.to] : [this.to, this.from]
    const way = this.#network.way(from, to)
    direction.queue.push({ bytes, dueAt: performance.now() + way.delayMs })
    direction.queuedBytes += bytes?.length ?? 0
    if (direction.queuedBytes > QUEUED_BYTES_MAX) (direction === this.#there ? this.#near : this.#far)?.pause()
    this.#pumpOne(direction, way)
  }

  #pumpOne(direction: Direction, way: Readonly<Way>): void {
    if (direction.timer !== null || way.isCut || direction.queue.length === 0) return
    const isThere = direction === this.#there
    if (isThere && this.#far === null) this.#connectFar()
    const [source, sink] = isThere ? [this.#near, this.#far] : [this.#far, this.#near]
    const now = performance.now()
    while (direction.queue.length > 0) {
      const next = direction.queue[0]!
      if (next.dueAt > now) {
        const again = () => {
          direction.timer = null
          this.pump()
        }
        direction.timer = setTimeout(again, Math.ceil(next.dueAt - now))
        return
      }
      direction.queue.shift()
      if (next.bytes === null) sink?.end()
      else {
        direction.queuedBytes -= next.bytes.length
        sink?.write(next.bytes)
      }
    }
    // A receiver that takes nothing holds the sender up, as without a proxy.
    if (sink !== null && sink.writableLength > QUEUED_BYTES_MAX) {
      source?.pause()
      sink.once('drain', () => source?.resume())
    } else source?.resume()
  }

  #connectFar(): void {
    const { host, target } = this.#options
    const far = netConnect({ host, port: target, allowHalfOpen: true, noDelay: true })
    this.#far = far
    far.on('data', bytes => this.#push(this.#back, bytes))
    far.on('end', () => this.#push(this.#back, null))
    far.on('error', () => this.#push(this.#back, null))
    far.on('close', () => this.#closed())
  }

  /** One end is gone: the other one hears of it when the way is open. */
  #closed(): void {
    if (!this.#network.connections.has(this)) return
    const isFarGone = this.#far === null || this.#far.destroyed
    if (this.#near.destroyed && isFarGone) return this.destroy()
    if (this.#near.destroyed && this.#far !== null) this.#push(this.#there, null)
    else if (isFarGone) this.#push(this.#back, null)
  }
}
