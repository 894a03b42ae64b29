import { ErrorCode } from '#protocol/errors.js'
import type { AlterPartitionRequest, AlterPartitionResponse } from '#protocol/messages/alter-partition.js'
import type { Machine } from '../runtime/machine.js'
import type { Millis } from '../runtime/ports.js'
import { ControllerOutbox, partitionKey } from './controller-outbox.js'
import type { IsrAnswer } from './isr.js'

/** A change of in-sync replicas on its way to the controller. */
export interface IsrChange {
  readonly topicId: string
  readonly partition: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  /** With the epoch of each broker's registration, -1 where that is not known. */
  readonly isr: readonly { readonly brokerId: number; readonly brokerEpoch: number }[]
}

export type AlterPartitionEvent =
  | { readonly type: 'submit'; readonly change: IsrChange }
  /** The controller answered what was sent last. */
  | { readonly type: 'answer'; readonly response: AlterPartitionResponse }
  /** It could not be asked. */
  | { readonly type: 'failure' }
  | { readonly type: 'tick' }

export type AlterPartitionEffect =
  | { readonly type: 'send'; readonly request: Omit<AlterPartitionRequest, 'brokerId' | 'brokerEpoch'> }
  /** What became of a change. */
  | { readonly type: 'settle'; readonly change: IsrChange; readonly answer: IsrAnswer }
  /** The whole request was refused. */
  | { readonly type: 'report'; readonly errorCode: number }
  /** The answer says nothing of a change that was sent. */
  | { readonly type: 'missing'; readonly change: IsrChange }

/** How long after a failure the same is sent again, as in Kafka; twice as long after each further one, up to …, ms. */
export const RETRY_MS_MIN: Millis = 50
export const RETRY_MS_MAX: Millis = 1000

/** Changes in one request. */
const BATCH_MAX = 10_000

/**
 * Changes of in-sync replicas of all partitions that this broker leads, on their way to the controller: one request at
 * a time, with everything that waits, sent until it is answered. A change stays here until the controller has answered
 * it; meanwhile another one for the same partition is answered with OPERATION_NOT_ATTEMPTED.
 */
export class AlterPartitionQueue implements Machine<AlterPartitionEvent, AlterPartitionEffect> {
  readonly #outbox = new ControllerOutbox<IsrChange>(BATCH_MAX)
  #retryMs = RETRY_MS_MIN

  get deadline(): Millis {
    return this.#outbox.deadline
  }

  get size(): number {
    return this.#outbox.size
  }

  step(event: AlterPartitionEvent, now: Millis): readonly AlterPartitionEffect[] {
    const effects: AlterPartitionEffect[] = []
    switch (event.type) {
      case 'submit':
        this.#submit(event.change, effects)
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
    const changes = this.#outbox.take()
    if (changes !== null) effects.push({ type: 'send', request: requestOf(changes) })
    return effects
  }

  #submit(change: IsrChange, effects: AlterPartitionEffect[]): void {
    if (this.#outbox.waitingOf(change) !== undefined) {
      effects.push({ type: 'settle', change, answer: failure(ErrorCode.OPERATION_NOT_ATTEMPTED) })
    } else this.#outbox.add(change)
  }

  #later(now: Millis): void {
    this.#outbox.retryAt(now + this.#retryMs)
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX)
  }

  #answer(response: AlterPartitionResponse, effects: AlterPartitionEffect[], now: Millis): void {
    const sent = this.#outbox.over()
    if (response.errorCode !== ErrorCode.NONE) {
      effects.push({ type: 'report', errorCode: response.errorCode })
      this.#later(now)
      return
    }
    const answers = new Map<string, IsrAnswer>()
    for (const { topicId, partitions } of response.topics) {
      for (const partition of partitions) answers.set(partitionKey(topicId, partition.partitionIndex), partition)
    }
    let isComplete = true
    for (const change of sent) {
      const answer = answers.get(partitionKey(change.topicId, change.partition))
      // What the answer does not name is sent again.
      if (answer === undefined) {
        effects.push({ type: 'missing', change })
        isComplete = false
        continue
      }
      this.#outbox.remove(change)
      effects.push({ type: 'settle', change, answer })
    }
    if (isComplete) this.#retryMs = RETRY_MS_MIN
    else this.#later(now)
  }
}

type AlteredPartition = AlterPartitionRequest['topics'][number]['partitions'][number]

function requestOf(changes: readonly IsrChange[]): Omit<AlterPartitionRequest, 'brokerId' | 'brokerEpoch'> {
  const topics = new Map<string, AlteredPartition[]>()
  for (const change of changes) {
    const partitions = topics.get(change.topicId) ?? []
    topics.set(change.topicId, partitions)
    partitions.push({
      partitionIndex: change.partition,
      leaderEpoch: change.leaderEpoch,
      newIsr: change.isr.map(({ brokerId }) => brokerId),
      newIsrWithEpochs: change.isr.map(member => ({ ...member })),
      // A leader counts as recovered from the moment in which it leads.
      leaderRecoveryState: 0,
      partitionEpoch: change.partitionEpoch,
    })
  }
  return { topics: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })) }
}

function failure(errorCode: number): IsrAnswer {
  return { errorCode, leaderEpoch: -1, partitionEpoch: -1, isr: [] }
}
