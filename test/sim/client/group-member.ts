import { messageCodec } from '#protocol/codec.js'
import { ConsumerProtocolAssignment, ConsumerProtocolSubscription } from '#protocol/consumer-protocol.js'
import { ErrorCode } from '#protocol/errors.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { FindCoordinator } from '#protocol/messages/find-coordinator.js'
import { Heartbeat } from '#protocol/messages/heartbeat.js'
import { JoinGroup } from '#protocol/messages/join-group.js'
import { LeaveGroup } from '#protocol/messages/leave-group.js'
import { OffsetCommit } from '#protocol/messages/offset-commit.js'
import { OffsetFetch } from '#protocol/messages/offset-fetch.js'
import { SyncGroup } from '#protocol/messages/sync-group.js'
import { Reader } from '#protocol/reader.js'
import { Writer } from '#protocol/writer.js'
import { PeerError } from '#src/client/peer.js'
import { type GroupHistory, Violation } from '../checkers/history.js'
import type { World } from '../world.js'
import type { Address, ClusterClient } from './cluster-client.js'
import { isPassing, unexpected } from './errors.js'
import { recordsIn } from './reader.js'

const subscriptionCodec = messageCodec(ConsumerProtocolSubscription, 0)
const assignmentCodec = messageCodec(ConsumerProtocolAssignment, 0)
const SESSION_MS = 6000
const BYTES_MAX = 1 << 18

/** Errors after which a member joins again. */
const REJOIN = new Set<number>([
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.MEMBER_ID_REQUIRED,
])

/** Something is over: the member joins anew. */
class Rejoin extends Error {}

/** A member of a classic group, which reads what it is assigned and commits how far it came. */
export class GroupMember {
  readonly #world: World
  readonly #client: ClusterClient
  readonly #group: string
  readonly #topic: string
  readonly #history: GroupHistory
  #coordinator: Address | null = null
  #memberId = ''
  #generation = -1
  #positions = new Map<number, number>()

