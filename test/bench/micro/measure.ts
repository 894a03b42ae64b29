const ROUNDS = 7
const ROUND_MS_MIN = 20

/** Prints what `action` takes, in nanoseconds: the best of several rounds. */
export function measure(name: string, action: () => void): void {
  let times = 1
  const round = () => {
    const begun = performance.now()
    for (let index = 0; index < times; index++) action()
    return performance.now() - begun
  }
  while (round() < ROUND_MS_MIN) times *= 2
  const best = Math.min(...Array.from({ length: ROUNDS }, round))
  console.log(name.padEnd(48), ((best / times) * 1e6).toFixed(0).padStart(9), 'ns')
}
