import { ErrorCode } from '#protocol/errors.js'
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '#protocol/messages/assign-replicas-to-dirs.js'
import type { Machine } from '../runtime/machine.js'
import type { Millis } from '../runtime/ports.js'
import { ControllerOutbox, partitionKey } from './controller-outbox.js'

/** A replica of this broker is in a log directory, which the controller is to be told. */
export interface DirectoryAssignment {
  readonly topicId: string
  readonly partition: number
  readonly directoryId: string
}

export type AssignmentEvent =
  | { readonly type: 'assign'; readonly assignment: DirectoryAssignment }
  | { readonly type: 'answer'; readonly response: AssignReplicasToDirsResponse }
  | { readonly type: 'failure' }
  | { readonly type: 'tick' }

export type AssignmentEffect =
  | { readonly type: 'send'; readonly request: Omit<AssignReplicasToDirsRequest, 'brokerId' | 'brokerEpoch'> }
  /** The controller knows it. */
  | { readonly type: 'settled'; readonly assignment: DirectoryAssignment }
  /** It is of no interest any more: the replica is elsewhere, or gone. */
  | { readonly type: 'dropped'; readonly assignment: DirectoryAssignment }
  /** The whole request was refused. */
  | { readonly type: 'report'; readonly errorCode: number }
  /** The controller has not taken this one, or (null) said nothing of it: it is told again. */
  | { readonly type: 'failed'; readonly assignment: DirectoryAssignment; readonly errorCode: number | null }

/** Assignments in one request. */
const BATCH_MAX = 2250
const RETRY_MS_MIN: Millis = 100
const RETRY_MS_MAX: Millis = 10_000

/**
 * Tells the controller in which directories replicas are (KIP-858): one request at a time, of a replica only where it
 * is now, again and again until the controller has taken it.
 */
export class DirectoryAssignments implements Machine<AssignmentEvent, AssignmentEffect> {
  readonly #outbox = new ControllerOutbox<DirectoryAssignment>(BATCH_MAX)
  #retryMs: Millis = RETRY_MS_MIN

  get deadline(): Millis {
    return this.#outbox.deadline
  }

  get size(): number {
    return this.#outbox.size
  }

  step(event: AssignmentEvent, now: Millis): readonly AssignmentEffect[] {
    const effects: AssignmentEffect[] = []
    switch (event.type) {
      case 'assign':
        this.#assign(event.assignment, effects)
        break
      case 'answer':
        this.#answer(event.response, effects, now)
        break
      case 'failure':
        this.#outbox.over()
        this.#later(now)
        break
      case 'tick':
        this.#outbox.tick(now)
        break
    }
    const assignments = this.#outbox.take()
    if (assignments !== null) effects.push({ type: 'send', request: requestOf(assignments) })
    return effects
  }

  #assign(assignment: DirectoryAssignment, effects: AssignmentEffect[]): void {
    const before = this.#outbox.waitingOf(assignment)
    if (before !== undefined) effects.push({ type: 'dropped', assignment: before })
    this.#outbox.add(assignment)
  }

  #later(now: Millis): void {
    this.#outbox.retryAt(now + this.#retryMs)
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX)
  }

  #answer(response: AssignReplicasToDirsResponse, effects: AssignmentEffect[], now: Millis): void {
    const sent = this.#outbox.over()
    if (response.errorCode !== ErrorCode.NONE) {
      effects.push({ type: 'report', errorCode: response.errorCode })
      this.#later(now)
      return
    }
    const codes = new Map<string, number>()
    for (const { id, topics } of response.directories) {
      for (const { topicId, partitions } of topics) {
        for (const { partitionIndex, errorCode } of partitions) {
          codes.set(`${partitionKey(topicId, partitionIndex)}:${id}`, errorCode)
        }
      }
    }
    let isComplete = true
    for (const assignment of sent) {
      const { topicId, partition, directoryId } = assignment
      const code = codes.get(`${partitionKey(topicId, partition)}:${directoryId}`)
      if (code === undefined || !SETTLED.has(code)) {
        isComplete = false
        effects.push({ type: 'failed', assignment, errorCode: code ?? null })
      } else {
        // Meanwhile the replica may have gone elsewhere.
        if (this.#outbox.waitingOf(assignment) !== assignment) continue
        this.#outbox.remove(assignment)
        effects.push({ type: code === ErrorCode.NONE ? 'settled' : 'dropped', assignment })
      }
    }
    if (isComplete) this.#retryMs = RETRY_MS_MIN
    else this.#later(now)
  }
}

/** Answers after which there is nothing more to say: it is known, or there is no such replica any more. */
const SETTLED: ReadonlySet<number> = new Set([
  ErrorCode.NONE,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
])

function requestOf(
  assignments: readonly DirectoryAssignment[],
): Omit<AssignReplicasToDirsRequest, 'brokerId' | 'brokerEpoch'> {
  const directories = new Map<string, Map<string, { partitionIndex: number }[]>>()
  for (const { topicId, partition, directoryId } of assignments) {
    const topics = directories.get(directoryId) ?? new Map<string, { partitionIndex: number }[]>()
    directories.set(directoryId, topics)
    const partitions = topics.get(topicId) ?? []
    topics.set(topicId, partitions)
    partitions.push({ partitionIndex: partition })
  }
  return {
    directories: [...directories].map(([id, topics]) => ({
      id,
      topics: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })),
    })),
  }
}
