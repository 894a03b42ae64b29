import { ErrorCode } from '#protocol/errors.js'
import {
  type AppendContext,
  type AppendPolicy,
  newValidatedBatch,
  type ValidatedBatch,
  validateBatch,
} from '#protocol/records/validate.js'
import type { PartitionLog } from '#storage/log.js'
import type { LogDirectory } from '#storage/log-directory.js'
import type { AppendInfo, AppendOptions } from '#storage/log-types.js'
import type { PartitionImage } from '../metadata/image.js'
import type { Millis } from '../runtime/ports.js'
import type { BrokerView } from './broker-view.js'
import { alignCopy } from './copied-log.js'
import { expectFollower, expectSuccession } from './invariants.js'
import type { IsrAnswer, IsrOutcome, IsrProposal } from './isr.js'
import { LeaderState } from './leader.js'
import { type OffsetWaiter, OffsetWaiters } from './offset-waiters.js'
import { appendPolicyOf, type PartitionConfig } from './partition-config.js'
import { guard } from './replica-placement.js'
import { apiError } from './replication-error.js'
import type { HostedTopic } from './topic-index.js'
import { type WaitingFetch, WaitingFetches } from './waiting-fetches.js'

/** What a partition uses of those around it. */
export interface PartitionHost {
  readonly nodeId: number
  /** `replica.lag.time.max.ms`. */
  readonly replicaLagMsMax: Millis
  /** The other brokers, as the metadata has them now. */
  readonly brokers: BrokerView
  /** Monotonic time. */
  now(): Millis
  /** Records were gathered: call `write` at the end of the turn. */
  markGathered(partition: Partition): void
  /** The end of the log or the high watermark moved, or all is over: call `wake` when answers have gone out. */
  markWaking(partition: Partition): void
  /** The high watermark moved and is to be kept at the next checkpoint. */
  markMoved(partition: Partition): void
  /** A sync of the log of a partition failed, which no caller waits for. */
  onSyncFailure(partition: Partition, log: PartitionLog, error: unknown): void
}

/** One for all partitions: a batch is validated and appended before the next one is looked at. */
const validated: ValidatedBatch = newValidatedBatch()

/**
 * A replica of a partition on this broker: its log, its part in the replication, and who waits for it.
 *
 *   log start        high watermark      local end       end of the log
 *   |----- committed ------|------ not yet ---|-- not synced --|
 *
 * The local end is the end of the log, unless `flush.messages` asks for records to be on the device before they count.
 */
export class Partition {
  readonly topic: HostedTopic
  readonly index: number
  /** As in messages and files: `topic-0`. */
  readonly name: string
  log: PartitionLog
  directory: LogDirectory
  config: PartitionConfig
  policy: AppendPolicy
  /** The copy that will replace the log (AlterReplicaLogDirs). */
  future: { readonly log: PartitionLog; readonly directory: LogDirectory } | null = null

  leaderId = -1
  leaderEpoch = -1
  partitionEpoch = -1
  replicas: readonly number[] = []
  isr: readonly number[] = []
  /** This broker leads; null: it does not. */
  leader: LeaderState | null = null
  /** Where the log ended when this broker began to lead in this epoch. */
  leaderEpochStartOffset = -1
  highWatermark: number
  /** The directory failed. */
  isOffline = false
  /** It was deleted, or its replica went elsewhere. */
  isGone = false

  /** Whether it stands in the lists for the end of the turn. */
  isGathered = false
  isWaking = false
  isMoved = false

  readonly #host: PartitionHost
  readonly #context: { topicPartition: string; nowMs: number; isFromClient: boolean }
  readonly #options: { leaderEpoch: number; nowMs: number; origin: AppendOptions['origin'] }
  /**
   * The end of the last append that must be synced before it counts, what is synced, and whether a sync is to be begun.
   */
  #needsSyncEnd = 0
  #syncedEnd = 0
  #wantsSync = false
  /** Grows when the log is cut: a sync that was begun before says nothing of what comes in its place. */
  #cuts = 0

  readonly #commits = new OffsetWaiters()
  readonly #syncs = new OffsetWaiters()
  readonly #fetches = new WaitingFetches()
  #isEpochAssigned = true

  constructor(
    host: PartitionHost,
    topic: HostedTopic,
    index: number,
    place: { readonly log: PartitionLog; readonly directory: LogDirectory; readonly highWatermark: number },
    config: PartitionConfig,
  ) {
    this.#host = host
    this.topic = topic
    this.index = index
    this.name = `${topic.name}-${index}`
    this.log = place.log
    this.directory = place.directory
    this.config = config
    this.policy = appendPolicyOf(config)
    const { logStartOffset, logEndOffset } = place.log
    this.highWatermark = Math.min(Math.max(place.highWatermark, logStartOffset), logEndOffset)
    this.#context = { topicPartition: this.name, nowMs: 0, isFromClient: true }
    this.#options = { leaderEpoch: -1, nowMs: 0, origin: 'client' }
  }

