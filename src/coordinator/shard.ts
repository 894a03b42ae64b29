import assert from 'node:assert/strict'
import { ApiError, ErrorCode, errorName } from '#protocol/errors.js'
import { buildBatch } from '#protocol/records/build.js'
import { type CompressionType, isCompressionLoaded, loadCompression } from '#protocol/records/compression.js'
import type { Ticket } from '../runtime/machine.js'
import { Mailbox } from '../runtime/mailbox.js'
import type { Clock, Logger, Millis, Timer } from '../runtime/ports.js'
import { loadShard, ShardLoadError } from './shard-loader.js'
import type { ShardLog } from './shard-log.js'
import {
  batchBytes,
  recordBytes,
  type ShardEffect,
  type ShardLimits,
  type ShardMachine,
  type ShardRecord,
} from './shard-machine.js'

/** What all shards of one kind have in common. */
export interface ShardKind<Command, Reply, Rec extends ShardRecord> {
  /** The topic whose partitions hold the shards. */
  readonly topic: string
  readonly createMachine: (partition: number, limits: ShardLimits) => ShardMachine<Command, Reply, Rec>
  /**
   * The record that these bytes are; null for a type that nobody here knows (it stays in the log). Throws if damaged.
   */
  readonly decode: (key: Uint8Array | null, value: Uint8Array | null) => Rec | null
  /** How long an answer may wait for the commit of what it depends on (`offsets.commit.timeout.ms`). */
  readonly commitTimeoutMs: Millis
  /** How much is read at a time while loading (`offsets.load.buffer.size`). */
  readonly loadBytesMax: number
  /** The codec of the batches that are written (`offsets.topic.compression.codec`). */
  readonly compression: CompressionType
  /** Requests that may wait in one shard; more are refused with COORDINATOR_NOT_AVAILABLE. */
  readonly ticketsMax: number
}

export interface ShardPorts {
  readonly clock: Clock
  readonly logger: Logger
  /** Runs loads in their turn, a few at a time. */
  readonly queueLoad: (load: () => Promise<void>) => void
}

/**
 * - loading: the log is being replayed, or will be again after a failure: COORDINATOR_LOAD_IN_PROGRESS;
 * - active: events are taken;
 * - failed: the log cannot be replayed: NOT_COORDINATOR;
 * - closed: this broker no longer leads the partition: NOT_COORDINATOR.
 */
export type ShardState = 'loading' | 'active' | 'failed' | 'closed'

interface Letter<Command> {
  readonly ticket: Ticket
  readonly command: Command
}

interface Waiter<Reply> {
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: ApiError) => void
}

/** An answer that waits until all records before `endOffset` are committed. */
interface Held<Reply> {
  readonly endOffset: number
  readonly deadline: Millis
  readonly ticket: Ticket
  readonly answer: (waiter: Waiter<Reply>) => void
}

/** Commands that may wait for the end of a load. */
const AFTER_LOAD_MAX = 1000
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 10_000

/** The driver of one shard. Its machine is stepped in `#turn` alone, which never runs inside itself. */
export class Shard<Command, Reply, Rec extends ShardRecord> {
  readonly partition: number
  readonly #kind: ShardKind<Command, Reply, Rec>
  readonly #ports: ShardPorts
  readonly #log: ShardLog
  readonly #logger: Logger
  #state: ShardState = 'loading'
  #machine: ShardMachine<Command, Reply, Rec> | null = null
  /** Grows whenever the machine is dropped, so that what was meant for it is recognised as stale. */
  #life = 0
  #retryMs = RETRY_MS_MIN

  #lastTicket: Ticket = 0
  readonly #waiting = new Map<Ticket, Waiter<Reply>>()
  #mailbox: Mailbox<Letter<Command>> | null = null
  #afterLoad: { readonly command: Command; readonly waiter: Waiter<Reply> }[] = []
  /** Wakes an active shard for the deadline of its machine, a dropped one to be loaded again. */
  #timer: { readonly at: Millis; readonly timer: Timer } | null = null

