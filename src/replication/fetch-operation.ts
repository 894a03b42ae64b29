import { ErrorCode } from '#protocol/errors.js'
import type { Channel, Reply } from '../handlers/raw-handler.js'
import type { Parkable } from '../runtime/parked.js'
import type { Millis } from '../runtime/ports.js'
import type { FetchParameters } from './fetch-parameters.js'
import type { FetchPartition } from './fetch-partition.js'
import { readBound } from './fetch-reading.js'
import type { FetchContext } from './fetch-session.js'
import type { Fetching } from './fetching.js'
import type { StandingFetch } from './standing-fetch.js'

export interface FetchOutcome {
  readonly answered: readonly FetchPartition[]
  readonly sessionId: number
  readonly errorCode: number
}

let lastNumber = 0

/** One Fetch request from its arrival to its answer. */
export class FetchOperation implements Parkable {
  readonly deadline: Millis
  parkedAt = -1
  readonly version: number
  readonly correlationId: number
  readonly parameters: FetchParameters
  readonly context: FetchContext
  /** Those that are read, in the order in which they share the bytes. */
  partitions: readonly FetchPartition[]
  /** Those that nobody has; they stand last in the answer. */
  unknown: readonly FetchPartition[]
  readonly channel: Channel
  /** The place of the answer, once it comes later. */
  reply: Reply | null = null
  /** What the answer names, and how it stands to the session; settled once. */
  outcome: FetchOutcome | null = null
  readonly #fetching: Fetching
  /** Tells it from others in what partitions remember. */
  readonly #number = ++lastNumber
  #forgetClose: (() => void) | null = null
  /** Bytes that could be answered with, by what the partitions were when they last moved; -1: not yet looked at. */
  #bytesReadable = -1

  constructor(
    fetching: Fetching,
    channel: Channel,
    wire: { readonly version: number; readonly correlationId: number; readonly deadline: Millis },
    parameters: FetchParameters,
    context: FetchContext,
    partitions: readonly FetchPartition[],
    unknown: readonly FetchPartition[],
  ) {
    this.#fetching = fetching
    this.channel = channel
    this.version = wire.version
    this.correlationId = wire.correlationId
    this.deadline = wire.deadline
    this.parameters = parameters
    this.context = context
    this.partitions = partitions
    this.unknown = unknown
  }

  /** Waits for records; false if there is no room to wait. */
  park(): boolean {
    if (!this.#fetching.parking.park(this)) return false
    this.#forgetClose = this.channel.onceClosed(() => this.#abandon())
    const { standing } = this
    if (standing !== null) {
      standing.operation = this
      return true
    }
    for (const each of this.partitions) {
      const partition = each.topic?.hosted[each.index]
      if (partition === undefined || each.waitsAt !== null) continue
      each.operation = this
      each.waitsAt = partition
      partition.addWaiting(each)
    }
    return true
  }

  /** The session of a follower, whose partitions tell by themselves when they move. */
  get standing(): StandingFetch | null {
    return this.context.kind === 'incremental' ? this.context.session.standing : null
  }

  /** Something happened to one of the partitions: answers if that is enough. */
  onMoved(moved: FetchPartition): void {
    if (this.parkedAt === -1) return
    if (this.#isEnough(moved)) this.#finish()
  }

  /**
   * Whether to answer now: an error, other data than was there, or as much as was asked for (DelayedFetch.tryComplete).
   */
  #isEnough(moved: FetchPartition): boolean {
    const partition = moved.waitsAt!
    if (partition.isGone || partition.isOffline) return true
    const { parameters } = this
    if (parameters.onlyLeader && !partition.isLeader) return true
    if (moved.currentLeaderEpoch !== -1 && moved.currentLeaderEpoch !== partition.leaderEpoch) return true
    const bound = readBound(partition, parameters)
    if (moved.fetchOffset > partition.log.logEndOffset) return true
    if (bound <= moved.fetchOffset || this.#fetching.isHeldBack(partition, parameters)) return false
    if (parameters.minBytes <= 1) return true
    return this.#countReadable(moved) >= parameters.minBytes
  }

  /**
   * Bytes that could be answered with now. All partitions are looked at once, from then on the one that has moved: a
   * request that writes to all partitions of a fetch would otherwise look at each as often as there are partitions.
   */
  #countReadable(moved: FetchPartition): number {
    if (this.#bytesReadable === -1) {
      this.#bytesReadable = 0
      for (const each of this.standing?.unsettled ?? this.partitions) this.#count(each)
    } else this.#count(moved)
    return this.#bytesReadable
  }

  #count(asked: FetchPartition): void {
    const before = asked.countedBy === this.#number ? asked.countedBytes : 0
    asked.countedBy = this.#number
    asked.countedBytes = this.#fetching.bytesReadable(this, asked)
    this.#bytesReadable += asked.countedBytes - before
  }

  onDeadline(): void {
    this.#finish()
  }

  #finish(): void {
    this.#leave()
    this.#fetching.complete(this)
  }

  #leave(): void {
    this.#fetching.parking.leave(this)
    this.#forgetClose?.()
    this.#forgetClose = null
    const { standing } = this
    if (standing !== null) {
      if (standing.operation === this) standing.operation = null
      return
    }
    for (const each of this.partitions) {
      each.waitsAt?.removeWaiting(each)
      each.waitsAt = null
      each.operation = null
    }
  }

  /** Nobody will read the answer. */
  #abandon(): void {
    this.#leave()
    this.reply?.sendNothing()
  }

  /** Whether the answer has something that must not wait. */
  get hasNews(): boolean {
    return this.partitions.some(
      each => each.errorCode !== ErrorCode.NONE || each.divergingEpoch !== -1 || each.preferredReadReplica !== -1,
    )
  }
}
