import type { Millis } from '../runtime/ports.js'
import type { OutboundCall } from './raft-types.js'

/** A call on its way. */
export interface CallUnderWay {
  readonly correlationId: number
  readonly nodeId: number
  readonly call: OutboundCall
  /** When it is given up. */
  readonly deadline: Millis
}

/**
 * At most one call to a node at a time; a node that failed is left alone for the retry backoff. A change of role
 * forgets all calls: answers to them mean nothing any more.
 */
export class Connections {
  readonly #requestTimeoutMs: Millis
  readonly #retryBackoffMs: Millis
  readonly #underWay = new Map<number, CallUnderWay>()
  readonly #backoffUntil = new Map<number, Millis>()
  #nextCorrelationId = 1

  constructor(requestTimeoutMs: Millis, retryBackoffMs: Millis) {
    this.#requestTimeoutMs = requestTimeoutMs
    this.#retryBackoffMs = retryBackoffMs
  }

  /** When the node can be called: `now` or earlier if at once. */
  readyAt(nodeId: number): Millis {
    const call = this.#underWay.get(nodeId)
    return Math.max(call?.deadline ?? 0, this.#backoffUntil.get(nodeId) ?? 0)
  }

  /** Whether a call to the node is under way and has not timed out. */
  isBusy(nodeId: number, now: Millis): boolean {
    const call = this.#underWay.get(nodeId)
    return call !== undefined && call.deadline > now
  }

  get isAnyUnderWay(): boolean {
    return this.#underWay.size > 0
  }

  /** Whether the last call to the node failed and its backoff is not over, or it did not answer in time. */
  isFailing(nodeId: number, now: Millis): boolean {
    const call = this.#underWay.get(nodeId)
    if (call !== undefined && call.deadline <= now) return true
    return (this.#backoffUntil.get(nodeId) ?? 0) > now
  }

  /** Notes a call; returns its correlation id. One that timed out before is forgotten. */
  begin(nodeId: number, call: OutboundCall, now: Millis): number {
    const correlationId = this.#nextCorrelationId++
    this.#underWay.set(nodeId, { correlationId, nodeId, call, deadline: now + this.#requestTimeoutMs })
    this.#backoffUntil.delete(nodeId)
    return correlationId
  }

  /** The call that this answer is for; undefined when nobody waits for it any more. */
  find(correlationId: number): CallUnderWay | undefined {
    for (const call of this.#underWay.values()) if (call.correlationId === correlationId) return call
    return undefined
  }

  /** The call is over. `ok`: the node can be called again at once. */
  end(call: CallUnderWay, ok: boolean, now: Millis): void {
    if (this.#underWay.get(call.nodeId) !== call) return
    this.#underWay.delete(call.nodeId)
    if (!ok) this.#backoffUntil.set(call.nodeId, now + this.#retryBackoffMs)
  }

  /** Gives up a call that did not come back in time, and leaves the node alone for a while. */
  giveUp(nodeId: number, now: Millis): void {
    const call = this.#underWay.get(nodeId)
    if (call !== undefined) this.end(call, false, now)
  }

  /** Leaves a node alone for longer than after a failed call. */
  backOff(nodeId: number, until: Millis): void {
    this.#backoffUntil.set(nodeId, until)
  }

  /** Forgets all calls; nodes that failed stay in their backoff. */
  reset(): void {
    this.#underWay.clear()
  }
}
