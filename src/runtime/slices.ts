import type { Clock, Millis } from './ports.js'

export interface Slicing {
  readonly clock: Clock
  /** How long work goes on before others get their turn, ms. */
  readonly sliceMs: Millis
  /** Nothing more is to be done; asked before every slice but the first. */
  readonly isOver: () => boolean
}

/**
 * Does work that yields between its pieces: all of it at once if that is quick, otherwise slice by slice, with turns
 * of others in between. Returns a promise only in that case, which is resolved with what the work returns, or with
 * undefined when it was broken off, and is rejected with what the work throws.
 */
export function inSlices<T>(work: Iterator<void, T>, slicing: Slicing): T | Promise<T | undefined> {
  const first = slice(work, slicing)
  if (first.done === true) return first.value
  const { clock, isOver } = slicing
  return new Promise((resolve, reject) => {
    const proceed = (): void => {
      if (isOver()) return resolve(undefined)
      try {
        const last = slice(work, slicing)
        if (last.done === true) resolve(last.value)
        else clock.soon(proceed)
      } catch (error) {
        reject(error)
      }
    }
    clock.soon(proceed)
  })
}

function slice<T>(work: Iterator<void, T>, { clock, sliceMs }: Slicing): IteratorResult<void, T> {
  const until = clock.now() + sliceMs
  let step = work.next()
  while (step.done !== true && clock.now() < until) step = work.next()
  return step
}
