/** A world for the controller: time that is moved by hand, a metadata log in memory, and a controller without a log. */
import type { BrokerConfig } from '#src/config/broker-config.js'
import { brokerConfigFrom } from '#src/config/start.js'
import { processHeartbeat } from '#src/controller/broker-heartbeat.js'
import type { Command, ControllerIdentity, Outcome } from '#src/controller/command.js'
import { Controller } from '#src/controller/controller.js'
import { type Notable, notableIn } from '#src/controller/notable-records.js'
import { registerBroker } from '#src/controller/register-broker.js'
import { bootstrapFeatureRecords } from '#src/metadata/bootstrap.js'
import { registrationFeatures } from '#src/metadata/controller-registrar.js'
import { MetadataState } from '#src/metadata/metadata-state.js'
import type { MetadataRecord } from '#src/metadata/record.js'
import { decodeFrame, encodeFrame } from '#src/metadata/record-frame.js'
import {
  type AppendedRange,
  type LeaderAndEpoch,
  type MetadataLog,
  type MetadataLogListener,
  NotLeaderError,
  RecordBatchTooLargeError,
} from '#src/raft/metadata-log.js'
import type { Clock, Millis, Random, Timer } from '#src/runtime/ports.js'
import { SeededRandom } from '../../support/random.js'

export const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qk'

/** Time that stands until it is moved. */
export class TestClock implements Clock {
  #now: Millis = 0
  #timers: { readonly at: Millis; readonly wake: () => void }[] = []

  now(): Millis {
    return this.#now
  }

  wallTime(): Millis {
    return 1_700_000_000_000 + this.#now
  }

  at(deadline: Millis, wake: () => void): Timer {
    const timer = { at: deadline, wake }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter(other => other !== timer)) }
  }

  soon(wake: () => void): void {
    this.at(this.#now, wake)
  }

  get timers(): number {
    return this.#timers.length
  }

  /** Time passes while nothing runs: whoever waits is woken late. */
  standStill(ms: Millis): void {
    this.#now += ms
  }

  /** Moves time on, from one deadline to the next. */
  async advance(ms: Millis): Promise<void> {
    const end = this.#now + ms
    await settled()
    for (;;) {
      const [next] = this.#timers.toSorted((a, b) => a.at - b.at)
      if (next === undefined || next.at > end) break
      this.#now = Math.max(this.#now, next.at)
      this.#timers = this.#timers.filter(timer => timer !== next)
      next.wake()
      await settled()
    }
    this.#now = end
  }
}

/** Lets promises that are due do what they lead to. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise(resolve => setImmediate(resolve))
}

/** The options of a node that is broker and controller 1. */
export function nodeConfig(options: Readonly<Record<string, string>> = {}): BrokerConfig {
  const start = brokerConfigFrom({
    properties: new Map(
      Object.entries({
        'process.roles': 'broker,controller',
        'node.id': '1',
        'controller.quorum.voters': '1@localhost:9093',
        listeners: 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
        'advertised.listeners': 'PLAINTEXT://localhost:9092',
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'controller.listener.names': 'CONTROLLER',
        'log.dirs': '/data',
        'metadata.max.idle.interval.ms': '0',
        ...options,
      }),
    ),
  })
  if (!start.ok) throw new Error(start.lines.join('\n'))
  return start.config
}

/** What a directory is formatted with, at a metadata.version. */
export function bootstrapRecords(metadataVersion = 33, elr = metadataVersion >= 23 ? 1 : 0): MetadataRecord[] {
  const levels = new Map([['metadata.version', metadataVersion]])
  if (elr > 0) levels.set('eligible.leader.replicas.version', elr)
  return bootstrapFeatureRecords(levels)
}

export function identity(): ControllerIdentity {
  return { nodeId: 1, clusterId: CLUSTER_ID, supportedFeatures: registrationFeatures(new MetadataState()) }
}

/** A record as it comes back from the log. */
export function throughTheLog(record: MetadataRecord): MetadataRecord {
  return decodeFrame(encodeFrame(record))
}

/** The id of the only directory of a broker. */
export function directoryOf(brokerId: number): string {
  return Buffer.from(`directory of ${String(brokerId).padStart(3, '0')}`).toString('base64url')
}

export interface TestControllerOptions {
  readonly metadataVersion?: number
  readonly elr?: number
  readonly options?: Readonly<Record<string, string>>
  readonly random?: Random
  readonly controllerId?: number
}

/**
 * A controller on its own: what it appends is committed at once. A second image replays the same records as they come
 * back from the log.
 */
export class TestController {
  readonly controller: Controller
  /** Replays what the log has. */
  readonly follower = new MetadataState()
  readonly log: MetadataRecord[] = []
  /** What the log of the active controller would say. */
  readonly notable: Notable[] = []
  now: Millis = 0

  constructor({ metadataVersion = 33, elr, options = {}, random = new SeededRandom(1) }: TestControllerOptions = {}) {
    const state = new MetadataState()
    for (const record of bootstrapRecords(metadataVersion, elr)) {
      state.replay(record)
      this.follower.replay(record)
      this.log.push(record)
    }
    state.setPosition(this.log.length - 1, 1)
    this.follower.setPosition(this.log.length - 1, 1)
    state.takeDelta()
    this.follower.takeDelta()
    const parts = { identity: identity(), staticConfig: nodeConfig(options), state, kraftVersion: () => 0, random }
    this.controller = new Controller(parts, this.now)
  }

  get image(): MetadataState {
    return this.controller.state
  }

  /** Evaluates a command, appends, replays. */
  run<Response>(command: Command<Response>): Outcome<Response> {
    const outcome = this.controller.evaluate(command, this.now, this.log.length)
    this.append(outcome.records)
    return outcome
  }

