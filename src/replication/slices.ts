import type { Clock, Millis } from '../runtime/ports.js'

/** How long work goes on before others get their turn, ms. */
const SLICE_MS: Millis = 10

/**
 * Does work that yields between its pieces: all of it at once if that is quick, otherwise slice by slice, with turns
 * of others in between. Returns a promise only in that case, which is resolved when the work is done or broken off, and
 * is rejected with what the work throws. `isOver`: nothing more is to be done; asked before every slice but the first.
 */
export function inSlices(clock: Clock, work: Iterator<void>, isOver: () => boolean): void | Promise<void> {
  if (slice(clock, work)) return
  return new Promise((resolve, reject) => {
    const proceed = (): void => {
      try {
        if (isOver() || slice(clock, work)) resolve()
        else clock.soon(proceed)
      } catch (error) {
        reject(error)
      }
    }
    clock.soon(proceed)
  })
}

/** True when the work is done. */
function slice(clock: Clock, work: Iterator<void>): boolean {
  const until = clock.now() + SLICE_MS
  do if (work.next().done === true) return true
  while (clock.now() < until)
  return false
}
