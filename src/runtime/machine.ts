import type { Millis } from './ports.js'

/** Logic without promises, clock, randomness, logger or I/O: events in, effects out (DESIGN "A machine"). */
export interface Machine<Event, Effect> {
  /** Takes one event, changes private state, returns what the world must now do, in this order. */
  step(event: Event, now: Millis): readonly Effect[]
  /** When a tick is due; Infinity when nothing is. */
  readonly deadline: Millis
}

/** A request that waits: a number, so that no promise enters a machine. */
export type Ticket = number