  append(records: readonly MetadataRecord[]): void {
    this.notable.push(...notableIn(records, this.image.topics))
    for (const record of records) {
      this.log.push(record)
      this.follower.replay(throughTheLog(record))
    }
    const offset = this.log.length - 1
    this.follower.setPosition(offset, 1)
    this.follower.takeDelta()
    this.controller.replay(records, offset, 1, this.now)
  }

  /** Does what is due, as the driver does. */
  tick(): readonly MetadataRecord[] {
    const from = this.log.length
    for (let task = this.controller.nextTask(this.now); task !== null; task = this.controller.nextTask(this.now)) {
      this.run(task)
    }
    return this.log.slice(from)
  }

  /** Registers a broker; returns its epoch. */
  register(brokerId: number, changes: Partial<Parameters<typeof registerBroker>[0]> = {}, isLocal = false): number {
    const { response } = this.run(registerBroker(registration(brokerId, changes), isLocal))
    return response.brokerEpoch!
  }

  heartbeat(brokerId: number, changes: Partial<Parameters<typeof processHeartbeat>[0]> = {}) {
    return this.run(
      processHeartbeat({
        brokerId,
        brokerEpoch: this.image.cluster.broker(brokerId)?.epoch ?? -1,
        currentMetadataOffset: this.log.length - 1,
        wantFence: false,
        wantShutDown: false,
        offlineLogDirs: [],
        cordonedLogDirs: [],
        ...changes,
      }),
    )
  }

  /** Brokers that are registered and unfenced. */
  addBrokers(...ids: readonly number[]): void {
    for (const id of ids) {
      this.register(id)
      this.heartbeat(id)
    }
  }
}

let incarnations = 0

export function registration(
  brokerId: number,
  changes: Partial<Parameters<typeof registerBroker>[0]> = {},
): Parameters<typeof registerBroker>[0] {
  return {
    brokerId,
    clusterId: CLUSTER_ID,
    incarnationId: Buffer.from(`process ${String(++incarnations).padStart(8, '0')}`).toString('base64url'),
    listeners: [{ name: 'PLAINTEXT', host: 'localhost', port: 9000 + brokerId, securityProtocol: 0 }],
    features: [...registrationFeatures(new MetadataState())],
    rack: null,
    isMigratingZkBroker: false,
    logDirs: [directoryOf(brokerId)],
    previousBrokerEpoch: -1,
    ...changes,
  }
}

interface Batch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly epoch: number
  readonly records: readonly MetadataRecord[]
}

/** A metadata log in memory. Commits by itself in a later turn, or by hand. */
export class MemoryMetadataLog implements MetadataLog {
  readonly nodeId = 1
  leader: LeaderAndEpoch = { leaderId: -1, epoch: 0 }
  highWatermark = 0
  endOffset = 0
  commitsByItself = true
  /** What the next append throws. */
  failure: Error | null = null
  resigned: number[] = []
  readonly batches: Batch[] = []
  readonly #listeners: MetadataLogListener[] = []
  #waiters: { readonly epoch: number; readonly offset: number; done: () => void; fail: (error: Error) => void }[] = []

  register(listener: MetadataLogListener): void {
    this.#listeners.push(listener)
  }

  bootstrapRecords(): MetadataRecord[] {
    return bootstrapRecords()
  }

  setSnapshotSource(): void {}

  /** Makes a node the leader of a new epoch. */
  lead(leaderId: number): void {
    const epoch = this.leader.epoch + 1
    this.leader = { leaderId, epoch }
    const lost = this.#waiters
    this.#waiters = []
    for (const waiter of lost) waiter.fail(new NotLeaderError('another epoch'))
    // What was not committed is cut off, and the new leader writes its control record.
    while (this.batches.at(-1) !== undefined && this.batches.at(-1)!.baseOffset >= this.highWatermark)
      this.batches.pop()
    this.endOffset = this.highWatermark + 1
    this.highWatermark = this.endOffset
    for (const listener of this.#listeners) listener.onLeaderChange(this.leader)
  }

  append(epoch: number, records: readonly MetadataRecord[]): AppendedRange {
    if (this.failure !== null) {
      const failure = this.failure
      this.failure = null
      throw failure
    }
    if (epoch !== this.leader.epoch || this.leader.leaderId !== this.nodeId) throw new NotLeaderError('not the leader')
    if (records.length > 20_000) throw new RecordBatchTooLargeError('too many')
    const baseOffset = this.endOffset
    this.endOffset += records.length
    this.batches.push({ baseOffset, lastOffset: this.endOffset - 1, epoch, records })
    if (this.commitsByItself) setImmediate(() => this.commit())
    return { baseOffset, lastOffset: this.endOffset - 1 }
  }

  commit(): void {
    const from = this.highWatermark
    this.highWatermark = this.endOffset
    for (const batch of this.batches) {
      if (batch.baseOffset < from) continue
      const records = batch.records.map(throughTheLog)
      const committed = { ...batch, records, appendTimestamp: 0, sizeInBytes: records.length * 50 }
      for (const listener of this.#listeners) listener.onCommitted(committed)
    }
    const waiters = this.#waiters
    this.#waiters = waiters.filter(waiter => waiter.offset > this.highWatermark)
    for (const waiter of waiters) if (waiter.offset <= this.highWatermark) waiter.done()
  }

  whenCommitted(epoch: number, offset: number): Promise<void> {
    if (epoch !== this.leader.epoch) return Promise.reject(new NotLeaderError('another epoch'))
    if (offset <= this.highWatermark) return Promise.resolve()
    return new Promise((done, fail) => {
      this.#waiters.push({ epoch, offset, done, fail })
    })
  }

  resign(epoch: number): void {
    this.resigned.push(epoch)
  }
}
