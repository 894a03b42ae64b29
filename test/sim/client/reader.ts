import { ErrorCode } from '#protocol/errors.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { ListOffsets } from '#protocol/messages/list-offsets.js'
import { batchPositions, computedCrc, isControl, storedCrc } from '#protocol/records/batch.js'
import { readRecords } from '#protocol/records/reader.js'
import { PeerError } from '#src/client/peer.js'
import { type PartitionHistory, Violation } from '../checkers/history.js'
import type { World } from '../world.js'
import type { ClusterClient } from './cluster-client.js'
import { isPassing, unexpected } from './errors.js'

const FETCH_VERSION = 12
const BYTES_MAX = 1 << 20

export interface ReadRecord {
  readonly offset: number
  readonly value: string
}

/** The records in the answer to a fetch, from `from` on; checks every checksum. */
export function recordsIn(bytes: Uint8Array, from: number, where: string): { records: ReadRecord[]; next: number } {
  const buffer = Buffer.from(bytes)
  const records: ReadRecord[] = []
  let next = from
  for (const position of batchPositions(buffer)) {
    if (computedCrc(buffer, position) !== storedCrc(buffer, position)) {
      throw new Violation(`${where}: a batch behind ${next} has a wrong checksum`)
    }
    if (isControl(buffer, position)) continue
    for (const { offset, value } of readRecords(buffer, position)) {
      if (offset < next) continue
      records.push({ offset, value: value === null ? '' : Buffer.from(value).toString().trimEnd() })
      next = offset + 1
    }
  }
  return { records, next }
}

/** How long a consumer stays with a follower before it asks the leader again, ms. */
const FOLLOWER_MS = 3000

/**
 * A consumer without a group, which reads a partition from its beginning and tells the history what it sees. Where there
 * are racks it is in one, and goes where the leader sends it (KIP-392).
 */
export class SimReader {
  readonly #world: World
  readonly #client: ClusterClient
  readonly #topic: string
  readonly #partition: number
  readonly #history: PartitionHistory
  readonly #rackId: string
  #position = 0
  /** The follower that it reads from for now. */
  #follower: { readonly id: number; readonly until: number } | null = null
  /** The high watermark that the leader of an epoch has told. */
  #watermark = { epoch: -1, offset: -1 }
  /** Latest offset that was listed. */
  #listed = 0
  #disasters = 0

  constructor(world: World, client: ClusterClient, topic: string, partition: number) {
    this.#world = world
    this.#client = client
    this.#topic = topic
    this.#partition = partition
    this.#history = world.history.partition(topic, partition)
    const { racks } = world.plan
    this.#rackId = racks === 0 ? '' : `rack${client.random.below(racks)}`
  }