  constructor(world: World, client: ClusterClient, group: string, topic: string) {
    this.#world = world
    this.#client = client
    this.#group = group
    this.#topic = topic
    this.#history = world.history.group(group)
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      try {
        if (this.#coordinator === null && !(await this.#findCoordinator())) continue
        if (!(await this.#join())) continue
        await this.#consume(isOver)
      } catch (error) {
        if (error instanceof PeerError) this.#coordinator = null
        else if (!(error instanceof Rejoin)) throw error
        await this.#client.pause(50)
      }
    }
    await this.#leave()
  }

  async #findCoordinator(): Promise<boolean> {
    const client = this.#client
    await client.refreshQuietly([this.#topic])
    // Without the partitions there is nothing to assign.
    if (client.partitionCount(this.#topic) === 0) return false
    const broker = client.random.pick([-1, ...client.brokerIds])
    const answer = await client.ask(broker, FindCoordinator, 3, { key: this.#group, keyType: 0 })
    if (answer.errorCode === ErrorCode.NONE) {
      this.#coordinator = { host: answer.host, port: answer.port }
      return true
    }
    if (!isPassing(answer.errorCode)) throw unexpected('FindCoordinator', answer.errorCode)
    await client.pause(200)
    return false
  }

  /** What an error of the coordinator means; returns for NONE only. */
  #mind(what: string, code: number): void {
    if (code === ErrorCode.NONE) return
    if (code === ErrorCode.UNKNOWN_MEMBER_ID) this.#memberId = ''
    if (REJOIN.has(code)) throw new Rejoin()
    if (!isPassing(code)) throw unexpected(`${what} of ${this.#group}`, code)
    this.#coordinator = null
    throw new Rejoin()
  }

  async #join(): Promise<boolean> {
    const client = this.#client
    const writer = new Writer()
    writer.int16(0)
    subscriptionCodec.write(writer, { topics: [this.#topic] })
    const joined = await client.askAt(this.#coordinator!, JoinGroup, 7, {
      groupId: this.#group,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: SESSION_MS,
      memberId: this.#memberId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: writer.toBuffer() }],
    })
    if (joined.errorCode === ErrorCode.MEMBER_ID_REQUIRED) this.#memberId = joined.memberId
    this.#mind('JoinGroup', joined.errorCode)
    this.#memberId = joined.memberId
    this.#generation = joined.generationId
    const isLeader = joined.leader === joined.memberId
    const synced = await client.askAt(this.#coordinator!, SyncGroup, 4, {
      groupId: this.#group,
      generationId: this.#generation,
      memberId: this.#memberId,
      assignments: isLeader ? this.#assign(joined.members.map(member => member.memberId)) : [],
    })
    this.#mind('SyncGroup', synced.errorCode)
    const reader = new Reader(Buffer.from(synced.assignment))
    if (synced.assignment.length === 0) throw new Violation(`${this.#group}: an empty assignment`)
    reader.int16()
    const { assignedPartitions } = assignmentCodec.read(reader)
    const partitions = assignedPartitions.flatMap(topic => topic.partitions)
    return this.#fetchOffsets(partitions)
  }

  /** Every partition to one member, one after the other. */
  #assign(memberIds: readonly string[]): { memberId: string; assignment: Buffer }[] {
    const count = this.#client.partitionCount(this.#topic)
    return memberIds.map((memberId, index) => {
      const partitions: number[] = []
      for (let partition = index; partition < count; partition += memberIds.length) partitions.push(partition)
      const writer = new Writer()
      writer.int16(0)
      assignmentCodec.write(writer, { assignedPartitions: [{ topic: this.#topic, partitions }] })
      return { memberId, assignment: writer.toBuffer() }
    })
  }

  async #fetchOffsets(partitions: readonly number[]): Promise<boolean> {
    this.#positions = new Map()
    if (partitions.length === 0) return true
    const floors = new Map(partitions.map(partition => [partition, this.#history.floor(`${this.#topic}-${partition}`)]))
    const answer = await this.#client.askAt(this.#coordinator!, OffsetFetch, 7, {
      groupId: this.#group,
      topics: [{ name: this.#topic, partitionIndexes: [...partitions] }],
      requireStable: true,
    })
    this.#mind('OffsetFetch', answer.errorCode)
    for (const { partitionIndex, committedOffset, errorCode } of answer.topics[0]?.partitions ?? []) {
      this.#mind('OffsetFetch', errorCode)
      this.#history.fetched(`${this.#topic}-${partitionIndex}`, committedOffset, floors.get(partitionIndex)!)
      this.#positions.set(partitionIndex, Math.max(0, committedOffset))
    }
    return true
  }

  async #consume(isOver: () => boolean): Promise<void> {
    const client = this.#client
    while (!isOver()) {
      const beat = await client.askAt(this.#coordinator!, Heartbeat, 3, {
        groupId: this.#group,
        generationId: this.#generation,
        memberId: this.#memberId,
      })
      this.#mind('Heartbeat', beat.errorCode)
      let hasMoved = false
      for (const [partition, position] of this.#positions) {
        const next = await this.#read(partition, position)
        if (next > position) hasMoved = true
        this.#positions.set(partition, next)
      }
      if (hasMoved) await this.#commit()
      await client.pause(200)
    }
  }

  async #read(partition: number, position: number): Promise<number> {
    const client = this.#client
    const place = client.place(this.#topic, partition)
    const history = this.#world.history.partition(this.#topic, partition)
    const { disasters } = history
    if (place === undefined || place.leaderId < 0) {
      await client.refreshQuietly([this.#topic])
      return position
    }
    try {
      const answer = await client.ask(place.leaderId, Fetch, 11, {
        maxWaitMs: 100,
        minBytes: 1,
        maxBytes: BYTES_MAX,
        topics: [
          {
            topic: this.#topic,
            // Without the epoch a follower would answer too, which may not have come so far.
            partitions: [
              {
                partition,
                currentLeaderEpoch: place.leaderEpoch,
                fetchOffset: position,
                partitionMaxBytes: BYTES_MAX,
              },
            ],
          },
        ],
      })
      const data = answer.responses[0]!.partitions[0]!
      if (disasters !== history.disasters) return Math.min(position, history.visibleEnd)
      if (data.errorCode === ErrorCode.OFFSET_OUT_OF_RANGE && history.disasters > 0) {
        return Math.min(position, history.visibleEnd)
      }
      if (isPassing(data.errorCode) || history.isOutdated(place.leaderEpoch)) {
        await client.refreshQuietly([this.#topic])
        return position
      }
      if (data.errorCode !== ErrorCode.NONE) {
        throw unexpected(`Fetch at ${position} of ${this.#topic}-${partition} by ${this.#group}`, data.errorCode)
      }
      const { records, next } = recordsIn(data.records ?? Buffer.alloc(0), position, `${this.#topic}-${partition}`)
      for (const { offset, value } of records) history.seen(offset, value)
      return next
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      await client.refreshQuietly([this.#topic])
      return position
    }
  }

  /** After a commit without an answer the member joins anew, so that the old one cannot come late and undo a new one. */
  async #commit(): Promise<void> {
    const { disasters } = this.#history
    const partitions = [...this.#positions].map(([partitionIndex, committedOffset]) => {
      this.#history.willCommit(`${this.#topic}-${partitionIndex}`, committedOffset)
      return { partitionIndex, committedOffset, committedMetadata: null }
    })
    const answer = await this.#client.askAt(this.#coordinator!, OffsetCommit, 7, {
      groupId: this.#group,
      generationIdOrMemberEpoch: this.#generation,
      memberId: this.#memberId,
      topics: [{ name: this.#topic, partitions }],
    })
    for (const { partitionIndex, errorCode } of answer.topics[0]?.partitions ?? []) {
      this.#mind('OffsetCommit', errorCode)
      this.#world.history.commits++
      this.#history.committed(`${this.#topic}-${partitionIndex}`, this.#positions.get(partitionIndex)!, disasters)
    }
  }

  async #leave(): Promise<void> {
    if (this.#coordinator === null || this.#memberId === '') return
    try {
      const request = { groupId: this.#group, memberId: this.#memberId, members: [] }
      await this.#client.askAt(this.#coordinator, LeaveGroup, 2, request)
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
    }
  }
}
