import type { Millis } from '../runtime/ports.js'

/** A wake-up that can be set, moved and cleared, and says what is due. One object for the life of what it watches. */
export interface Alarm<Due> {
  readonly due: Due
  /** When it goes off; Infinity when it is not set. */
  at: Millis
  /** The earliest of its places in the queue; Infinity when it has none. */
  queuedAt: Millis
}

export function alarm<Due>(due: Due): Alarm<Due> {
  return { due, at: Infinity, queuedAt: Infinity }
}

interface Place<Due> {
  readonly alarm: Alarm<Due>
  readonly at: Millis
  /** Lets alarms of one time go off in the same order every time. */
  readonly order: number
}

/** So many stale places are kept before they are swept out. */
const STALE_PLACES_MIN = 64

/**
 * The deadlines of a machine: a heap whose entries may be stale. Moving an alarm to a later time, which is what every
 * heartbeat does, costs nothing: its old place comes up first and is then put where it belongs.
 */
export class Deadlines<Due> {
  #heap: Place<Due>[] = []
  #order = 0
  /** Alarms that are set. */
  #set = 0

  /** How many alarms are set. */
  get size(): number {
    return this.#set
  }

  /** Sets the alarm, or moves it. */
  set(alarm: Alarm<Due>, at: Millis): void {
    if (alarm.at === Infinity) this.#set++
    alarm.at = at
    if (at < alarm.queuedAt) this.#push(alarm, at)
    if (this.#heap.length > STALE_PLACES_MIN && this.#heap.length > 4 * this.#set) this.#sweep()
  }

  /** The alarm will not go off; no effect if it is not set. */
  clear(alarm: Alarm<Due>): void {
    if (alarm.at === Infinity) return
    alarm.at = Infinity
    this.#set--
  }

  /** When the next alarm goes off; Infinity if none is set. */
  get next(): Millis {
    for (;;) {
      const top = this.#heap[0]
      if (top === undefined) return Infinity
      if (top.at === top.alarm.at && top.at === top.alarm.queuedAt) return top.at
      this.#pop()
      // Of several places of one alarm only the earliest counts; the others vanish when they come up.
      if (top.at !== top.alarm.queuedAt) continue
      top.alarm.queuedAt = Infinity
      if (top.alarm.at !== Infinity) this.#push(top.alarm, top.alarm.at)
    }
  }

  /** Takes the next alarm that is due at `now`, which is then no longer set. */
  takeDue(now: Millis): Due | null {
    if (this.next > now) return null
    const { alarm } = this.#pop()!
    alarm.at = Infinity
    alarm.queuedAt = Infinity
    this.#set--
    return alarm.due
  }

  #push(alarm: Alarm<Due>, at: Millis): void {
    alarm.queuedAt = at
    const heap = this.#heap
    const place = { alarm, at, order: this.#order++ }
    let index = heap.push(place) - 1
    while (index > 0) {
      const above = (index - 1) >> 1
      if (!isBefore(place, heap[above]!)) break
      heap[index] = heap[above]!
      index = above
    }
    heap[index] = place
  }

  #pop(): Place<Due> | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return top
    let index = 0
    for (;;) {
      let below = 2 * index + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      if (!isBefore(heap[below]!, last)) break
      heap[index] = heap[below]!
      index = below
    }
    heap[index] = last
    return top
  }

  /** Drops the places of alarms that are not set or have moved, so that the heap stays as small as what it watches. */
  #sweep(): void {
    const places = this.#heap.filter(({ alarm, at }) => at === alarm.queuedAt)
    for (const { alarm } of places) alarm.queuedAt = Infinity
    this.#heap = []
    places.sort((a, b) => a.order - b.order)
    for (const { alarm } of places)
      if (alarm.at !== Infinity && alarm.queuedAt === Infinity) this.#push(alarm, alarm.at)
  }
}

function isBefore<Due>(a: Place<Due>, b: Place<Due>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
