import { ErrorCode } from '#protocol/errors.js'
import type { AlterPartitionRequest, AlterPartitionResponse } from '#protocol/messages/alter-partition.js'
import type { Machine } from '../runtime/machine.js'
import type { Millis } from '../runtime/ports.js'
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

/** How long after a failure the same is sent again, ms. */
const RETRY_MS: Millis = 50

/** Changes in one request. */
const BATCH_MAX = 10_000

/**
 * Changes of in-sync replicas of all partitions that this broker leads, on their way to the controller: one request at
 * a time, with everything that waits, sent until it is answered. A change stays here until the controller has answered
 * it; meanwhile another one for the same partition is answered with OPERATION_NOT_ATTEMPTED.
 */
export class AlterPartitionQueue implements Machine<AlterPartitionEvent, AlterPartitionEffect> {
  readonly #waiting = new Map<string, IsrChange>()
  /** What was sent and is not answered; null: nothing. */
  #sent: readonly IsrChange[] | null = null
  #retryAt: Millis = Infinity

  get deadline(): Millis {
    return this.#retryAt
  }

  get size(): number {
    return this.#waiting.size
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
        this.#sent = null
        this.#retryAt = now + RETRY_MS
        break
      case 'tick':
        if (now >= this.#retryAt) this.#retryAt = Infinity
        break
    }
    if (this.#sent === null && this.#retryAt === Infinity && this.#waiting.size > 0) effects.push(this.#send())
    return effects
  }

  #submit(change: IsrChange, effects: AlterPartitionEffect[]): void {
    const key = keyOf(change.topicId, change.partition)
    if (this.#waiting.has(key)) {
      effects.push({ type: 'settle', change, answer: failure(ErrorCode.OPERATION_NOT_ATTEMPTED) })
    } else this.#waiting.set(key, change)
  }

  #answer(response: AlterPartitionResponse, effects: AlterPartitionEffect[], now: Millis): void {
    const sent = this.#sent ?? []
    this.#sent = null
    if (response.errorCode !== ErrorCode.NONE) {
      effects.push({ type: 'report', errorCode: response.errorCode })
      this.#retryAt = now + RETRY_MS
      return
    }
    const answers = new Map<string, IsrAnswer>()
    for (const { topicId, partitions } of response.topics) {
      for (const partition of partitions) answers.set(keyOf(topicId, partition.partitionIndex), partition)
    }
    for (const change of sent) {
      const key = keyOf(change.topicId, change.partition)
      const answer = answers.get(key)
      // What the answer does not name is sent again.
      if (answer === undefined) {
        this.#retryAt = now + RETRY_MS
        continue
      }
      this.#waiting.delete(key)
      effects.push({ type: 'settle', change, answer })
    }
  }

  #send(): AlterPartitionEffect {
    const sent: IsrChange[] = []
    const topics = new Map<string, AlterPartitionRequest['topics'][number]['partitions'][number][]>()
    for (const change of this.#waiting.values()) {
      if (sent.length === BATCH_MAX) break
      sent.push(change)
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
    this.#sent = sent
    return {
      type: 'send',
      request: { topics: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })) },
    }
  }
}

function keyOf(topicId: string, partition: number): string {
  return `${topicId}:${partition}`
}

function failure(errorCode: number): IsrAnswer {
  return { errorCode, leaderEpoch: -1, partitionEpoch: -1, isr: [] }
}
