import { ApiError, ErrorCode } from '#protocol/errors.js'

/** A block of producer ids that this broker may hand out. */
export interface ProducerIdBlock {
  readonly producerIdStart: number
  readonly producerIdLen: number
}

/** Part of a block that may be used up before the next one is asked for. */
const prefetchAt = 0.9

/** Hands out producer ids, one at a time, of blocks that the controller gives; no two callers ever get the same. */
export class ProducerIdBlocks {
  readonly #allocate: () => Promise<ProducerIdBlock>
  readonly #onFailure: (error: unknown) => void
  #next = 0
  #end = 0
  /** Ask for the next block when this id is handed out. */
  #prefetch = 0
  #nextBlock: ProducerIdBlock | null = null
  #underway: Promise<boolean> | null = null

  /** `allocate` asks the controller (AllocateProducerIds) for a block; it may reject, which `onFailure` is told. */
  constructor(allocate: () => Promise<ProducerIdBlock>, onFailure: (error: unknown) => void) {
    this.#allocate = allocate
    this.#onFailure = onFailure
  }

  /**
   * A fresh producer id. Rejects with COORDINATOR_LOAD_IN_PROGRESS, on which clients try again, when the controller
   * gives none.
   */
  async next(): Promise<number> {
    // Others may have taken a whole block while this one waited; a thousand a round, so this ends.
    while (this.#next === this.#end) {
      if (this.#nextBlock !== null) {
        this.#use(this.#nextBlock)
        continue
      }
      if (!(await this.#fetch())) throw new ApiError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    }
    const id = this.#next++
    // Nobody waits for it: if it fails, it is asked for again with the next id.
    if (id >= this.#prefetch && this.#nextBlock === null) void this.#fetch()
    return id
  }

  #use({ producerIdStart, producerIdLen }: ProducerIdBlock): void {
    this.#nextBlock = null
    this.#next = producerIdStart
    this.#end = producerIdStart + producerIdLen
    this.#prefetch = producerIdStart + Math.floor(producerIdLen * prefetchAt)
  }

  /** Whether there is a next block then. */
  #fetch(): Promise<boolean> {
    this.#underway ??= this.#allocate()
      .then(block => {
        if (block.producerIdLen <= 0) throw new Error('an empty block of producer ids')
        this.#nextBlock = block
        return true
      })
      .catch((error: unknown) => {
        this.#onFailure(error)
        return false
      })
      .finally(() => {
        this.#underway = null
      })
    return this.#underway
  }
}
