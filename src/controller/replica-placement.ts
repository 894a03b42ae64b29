import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { ClusterImage } from '../metadata/image.js'
import type { Random } from '../runtime/ports.js'
import { isCordoned } from './cluster-view.js'

/** Brokers of one rack, in a random order that each placed partition shifts by one. */
interface Lane {
  readonly brokers: number[]
  /** Where the next partition begins. */
  start: number
  /** How many of them the present partition has taken. */
  taken: number
}

interface Rack {
  readonly unfenced: Lane
  readonly fenced: Lane
}

/**
 * Places replicas so that leaders and replicas are spread over racks and brokers (KIP-631): partition after partition
 * the first rack moves on by one, and within a rack the first broker does.
 *
 *   racks a(1 2) b(3 4), factor 2:   1 3 | 4 2 | 2 4 | 3 1
 *
 * A partition's first replica is always on an unfenced broker; fenced ones are taken where unfenced ones do not
 * suffice. When every unfenced broker has led once, everything is shuffled anew.
 */
export class ReplicaPlacement {
  readonly #random: Random
  readonly #racks: Rack[] = []
  readonly #total: number
  readonly #unfenced: number
  #firstRack = 0
  #placed = 0

  /** Of the brokers that can take replicas: registered, not about to stop, with a directory that is not cordoned. */
  constructor(cluster: ClusterImage, random: Random) {
    this.#random = random
    const byRack = new Map<string | null, { unfenced: number[]; fenced: number[] }>()
    let total = 0
    let unfenced = 0
    for (const broker of cluster.brokers.values()) {
      if (broker.inControlledShutdown) continue
      if (isCordoned(cluster, broker.id)) continue
      let rack = byRack.get(broker.rack)
      if (rack === undefined) byRack.set(broker.rack, (rack = { unfenced: [], fenced: [] }))
      ;(broker.fenced ? rack.fenced : rack.unfenced).push(broker.id)
      total++
      if (!broker.fenced) unfenced++
    }
    this.#total = total
    this.#unfenced = unfenced
    const names = [...byRack.keys()].sort((a, b) => (a === b ? 0 : a === null || (b !== null && a < b) ? -1 : 1))
    for (const name of names) {
      const rack = byRack.get(name)!
      this.#racks.push({ unfenced: this.#lane(rack.unfenced), fenced: this.#lane(rack.fenced) })
    }
    if (this.#racks.length > 0) this.#firstRack = random.below(this.#racks.length)
  }

  /** Replicas of `count` partitions. Throws INVALID_REPLICATION_FACTOR where there are too few brokers. */
  place(count: number, replicationFactor: number): readonly (readonly number[])[] {
    if (replicationFactor <= 0) {
      refuse(`Invalid replication factor ${replicationFactor}: the replication factor must be positive.`)
    }
    if (this.#unfenced === 0) {
      refuse('All brokers are currently fenced, or have all their log directories cordoned.')
    }
    if (replicationFactor > this.#total) {
      refuse(
        `The target replication factor of ${replicationFactor} cannot be reached because only ${this.#total} ` +
          'broker(s) are registered or some brokers have all their log directories cordoned.',
      )
    }
    return Array.from({ length: count }, () => this.#placeOne(replicationFactor))
  }

  #placeOne(replicationFactor: number): readonly number[] {
    const racks = this.#racks
    const startRack = this.#firstRack
    let rack = startRack
    while (racks[rack]!.unfenced.brokers.length === 0) rack = (rack + 1) % racks.length
    const leaderRack = rack
    const replicas = [take(racks[leaderRack]!.unfenced)!]
    // The rack of the leader has given already: it is passed over once.
    let skip = true
    rack = startRack
    while (replicas.length < replicationFactor) {
      if (skip && rack === leaderRack) skip = false
      else {
        const broker = take(racks[rack]!.unfenced) ?? take(racks[rack]!.fenced)
        if (broker !== undefined) replicas.push(broker)
      }
      rack = (rack + 1) % racks.length
    }
    this.#next()
    return replicas
  }

  #next(): void {
    this.#placed++
    for (const { unfenced, fenced } of this.#racks) {
      shift(unfenced)
      shift(fenced)
    }
    if (this.#placed === this.#unfenced && this.#unfenced > 1) {
      this.#placed = 0
      this.#shuffle(this.#racks)
      for (const { unfenced, fenced } of this.#racks) {
        for (const lane of [unfenced, fenced]) {
          this.#shuffle(lane.brokers)
          lane.start = 0
        }
      }
    }
    this.#firstRack = (this.#firstRack + 1) % this.#racks.length
  }

  #lane(brokers: number[]): Lane {
    brokers.sort((a, b) => a - b)
    this.#shuffle(brokers)
    return { brokers, start: 0, taken: 0 }
  }

  #shuffle<Item>(items: Item[]): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.#random.below(i + 1)
      const item = items[i]!
      items[i] = items[j]!
      items[j] = item
    }
  }
}

function take(lane: Lane): number | undefined {
  if (lane.taken === lane.brokers.length) return undefined
  const broker = lane.brokers[(lane.start + lane.taken) % lane.brokers.length]
  lane.taken++
  return broker
}

function shift(lane: Lane): void {
  lane.taken = 0
  if (lane.brokers.length > 0) lane.start = (lane.start + 1) % lane.brokers.length
}

function refuse(message: string): never {
  throw new ApiError(ErrorCode.INVALID_REPLICATION_FACTOR, message)
}
