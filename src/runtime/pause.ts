import type { Clock, Millis, Timer } from './ports.js'

/** A timer that goes off so late says that the whole process was held up, ms. */
const LATE_MS: Millis = 100
/** Turns of the loop that it takes to read what came in, and to answer what that brings about. */
const TURNS = 2

/** Resolves when `Clock.now()` has reached `deadline`, or `sooner` is settled. Never rejects, and leaves no timer. */
export async function pauseUntil(clock: Clock, deadline: Millis, sooner?: Promise<unknown>): Promise<void> {
  let timer: Timer | null = null
  const over = new Promise<void>(resolve => {
    timer = clock.at(deadline, resolve)
  })
  await (sooner === undefined ? over : Promise.race([over, sooner.catch(() => {})]))
  ;(timer as Timer | null)?.cancel()
}

/**
 * `Clock.at` for a deadline by which somebody else must have been heard of. A process that was held up beyond it (long
 * work of its own, or no time on the machine) has not heard what came meanwhile: that goes first, and may cancel the
 * timer.
 */
export function atPatiently(clock: Clock, deadline: Millis, wake: () => void): Timer {
  let isCancelled = false
  const wait = (turns: number): void => {
    if (isCancelled) return
    if (turns === 0) wake()
    else clock.soon(() => wait(turns - 1))
  }
  const timer = clock.at(deadline, () => wait(clock.now() > deadline + LATE_MS ? TURNS : 0))
  return {
    cancel: () => {
      isCancelled = true
      timer.cancel()
    },
  }
}
