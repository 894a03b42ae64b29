import { ErrorCode } from '#protocol/errors.js'
import type { DescribeQuorumRequest, DescribeQuorumResponse } from '#protocol/messages/describe-quorum.js'
import type { Disk } from '#storage/disk.js'
import { readBootstrapRecords } from '../metadata/bootstrap.js'
import type { MetadataRecord } from '../metadata/record.js'
import type { Ticket } from '../runtime/machine.js'
import { atPatiently, pauseUntil } from '../runtime/pause.js'
import type { Clock, Logger, Millis, Random, Timer } from '../runtime/ports.js'
import { AppendBuffer } from './append-buffer.js'
import { failureOf, type RaftChannel } from './channel.js'
import { CommitFeed } from './commit-feed.js'
import { CommitWaiters } from './commit-waiters.js'
import { LogWriter } from './log-writer.js'
import {
  type AppendedRange,
  describeLeader,
  type LeaderAndEpoch,
  type MetadataLog,
  type MetadataLogListener,
  NotLeaderError,
  type SnapshotSource,
} from './metadata-log.js'
import { writeQuorumState } from './quorum-state.js'
import { Raft } from './raft.js'
import { logQueries, type RaftLog } from './raft-log.js'
import type { InboundCall, LeaderPlace, OutboundReply, RaftConfig, RaftEffect, RaftEvent } from './raft-types.js'
import { recoverMetadata } from './recover.js'
import { Refusals } from './refusals.js'
import { SnapshotReceiver } from './snapshot-receiver.js'
import type { SnapshotStore } from './snapshot-store.js'
import { type SnapshotLimits, Snapshotter } from './snapshotter.js'
import type { VoterSet } from './voters.js'
import { sendCall, type WireContext } from './wire-calls.js'
import { type Answer, type Ask, answerDescribeQuorum } from './wire-requests.js'

const noBytes = Buffer.alloc(0)

export interface RaftDriverOptions {
  readonly config: RaftConfig
  readonly clusterId: string
  readonly log: RaftLog
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly channel: RaftChannel
  /** `controller.quorum.append.linger.ms`; 0: what one turn of the event loop appends is written when it is over. */
  readonly lingerMs: Millis
  readonly snapshotLimits: SnapshotLimits
  /** The metadata can be neither written nor followed any more: the node must stop. Called once. */
  readonly onFault: (error: Error) => void
}

/**
 * Runs the raft machine over a real log: it does the machine's effects in their order, hands it what comes of them, and
 * hands committed records to the listeners. Writes happen on the event loop, fdatasync off it; one fdatasync covers all
 * that was appended while the one before it was under way.
 */
export class RaftDriver implements MetadataLog {
  readonly #options: RaftDriverOptions
  readonly #raft: Raft
  readonly #snapshots: SnapshotStore
  readonly #feed: CommitFeed
  readonly #writer: LogWriter
  readonly #receiver: SnapshotReceiver
  readonly #snapshotter: Snapshotter
  readonly #context: WireContext
  readonly #buffer = new AppendBuffer()
  readonly #answers = new Map<Ticket, (answer: Answer) => void>()
  readonly #waiters = new CommitWaiters()
  readonly #refusals = new Refusals()
  #queue: RaftEvent[] = []
  #isStepping = false
  #nextTicket: Ticket = 1
  #lastHeardLeader: { readonly nodeId: number; readonly at: Millis } | null = null
  #timer: Timer | null = null
  #timerDeadline: Millis = Infinity
  #flushTimer: Timer | null = null
  #isFlushDue = false
  #onShutdown: (() => void) | null = null
  #state: 'new' | 'running' | 'closing' | 'closed' | 'faulty' = 'new'

