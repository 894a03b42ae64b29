import type { ApiError } from '#protocol/errors.js'
import type { Parkable, ParkingPlace } from '../runtime/parked.js'
import type { Millis } from '../runtime/ports.js'
import type { Partition } from './partition.js'
import { apiError } from './replication-error.js'

/** DeleteRecords requests that wait until the logs of all replicas begin where they shall. */
export class DelayedDeletions {
  readonly #parking: ParkingPlace
  readonly #waiting = new Map<Partition, Set<DelayedDeletion>>()

  constructor(parking: ParkingPlace) {
    this.#parking = parking
  }

  /** Resolves with the low watermark once it is `offset` or more; rejects with ApiError. */
  wait(partition: Partition, offset: number, deadline: Millis): Promise<number> {
    return new Promise((resolve, reject) => {
      const deletion = new DelayedDeletion(offset, deadline, resolve, reject, () => this.#forget(partition, deletion))
      if (!this.#parking.park(deletion)) return reject(apiError('REQUEST_TIMED_OUT'))
      const others = this.#waiting.get(partition)
      if (others === undefined) this.#waiting.set(partition, new Set([deletion]))
      else others.add(deletion)
    })
  }

  /** A replica's log begins later now, or the partition is no longer led here, or its directory has failed. */
  onMoved(partition: Partition): void {
    const waiting = this.#waiting.get(partition)
    if (waiting === undefined) return
    const { lowWatermark, isLeader, isOffline } = partition
    for (const deletion of [...waiting]) {
      if (isOffline) deletion.fail(apiError('KAFKA_STORAGE_ERROR'))
      else if (!isLeader) deletion.fail(apiError('NOT_LEADER_OR_FOLLOWER'))
      else if (lowWatermark >= deletion.offset) deletion.succeed(lowWatermark)
    }
  }

  /** The same for all that are waited for. */
  onAllMoved(): void {
    for (const partition of [...this.#waiting.keys()]) this.onMoved(partition)
  }

  #forget(partition: Partition, deletion: DelayedDeletion): void {
    this.#parking.leave(deletion)
    const waiting = this.#waiting.get(partition)
    waiting?.delete(deletion)
    if (waiting?.size === 0) this.#waiting.delete(partition)
  }
}

class DelayedDeletion implements Parkable {
  readonly offset: number
  readonly deadline: Millis
  parkedAt = -1
  readonly #resolve: (lowWatermark: number) => void
  readonly #reject: (error: ApiError) => void
  readonly #forget: () => void

  constructor(
    offset: number,
    deadline: Millis,
    resolve: (lowWatermark: number) => void,
    reject: (error: ApiError) => void,
    forget: () => void,
  ) {
    this.offset = offset
    this.deadline = deadline
    this.#resolve = resolve
    this.#reject = reject
    this.#forget = forget
  }

  succeed(lowWatermark: number): void {
    this.#forget()
    this.#resolve(lowWatermark)
  }

  fail(error: ApiError): void {
    this.#forget()
    this.#reject(error)
  }

  onDeadline(): void {
    this.fail(apiError('REQUEST_TIMED_OUT'))
  }
}
