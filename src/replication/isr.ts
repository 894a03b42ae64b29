import { strict as assert } from 'node:assert'
import { ErrorCode } from '#protocol/errors.js'

/** A set of in-sync replicas that the leader asks the controller for. */
export interface IsrProposal {
  readonly isr: readonly number[]
  readonly leaderEpoch: number
  /** Of the state that the proposal changes. */
  readonly partitionEpoch: number
}

/** What the controller said to a proposal. */
export interface IsrAnswer {
  readonly errorCode: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly isr: readonly number[]
}

/**
 * What became of a proposal:
 * - committed: these are the in-sync replicas now;
 * - rolled back: it does not hold, and another one may be made;
 * - waiting: the metadata will say what holds; until then it counts as if it might;
 * - retry: it is to be sent again;
 * - superseded: the answer is to something that is over.
 */
export type IsrOutcome = 'committed' | 'rolled back' | 'waiting' | 'retry' | 'superseded'

/** Answers after which the proposal is neither true nor false until the metadata says so. */
const WAITING: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.INVALID_UPDATE_VERSION,
  ErrorCode.INVALID_REQUEST,
  ErrorCode.NEW_LEADER_ELECTED,
])

/**
 * The in-sync replicas of a partition as its leader knows them, and the one change of them that may be under way.
 *
 *   committed {1,2}    proposed {1,2,3}   maximal {1,2,3}   a record needs 3 as well: it may be in sync already
 *   committed {1,2,3}  proposed {1,2}     maximal {1,2,3}   a record needs 3 still: it may be in sync for long
 *
 * The high watermark goes by the maximal set, so that whoever the controller may elect has all that was acknowledged.
 */
export class IsrState {
  leaderEpoch: number
  partitionEpoch: number
  #committed: readonly number[]
  #members: ReadonlySet<number>
  #maximal: ReadonlySet<number>
  #pending: IsrProposal | null = null

  constructor(isr: readonly number[], leaderEpoch: number, partitionEpoch: number) {
    this.leaderEpoch = leaderEpoch
    this.partitionEpoch = partitionEpoch
    this.#committed = isr
    this.#members = new Set(isr)
    this.#maximal = this.#members
  }

  get committed(): readonly number[] {
    return this.#committed
  }

  get pending(): IsrProposal | null {
    return this.#pending
  }

  /** Whether the replica is in sync for sure. */
  has(id: number): boolean {
    return this.#members.has(id)
  }

  /** Whether it is or may be. */
  mayHave(id: number): boolean {
    return this.#maximal.has(id)
  }

  get maximalSize(): number {
    return this.#maximal.size
  }

  /** Begins a change; there must be none under way. */
  propose(isr: readonly number[]): IsrProposal {
    assert(this.#pending === null, 'the ISR has all that is committed: a change of it is under way')
    const proposal = { isr, leaderEpoch: this.leaderEpoch, partitionEpoch: this.partitionEpoch }
    this.#pending = proposal
    this.#maximal = new Set([...this.#committed, ...isr])
    return proposal
  }

  /** Takes the answer to a proposal. */
  settle(proposal: IsrProposal, answer: IsrAnswer): IsrOutcome {
    if (this.#pending !== proposal) return 'superseded'
    const { errorCode } = answer
    if (errorCode === ErrorCode.NONE) {
      if (answer.leaderEpoch !== this.leaderEpoch || answer.partitionEpoch < this.partitionEpoch) return 'waiting'
      this.#commit(answer.isr, answer.leaderEpoch, answer.partitionEpoch)
      return 'committed'
    }
    if (errorCode === ErrorCode.OPERATION_NOT_ATTEMPTED || errorCode === ErrorCode.INELIGIBLE_REPLICA) {
      this.#pending = null
      this.#maximal = this.#members
      return 'rolled back'
    }
    return WAITING.has(errorCode) ? 'waiting' : 'retry'
  }

  /**
   * The metadata says what holds. A state that is known already (the answer to a proposal came first) leaves a change
   * that builds on it alone: it may yet be committed.
   */
  learn(isr: readonly number[], leaderEpoch: number, partitionEpoch: number): void {
    if (leaderEpoch === this.leaderEpoch && partitionEpoch <= this.partitionEpoch) return
    this.#commit(isr, leaderEpoch, partitionEpoch)
  }

  #commit(isr: readonly number[], leaderEpoch: number, partitionEpoch: number): void {
    this.leaderEpoch = leaderEpoch
    this.partitionEpoch = partitionEpoch
    this.#committed = isr
    this.#members = new Set(isr)
    this.#maximal = this.#members
    this.#pending = null
  }
}
