import { AssertionError } from 'node:assert'
import { ErrorCode, errorName } from '#protocol/errors.js'
import { decodeResponse, encodeRequest } from '#protocol/frame.js'
import { ListOffsets } from '#protocol/messages/list-offsets.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import { LogError } from '#storage/log-error.js'
import type { BufferPool } from '../runtime/buffer-pool.js'
import type { MemoryBudget } from '../runtime/memory-budget.js'
import type { Clock, Logger, Millis, Network, Timer } from '../runtime/ports.js'
import type { Turn } from '../runtime/turn.js'
import {
  type ApplyFailure,
  type FetcherEffect,
  type FetcherEvent,
  FetcherMachine,
  type OffsetKind,
} from './fetcher-machine.js'
import type { FollowedPartition } from './followed-partition.js'
import type { FollowState } from './followed-replica.js'
import { appendFetched } from './follower-log.js'
import type { SessionRequest } from './follower-session.js'
import { correlationIdOf, decodeFollowerFetch, encodeFollowerFetch } from './follower-wire.js'
import { LeaderConnection } from './leader-connection.js'
import type { ReplicationConfig } from './replication-config.js'
import type { ReplicationQuota } from './replication-quota.js'
import type { TopicIndex } from './topic-index.js'

/** Where a leader is to be reached. */
export interface LeaderEndpoint {
  readonly host: string
  readonly port: number
}

export interface FetcherParts {
  readonly nodeId: number
  readonly network: Network
  readonly clock: Clock
  readonly logger: Logger
  readonly turn: Turn
  readonly pool: BufferPool
  readonly budget: MemoryBudget
  readonly config: ReplicationConfig
  readonly quota: ReplicationQuota
  readonly topics: TopicIndex
  /** The epoch of this broker's registration, -1 before it has one: nothing is fetched then. */
  readonly brokerEpoch: () => number
  /** Versions that all brokers of the cluster have, by its metadata.version. */
  readonly versions: () => { readonly fetch: number; readonly listOffsets: number }
}

const LATEST = -1
const EARLIEST = -2
/** How long a connection may take to come about, ms. */
const CONNECT_MS_MAX: Millis = 3000
/** The time after which a fetcher without a broker epoch looks again, ms. */
const UNREGISTERED_MS: Millis = 20

type Request =
  | { readonly api: 'fetch'; readonly correlationId: number }
  | {
      readonly api: 'listOffsets'
      readonly correlationId: number
      readonly version: number
      readonly state: FollowState
      readonly kind: OffsetKind
    }

/** The driver of one FetcherMachine: a connection to one leader, and the logs of the replicas that follow it. */
export class Fetcher {
  readonly leaderId: number
  readonly #parts: FetcherParts
  readonly #clientId: string
  readonly #machine: FetcherMachine
  #endpoint: LeaderEndpoint
  #connection: LeaderConnection | null = null
  /** Grows with every attempt to connect, so that what comes of an earlier one is recognised. */
  #attempt = 0
  readonly #requests: Request[] = []
  #correlationId = 0
  #timer: Timer | null = null
  #timerAt: Millis = Infinity
  readonly #events: FetcherEvent[] = []
  #isRunning = false
  #isClosed = false

