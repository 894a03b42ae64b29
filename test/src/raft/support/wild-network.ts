import { requestCodec, responseCodec } from '#protocol/codec.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { CallFailedError, type RaftChannel } from '#src/raft/channel.js'
import type { SeededRandom } from '../../../support/random.js'
import type { VirtualClock } from '../../../support/virtual-clock.js'
import { answer, type RaftNode, roundTrip } from './rig.js'

/** Somebody who can be reached. */
export interface Place {
  readonly id: number
  /** null: nothing listens. */
  readonly node: RaftNode | null
  /** Counts the processes: what an earlier one has asked is not answered. */
  readonly life: number
}

/** Ways between drivers by the bytes of the protocol, on which calls and answers take their time and get lost. */
export class WildNetwork {
  readonly #clock: VirtualClock
  readonly #random: SeededRandom
  readonly #places: readonly Place[]
  readonly #cut = new Set<string>()
  loss = 0
  delayMax = 1
  /** Hears of every call as it is sent. */
  onAsked: (api: string, from: number, request: unknown) => void = () => {}
  /** How often each API was asked. */
  readonly asked = new Map<string, number>()

  constructor(clock: VirtualClock, random: SeededRandom, places: readonly Place[]) {
    this.#clock = clock
    this.#random = random
    this.#places = places
  }

  /** Parts one of them from all others, or from another one; one way or both, for some time. */
  cut(one: number, ms: number): void {
    const others = this.#random.below(3) > 0 ? this.#places : [this.#random.pick(this.#places)]
    const isOneWay = this.#random.below(4) === 0
    for (const { id } of others) {
      if (id === one) continue
      for (const way of isOneWay ? [`${one}->${id}`] : [`${one}->${id}`, `${id}->${one}`]) {
        this.#cut.add(way)
        this.#clock.at(this.#clock.now() + ms, () => this.#cut.delete(way))
      }
    }
  }

  get isCut(): boolean {
    return this.#cut.size > 0
  }

  mend(): void {
    this.#cut.clear()
  }

  channelOf(from: Place): RaftChannel {
    const { life } = from
    return {
      to: (_nodeId, address) => ({
        send: async <Q extends Fields, R extends Fields>(
          api: Api<Q, R>,
          _minVersion: number,
          request: Encodable<Q>,
        ): Promise<Decoded<R>> => {
          const version = api.versions.to
          const bytes = roundTrip(requestCodec(api, version), request)
          this.asked.set(api.name, (this.asked.get(api.name) ?? 0) + 1)
          this.onAsked(api.name, from.id, bytes)
          const to = this.#places.find(place => place.id === address.port - 9000)!
          await this.#way(from, to)
          if (to.node === null) throw new CallFailedError('refused', `nobody listens on ${address.port}`)
          const answered = await answer(to.node, api.name, version, bytes)
          const response = roundTrip(responseCodec(api, version), answered as Encodable<R>)
          await this.#way(to, from)
          if (from.life !== life) throw new CallFailedError('disconnected', 'gone')
          return response
        },
      }),
      close: () => {},
    }
  }

  async #way(from: Place, to: Place): Promise<void> {
    await this.#pause(1 + this.#random.below(this.delayMax))
    if (this.#random.next() >= this.loss && !this.#cut.has(`${from.id}->${to.id}`)) return
    // Some losses are noticed soon, others when the call has taken too long.
    await this.#pause(this.#random.below(2) === 0 ? this.#random.below(1000) : 30_000)
    throw new CallFailedError('disconnected', 'lost')
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => this.#clock.at(this.#clock.now() + ms, resolve))
  }
}
