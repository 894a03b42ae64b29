import type { Clock, Millis, Timer } from '../ports.js'

/** The longest wait that a timer of Node.js takes, ms. */
const TIMER_MS_MAX = 0x7fffffff

/** Time as Node.js gives it. Timers do not keep the process alive. */
export function createNodeClock(): Clock {
  return {
    now: () => performance.now(),
    wallTime: () => Date.now(),
    at,
    soon: wake => {
      setImmediate(wake)
    },
  }
}

function at(deadline: Millis, wake: () => void): Timer {
  if (Number.isNaN(deadline)) throw new RangeError('the deadline of a timer is not a number')
  let timer: NodeJS.Timeout | null = null
  const arm = (): void => {
    const wait = Math.ceil(deadline - performance.now())
    if (wait === Infinity) return
    timer = setTimeout(due, Math.min(Math.max(wait, 0), TIMER_MS_MAX))
    timer.unref()
  }
  // A timer may fire a fraction of a millisecond early, and a very long wait comes in parts.
  const due = (): void => {
    if (performance.now() < deadline) arm()
    else wake()
  }
  arm()
  return {
    cancel: () => {
      if (timer !== null) clearTimeout(timer)
    },
  }
}