  get isLeader(): boolean {
    return this.leader !== null
  }

  updateConfig(config: PartitionConfig): void {
    this.config = config
    this.policy = appendPolicyOf(config)
    this.log.updateConfig(config)
    this.future?.log.updateConfig(config)
    if (this.leader !== null) {
      this.leader.minInsyncReplicas = config.minInsyncReplicas
      this.advanceHighWatermark()
    }
  }

  /**
   * Takes its part as the metadata has it; what is older than what is known here is passed over. Throws LogError if
   * what was gathered cannot be written.
   */
  apply(image: PartitionImage): void {
    if (image.partitionEpoch < this.partitionEpoch) return
    expectSuccession(this, image)
    const newEpoch = image.leaderEpoch !== this.leaderEpoch
    const leads = image.leader === this.#host.nodeId
    // What was promised to producers in the old epoch goes into the log before the epoch ends.
    if (newEpoch || !leads) this.log.writeGathered()
    this.leaderId = image.leader
    this.leaderEpoch = image.leaderEpoch
    this.partitionEpoch = image.partitionEpoch
    this.replicas = image.replicas
    if (leads) this.#lead(image, newEpoch)
    else this.#follow(newEpoch)
    this.isr = this.leader?.isr.committed ?? image.isr
    if (leads) this.advanceHighWatermark()
    this.#wakeLater()
  }

