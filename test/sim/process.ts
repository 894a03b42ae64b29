import type { Clock, Millis, Random, Timer } from '#src/runtime/ports.js'
import { SeededRandom } from '../support/random.js'
import type { Owner, Scheduler } from './scheduler.js'

/** What every call of a port of a dead process ends with, if it has to end at all. */
export class ProcessGone extends Error {
  override readonly name = 'ProcessGone'
}

/** One run of a program on a machine. Once it is dead its ports never answer again. */
export class SimProcess implements Owner {
  readonly name: string
  isDead = false
  busyUntil: Millis = 0
  /** The latest virtual time that its clock has told. */
  told: Millis = 0
  /** Calls of ports that others can see: writes to disk and network. */
  effects = 0
  /** It dies just before this effect. */
  dieAtEffect = Infinity
  readonly #onDeath: () => void

  constructor(name: string, onDeath: () => void) {
    this.name = name
    this.#onDeath = onDeath
  }

  /** It goes on at `now`, if it has not seen a later time already: what it did then, a device took long for. */
  wake(now: Millis): void {
    this.busyUntil = Math.min(this.busyUntil, Math.max(now, this.told))
  }

  /** The process is about to do something that others can see. */
  effect(): void {
    if (this.isDead) throw new ProcessGone(this.name)
    if (++this.effects !== this.dieAtEffect) return
    this.#onDeath()
    throw new ProcessGone(this.name)
  }
}

/** How the clocks of a machine run. */
export interface MachineClock {
  /** Its seconds in one second. */
  readonly rate: number
  /** What `now()` is at virtual time 0: means nothing, and differs between machines. */
  readonly zero: Millis
  /** Milliseconds since 1970 at virtual time 0; jumps. */
  wallZero: Millis
}

/** When every run begins, ms since 1970. */
export const WALL_ZERO: Millis = 1_700_000_000_000

export function machineClock(random: SeededRandom): MachineClock {
  return {
    rate: 1 + (random.next() - 0.5) / 500,
    zero: random.below(1_000_000),
    wallZero: WALL_ZERO + random.below(2000) - 1000,
  }
}

/** The clock port of a process. */
export class SimClock implements Clock {
  readonly #scheduler: Scheduler
  readonly #process: SimProcess
  readonly #machine: MachineClock

  constructor(scheduler: Scheduler, process: SimProcess, machine: MachineClock) {
    this.#scheduler = scheduler
    this.#process = process
    this.#machine = machine
  }

  #here(): Millis {
    const here = Math.max(this.#scheduler.now, this.#process.busyUntil)
    this.#process.told = Math.max(this.#process.told, here)
    return here
  }

  now(): Millis {
    return this.#machine.zero + this.#here() * this.#machine.rate
  }

  wallTime(): Millis {
    return Math.floor(this.#machine.wallZero + this.#here() * this.#machine.rate)
  }

  at(deadline: Millis, wake: () => void): Timer {
    if (Number.isNaN(deadline)) throw new RangeError('the deadline of a timer is not a number')
    // As much later as a timer of Node.js is: whole milliseconds, and never before the deadline.
    const due = Math.ceil(Math.max(0, (deadline - this.#machine.zero) / this.#machine.rate - this.#here()) * 8) / 8
    let event = this.#scheduler.at(this.#here() + due, this.#process, 'timer', fire)
    const scheduler = this.#scheduler
    const process = this.#process
    const clock = this
    function fire(): void {
      if (clock.now() >= deadline) wake()
      else event = scheduler.at(scheduler.now + 0.125, process, 'timer', fire)
    }
    return { cancel: () => scheduler.cancel(event) }
  }

  soon(wake: () => void): void {
    this.#scheduler.at(this.#scheduler.now, this.#process, 'soon', wake)
  }

  /** Resolves after some time of this clock. */
  sleep(ms: Millis): Promise<void> {
    return new Promise(resolve => {
      this.at(this.now() + ms, resolve)
    })
  }
}

/** The port for randomness of a process. */
export function simRandom(seed: number): Random {
  const random = new SeededRandom(seed)
  return {
    below: bound => random.below(bound),
    uuid: () => random.uuid(),
  }
}
