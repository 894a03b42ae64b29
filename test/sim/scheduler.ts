import type { Millis } from '#src/runtime/ports.js'

/** On whose behalf an event happens: a process that may be dead, or stopped for a while. */
export interface Owner {
  readonly name: string
  readonly isDead: boolean
  /** Virtual time until which it does nothing: SIGSTOP, or waiting for a device. */
  readonly busyUntil: Millis
}

export interface SimEvent {
  time: Millis
  /** When it was to happen; `time` is later while its owner is busy. */
  readonly due: Millis
  readonly order: number
  readonly owner: Owner | null
  readonly kind: string
  run: (() => void) | null
}

/** Events that run between two looks at the real event loop; microtasks are drained after each. */
const BATCH = 64
const TAIL_LINES = 400

/**
 * Virtual time: a queue of events. All that a broker does is done inside one event or in the promises that it settles,
 * which are drained before the next one begins; so the order of everything follows from the queue alone.
 */
export class Scheduler {
  now: Millis = 0
  /** Whose event runs, or ran last: promises that reject unheard are its. */
  current: Owner | null = null
  events = 0
  readonly #heap: SimEvent[] = []
  #order = 0
  #hash = 0x811c9dc5
  readonly #tail: string[] = []
  /** Prints every line of the trace. */
  echo: ((line: string) => void) | null = null
  /** Called after every event. */
  afterEvent: () => void = () => {}
  /** Told what an event threw; may throw itself, which ends the run. */
  onThrow: (owner: Owner | null, error: unknown) => void = (_owner, error) => {
    throw error
  }

  at(time: Millis, owner: Owner | null, kind: string, run: () => void): SimEvent {
    if (Number.isNaN(time)) throw new RangeError(`the time of ${kind} is not a number`)
    const due = Math.max(time, this.now)
    const event = { time: due, due, order: this.#order++, owner, kind, run }
    if (event.time !== Infinity) this.#push(event)
    return event
  }

  after(delay: Millis, owner: Owner | null, kind: string, run: () => void): SimEvent {
    return this.at(this.now + delay, owner, kind, run)
  }

  cancel(event: SimEvent): void {
    event.run = null
  }

  /** An owner is free sooner than it was to be: so is what waited for that. */
  hurry(owner: Owner): void {
    for (const event of this.#heap.splice(0)) {
      if (event.owner === owner) event.time = Math.max(event.due, owner.busyUntil, this.now)
      this.#push(event)
    }
  }

  /** Adds numbers to what two runs of one seed must have in common. */
  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ value, 0x01000193) ^ (this.#hash >>> 15)
  }

  mixText(text: string): void {
    for (let i = 0; i < text.length; i++) this.mix(text.charCodeAt(i))
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  /** A line of the trace; part of what must be the same. */
  note(who: string, text: string): void {
    this.mixText(text)
    const line = `${this.now.toFixed(3).padStart(11)} ${who.padEnd(8)} ${text}`
    this.#tail.push(line)
    if (this.#tail.length > 2 * TAIL_LINES) this.#tail.splice(0, TAIL_LINES)
    this.echo?.(line)
  }

  tail(lines: number): readonly string[] {
    return this.#tail.slice(-lines)
  }

  /** Runs events until `isOver`, which is asked before each; rejects with what an event throws. */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let done = false
      const step = (): void => {
        if (done) return
        try {
          if (isOver()) {
            done = true
            resolve()
          } else {
            this.#next()
          }
        } catch (error) {
          done = true
          reject(error)
        }
      }
      const batch = (): void => {
        if (done) return
        // Between two immediates Node.js drains all microtasks.
        for (let i = 1; i < BATCH; i++) setImmediate(step)
        setImmediate(() => {
          step()
          batch()
        })
      }
      batch()
    })
  }

  #next(): void {
    const event = this.#pop()
    if (event === undefined) throw new Error('nothing is left to happen')
    const { run, owner } = event
    if (run === null || owner?.isDead === true) return
    this.now = event.time
    if (owner !== null && owner.busyUntil > this.now) {
      // It keeps its place among the events of its process: the order number stays.
      event.time = owner.busyUntil
      this.#push(event)
      return
    }
    this.events++
    this.mix(this.now * 1000)
    this.mix(
      event.kind.charCodeAt(0) +
        (owner === null ? 0 : owner.name.length + owner.name.charCodeAt(owner.name.length - 1)),
    )
    this.current = owner
    try {
      run()
    } catch (error) {
      this.onThrow(owner, error)
    }
    this.afterEvent()
  }

  #push(event: SimEvent): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(event, heap[above]!)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = event
  }

  #pop(): SimEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      if (!isBefore(heap[below]!, last)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = last
    return first
  }
}

function isBefore(left: SimEvent, right: SimEvent): boolean {
  return left.time < right.time || (left.time === right.time && left.order < right.order)
}