  #lead(image: PartitionImage, newEpoch: boolean): void {
    const now = this.#host.now()
    if (this.leader !== null && !newEpoch) {
      this.leader.update(image, now)
      return
    }
    this.leaderEpochStartOffset = this.log.logEndOffset
    this.#isEpochAssigned = false
    if (this.leader !== null) {
      this.leader.renew(image, this.log.logEndOffset, now)
      return
    }
    this.leader = new LeaderState({
      nodeId: this.#host.nodeId,
      image,
      minInsyncReplicas: this.config.minInsyncReplicas,
      lagMsMax: this.#host.replicaLagMsMax,
      brokers: this.#host.brokers,
      now,
    })
    if (!this.log.needsSync) return
    // What a killed process or a follower left here does not count before it is on the device.
    this.#needsSyncEnd = this.log.logEndOffset
    this.#sync()
  }

  /** Takes the controller's answer to a proposal of this leader. */
  settleIsr(proposal: IsrProposal, answer: IsrAnswer): IsrOutcome {
    const { leader } = this
    if (leader === null) return 'superseded'
    const outcome = leader.isr.settle(proposal, answer)
    if (outcome === 'committed') {
      this.isr = leader.isr.committed
      this.partitionEpoch = leader.isr.partitionEpoch
    }
    if (outcome === 'committed' || outcome === 'rolled back') this.advanceHighWatermark()
    return outcome
  }

  /**
   * The log, which knows of the epoch in which it is led. It is told when that is first of interest, so that a broker
   * with thousands of partitions does not read as many files when it starts.
   */
  get knowingLog(): PartitionLog {
    if (!this.#isEpochAssigned) {
      this.#isEpochAssigned = true
      if (this.leader !== null) this.log.assignEpoch(this.leaderEpoch)
    }
    return this.log
  }

  #follow(newEpoch: boolean): void {
    const led = this.leader !== null
    this.leader = null
    // Nothing is promised any more to those who wait for a sync.
    this.#needsSyncEnd = 0
    if (led || newEpoch) this.#lose(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  }

  /** As a follower: takes over what the leader says of the partition, as far as this log goes. Throws LogError. */
  followLeader(highWatermark: number, logStartOffset: number): void {
    const { log } = this
    if (logStartOffset > log.logStartOffset) log.advanceStart(Math.min(logStartOffset, log.logEndOffset))
    this.#setHighWatermark(Math.min(Math.max(highWatermark, log.logStartOffset), log.logEndOffset))
    this.#wakeLater()
  }

  /** As a follower: cuts the log at `offset`, because the leader has something else from there on. Throws LogError. */
  truncateTo(offset: number): void {
    expectFollower(this)
    this.log.truncateTo(offset)
    this.#alignCopy()
    this.#afterCut()
  }

  /** As a follower: drops the log, which goes on at `offset`. Throws LogError. */
  restartAt(offset: number): void {
    expectFollower(this)
    this.log.truncateFullyAndStartAt(offset)
    this.#alignCopy()
    this.#afterCut()
  }

  /** A copy of what is gone is no copy. If its directory fails at that, it is given up, and the log goes on. */
  #alignCopy(): void {
    const copy = this.future?.log
    if (copy !== undefined) guard(() => alignCopy(copy, this.log))
  }

  #afterCut(): void {
    const { logStartOffset, logEndOffset } = this.log
    this.#cuts++
    this.#syncedEnd = Math.min(this.#syncedEnd, logEndOffset)
    const highWatermark = Math.min(Math.max(this.highWatermark, logStartOffset), logEndOffset)
    if (highWatermark !== this.highWatermark) {
      this.highWatermark = highWatermark
      if (!this.isMoved) this.#host.markMoved(this)
    }
    this.#wakeLater()
  }

  /** A copy in another directory takes the place of the log; it has the same records, and synced those that must be. */
  replaceLog(log: PartitionLog, directory: LogDirectory): void {
    this.log = log
    this.directory = directory
    this.future = null
    this.#isEpochAssigned = false
    this.#advanceSynced(log.logEndOffset)
  }

  /** Its directory failed. */
  goOffline(): void {
    if (this.isOffline) return
    this.isOffline = true
    this.#lose(ErrorCode.KAFKA_STORAGE_ERROR)
  }

  /** It is deleted or goes to other brokers. */
  goAway(): void {
    this.isGone = true
    this.leader = null
    this.#lose(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  }

  /** Refuses what only a leader of this epoch may do. `epoch` -1: any. Throws ApiError as Kafka. */
  requireLeader(epoch: number): void {
    this.requireEpoch(epoch, true)
  }

  /** As `requireLeader`; a follower will do if `onlyLeader` is not set. */
  requireEpoch(epoch: number, onlyLeader: boolean): void {
    if (this.isOffline) throw apiError('KAFKA_STORAGE_ERROR', `Partition ${this.name} is in an offline log directory`)
    if (epoch !== -1 && epoch !== this.leaderEpoch) {
      throw apiError(epoch < this.leaderEpoch ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH')
    }
    if (onlyLeader && this.leader === null) throw apiError('NOT_LEADER_OR_FOLLOWER')
  }

  /**
   * Validates and gathers the one batch in `buffer[start, end)` of a producer; it is written at the end of the turn.
   * `needsAll`: acks=all. Throws ApiError, InvalidRecordError or LogError, and then nothing has happened.
   */
  appendFromClient(buffer: Buffer, start: number, nowMs: number, needsAll: boolean): AppendInfo {
    const leader = this.leader
    if (leader === null) throw apiError('NOT_LEADER_OR_FOLLOWER')
    if (needsAll && leader.isUnderMinInsync) {
      const text =
        `The size of the current ISR ${this.isr.length} is insufficient to satisfy ` +
        `the min.isr requirement of ${leader.effectiveMinInsyncReplicas} for partition ${this.name}`
      throw apiError('NOT_ENOUGH_REPLICAS', text)
    }
    const context = this.#context
    context.nowMs = nowMs
    validateBatch(buffer, start, this.policy, context as AppendContext, validated)
    const options = this.#options
    options.leaderEpoch = this.leaderEpoch
    options.nowMs = nowMs
    const from = validated.position
    const info = this.knowingLog.appendGathered(validated.buffer as Buffer, from, from + validated.sizeInBytes, options)
    if (!info.isDuplicate) {
      if (info.needsSync) {
        this.#needsSyncEnd = info.lastOffset + 1
        this.#wantsSync = true
      }
      if (!this.isGathered) this.#host.markGathered(this)
    }
    return info
  }

  /** Appends a batch that a coordinator of this broker made. Throws as `appendFromClient`. */
  appendFromCoordinator(batch: Buffer, nowMs: number, transactionVersion = 0): AppendInfo {
    this.requireLeader(-1)
    if (this.leader!.isUnderMinInsync) throw apiError('NOT_ENOUGH_REPLICAS')
    const options: AppendOptions = { leaderEpoch: this.leaderEpoch, nowMs, origin: 'coordinator', transactionVersion }
    const info = this.knowingLog.append(batch, 0, batch.length, options)
    if (info.needsSync) {
      this.#needsSyncEnd = info.lastOffset + 1
      this.#wantsSync = true
    }
    this.#onWritten()
    return info
  }

  /** Writes what was gathered. Throws LogError; the directory is offline then. */
  write(): void {
    this.log.writeGathered()
    this.#onWritten()
  }

  #onWritten(): void {
    if (this.#wantsSync) {
      this.#wantsSync = false
      this.#sync()
    }
    this.advanceHighWatermark()
    this.#wakeLater()
  }

  /** Calls of many appends, and of appends while a sync is on its way, come down to one sync: see PartitionLog.sync. */
  #sync(): void {
    const upTo = this.log.logEndOffset
    const cuts = this.#cuts
    const { log } = this
    log.sync().then(
      () => {
        if (cuts === this.#cuts) this.#advanceSynced(upTo)
      },
      error => this.#host.onSyncFailure(this, log, error),
    )
  }

  #advanceSynced(end: number): void {
    this.#syncedEnd = Math.max(this.#syncedEnd, end)
    this.#syncs.advance(this.#syncedEnd)
    this.advanceHighWatermark()
    this.#wakeLater()
  }

  /** The part of the log that counts. */
  get #localEnd(): number {
    const end = this.log.logEndOffset
    return this.#needsSyncEnd <= this.#syncedEnd ? end : Math.min(end, Math.max(this.#syncedEnd, this.highWatermark))
  }

  /** Whether records before `endOffset`, once written, count at once: nothing is to be synced. */
  isSynced(endOffset: number): boolean {
    return this.#needsSyncEnd <= this.#syncedEnd || endOffset <= this.#syncedEnd
  }

  /** Whether what is written is committed by that: nobody else has a copy, and nothing is to be synced. */
  get commitsAtOnce(): boolean {
    return this.leader!.isAlone && this.#needsSyncEnd <= this.#syncedEnd
  }

  /** Moves the high watermark to where it belongs now. */
  advanceHighWatermark(): void {
    const { leader } = this
    if (leader === null || this.isOffline) return
    this.#setHighWatermark(leader.highWatermark(this.highWatermark, this.#localEnd, this.#host.now()))
  }

  /** It never goes back. */
  #setHighWatermark(moved: number): void {
    if (moved <= this.highWatermark) return
    this.highWatermark = moved
    if (!this.isMoved) this.#host.markMoved(this)
    this.#commits.advance(moved)
    this.#wakeLater()
  }

  /** Calls the waiter when its records are committed, at once if they are. */
  whenCommitted(waiter: OffsetWaiter): void {
    if (waiter.endOffset <= this.highWatermark) waiter.onReached()
    else if (this.leader === null || this.isOffline) waiter.onLost(this.#lossCode)
    else this.#commits.add(waiter)
  }

  /** The same for records being on the device, if `flush.messages` asks for that. */
  whenSynced(waiter: OffsetWaiter): void {
    if (this.isSynced(waiter.endOffset)) waiter.onReached()
    else if (this.leader === null || this.isOffline) waiter.onLost(this.#lossCode)
    else this.#syncs.add(waiter)
  }

  get #lossCode(): ErrorCode {
    return this.isOffline ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.NOT_LEADER_OR_FOLLOWER
  }

  /** Nobody who waits here will get what they wait for. */
  #lose(code: ErrorCode): void {
    this.#syncs.lose(code)
    this.#commits.lose(code)
    this.#wakeLater()
  }

  /** Adds a fetch to those that are woken. */
  addWaiting(fetch: WaitingFetch): void {
    this.#fetches.add(fetch)
  }

  removeWaiting(fetch: WaitingFetch): void {
    this.#fetches.remove(fetch)
  }

  /** Lets the fetches that wait look again. */
  wake(): void {
    this.#fetches.wake()
  }

  #wakeLater(): void {
    if (!this.#fetches.isEmpty) this.#host.markWaking(this)
  }

  /** Retention has moved the start of the log. */
  onStartMoved(): void {
    this.#wakeLater()
  }

  /** What consumers see of it. */
  get lastStableOffset(): number {
    return this.log.lastStableOffset(this.highWatermark)
  }

  /**
   * Raises the log start offset (DeleteRecords); `offset` -1 stands for the high watermark. Returns the offset that
   * this came to. Throws ApiError or LogError.
   */
  deleteRecords(offset: number): number {
    this.requireLeader(-1)
    if (!this.config.cleanupPolicy.delete) {
      throw apiError(
        'POLICY_VIOLATION',
        `Records of partition ${this.name} can not be deleted due to the configured policy`,
      )
    }
    const to = offset === -1 ? this.highWatermark : offset
    if (to < 0 || to > this.highWatermark) {
      throw apiError('OFFSET_OUT_OF_RANGE', `The offset ${to} for partition ${this.name} is not valid`)
    }
    this.log.advanceStart(to)
    // A copy may take hours, and its start is waited for.
    this.#alignCopy()
    this.#wakeLater()
    return to
  }

  /** The least log start offset of all replicas that are alive, a copy in another directory among them. */
  get lowWatermark(): number {
    const own = this.log.logStartOffset
    const start = this.future === null ? own : Math.min(own, this.future.log.logStartOffset)
    return this.leader?.lowWatermark(start) ?? start
  }
}
