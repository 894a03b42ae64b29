import type { FollowState } from './followed-replica.js'

/** The next fetch of a session: everything, or what has changed since the last one. */
export interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly named: readonly FollowState[]
  readonly forgotten: readonly SessionPartition[]
}

export interface SessionPartition {
  readonly topicId: string
  readonly index: number
}

const NO_SESSION = 0
/** The epoch of a fetch that names everything and asks for a new session. */
const INITIAL_EPOCH = 0
const EPOCH_MAX = 0x7fffffff

/**
 * A follower's side of a fetch session (KIP-227). The leader remembers what is fetched; a request names what is new,
 * fetched from elsewhere, or not wanted any more. So a request costs what has changed, not what there is.
 */
export class FollowerSession {
  #sessionId = NO_SESSION
  #epoch = INITIAL_EPOCH
  /** By topic id, then by partition number. */
  readonly #topics = new Map<string, Map<number, FollowState>>()
  /** What the leader fetches for this follower. */
  readonly #members = new Set<FollowState>()
  readonly #changed = new Set<FollowState>()
  /** What the session has and nobody wants, by topic id and partition. */
  readonly #forgotten = new Map<string, SessionPartition>()

  /** The request under way names everything. */
  get isFull(): boolean {
    return this.#epoch === INITIAL_EPOCH
  }

  add(state: FollowState): void {
    const { topicId, index } = state.replica
    let topic = this.#topics.get(topicId)
    if (topic === undefined) this.#topics.set(topicId, (topic = new Map()))
    topic.set(index, state)
  }

  remove(state: FollowState): void {
    const { topicId, index } = state.replica
    const topic = this.#topics.get(topicId)
    if (topic?.get(index) === state) topic.delete(index)
    if (topic?.size === 0) this.#topics.delete(topicId)
    this.#drop(state)
  }

  #drop(state: FollowState): void {
    this.#changed.delete(state)
    if (!this.#members.delete(state)) return
    state.isInSession = false
    const { topicId, index } = state.replica
    this.#forgotten.set(keyOf(state), { topicId, index })
  }

  find(topicId: string, index: number): FollowState | undefined {
    return this.#topics.get(topicId)?.get(index)
  }

  /** How the state of a replica stands to the session; `isWanted`: it is to be fetched. */
  update(state: FollowState, isWanted: boolean): void {
    if (!isWanted) this.#drop(state)
    else if (state.differs) this.#changed.add(state)
  }

  /** The leader begins or goes on with the session; 0: it has no room for one. */
  answered(sessionId: number): void {
    this.#sessionId = sessionId
    if (sessionId === NO_SESSION) this.#epoch = INITIAL_EPOCH
    else this.#epoch = this.#epoch === EPOCH_MAX ? 1 : this.#epoch + 1
  }

  /** The next request names everything; a session that there was is closed by it. */
  reset(): void {
    this.#epoch = INITIAL_EPOCH
  }

  /** The next request; null if there is nothing to fetch. What it names is taken for sent. */
  next(): SessionRequest | null {
    if (this.isFull) {
      for (const state of this.#members) this.#changed.add(state)
      this.#forgotten.clear()
    }
    const named = [...this.#changed]
    this.#changed.clear()
    for (const state of named) {
      // What it has of an earlier time is said anew.
      this.#forgotten.delete(keyOf(state))
      this.#members.add(state)
      state.markSent()
    }
    if (this.#members.size === 0) return null
    const forgotten = [...this.#forgotten.values()]
    this.#forgotten.clear()
    return { sessionId: this.#sessionId, sessionEpoch: this.#epoch, named, forgotten }
  }
}

function keyOf({ replica }: FollowState): string {
  return `${replica.index}:${replica.topicId}`
}
