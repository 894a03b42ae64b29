import type { BrokerConfig } from '../config/broker-config.js'
import { readMap } from '../config/listeners.js'
import type { Network } from '../runtime/ports.js'

const OPTION = 'max.connections.per.ip.overrides'

/** `max.connections.per.ip.overrides` by addresses: hosts are looked up when the option changes, as in Kafka. */
export class AddressOverrides {
  readonly #network: Network
  #text = ''
  #byAddress: ReadonlyMap<string, number> = new Map()

  constructor(network: Network) {
    this.#network = network
  }

  get byAddress(): ReadonlyMap<string, number> {
    return this.#byAddress
  }

  /** Throws Error for a host that cannot be found; what was in force before stays so then. */
  async update(config: BrokerConfig): Promise<void> {
    const text = config.get(OPTION)
    if (text === this.#text) return
    const before = this.#text
    this.#text = text
    const read = readMap(OPTION, text)
    const entries = read.ok ? [...read.value] : []
    try {
      const found = await Promise.all(
        entries.map(async ([host, count]) => [await this.#network.addressOf(host), Number(count)] as const),
      )
      // Another change may have come meanwhile.
      if (this.#text === text) this.#byAddress = new Map(found)
    } catch (error) {
      if (this.#text === text) this.#text = before
      throw new Error(`${OPTION}: ${(error as Error).message}`, { cause: error })
    }
  }
}
