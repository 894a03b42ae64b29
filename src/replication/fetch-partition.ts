import type { PartitionLog } from '#storage/log.js'
import type { AbortedTransaction, ReadLocation } from '#storage/log-types.js'
import type { FetchOperation } from './fetch-operation.js'
import type { Partition } from './partition.js'
import type { LeaderHint } from './produce-reply.js'
import type { StandingFetch } from './standing-fetch.js'
import type { HostedTopic } from './topic-index.js'
import type { WaitingFetch } from './waiting-fetches.js'

/** One partition of a fetch: what is asked, what a session remembers of it, and what is answered. */
export class FetchPartition implements WaitingFetch {
  /** '' where the request names topics by id and the id is not known. */
  topicName: string
  /** The zero uuid where the request names topics by name. */
  readonly topicId: string
  readonly index: number
  /** The topic, as far as it was known when it was last looked up. */
  topic: HostedTopic | undefined

  /** -1: any epoch. */
  currentLeaderEpoch = -1
  fetchOffset = 0
  lastFetchedEpoch = -1
  /** Where a follower's log starts, -1 from consumers. */
  followerLogStartOffset = -1
  maxBytes = 0

  /** What the session's last answer said. */
  cachedHighWatermark = -1
  cachedLogStartOffset = -1

  errorCode = 0
  highWatermark = -1
  lastStableOffset = -1
  logStartOffset = -1
  /** Both -1 unless the histories differ. */
  divergingEpoch = -1
  divergingEndOffset = -1
  /** Null unless the reader wants committed records alone. */
  abortedTransactions: readonly AbortedTransaction[] | null = null
  hint: LeaderHint | null = null
  /** The replica that the consumer shall read from, -1: this one. */
  preferredReadReplica = -1
  /** Bytes of records to answer with; `location` says where they are. */
  bytes = 0
  location: ReadLocation | null = null
  /** The log that the location is of. */
  log: PartitionLog | null = null
  /** Records that may be read now end before this offset. */
  boundOffset = -1

  operation: FetchOperation | null = null
  /** The number of the fetch that has counted this partition while it waited, and the bytes for which it counts. */
  countedBy = 0
  countedBytes = 0
  /** The session of a follower that it stands in. */
  standing: StandingFetch | null = null
  /** The partition in whose list of waiting fetches this stands. */
  waitsAt: Partition | null = null
  nextWaiting: WaitingFetch | null = null
  previousWaiting: WaitingFetch | null = null

  constructor(topicName: string, topicId: string, index: number, topic: HostedTopic | undefined) {
    this.topicName = topicName
    this.topicId = topicId
    this.index = index
    this.topic = topic
  }

  onMoved(): void {
    if (this.standing !== null) this.standing.onMoved(this)
    else if (this.waitsAt !== null) this.operation?.onMoved(this)
  }

  /** The request says anew how to fetch. */
  updateFrom(other: FetchPartition): void {
    this.currentLeaderEpoch = other.currentLeaderEpoch
    this.fetchOffset = other.fetchOffset
    this.lastFetchedEpoch = other.lastFetchedEpoch
    this.followerLogStartOffset = other.followerLogStartOffset
    this.maxBytes = other.maxBytes
  }

  /** Makes room for an answer. */
  clearResult(): void {
    this.errorCode = 0
    this.highWatermark = -1
    this.lastStableOffset = -1
    this.logStartOffset = -1
    this.divergingEpoch = -1
    this.divergingEndOffset = -1
    this.abortedTransactions = null
    this.hint = null
    this.preferredReadReplica = -1
    this.bytes = 0
    this.boundOffset = -1
  }

  fail(code: number): void {
    this.clearResult()
    this.errorCode = code
  }
}
