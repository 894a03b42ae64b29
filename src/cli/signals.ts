/** A signal that comes so soon after another is the same wish, ms. */
const SAME_WISH_MS = 500

/**
 * Calls `take` for each wish of a person that the process ends; returns what stops listening. Ctrl-C under `npm run`
 * arrives twice, from the terminal and from npm: what follows at once does not count again.
 */
export function onSignals(signals: readonly NodeJS.Signals[], take: (signal: NodeJS.Signals) => void): () => void {
  let lastMs = -Infinity
  const heard = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now()
    if (nowMs - lastMs < SAME_WISH_MS) return
    lastMs = nowMs
    take(signal)
  }
  for (const signal of signals) process.on(signal, heard)
  return () => {
    for (const signal of signals) process.off(signal, heard)
  }
}
