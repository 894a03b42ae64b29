import type { Clock, Millis, Timer } from './ports.js'

/** Something that waits for an event, but not for ever. */
export interface Parkable {
  /** When to give up, by `Clock.now`. Must not change while parked. */
  readonly deadline: Millis
  /** Where it stands in the heap, -1 when it is not parked; only the parking place touches it. */
  parkedAt: number
  /** Time is up; it is not parked any more. */
  onDeadline(): void
}

/**
 * Where requests wait. One heap by deadline and one timer for all of them: parking and leaving again, which is what
 * nearly every long-polling fetch does, sets no timer of its own.
 */
export class ParkingPlace {
  readonly #clock: Clock
  readonly #capacity: number
  readonly #heap: Parkable[] = []
  #timer: Timer | null = null
  /** When the timer goes off; later than the first deadline never, earlier now and then. */
  #timerAt: Millis = Infinity

  constructor(clock: Clock, capacity: number) {
    this.#clock = clock
    this.#capacity = capacity
  }

  get size(): number {
    return this.#heap.length
  }

  get isFull(): boolean {
    return this.#heap.length >= this.#capacity
  }

  /** Parks it; false when the place is full. */
  park(parkable: Parkable): boolean {
    if (parkable.parkedAt !== -1) throw new Error('it is parked already')
    if (this.isFull) return false
    this.#heap.push(parkable)
    this.#up(this.#heap.length - 1, parkable)
    if (parkable.deadline < this.#timerAt) this.#arm()
    return true
  }

  /** Lets it go before its deadline; false if it was not parked. */
  leave(parkable: Parkable): boolean {
    const at = parkable.parkedAt
    if (at === -1) return false
    parkable.parkedAt = -1
    const last = this.#heap.pop()!
    if (last === parkable) return true
    if (at > 0 && this.#heap[(at - 1) >> 1]!.deadline > last.deadline) this.#up(at, last)
    else this.#down(at, last)
    return true
  }

  /** Ends all waiting without a word: what is parked is forgotten. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    for (const parkable of this.#heap) parkable.parkedAt = -1
    this.#heap.length = 0
  }

  #arm(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAt = this.#heap.length === 0 ? Infinity : this.#heap[0]!.deadline
    if (this.#timerAt !== Infinity) this.#timer = this.#clock.at(this.#timerAt, () => this.#due())
  }

  #due(): void {
    this.#timer = null
    this.#timerAt = Infinity
    const now = this.#clock.now()
    // Bounded, because one may park again at once with a deadline that has passed.
    for (let left = this.#heap.length; left > 0 && this.#heap.length > 0; left--) {
      const first = this.#heap[0]!
      if (first.deadline > now) break
      this.leave(first)
      first.onDeadline()
    }
    if (this.#timer === null) this.#arm()
  }

  #up(at: number, parkable: Parkable): void {
    const heap = this.#heap
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = heap[parentAt]!
      if (parent.deadline <= parkable.deadline) break
      heap[at] = parent
      parent.parkedAt = at
      at = parentAt
    }
    heap[at] = parkable
    parkable.parkedAt = at
  }

  #down(at: number, parkable: Parkable): void {
    const heap = this.#heap
    const half = heap.length >> 1
    while (at < half) {
      let childAt = 2 * at + 1
      if (childAt + 1 < heap.length && heap[childAt + 1]!.deadline < heap[childAt]!.deadline) childAt++
      const child = heap[childAt]!
      if (child.deadline >= parkable.deadline) break
      heap[at] = child
      child.parkedAt = at
      at = childAt
    }
    heap[at] = parkable
    parkable.parkedAt = at
  }
}
