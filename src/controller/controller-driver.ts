import { ApiError, ErrorCode } from '#protocol/errors.js'
import { activationRecords } from '../metadata/bootstrap.js'
import type { MetadataState } from '../metadata/metadata-state.js'
import { metadataAllows } from '../metadata/metadata-version.js'
import type { PublishedWait } from '../metadata/publisher.js'
import type { MetadataRecord } from '../metadata/record.js'
import {
  type CommittedBatch,
  type LeaderAndEpoch,
  type LoadedSnapshot,
  type MetadataLog,
  type MetadataLogListener,
  NotLeaderError,
  RecordBatchTooLargeError,
} from '../raft/metadata-log.js'
import { type Parkable, ParkingPlace } from '../runtime/parked.js'
import type { Clock, Logger, Millis, Timer } from '../runtime/ports.js'
import type { Command } from './command.js'
import { Controller, type ControllerParts } from './controller.js'
import { notableIn } from './notable-records.js'

/** What the driver uses of the publisher of this node. */
export interface PublishedState {
  /** Waits until the node serves an image that holds the record at `offset`. */
  beginWait(offset: number): PublishedWait
  /** An own copy of that image. */
  copyAt(offset: number): Promise<MetadataState>
}

export interface ControllerDriverParts extends Omit<ControllerParts, 'state'> {
  readonly log: MetadataLog
  readonly published: PublishedState
  readonly clock: Clock
  readonly logger: Logger
  /** How many requests may wait at a time. */
  readonly requestsMax: number
}

export interface RunOptions {
  /** How long the caller waits, in ms; 0 or less is over at once. Left out: for ever. */
  readonly timeoutMs?: Millis
  /** Answer when this node's own image shows the change, not as soon as it is committed. */
  readonly untilPublished?: boolean
}

/** What handlers and the broker's lifecycle use of the active controller. */
export interface ControllerRequests {
  /**
   * Runs a command, and answers when what it appended is committed (and what it saw). Rejects with ApiError: what the
   * command throws, NOT_CONTROLLER when this node is not the active controller or ceases to be it (then it is open
   * whether the change is made), REQUEST_TIMED_OUT when time is up (the same holds).
   */
  run<Response>(command: Command<Response>, options?: RunOptions): Promise<Response>
}

interface Request extends Parkable {
  readonly command: Command<unknown>
  readonly untilPublished: boolean
  readonly resolve: (response: unknown) => void
  readonly reject: (error: Error) => void
  /** Answered, or given up. */
  done: boolean
  /** It waits for the image to show what is committed. */
  publishing: PublishedWait | null
}

/** Records that a log takes in one append. */
const appendRecordsMax = 10_000

/**
 * Runs the controller while this node leads the quorum. A command is evaluated at once, its records are appended, then
 * replayed by the controller; the answer waits until they are committed. If an append fails or leadership goes, the
 * controller is dropped, and the next one begins with what is committed: there is no undo.
 *
 *   inactive --leads--> loading (requests wait) --image is up to date--> active --leads no more--> inactive
 */
