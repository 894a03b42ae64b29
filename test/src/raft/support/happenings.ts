import type { SeededRandom } from '../../../support/random.js'

/** What happens to a cluster of drivers, and how often at most. */
const happenings = {
  append: 40,
  storm: 16,
  cut: 12,
  mend: 2,
  power: 4,
  kill: 2,
  stop: 3,
  snapshot: 16,
  resign: 4,
  voters: 10,
  replace: 3,
  pace: 3,
  overtake: 6,
} as const

export type Happening = keyof typeof happenings

/** How hard the world of one seed is; delays are in election timeouts. */
export interface World {
  /** A happening is drawn from these. */
  readonly habits: readonly Happening[]
  /** The call after which power may be lost, and how likely that is. */
  readonly dangerous: string
  readonly danger: number
  readonly loss: number
  readonly delay: number
  /** How long an fdatasync takes at most. */
  readonly pace: number
  /** How likely it is that one takes much longer. */
  readonly stuckness: number
  readonly retentionBytes: number
}

export function drawPace(random: SeededRandom): number {
  return random.pick([0, 0.1, 1, 5])
}

function times(name: Happening, count: number): Happening[] {
  return Array<Happening>(count).fill(name)
}

/** Each seed leaves some things out and does others often: where everything happens, much hides the rest. */
export function drawWorld(random: SeededRandom): World {
  if (random.below(4) === 0) {
    // Only what leaves nodes behind.
    const habits = [...times('append', 16), ...times('snapshot', 4), ...times('overtake', random.below(8))]
    const calm = { dangerous: 'none', danger: 0, loss: 0, stuckness: 0, retentionBytes: 1 }
    return { ...calm, habits: [...habits, 'voters', 'resign'], delay: 0.1, pace: random.pick([0, 0.1]) }
  }
  const habits = (Object.keys(happenings) as Happening[]).flatMap(name => {
    const often = name === 'append' ? 1 : random.pick([0, 0, 0.25, 1])
    return times(name, Math.ceil(happenings[name] * often))
  })
  return {
    habits,
    dangerous: random.pick(['Vote', 'Vote', 'Fetch', 'FetchSnapshot', 'BeginQuorumEpoch', 'none']),
    danger: random.pick([0, 0, 0.02, 0.2]),
    loss: random.pick([0, 0, 0.05, 0.2]),
    delay: random.pick([0, 0.1, 0.1, 0.5, 2]),
    pace: drawPace(random),
    stuckness: random.pick([0, 0.03, 0.2]),
    retentionBytes: random.pick([1, 1, 1, 2000, -1]),
  }
}
