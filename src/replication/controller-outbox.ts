import type { Millis } from '../runtime/ports.js'

/** Something that the controller is to be told of a partition. */
export interface OutboxItem {
  readonly topicId: string
  readonly partition: number
}

/**
 * What is to be told to the controller, one item a partition, in the order in which it came: in one request at a time,
 * again and again until it is settled. When a request has failed, the next one waits for a while.
 */
export class ControllerOutbox<Item extends OutboxItem> {
  readonly #itemsMax: number
  readonly #waiting = new Map<string, Item>()
  /** What was sent and is not answered; null: nothing. */
  #sent: readonly Item[] | null = null
  #retryAt: Millis = Infinity

  /** itemsMax: how many go into one request */
  constructor(itemsMax: number) {
    this.#itemsMax = itemsMax
  }

  /** When `tick` is due; Infinity if it is not. */
  get deadline(): Millis {
    return this.#retryAt
  }

  get size(): number {
    return this.#waiting.size
  }

  /** What waits of this partition, be it sent or not. */
  waitingOf({ topicId, partition }: OutboxItem): Item | undefined {
    return this.#waiting.get(partitionKey(topicId, partition))
  }

  /** Puts an item at the end of the line; what waited of the partition makes room. */
  add(item: Item): void {
    this.remove(item)
    this.#waiting.set(partitionKey(item.topicId, item.partition), item)
  }

  remove({ topicId, partition }: OutboxItem): void {
    this.#waiting.delete(partitionKey(topicId, partition))
  }

  /** The request that was sent last is over: returns what was in it, which stays until it is removed. */
  over(): readonly Item[] {
    const sent = this.#sent ?? []
    this.#sent = null
    return sent
  }

  /** Nothing is sent before this. */
  retryAt(at: Millis): void {
    this.#retryAt = at
  }

  tick(now: Millis): void {
    if (now >= this.#retryAt) this.#retryAt = Infinity
  }

  /** What goes into the next request, if one may be sent now and there is anything; it counts as sent then. */
  take(): readonly Item[] | null {
    if (this.#sent !== null || this.#retryAt !== Infinity || this.#waiting.size === 0) return null
    const items: Item[] = []
    for (const item of this.#waiting.values()) {
      if (items.length === this.#itemsMax) break
      items.push(item)
    }
    this.#sent = items
    return items
  }
}

/** A partition as the key of a map. */
export function partitionKey(topicId: string, partition: number): string {
  return `${topicId}:${partition}`
}