  async run(isOver: () => boolean): Promise<void> {
    const client = this.#client
    while (!isOver()) {
      const leader = await client.leaderOf(this.#topic, this.#partition, isOver)
      if (leader === null) return
      try {
        const isFine = client.random.below(8) === 0 ? await this.#list(leader) : await this.#fetch(leader)
        if (!isFine) {
          this.#follower = null
          await client.pause(100)
          await client.refreshQuietly([this.#topic])
        }
      } catch (error) {
        if (!(error instanceof PeerError)) throw error
        this.#follower = null
        await client.pause(100)
        await client.refreshQuietly([this.#topic])
      }
    }
  }

  /** After a disaster the log may be shorter than what was read. */
  #mindDisasters(): void {
    if (this.#disasters === this.#history.disasters) return
    this.#disasters = this.#history.disasters
    this.#position = Math.min(this.#position, this.#history.visibleEnd)
    this.#watermark = { epoch: -1, offset: -1 }
    this.#listed = 0
  }

  /** From whom it reads now: the leader, or a follower that the leader has named a short while ago. */
  #source(leader: number): number {
    const { clock, brokerIds } = this.#client
    const follower = this.#follower
    if (follower === null) return leader
    if (follower.id !== leader && clock.now() <= follower.until && brokerIds.includes(follower.id)) return follower.id
    this.#follower = null
    return leader
  }

  async #fetch(leader: number): Promise<boolean> {
    this.#mindDisasters()
    const source = this.#source(leader)
    const { coverage } = this.#world
    const epoch = this.#client.place(this.#topic, this.#partition)!.leaderEpoch
    const position = this.#position
    const disasters = this.#disasters
    const answer = await this.#client.ask(source, Fetch, FETCH_VERSION, {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: BYTES_MAX,
      rackId: this.#rackId,
      topics: [
        {
          topic: this.#topic,
          partitions: [
            {
              partition: this.#partition,
              currentLeaderEpoch: epoch,
              fetchOffset: position,
              partitionMaxBytes: BYTES_MAX,
            },
          ],
        },
      ],
    })
    if (disasters !== this.#history.disasters) return true
    if (this.#history.isOutdated(epoch)) return false
    const data = answer.responses[0]?.partitions[0]
    if (data === undefined) throw unexpected(`Fetch of ${this.#history.name}`, answer.errorCode)
    if (isPassing(data.errorCode)) return false
    if (data.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE && source !== leader) {
      coverage.count('follower has less than the consumer has read')
      return false
    }
    if (data.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE && position < this.#history.deletedEnd) {
      const start = await listed(this.#client, this.#topic, this.#partition, leader, EARLIEST)
      if (start !== null && disasters === this.#history.disasters) this.#position = Math.max(position, start)
      return start !== null && start > position
    }
    if (data.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
      throw new Violation(`acknowledged stays: ${this.#history.name} was read up to ${position}, now out of range`)
    }
    if (data.errorCode !== ErrorCode.NONE) throw unexpected(`Fetch of ${this.#history.name}`, data.errorCode)
    if (data.preferredReadReplica !== -1) {
      coverage.count('consumer sent to a follower')
      // It may have been away when brokers were last asked for.
      if (!this.#client.brokerIds.includes(data.preferredReadReplica)) return false
      this.#follower = { id: data.preferredReadReplica, until: this.#client.clock.now() + FOLLOWER_MS }
    }
    // A follower learns the high watermark late, and forgets it when it is restarted.
    if (source === leader) this.#mindWatermark(epoch, data.highWatermark)
    const { records, next } = recordsIn(data.records ?? Buffer.alloc(0), position, this.#history.name)
    for (const { offset, value } of records) {
      if (offset >= data.highWatermark) {
        throw new Violation(`${this.#history.name}: ${offset} was read, the high watermark is ${data.highWatermark}`)
      }
      this.#world.history.read++
      this.#history.seen(offset, value)
    }
    if (records.length > 0) this.#world.committed(this.#history, next)
    if (source !== leader) coverage.count('records read from a follower', records.length)
    if (next === this.#position && records.length === 0 && (data.records?.length ?? 0) > 0) {
      throw new Violation(`${this.#history.name}: bytes without a record at ${position}`)
    }
    this.#position = next
    return true
  }

  #mindWatermark(epoch: number, offset: number): void {
    if (epoch === this.#watermark.epoch && offset < this.#watermark.offset) {
      const { name } = this.#history
      throw new Violation(
        `the high watermark does not go back: ${name} ${this.#watermark.offset} -> ${offset} in epoch ${epoch}`,
      )
    }
    if (epoch >= this.#watermark.epoch) this.#watermark = { epoch, offset }
  }

  async #list(leader: number): Promise<boolean> {
    this.#mindDisasters()
    const disasters = this.#disasters
    const currentLeaderEpoch = this.#client.place(this.#topic, this.#partition)!.leaderEpoch
    const answer = await this.#client.ask(leader, ListOffsets, 7, {
      replicaId: -1,
      topics: [
        { name: this.#topic, partitions: [{ partitionIndex: this.#partition, currentLeaderEpoch, timestamp: -1 }] },
      ],
    })
    if (disasters !== this.#history.disasters) return true
    if (this.#history.isOutdated(currentLeaderEpoch)) return false
    const data = answer.topics[0]!.partitions[0]!
    if (isPassing(data.errorCode)) return false
    if (data.errorCode !== ErrorCode.NONE) throw unexpected(`ListOffsets of ${this.#history.name}`, data.errorCode)
    if (data.offset < this.#listed) {
      const text = `the end of ${this.#history.name} ${this.#listed} -> ${data.offset}`
      throw new Violation(`the high watermark does not go back: ${text}`)
    }
    this.#listed = data.offset
    return true
  }
}

const LATEST = -1
const EARLIEST = -2

/** What a leader lists; null when it does not for now. */
async function listed(
  client: ClusterClient,
  topic: string,
  partition: number,
  leader: number,
  timestamp: number,
): Promise<number | null> {
  const currentLeaderEpoch = client.place(topic, partition)!.leaderEpoch
  const partitions = [{ partitionIndex: partition, currentLeaderEpoch, timestamp }]
  const answer = await client.ask(leader, ListOffsets, 7, { replicaId: -1, topics: [{ name: topic, partitions }] })
  const { errorCode, offset } = answer.topics[0]!.partitions[0]!
  return errorCode === ErrorCode.NONE ? offset : null
}

/** A partition from its first offset on. */
interface WholePartition {
  readonly start: number
  readonly values: ReadonlyMap<number, string>
}

/**
 * Reads a whole partition from its leader; null when that fails for now. `isWhole`: nothing was ever deleted, so that it
 * begins at 0.
 */
export async function readAll(
  client: ClusterClient,
  topic: string,
  partition: number,
  isWhole: boolean,
): Promise<WholePartition | null> {
  const values = new Map<number, string>()
  const leader = await client.leaderOf(topic, partition, () => false)
  const currentLeaderEpoch = client.place(topic, partition)!.leaderEpoch
  const partitionMaxBytes = BYTES_MAX
  try {
    // The high watermark of a leader that is new may be behind what was told before; what it lists is not.
    const end = await listed(client, topic, partition, leader!, LATEST)
    if (end === null) return null
    const start = isWhole ? 0 : await listed(client, topic, partition, leader!, EARLIEST)
    if (start === null) return null
    for (let next = start; ; ) {
      const answer = await client.ask(leader!, Fetch, FETCH_VERSION, {
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: BYTES_MAX,
        topics: [{ topic, partitions: [{ partition, currentLeaderEpoch, fetchOffset: next, partitionMaxBytes }] }],
      })
      const data = answer.responses[0]?.partitions[0]
      if (data === undefined || data.errorCode !== ErrorCode.NONE) return null
      const found = recordsIn(data.records ?? Buffer.alloc(0), next, `${topic}-${partition}`)
      for (const { offset, value } of found.records) values.set(offset, value)
      if (found.next === next) return next >= end ? { start, values } : null
      next = found.next
    }
  } catch (error) {
    if (!(error instanceof PeerError)) throw error
    return null
  }
}