  /** Reads what is on disk; throws MetadataStartError when it does not hold together. `start` sets it going. */
  constructor(options: RaftDriverOptions) {
    const { config, log, disk, logger, clock, random } = options
    this.#options = options
    this.#context = { clusterId: options.clusterId, listenerName: config.listenerName }
    const { snapshots, newest, start } = recoverMetadata(disk, log, logger)
    this.#snapshots = snapshots
    this.#raft = new Raft(config, logQueries(log, snapshots), start, bound => random.below(bound))
    this.#feed = new CommitFeed(log, snapshots, newest, batch => this.#snapshotter.noteCommitted(batch))
    this.#writer = new LogWriter(log, this.#feed, clock)
    this.#receiver = new SnapshotReceiver(disk, log, snapshots, logger)
    this.#snapshotter = new Snapshotter({
      disk,
      clock,
      logger,
      log,
      snapshots,
      limits: options.snapshotLimits,
      quorumAt: endOffset => this.#raft.quorumAt(endOffset),
      highWatermark: () => this.#raft.highWatermark,
      onCleaned: () => this.#post({ type: 'logCleaned' }),
    })
  }

  /** Sets it going: a node that is the only voter has led itself when this returns, and commits after one fdatasync. */
  start(): void {
    // A listener could not take in what was there at the start: that has been reported.
    if (this.#state === 'faulty') return
    if (this.#state !== 'new') throw new Error('the raft driver was started before')
    this.#state = 'running'
    this.#post({ type: 'start' })
  }

  // MetadataLog

  get nodeId(): number {
    return this.#options.config.nodeId
  }

  get leader(): LeaderAndEpoch {
    return this.#feed.leader
  }

  /**
   * The leader as this node knows it at this moment, also while listeners have not been told. `address` is on the
   * listener of the quorum; null when it is not known.
   */
  get leaderPlace(): LeaderPlace {
    const { leaderId, epoch, leaderAddress: address } = this.#raft
    return { leaderId, epoch, address }
  }

  /** The leader that has answered a fetch last, and when, by `Clock.now()`; null before there was one. */
  get lastHeardLeader(): { readonly nodeId: number; readonly at: Millis } | null {
    return this.#lastHeardLeader
  }

  /** Most voters have no process any more, as calls to them say: nothing can be committed before some are back. */
  get isMajorityGone(): boolean {
    return this.#refusals.isMajorityGone(this.#raft.voters)
  }

  get highWatermark(): number {
    return this.#raft.highWatermark
  }

  get endOffset(): number {
    return this.#raft.endOffset + this.#buffer.recordCount
  }

  /** The voters that count now. */
  get voters(): VoterSet {
    return this.#raft.voters
  }

  get kraftVersion(): number {
    return this.#raft.kraftVersion
  }

  append(epoch: number, records: readonly MetadataRecord[]): AppendedRange {
    if (records.length === 0) throw new RangeError('an append of no records')
    if (this.#state !== 'running' || !this.#raft.isLeaderOf(epoch)) {
      throw new NotLeaderError(`node ${this.nodeId} does not lead the metadata quorum in epoch ${epoch}`)
    }
    const baseOffset = this.endOffset
    this.#buffer.add(epoch, records)
    this.#scheduleFlush()
    return { baseOffset, lastOffset: baseOffset + records.length - 1 }
  }

  whenCommitted(epoch: number, offset: number): Promise<void> {
    if (offset <= this.#feed.deliveredOffset) return Promise.resolve()
    if (this.#state !== 'running' || !this.#raft.isLeaderOf(epoch)) return Promise.reject(this.#notLeader(epoch))
    return this.#waiters.wait(epoch, offset)
  }

  resign(epoch: number): void {
    this.#post({ type: 'resign', epoch })
  }

  register(listener: MetadataLogListener): void {
    this.#guarded(() => this.#feed.register(listener))
  }

  bootstrapRecords(): MetadataRecord[] {
    return readBootstrapRecords(this.#options.disk, this.#options.log.directoryPath)
  }

  setSnapshotSource(source: SnapshotSource): void {
    this.#snapshotter.setSource(source)
  }

  takeSnapshot(): Promise<void> {
    return this.#snapshotter.take()
  }

  // Requests of others

  /**
   * Hands a call to the machine. `onGone` is called with what gives the call up, for when nobody waits for the answer
   * any more. Never rejects as long as the driver runs.
   */
  ask(call: InboundCall, onGone?: (giveUp: () => void) => void): Promise<Answer> {
    if (this.#state !== 'running') return Promise.reject(new NotLeaderError('the node is stopping'))
    this.#refusals.heard(call)
    const ticket = this.#nextTicket++
    const answer = new Promise<Answer>(resolve => this.#answers.set(ticket, resolve))
    onGone?.(() => {
      if (this.#answers.delete(ticket)) this.#post({ type: 'cancel', ticket })
    })
    this.#post({ type: 'call', ticket, call })
    return answer
  }

  /** As a function, for raft/wire-requests. */
  asker(onGone?: (giveUp: () => void) => void): Ask {
    return call => this.ask(call, onGone)
  }

  /** Who votes and who follows, as the leader sees it. */
  describeQuorum(request: DescribeQuorumRequest): Promise<DescribeQuorumResponse> {
    return answerDescribeQuorum(this.asker(), request, time => this.wallTimeOf(time))
  }

  /** A time of the machine as ms since 1970. */
  wallTimeOf(time: Millis): number {
    const { clock } = this.#options
    return Math.round(clock.wallTime() - (clock.now() - time))
  }

  /**
   * Lets a leader say good-bye, writes what was appended, and stops. The log stays open: it is its directory's to
   * close.
   */
  async close(): Promise<void> {
    if (this.#state === 'closing' || this.#state === 'closed') return
    if (this.#state === 'running') {
      this.#flush()
      await this.#snapshotter.close()
      await this.#drain()
      await new Promise<void>(resolve => {
        this.#onShutdown = resolve
        this.#post({ type: 'shutdown' })
        // A disk that fails meanwhile has stopped it: then nobody else says so.
        if (this.#state !== 'running') resolve()
      })
      if (this.#state === 'running') {
        this.#state = 'closing'
        await this.#options.log.sync()
      }
    }
    this.#stop('closed', new NotLeaderError('the node is stopping'))
  }

  /** Stops at once, without a good-bye, as a crash would. */
  abandon(): void {
    this.#stop('closed', new NotLeaderError('the node is gone'))
  }

  /** Waits for what a leader has appended to be committed, if that is a matter of moments. */
  async #drain(): Promise<void> {
    const { epoch, endOffset } = this.#raft
    if (!this.#raft.isLeaderOf(epoch) || this.#feed.deliveredOffset >= endOffset || this.isMajorityGone) return
    const { clock, config } = this.#options
    await pauseUntil(clock, clock.now() + config.shutdownMsMax, this.whenCommitted(epoch, endOffset))
  }

  #stop(state: 'closed' | 'faulty', reason: Error): void {
    this.#state = state
    this.#timer?.cancel()
    this.#flushTimer?.cancel()
    try {
      this.#receiver.discard()
    } catch (error) {
      // The next start removes what is left of it.
      this.#options.logger.debug({ error: String(error) }, 'a half received snapshot could not be removed')
    }
    this.#options.channel.close()
    this.#waiters.lost(
      () => true,
      () => reason,
    )
    this.#onShutdown?.()
  }

  // Appends

  #scheduleFlush(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    const { clock, lingerMs } = this.#options
    if (lingerMs <= 0) clock.soon(() => this.#flush())
    else this.#flushTimer = clock.at(clock.now() + lingerMs, () => this.#flush())
  }

  /** What was gathered becomes batches; a node that leads no more drops it, which nobody has seen. */
  #flush(): void {
    if (this.#buffer.recordCount === 0 || this.#state !== 'running') return
    this.#post(null)
  }

  // The machine

  /** Hands an event to the machine, or only what was gathered before it (null). Events that come meanwhile wait. */
  #post(event: RaftEvent | null): void {
    if (this.#state === 'closed' || this.#state === 'faulty') return
    if (event !== null) this.#queue.push(event)
    if (this.#isStepping) return
    this.#guarded(() => {
      this.#isStepping = true
      for (;;) {
        this.#stepGathered()
        const next = this.#queue.shift()
        if (next === undefined) break
        this.#step(next)
      }
      this.#isStepping = false
      this.#arm()
    })
  }

  /** Appends go first: their offsets were given out already. */
  #stepGathered(): void {
    if (this.#buffer.recordCount === 0) return
    this.#isFlushDue = false
    for (const gathered of this.#buffer.take()) {
      const { epoch, records } = gathered
      if (!this.#raft.isLeaderOf(epoch)) continue
      this.#step({ type: 'append', epoch, recordCount: records.length, handle: gathered })
    }
  }

  #step(event: RaftEvent): void {
    for (const effect of this.#raft.step(event, this.#options.clock.now())) {
      if (this.#state === 'faulty' || this.#state === 'closed') return
      this.#perform(effect)
    }
    const { leaderHighWatermark } = this.#raft
    if (leaderHighWatermark >= 0) this.#feed.noteLeaderHighWatermark(leaderHighWatermark)
  }

  #arm(): void {
    const { deadline } = this.#raft
    if (deadline === this.#timerDeadline && this.#timer !== null) return
    this.#timer?.cancel()
    this.#timer = null
    this.#timerDeadline = deadline
    if (deadline === Infinity) return
    this.#timer = atPatiently(this.#options.clock, deadline, () => {
      this.#timer = null
      this.#post({ type: 'tick' })
    })
  }

  /** Whatever fails in here cannot be undone or ignored: log and machine would part. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (this.#state === 'faulty' || this.#state === 'closed') return
      const fault = error instanceof Error ? error : new Error(String(error))
      this.#stop('faulty', fault)
      this.#options.onFault(fault)
    }
  }

  #perform(effect: RaftEffect): void {
    const { disk, log, logger } = this.#options
    switch (effect.type) {
      case 'persistElection':
        writeQuorumState(disk, log.directoryPath, effect.state, this.#raft.kraftVersion, this.#raft.voters)
        break
      case 'call':
        this.#call(effect)
        break
      case 'reply':
        this.#reply(effect.ticket, effect.reply)
        break
      case 'append':
        this.#writer.append(effect)
        break
      case 'appendControl':
        this.#writer.appendControl(effect)
        break
      case 'appendFetched':
        this.#writer.appendFetched(effect, this.#raft.epoch)
        break
      case 'truncate':
        this.#writer.truncate(effect)
        break
      case 'sync':
        this.#sync(effect.token)
        break
      case 'highWatermark':
        this.#feed.advance(effect.offset)
        this.#waiters.committed(this.#feed.deliveredOffset)
        break
      case 'leaderChanged':
        this.#leaderChanged(effect)
        break
      case 'writeSnapshot':
        this.#receiver.write(effect.id, effect.position, effect.handle as Buffer)
        break
      case 'installSnapshot':
        this.#install(effect.id)
        break
      case 'warn':
        logger.warn({ nodeId: this.nodeId }, `metadata quorum: ${effect.message}`)
        break
      case 'shutdownReady':
        this.#onShutdown?.()
        break
    }
  }

  #call({ nodeId, address, call, correlationId }: Extract<RaftEffect, { type: 'call' }>): void {
    const sender = this.#options.channel.to(nodeId, address, call.api)
    sendCall(sender, this.#context, call).then(
      reply => {
        this.#refusals.called(nodeId, false)
        if (reply.api === 'fetch' && reply.error === ErrorCode.NONE) {
          this.#lastHeardLeader = { nodeId: reply.leaderId, at: this.#options.clock.now() }
        }
        this.#post({ type: 'reply', correlationId, reply })
      },
      (error: unknown) => {
        this.#options.logger.debug({ nodeId, ...address, error: String(error) }, `${call.api} has no answer`)
        const failure = failureOf(error)
        this.#refusals.called(nodeId, failure === 'refused')
        this.#post({ type: 'callFailed', correlationId, failure })
      },
    )
  }

  #reply(ticket: Ticket, reply: OutboundReply): void {
    const resolve = this.#answers.get(ticket)
    if (resolve === undefined) return
    this.#answers.delete(ticket)
    resolve({ reply, bytes: this.#bytesFor(reply) })
  }

  /** What an answer carries, as it is at this moment. */
  #bytesFor(reply: OutboundReply): Buffer {
    const { log } = this.#options
    if (reply.api === 'fetch' && reply.read !== null) {
      return log.read(reply.read.offset, reply.read.bytesMax, log.logEndOffset, true)?.buffer ?? noBytes
    }
    if (reply.api !== 'fetchSnapshot' || reply.bytesMax === 0) return noBytes
    try {
      return this.#snapshots.read(reply.id, reply.position, reply.bytesMax)
    } catch (error) {
      // The follower finds nothing in the answer and begins anew, with a newer snapshot perhaps.
      this.#options.logger.error({ ...reply.id, error: String(error) }, 'a snapshot cannot be read for a follower')
      return noBytes
    }
  }

  #sync(token: number): void {
    this.#options.log.sync().then(
      () => this.#post({ type: 'synced', token }),
      (error: unknown) =>
        this.#guarded(() => {
          throw error
        }),
    )
  }

  #leaderChanged({ leaderId, epoch, epochStartOffset }: Extract<RaftEffect, { type: 'leaderChanged' }>): void {
    const { logger } = this.#options
    // That a node which stops leads no more is no news.
    if (this.#onShutdown === null) {
      logger.info({ nodeId: this.nodeId, leaderId, epoch }, describeLeader(this.nodeId, leaderId, epoch))
    }
    this.#feed.setLeader({ leaderId, epoch }, epochStartOffset)
    this.#waiters.lost(
      lostIn => !this.#raft.isLeaderOf(lostIn),
      lostIn => this.#notLeader(lostIn),
    )
  }

  #notLeader(epoch: number): NotLeaderError {
    return new NotLeaderError(`node ${this.nodeId} does not lead the metadata quorum in epoch ${epoch} any more`)
  }

  #install(id: { readonly endOffset: number; readonly epoch: number }): void {
    const changes = this.#receiver.install(id)
    // Next of all: the machine must not work with the log as it was.
    if (changes === null) {
      this.#queue.unshift({ type: 'snapshotRejected', id })
    } else {
      // What this node has appended itself went with the log that was.
      this.#feed.truncated(0)
      this.#snapshotter.noteInstalled(id.endOffset)
      this.#queue.unshift({ type: 'snapshotInstalled', id, changes })
    }
  }
}
