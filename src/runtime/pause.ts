import type { Clock, Millis, Timer } from './ports.js'

/** Resolves when `Clock.now()` has reached `deadline`, or `sooner` is settled. Never rejects, and leaves no timer. */
export async function pauseUntil(clock: Clock, deadline: Millis, sooner?: Promise<unknown>): Promise<void> {
  let timer: Timer | null = null
  const over = new Promise<void>(resolve => {
    timer = clock.at(deadline, resolve)
  })
  await (sooner === undefined ? over : Promise.race([over, sooner.catch(() => {})]))
  ;(timer as Timer | null)?.cancel()
}
