import { ErrorCode } from '#protocol/errors.js'
import type { Channel } from '../handlers/raw-handler.js'
import type { Partition } from './partition.js'
import { mendFailed } from './produce-reply.js'

/**
 * Records that were gathered in this turn, and the answers that were written as if they were in their logs already. At
 * the end of the turn each log writes once; then the answers go out. Where a write fails they are mended before that.
 *
 *   gather t-0 [answer] | gather t-1 [answer] | gather t-0 [answer] | write t-0, t-1 | (mend) | answers go out
 */
export class GatheredAppends {
  readonly #onError: (partition: Partition, error: unknown) => void
  readonly #partitions: Partition[] = []

  /** The answers, as parallel lists that are used again. `target` null: acks=0, there is none. */
  #count = 0
  readonly #owners: Partition[] = []
  readonly #ends: number[] = []
  readonly #targets: (Buffer | null)[] = []
  readonly #errorsAt: number[] = []
  readonly #versions: number[] = []
  readonly #channels: Channel[] = []

  constructor(onError: (partition: Partition, error: unknown) => void) {
    this.#onError = onError
  }

  get isEmpty(): boolean {
    return this.#partitions.length === 0
  }

  /** The partition has gathered records. */
  mark(partition: Partition): void {
    partition.isGathered = true
    this.#partitions.push(partition)
  }

  /** An answer that says that the records of `partition` before `endOffset` are in its log. */
  note(
    partition: Partition,
    endOffset: number,
    target: Buffer | null,
    errorAt: number,
    version: number,
    channel: Channel,
  ): void {
    const i = this.#count++
    this.#owners[i] = partition
    this.#ends[i] = endOffset
    this.#targets[i] = target
    this.#errorsAt[i] = errorAt
    this.#versions[i] = version
    this.#channels[i] = channel
  }

  /** Writes everything. */
  write(): void {
    const partitions = this.#partitions
    if (partitions.length === 0) return
    let failed = false
    for (let i = 0; i < partitions.length; i++) {
      const partition = partitions[i]!
      partition.isGathered = false
      try {
        partition.write()
      } catch (error) {
        failed = true
        this.#onError(partition, error)
      }
      // A write that was due earlier in the turn may have failed then.
      failed ||= partition.log.failure !== null
    }
    partitions.length = 0
    if (failed) this.#mend()
    this.#forget()
  }

  #mend(): void {
    for (let i = 0; i < this.#count; i++) {
      const partition = this.#owners[i]!
      if (this.#ends[i]! <= partition.log.logEndOffset) continue
      const target = this.#targets[i]!
      if (target !== null) mendFailed(target, this.#errorsAt[i]!, this.#versions[i]!, ErrorCode.KAFKA_STORAGE_ERROR)
      else this.#channels[i]!.refuse(`records of ${partition.name}, sent with acks=0, could not be written`)
    }
  }

  /** Lets go of what the lists refer to, once in a while of the lists themselves. */
  #forget(): void {
    if (this.#count > KEPT_MAX) {
      this.#owners.length = 0
      this.#targets.length = 0
      this.#channels.length = 0
    }
    this.#count = 0
  }
}

/** Entries that the lists may keep after a turn. */
const KEPT_MAX = 4096
