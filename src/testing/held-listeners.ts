import type { Connection, Listener, ListenOptions, Network } from '../runtime/ports.js'

const HOST = '127.0.0.1'
const BACKLOG = 128
/** Connections that may wait for the node whose port is held. */
const WAITING_MAX = 100

interface HeldPort {
  readonly listener: Listener
  readonly waiting: Connection[]
  take: ((connection: Connection) => void) | null
}

/**
 * A network on which free ports can be opened before anybody listens there, so that nodes know of each other before any
 * of them runs, and nobody else can take a port meanwhile. Who then listens on such a port gets it as it is.
 */
export class HeldListeners implements Network {
  readonly #network: Network
  readonly #held = new Map<number, HeldPort>()

  constructor(network: Network) {
    this.#network = network
  }

  /** Opens a port of this machine, 0: any, and holds it. Returns its number; throws Error if somebody else has it. */
  async hold(port = 0): Promise<number> {
    const waiting: Connection[] = []
    const onConnection = (connection: Connection): void => {
      if (held.take !== null) held.take(connection)
      else if (waiting.length < WAITING_MAX) waiting.push(connection)
      else connection.destroy()
    }
    const listener = await this.#network.listen({ host: HOST, port, backlog: BACKLOG }, onConnection)
    const held: HeldPort = { listener, waiting, take: null }
    this.#held.set(listener.port, held)
    return listener.port
  }

  listen(options: ListenOptions, onConnection: (connection: Connection) => void): Promise<Listener> {
    const held = this.#held.get(options.port)
    if (held === undefined) return this.#network.listen(options, onConnection)
    this.#held.delete(options.port)
    held.take = onConnection
    for (const connection of held.waiting.splice(0)) onConnection(connection)
    return Promise.resolve(held.listener)
  }

  connect: Network['connect'] = options => this.#network.connect(options)

  addressOf: Network['addressOf'] = host => this.#network.addressOf(host)

  /** Lets go of these ports, or of all, as far as nobody has taken them. */
  async release(...ports: readonly number[]): Promise<void> {
    const held = [...this.#held].filter(([port]) => ports.length === 0 || ports.includes(port))
    for (const [port, { waiting }] of held) {
      this.#held.delete(port)
      for (const connection of waiting) connection.destroy()
    }
    await Promise.all(held.map(([, { listener }]) => listener.close()))
  }
}