export class ControllerDriver implements MetadataLogListener, ControllerRequests {
  readonly #parts: ControllerDriverParts
  readonly #parking: ParkingPlace
  /** The epoch in which this node leads; -1 when it does not. */
  #epoch = -1
  #controller: Controller | null = null
  /** Requests that came while loading. */
  #waiting: Request[] = []
  /** Requests that wait for the commit of records. */
  readonly #held = new Set<Request>()
  #committedOffset = -1
  #appendedOffset = -1
  #timer: Timer | null = null
  #timerAt: Millis = Number.POSITIVE_INFINITY
  /** When the timer was set. */
  #armedAt: Millis = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(parts: ControllerDriverParts) {
    this.#parts = parts
    this.#parking = new ParkingPlace(parts.clock, parts.requestsMax)
  }

  /** This node is the active controller and takes commands. */
  get isActive(): boolean {
    return this.#controller !== null
  }

  onSnapshot({ id }: LoadedSnapshot): void {
    this.#committedOffset = id.endOffset - 1
  }

  onCommitted(batch: CommittedBatch): void {
    this.#committedOffset = batch.lastOffset
  }

  onLeaderChange({ leaderId, epoch }: LeaderAndEpoch): void {
    const leads = leaderId === this.#parts.log.nodeId
    if (leads && epoch === this.#epoch) return
    this.#drop()
    if (!leads || this.#closed) return
    this.#epoch = epoch
    this.#load(epoch).catch((error: unknown) => this.#giveUp(epoch, error))
  }

  run<Response>(command: Command<Response>, options: RunOptions = {}): Promise<Response> {
    const { clock, requestsMax } = this.#parts
    if (this.#epoch === -1) return Promise.reject(new ApiError(ErrorCode.NOT_CONTROLLER))
    const now = clock.now()
    const { timeoutMs = Number.POSITIVE_INFINITY, untilPublished = false } = options
    const isFull = this.#waiting.length + this.#held.size >= requestsMax
    if (timeoutMs <= 0 || isFull) return Promise.reject(new ApiError(ErrorCode.REQUEST_TIMED_OUT))
    return new Promise<Response>((resolve, reject) => {
      const request: Request = {
        command,
        untilPublished,
        resolve: resolve as (response: unknown) => void,
        reject,
        done: false,
        publishing: null,
        deadline: now + timeoutMs,
        parkedAt: -1,
        onDeadline: () => this.#settle(request, () => reject(new ApiError(ErrorCode.REQUEST_TIMED_OUT))),
      }
      if (timeoutMs !== Number.POSITIVE_INFINITY) this.#parking.park(request)
      if (this.#controller === null) this.#waiting.push(request)
      else this.#execute(this.#controller, request)
    })
  }

  /** Takes nothing more; whoever waits is told NOT_CONTROLLER. */
  close(): void {
    this.#closed = true
    this.#drop()
    this.#parking.close()
  }

  async #load(epoch: number): Promise<void> {
    const { published, logger, clock } = this.#parts
    const state = await published.copyAt(this.#committedOffset)
    if (epoch !== this.#epoch) return
    const controller = new Controller({ ...this.#parts, state }, clock.now())
    this.#controller = controller
    this.#appendedOffset = this.#committedOffset
    const records = this.#firstRecords(state)
    if (records.length > 0) this.#append(controller, records)
    logger.info({ epoch, records: records.length }, 'this node is the active controller')
    const waiting = this.#waiting
    this.#waiting = []
    for (const request of waiting) if (!request.done) this.#execute(controller, request)
    this.#arm()
  }

  /** An empty log gets its first records; what the last controller began and did not end is aborted. */
  #firstRecords(state: MetadataState): readonly MetadataRecord[] {
    const records: MetadataRecord[] = []
    if (state.inTransaction) {
      if (
        state.features.hasMetadataVersion &&
        !metadataAllows(state.features.metadataVersion, 'metadataTransactions')
      ) {
        throw new Error('the log ends within a metadata transaction, which its metadata.version does not have')
      }
      records.push({ type: 'AbortTransactionRecord', version: 0, value: { reason: 'Controller failover' } })
    }
    // An image with something at an offset has had its first records, even if they are of before metadata.version.
    const isNew = state.offset === -1 || (state.inTransaction && !state.features.hasMetadataVersion)
    if (isNew) {
      const { log, staticConfig } = this.#parts
      records.push(...activationRecords(log.bootstrapRecords(), staticConfig.get('min.insync.replicas')))
    }
    return records
  }

  #execute(controller: Controller, request: Request): void {
    const { clock, log, logger } = this.#parts
    let response: unknown
    try {
      const outcome = controller.evaluate(request.command, clock.now(), log.endOffset)
      if (outcome.records.length > 0) this.#append(controller, outcome.records)
      response = outcome.response
    } catch (error) {
      this.#settle(request, () => request.reject(refusal(error)))
      if (!(error instanceof ApiError || error instanceof RecordBatchTooLargeError)) {
        if (!(error instanceof NotLeaderError)) logger.error({ err: error }, 'a controller command failed')
        // What was appended may not have been replayed: begin anew.
        if (this.#controller === controller && controller.state.offset !== this.#appendedOffset) this.#resign(error)
      }
      return
    }
    this.#arm()
    if (this.#appendedOffset <= this.#committedOffset && !request.untilPublished) {
      this.#settle(request, () => request.resolve(response))
      return
    }
    this.#held.add(request)
    this.#whenDone(request, this.#appendedOffset).then(
      () => this.#settle(request, () => request.resolve(response)),
      () => this.#settle(request, () => request.reject(new ApiError(ErrorCode.NOT_CONTROLLER))),
    )
  }

  async #whenDone(request: Request, offset: number): Promise<void> {
    const { log, published } = this.#parts
    if (offset > this.#committedOffset) await log.whenCommitted(this.#epoch, offset + 1)
    if (!request.untilPublished || request.done) return
    request.publishing = published.beginWait(offset)
    await request.publishing.reached
  }

  /** Appends, then replays. Everything up to the records that an append takes lands in one batch. */
  #append(controller: Controller, records: readonly MetadataRecord[]): void {
    const { log, clock, logger } = this.#parts
    const notable = notableIn(records, controller.state.topics)
    for (let at = 0; at < records.length; at += appendRecordsMax) {
      const part = records.length <= appendRecordsMax ? records : records.slice(at, at + appendRecordsMax)
      const { lastOffset } = log.append(this.#epoch, part)
      this.#appendedOffset = lastOffset
      controller.replay(part, lastOffset, this.#epoch, clock.now())
    }
    for (const { level, message, ...details } of notable) logger[level](details, message)
  }

  #arm(): void {
    const deadline = this.#controller?.deadline ?? Number.POSITIVE_INFINITY
    // A timer that goes off too early only finds that nothing is due yet.
    if (deadline >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = deadline
    this.#armedAt = this.#parts.clock.now()
    this.#timer = this.#parts.clock.at(deadline, () => this.#tick())
  }

  #tick(): void {
    const { clock, log, logger } = this.#parts
    const now = clock.now()
    const lateMs = now - Math.max(this.#timerAt, this.#armedAt)
    this.#timer = null
    this.#timerAt = Number.POSITIVE_INFINITY
    const controller = this.#controller
    if (controller === null) return
    controller.stalled(lateMs, now)
    try {
      const task = controller.nextTask(now)
      if (task !== null) {
        const { records } = controller.evaluate(task, now, log.endOffset)
        if (records.length > 0) this.#append(controller, records)
      }
    } catch (error) {
      if (!(error instanceof NotLeaderError)) logger.error({ err: error }, 'a periodic task of the controller failed')
      this.#resign(error)
      return
    }
    this.#arm()
  }

  #settle(request: Request, answer: () => void): void {
    if (request.done) return
    request.done = true
    this.#parking.leave(request)
    this.#held.delete(request)
    request.publishing?.cancel()
    answer()
  }

  /** This controller's state cannot be trusted, or nobody listens to it any more: another one begins anew. */
  #resign(error: unknown): void {
    const epoch = this.#epoch
    this.#drop()
    if (!(error instanceof NotLeaderError) && !this.#closed) this.#parts.log.resign(epoch)
  }

  #giveUp(epoch: number, error: unknown): void {
    if (epoch !== this.#epoch || this.#closed) return
    this.#parts.logger.error({ err: error, epoch }, 'this node cannot become the active controller')
    this.#resign(error)
  }

  #drop(): void {
    this.#epoch = -1
    this.#controller = null
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAt = Number.POSITIVE_INFINITY
    const waiting = this.#waiting
    this.#waiting = []
    for (const request of [...waiting, ...this.#held]) {
      this.#settle(request, () => request.reject(new ApiError(ErrorCode.NOT_CONTROLLER)))
    }
  }
}

function refusal(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof NotLeaderError) return new ApiError(ErrorCode.NOT_CONTROLLER)
  if (error instanceof RecordBatchTooLargeError) {
    return new ApiError(ErrorCode.POLICY_VIOLATION, 'Unable to perform excessively large batch operation.')
  }
  return new ApiError(ErrorCode.UNKNOWN_SERVER_ERROR)
}