  constructor(leaderId: number, number: number, endpoint: LeaderEndpoint, parts: FetcherParts) {
    this.leaderId = leaderId
    this.#parts = parts
    this.#endpoint = endpoint
    this.#clientId = `broker-${parts.nodeId}-fetcher-${number}`
    this.#machine = new FetcherMachine({
      backoffMs: () => parts.config.replicaFetchBackoffMs,
      answerMsMax: () => parts.config.replicaSocketTimeoutMs,
      isThrottling: now => parts.quota.isExceeded(now),
    })
  }

  /** How many replicas it has. */
  get size(): number {
    return this.#machine.size
  }

  get endpoint(): LeaderEndpoint {
    return this.#endpoint
  }

  /** Takes an event; events that come while one is carried out wait for that. */
  run(event: FetcherEvent): void {
    this.#events.push(event)
    if (this.#isRunning || this.#isClosed) return
    this.#isRunning = true
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) this.#step(next)
    this.#isRunning = false
    this.#watch()
  }

  moveTo(endpoint: LeaderEndpoint): void {
    if (endpoint.host === this.#endpoint.host && endpoint.port === this.#endpoint.port) return
    this.#endpoint = endpoint
    this.run({ type: 'moved' })
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = null
    this.#disconnect()
  }

  #step(event: FetcherEvent): void {
    const { clock } = this.#parts
    const effects = this.#machine.step(event, clock.now())
    const failures: ApplyFailure[] = []
    const syncing: FollowState[] = []
    let changes = 0
    for (const effect of effects) {
      if (effect.type === 'append' || effect.type === 'truncate' || effect.type === 'restart') {
        changes++
        this.#change(effect, failures, syncing)
      } else this.#carryOut(effect)
    }
    // Before anything else, so that the next fetch goes out.
    if (changes > 0 && !this.#isClosed) this.#step({ type: 'applied', failures, syncing })
  }

  #carryOut(effect: FetcherEffect): void {
    switch (effect.type) {
      case 'connect':
        this.#connect()
        break
      case 'disconnect':
        this.#disconnect()
        break
      case 'fetch':
        this.#fetch(effect.request)
        break
      case 'sync':
        this.#sync(effect.state)
        break
      case 'listOffset':
        this.#listOffset(effect.state, effect.kind)
        break
      case 'log': {
        const { state, message, code } = effect
        const fields = { leader: this.leaderId, partition: state?.replica.name, code: errorName(code) }
        this.#parts.logger.debug(fields, message)
      }
    }
  }

  // Logs

  #change(effect: FetcherEffect & { state: FollowState }, failures: ApplyFailure[], syncing: FollowState[]): void {
    const { state } = effect
    if (state.isOver) return
    const { partition } = state.replica as FollowedPartition
    const { logger } = this.#parts
    try {
      switch (effect.type) {
        case 'append':
          if (this.#append(effect.state, effect.part)) syncing.push(state)
          break
        case 'truncate':
          if (effect.offset < partition.log.logEndOffset) {
            const fields = { partition: partition.name, from: partition.log.logEndOffset, to: effect.offset }
            logger.info(fields, 'cutting off what the leader does not have')
          }
          partition.truncateTo(effect.offset)
          break
        case 'restart':
          logger.info({ partition: partition.name, offset: effect.offset }, 'beginning anew where the leader begins')
          partition.restartAt(effect.offset)
      }
    } catch (error) {
      if (error instanceof AssertionError) throw error
      const code = error instanceof LogError ? error.code : null
      const isCorrupt = code === 'CORRUPT_MESSAGE' || code === 'INVALID_RECORD'
      // A directory that failed has said so for all of its replicas.
      if (code !== 'KAFKA_STORAGE_ERROR')
        logger.error({ err: error, partition: partition.name }, 'a replica cannot take over what its leader has')
      failures.push({ state, kind: isCorrupt ? 'corrupt' : 'broken' })
    }
  }

  /** True if the records are to be synced before the leader may count on them. */
  #append(state: FollowState, part: Parameters<typeof appendFetched>[2]): boolean {
    const { clock, quota } = this.#parts
    const { partition, isThrottled } = state.replica as FollowedPartition
    if (isThrottled && part.records !== null) quota.record(part.records.length, clock.now())
    if (!appendFetched(partition, state.leaderEpoch, part, clock.wallTime())) return false
    this.#sync(state)
    return true
  }

  #sync(state: FollowState): void {
    const { partition } = state.replica as FollowedPartition
    const { log } = partition
    log.sync().then(
      () => this.run({ type: 'synced', state, succeeded: true }),
      // What replaces a log has all that it had, on the device where it must be.
      () => this.run({ type: 'synced', state, succeeded: partition.log !== log }),
    )
  }

  // The leader

  #connect(): void {
    const { network, clock } = this.#parts
    const attempt = ++this.#attempt
    if (this.#parts.brokerEpoch() < 0) {
      clock.at(clock.now() + UNREGISTERED_MS, () => {
        if (attempt === this.#attempt) this.#connect()
      })
      return
    }
    const { host, port } = this.#endpoint
    network.connect({ host, port, timeoutMs: CONNECT_MS_MAX }).then(
      transport => {
        if (attempt !== this.#attempt || this.#isClosed) {
          transport.destroy()
          return
        }
        const { turn, pool, budget } = this.#parts
        this.#connection = new LeaderConnection(transport, {
          turn,
          pool,
          budget,
          onFrame: (buffer, start, end) => this.#onFrame(buffer, start, end),
          onClosed: why => this.#onClosed(attempt, why),
        })
        this.run({ type: 'connected' })
      },
      error => this.#onClosed(attempt, (error as Error).message),
    )
  }

  #onClosed(attempt: number, why: string): void {
    if (attempt !== this.#attempt || this.#isClosed) return
    this.#disconnect()
    this.#parts.logger.debug({ leader: this.leaderId, why }, 'no connection to a leader')
    this.run({ type: 'disconnected' })
  }

  #disconnect(): void {
    this.#attempt++
    this.#connection?.close()
    this.#connection = null
    this.#requests.length = 0
  }

  #fetch(request: SessionRequest): void {
    const { config, nodeId, brokerEpoch } = this.#parts
    const correlationId = this.#correlationId++
    const terms = {
      version: this.#parts.versions().fetch,
      correlationId,
      clientId: this.#clientId,
      replicaId: nodeId,
      replicaEpoch: brokerEpoch(),
      maxWaitMs: config.replicaFetchWaitMsMax,
      minBytes: config.replicaFetchBytesMin,
      maxBytes: config.replicaFetchResponseBytesMax,
      partitionMaxBytes: config.replicaFetchBytesMax,
    }
    this.#requests.push({ api: 'fetch', correlationId })
    this.#connection?.send([encodeFollowerFetch(terms, request)])
  }

  #listOffset(state: FollowState, kind: OffsetKind): void {
    const version = this.#parts.versions().listOffsets
    const correlationId = this.#correlationId++
    const partition = {
      partitionIndex: state.replica.index,
      currentLeaderEpoch: state.leaderEpoch,
      timestamp: kind === 'latest' ? LATEST : EARLIEST,
    }
    const { topic } = (state.replica as FollowedPartition).partition
    const request = {
      replicaId: this.#parts.nodeId,
      isolationLevel: 0,
      topics: [{ name: topic.name, partitions: [partition] }],
      timeoutMs: this.#parts.config.replicaSocketTimeoutMs,
    }
    this.#requests.push({ api: 'listOffsets', correlationId, version, state, kind })
    this.#connection?.send(encodeRequest(ListOffsets, { version, correlationId, clientId: this.#clientId }, request))
  }

  #onFrame(buffer: Buffer, start: number, end: number): void {
    const request = this.#requests.shift()
    try {
      if (request === undefined || correlationIdOf(buffer, start, end) !== request.correlationId) {
        this.#refuse('an answer that nobody waits for')
        return
      }
      if (request.api === 'fetch') {
        const answer = decodeFollowerFetch(buffer, start, end, this.#parts.topics)
        this.run({ type: 'answer', answer })
      } else this.run(offsetOf(request, buffer.subarray(start, end)))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#refuse(error.message)
    }
  }

  #refuse(why: string): void {
    this.#parts.logger.warn({ leader: this.leaderId, why }, 'a leader sent what cannot be read')
    this.#disconnect()
    this.run({ type: 'disconnected' })
  }

  // Time

  /** One timer, which goes off early rather than being moved with every fetch. */
  #watch(): void {
    const { deadline } = this.#machine
    if (this.#isClosed || deadline >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = deadline
    this.#timer = this.#parts.clock.at(deadline, () => {
      this.#timer = null
      this.#timerAt = Infinity
      if (this.#machine.deadline <= this.#parts.clock.now()) this.run({ type: 'tick' })
      else this.#watch()
    })
  }
}

function offsetOf(request: Request & { readonly api: 'listOffsets' }, frame: Buffer): FetcherEvent {
  const { response } = decodeResponse(ListOffsets, request.version, frame)
  const answer = response.topics[0]?.partitions[0]
  const found = { errorCode: answer?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR, offset: answer?.offset ?? -1 }
  return { type: 'offset', state: request.state, kind: request.kind, found }
}
