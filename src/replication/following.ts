import { javaHash } from '../coordinator/java-order.js'
import type { MetadataImage } from '../metadata/image.js'
import { Fetcher, type FetcherParts, type LeaderEndpoint } from './fetcher.js'
import { FollowedPartition } from './followed-partition.js'
import type { Partition } from './partition.js'
import { guard } from './replica-placement.js'

export interface FollowingParts extends FetcherParts {
  /** `inter.broker.listener.name`. */
  readonly interBrokerListener: string
}

interface Place {
  readonly replica: FollowedPartition
  leaderId: number
  leaderEpoch: number
  /** Null: the address of the leader is not known. */
  fetcher: Fetcher | null
}

/** The connection of a leader that has a partition, of `count`: the same as Kafka's. */
export function fetcherNumber(topic: string, partition: number, count: number): number {
  const hash = (Math.imul(31, javaHash(topic)) + partition) | 0
  return (hash === -0x8000_0000 ? 0 : Math.abs(hash)) % count
}

/**
 * The replicas here that follow, and who fetches for them: `num.replica.fetchers` fetchers for each leader, made when
 * the first replica needs one and closed with the last.
 */
export class Following {
  readonly #parts: FollowingParts
  readonly #places = new Map<Partition, Place>()
  readonly #fetchers = new Map<string, Fetcher>()
  #fetcherCount: number

  constructor(parts: FollowingParts) {
    this.#parts = parts
    this.#fetcherCount = parts.config.replicaFetchers
  }

  /** The fetchers that there are; for tests and metrics. */
  fetchers(): IterableIterator<Fetcher> {
    return this.#fetchers.values()
  }

  /** Replicas got a leader, another one or the same in another epoch; those without one, or that lead, only stop. */
  update(partitions: readonly Partition[], image: MetadataImage): void {
    // Epochs are read when they are first needed, which is now: a directory that fails at that is offline then.
    for (const partition of partitions) if (isFollower(partition)) guard(() => void partition.log.latestEpoch)
    const leaving = new Map<Fetcher, FollowedPartition[]>()
    const joining = new Map<Fetcher, Place[]>()
    for (const partition of partitions) {
      const before = this.#places.get(partition)
      if (!isFollower(partition)) {
        this.#places.delete(partition)
        if (before?.fetcher != null) addTo(leaving, before.fetcher, before.replica)
        continue
      }
      const { leaderId, leaderEpoch } = partition
      if (before?.fetcher != null && before.leaderId === leaderId && before.leaderEpoch === leaderEpoch) continue
      const replica = before?.replica ?? new FollowedPartition(partition, this.#parts.nodeId)
      const fetcher = this.#fetcherFor(partition, image)
      if (before?.fetcher != null && before.fetcher !== fetcher) addTo(leaving, before.fetcher, replica)
      const place = { replica, leaderId, leaderEpoch, fetcher }
      this.#places.set(partition, place)
      if (fetcher !== null) addTo(joining, fetcher, place)
    }
    for (const [fetcher, replicas] of leaving) fetcher.run({ type: 'unfollow', replicas })
    for (const [fetcher, places] of joining) {
      const replicas = places.map(({ replica }) => replica)
      fetcher.run({ type: 'follow', replicas, epochs: places.map(({ leaderEpoch }) => leaderEpoch) })
    }
    this.#closeIdle()
  }

  /** Brokers came, went, or have other addresses. */
  brokersChanged(image: MetadataImage): void {
    for (const fetcher of this.#fetchers.values()) {
      const endpoint = this.#endpointOf(fetcher.leaderId, image)
      if (endpoint !== null) fetcher.moveTo(endpoint)
    }
    const homeless = [...this.#places].filter(([, place]) => place.fetcher === null).map(([partition]) => partition)
    if (homeless.length > 0) this.update(homeless, image)
  }

  /** `num.replica.fetchers` may have changed. */
  optionsChanged(image: MetadataImage): void {
    const { replicaFetchers } = this.#parts.config
    if (replicaFetchers === this.#fetcherCount) return
    this.#fetcherCount = replicaFetchers
    const partitions = [...this.#places.keys()]
    for (const fetcher of this.#fetchers.values()) fetcher.close()
    this.#fetchers.clear()
    this.#places.clear()
    this.update(partitions, image)
  }

  /** A replica goes away, or its directory has failed. */
  stop(partition: Partition): void {
    const place = this.#places.get(partition)
    if (place === undefined) return
    this.#places.delete(partition)
    place.fetcher?.run({ type: 'unfollow', replicas: [place.replica] })
    this.#closeIdle()
  }

  /** The start of a replica's log moved by itself. */
  touch(partition: Partition): void {
    const place = this.#places.get(partition)
    place?.fetcher?.run({ type: 'touch', replica: place.replica })
  }

  close(): void {
    for (const fetcher of this.#fetchers.values()) fetcher.close()
    this.#fetchers.clear()
    this.#places.clear()
  }

  #closeIdle(): void {
    for (const [key, fetcher] of this.#fetchers) {
      if (fetcher.size > 0) continue
      fetcher.close()
      this.#fetchers.delete(key)
    }
  }

  #fetcherFor({ topic, index, leaderId }: Partition, image: MetadataImage): Fetcher | null {
    const endpoint = this.#endpointOf(leaderId, image)
    if (endpoint === null) return null
    const number = fetcherNumber(topic.name, index, this.#fetcherCount)
    const key = `${leaderId}:${number}`
    let fetcher = this.#fetchers.get(key)
    if (fetcher === undefined) this.#fetchers.set(key, (fetcher = new Fetcher(leaderId, number, endpoint, this.#parts)))
    return fetcher
  }

  #endpointOf(brokerId: number, image: MetadataImage): LeaderEndpoint | null {
    const { interBrokerListener } = this.#parts
    return image.cluster.broker(brokerId)?.endpoints.find(({ name }) => name === interBrokerListener) ?? null
  }
}

function addTo<Key, Item>(lists: Map<Key, Item[]>, key: Key, item: Item): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [item])
  else list.push(item)
}

function isFollower({ isLeader, isGone, isOffline, leaderId }: Partition): boolean {
  return !isLeader && !isGone && !isOffline && leaderId >= 0
}