  /** Records replayed but not yet in the log, with the bytes of the batch that they make. */
  #batch: Rec[] = []
  #batchBytes = 0
  /** The offset that the next record will have. */
  #nextOffset = 0
  #committedOffset = 0
  #held: Held<Reply>[] = []
  #heldTimer: Timer | null = null

  constructor(partition: number, log: ShardLog, kind: ShardKind<Command, Reply, Rec>, ports: ShardPorts) {
    this.partition = partition
    this.#log = log
    this.#kind = kind
    this.#ports = ports
    this.#logger = ports.logger.child({ topic: kind.topic, partition })
    this.#load()
  }

  get state(): ShardState {
    return this.#state
  }

  get log(): ShardLog {
    return this.#log
  }

  /** Puts a command into the mailbox; what comes of it is what the machine answers. Rejects with ApiError. */
  submit(command: Command): Promise<Reply> {
    const refusal = this.#refusal()
    if (refusal !== null) return Promise.reject(new ApiError(refusal))
    return new Promise((resolve, reject) => this.#enqueue(command, { resolve, reject }))
  }

  #enqueue(command: Command, waiter: Waiter<Reply>): void {
    const ticket = ++this.#lastTicket
    this.#waiting.set(ticket, waiter)
    assert(this.#mailbox?.post({ ticket, command }), 'no more may wait in the mailbox than in the shard')
  }

  /**
   * As `submit`, but a shard that is loading takes the command when it is done: for what must not be missed. Rejects if
   * there are too many of them.
   */
  submitWhenLoaded(command: Command): Promise<Reply> {
    if (this.#state !== 'loading') return this.submit(command)
    if (this.#afterLoad.length >= AFTER_LOAD_MAX) {
      return Promise.reject(new ApiError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS))
    }
    return new Promise((resolve, reject) => this.#afterLoad.push({ command, waiter: { resolve, reject } }))
  }

  /** Leadership is gone: what waits is answered with NOT_COORDINATOR. */
  close(): void {
    if (this.#state === 'closed') return
    this.#drop(ErrorCode.NOT_COORDINATOR)
    this.#state = 'closed'
    this.#dismissAfterLoad()
  }

  #dismissAfterLoad(): void {
    for (const { waiter } of this.#afterLoad.splice(0)) waiter.reject(new ApiError(ErrorCode.NOT_COORDINATOR))
  }

  #refusal(): ErrorCode | null {
    if (this.#state === 'loading') return ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    if (this.#state !== 'active') return ErrorCode.NOT_COORDINATOR
    return this.#waiting.size < this.#kind.ticketsMax ? null : ErrorCode.COORDINATOR_NOT_AVAILABLE
  }

  // Loading

  #load(): void {
    const life = this.#life
    const machine = this.#kind.createMachine(this.partition, this.#log)
    this.#machine = machine
    // A partition that nobody has written to, as every new one is, serves at once.
    if (this.#log.startOffset === this.#log.endOffset && isCompressionLoaded(this.#kind.compression)) {
      this.#activate(machine)
      return
    }
    this.#ports.queueLoad(async () => {
      if (life !== this.#life) return
      try {
        await this.#replayLog(machine, life)
      } catch (error) {
        if (life === this.#life) this.#loadFailed(error as Error)
      }
    })
  }

  async #replayLog(machine: ShardMachine<Command, Reply, Rec>, life: number): Promise<void> {
    const { clock } = this.#ports
    const began = clock.now()
    await loadCompression(this.#kind.compression)
    const summary = await loadShard({
      log: this.#log,
      target: machine,
      decode: this.#kind.decode,
      bytesMax: this.#kind.loadBytesMax,
      clock,
      isAbandoned: () => life !== this.#life,
    })
    if (life !== this.#life) return
    const fields = { ...summary, milliseconds: Math.round(clock.now() - began) }
    this.#logger.debug(fields, 'loaded the state of the partition')
    if (summary.unknown > 0) {
      const text = 'passed over records of types that this broker does not know; they stay in the log'
      this.#logger.warn(fields, text)
    }
    this.#activate(machine)
  }

  #activate(machine: ShardMachine<Command, Reply, Rec>): void {
    this.#state = 'active'
    this.#nextOffset = this.#log.endOffset
    this.#committedOffset = this.#log.startOffset
    const { clock } = this.#ports
    this.#mailbox = new Mailbox(clock, this.#kind.ticketsMax + AFTER_LOAD_MAX, letters => this.#turn(letters))
    const effects = machine.step({ type: 'loaded', wallTimeMs: clock.wallTime() }, clock.now())
    this.#awaitCommit()
    this.#carryOut(() => this.#apply(effects))
    if (this.#state !== 'active') return
    for (const { command, waiter } of this.#afterLoad.splice(0)) this.#enqueue(command, waiter)
  }

  #loadFailed(error: Error): void {
    if (error instanceof ShardLoadError) {
      const remedy =
        'no group of this partition can be served until the log is repaired or compacted by a broker that can read it'
      this.#logger.error({ error: error.message }, `cannot load the partition: ${error.message}; ${remedy}`)
      this.#drop(ErrorCode.NOT_COORDINATOR)
      this.#state = 'failed'
      this.#dismissAfterLoad()
      return
    }
    this.#logger.error({ error }, `cannot read the partition, will try again: ${error.message}`)
    this.#dropAndRetry(ErrorCode.NOT_COORDINATOR)
  }

  // Dropping

  #dropAndRetry(code: ErrorCode): void {
    this.#drop(code)
    this.#state = 'loading'
    const { clock } = this.#ports
    this.#timer = {
      at: clock.now() + this.#retryMs,
      timer: clock.at(clock.now() + this.#retryMs, () => {
        this.#timer = null
        this.#load()
      }),
    }
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX)
  }

  #drop(code: ErrorCode): void {
    this.#life++
    this.#machine?.close()
    this.#machine = null
    this.#timer?.timer.cancel()
    this.#timer = null
    this.#heldTimer?.cancel()
    this.#heldTimer = null
    this.#mailbox?.close()
    this.#mailbox = null
    this.#batch = []
    this.#held = []
    const waiters = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of waiters) reject(new ApiError(code))
  }

  // Turns

  /** Steps the machine through what has come in, and through what is due. */
  #turn(letters: readonly Letter<Command>[]): void {
    const { clock } = this.#ports
    const machine = this.#machine!
    const wallTimeMs = clock.wallTime()
    this.#carryOut(() => {
      for (const { ticket, command } of letters) {
        this.#apply(machine.step({ type: 'command', ticket, command, wallTimeMs }, clock.now()))
      }
      const now = clock.now()
      if (machine.deadline <= now) this.#apply(machine.step({ type: 'tick', wallTimeMs }, now))
    })
  }

  /** Does `work`, writes what it appended, and sets the timer; an append that fails ends the life of the machine. */
  #carryOut(work: () => void): void {
    try {
      work()
      this.#flush()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      const code = error.code
      const text = `cannot write to the partition (${errorName(code)}): dropping its state and loading it again`
      this.#logger.warn({ error: error.message, code: errorName(code) }, text)
      this.#dropAndRetry(code)
      return
    }
    this.#setTimer()
  }

  #apply(effects: readonly ShardEffect<Reply, Rec>[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case 'append':
          this.#append(effect.records, effect.atomic)
          break
        case 'reply':
          this.#answer(effect.ticket, waiter => waiter.resolve(effect.reply))
          break
        case 'refuse':
          this.#answer(effect.ticket, waiter => waiter.reject(new ApiError(effect.error)))
          break
        case 'log':
          this.#logger[effect.level](effect.fields, effect.message)
      }
    }
  }

  #setTimer(): void {
    const at = this.#machine!.deadline
    if (this.#timer !== null) {
      // An early wake-up is cheaper than moving the timer at every heartbeat.
      if (this.#timer.at <= at) return
      this.#timer.timer.cancel()
      this.#timer = null
    }
    if (at === Infinity) return
    const timer = this.#ports.clock.at(at, () => {
      this.#timer = null
      this.#turn([])
    })
    this.#timer = { at, timer }
  }

  // Appending

  #append(records: readonly Rec[], atomic: boolean): void {
    const bytesMax = this.#log.batchBytesMax
    if (atomic && this.#bytesWith(records) > bytesMax) this.#flush()
    for (const record of records) {
      if (!atomic && this.#bytesWith([record]) > bytesMax) this.#flush()
      this.#batchBytes = this.#bytesWith([record])
      this.#batch.push(record)
      this.#machine!.replay(record, { offset: this.#nextOffset++, producerId: -1 })
    }
  }

  /** The bytes of the batch with these records added. */
  #bytesWith(records: readonly Rec[]): number {
    if (this.#batch.length === 0) return batchBytes(records)
    let bytes = this.#batchBytes
    for (const [index, record] of records.entries()) bytes += recordBytes(record, this.#batch.length + index)
    return bytes
  }

  /** Writes the records that wait, as one batch. */
  #flush(): void {
    if (this.#batch.length === 0) return
    const timestamp = this.#ports.clock.wallTime()
    const records = this.#batch.map(({ key, value }) => ({ timestamp, key, value }))
    this.#batch = []
    const { lastOffset } = this.#log.append(buildBatch({ records, compression: this.#kind.compression }))
    if (lastOffset + 1 !== this.#nextOffset) {
      // Somebody else has written to the partition: what we replayed is not what the log says.
      const text = `the batch ended at offset ${lastOffset}, expected ${this.#nextOffset - 1}`
      throw new ApiError(ErrorCode.NOT_COORDINATOR, text)
    }
    this.#awaitCommit()
  }

  #awaitCommit(): void {
    const life = this.#life
    const endOffset = this.#nextOffset
    this.#log.whenCommitted(endOffset, () => {
      if (life !== this.#life || endOffset <= this.#committedOffset) return
      this.#committedOffset = endOffset
      this.#retryMs = RETRY_MS_MIN
      this.#release()
    })
  }

  // Answering

  /** Committed offsets do not go back, for nobody is told of them before they are committed. */
  #answer(ticket: Ticket, answer: (waiter: Waiter<Reply>) => void): void {
    if (this.#nextOffset <= this.#committedOffset) {
      this.#deliver(ticket, answer)
      return
    }
    const deadline = this.#ports.clock.now() + this.#kind.commitTimeoutMs
    this.#held.push({ endOffset: this.#nextOffset, deadline, ticket, answer })
    if (this.#heldTimer === null) this.#watchHeld()
  }

  #deliver(ticket: Ticket, answer: (waiter: Waiter<Reply>) => void): void {
    const waiter = this.#waiting.get(ticket)
    assert(waiter !== undefined, `ticket ${ticket} is answered twice`)
    this.#waiting.delete(ticket)
    answer(waiter)
  }

  /** Delivers the answers whose records are committed by now. */
  #release(): void {
    let count = 0
    for (const held of this.#held) {
      if (held.endOffset > this.#committedOffset) break
      count++
      this.#deliver(held.ticket, held.answer)
    }
    this.#held.splice(0, count)
    this.#watchHeld()
  }

  /** Gives up waiting for commits that take too long; the records stay, and may yet be committed. */
  #watchHeld(): void {
    this.#heldTimer?.cancel()
    this.#heldTimer = null
    const first = this.#held[0]
    if (first === undefined) return
    this.#heldTimer = this.#ports.clock.at(first.deadline, () => {
      const now = this.#ports.clock.now()
      const late = this.#held.findIndex(held => held.deadline > now)
      for (const { ticket } of this.#held.splice(0, late === -1 ? this.#held.length : late)) {
        this.#deliver(ticket, waiter => waiter.reject(new ApiError(ErrorCode.REQUEST_TIMED_OUT)))
      }
      this.#heldTimer = null
      this.#watchHeld()
    })
  }
}
