import { ErrorCode } from '#protocol/errors.js'
import type { Reply } from '../handlers/raw-handler.js'
import type { Parkable, ParkingPlace } from '../runtime/parked.js'
import type { Millis } from '../runtime/ports.js'
import type { OffsetWaiter } from './offset-waiters.js'
import type { Partition } from './partition.js'
import { mendCode } from './produce-reply.js'

/**
 * A Produce request that is answered later: when all in-sync replicas have its records (acks=all), or when they are on
 * the device (`flush.messages`). The answer is written already and is mended where a partition fails.
 */
export class DelayedProduce implements Parkable {
  readonly deadline: Millis
  parkedAt = -1
  readonly #parking: ParkingPlace
  readonly #reply: Reply
  readonly #frame: Buffer
  readonly #parts: DelayedPartition[] = []
  #left = 0
  #isDone = false

  constructor(parking: ParkingPlace, reply: Reply, frame: Buffer, deadline: Millis) {
    this.#parking = parking
    this.#reply = reply
    this.#frame = frame
    this.deadline = deadline
  }

  /**
   * The records before `endOffset` of a partition, whose error code stands at `errorAt` of the answer, are waited for.
   */
  add(partition: Partition, endOffset: number, errorAt: number, needsAll: boolean): void {
    this.#parts.push(new DelayedPartition(this, partition, endOffset, errorAt, needsAll))
    this.#left++
  }

  /** Begins to wait. */
  start(): void {
    for (const part of this.#parts) part.start()
    if (this.#isDone) return
    // Without a place to wait in, there is no deadline either: the records are in the log, and an answer will come.
    this.#parking.park(this)
  }

  onPartDone(): void {
    if (--this.#left === 0) this.#finish()
  }

  mend(errorAt: number, code: number): void {
    mendCode(this.#frame, errorAt, code)
  }

  onDeadline(): void {
    for (const part of this.#parts) part.expire()
  }

  #finish(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#parking.leave(this)
    this.#reply.send([this.#frame])
  }
}

class DelayedPartition implements OffsetWaiter {
  readonly endOffset: number
  readonly #produce: DelayedProduce
  readonly #partition: Partition
  readonly #errorAt: number
  readonly #needsAll: boolean
  #isDone = false

  constructor(produce: DelayedProduce, partition: Partition, endOffset: number, errorAt: number, needsAll: boolean) {
    this.#produce = produce
    this.#partition = partition
    this.endOffset = endOffset
    this.#errorAt = errorAt
    this.#needsAll = needsAll
  }

  get isOver(): boolean {
    return this.#isDone
  }

  start(): void {
    if (this.#needsAll) this.#partition.whenCommitted(this)
    else this.#partition.whenSynced(this)
  }

  onReached(): void {
    const isShort = this.#needsAll && this.#partition.leader?.isSurelyUnderMinInsync === true
    this.#settle(isShort ? ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND : ErrorCode.NONE)
  }

  onLost(code: ErrorCode): void {
    this.#settle(code)
  }

  expire(): void {
    this.#settle(ErrorCode.REQUEST_TIMED_OUT)
  }

  #settle(code: ErrorCode): void {
    if (this.#isDone) return
    this.#isDone = true
    if (code !== ErrorCode.NONE) this.#produce.mend(this.#errorAt, code)
    this.#produce.onPartDone()
  }
}
