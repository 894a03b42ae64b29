import { test } from 'node:test'
import { SeededRandom, testSeed } from '../../support/random.js'
import { Simulation } from './support/simulation.js'

/** SEED=n RUNS=m for others than these; a failure prints the seed of its run. */
const runs = Number(process.env.RUNS ?? 40)

/** Seeds that once found something. */
const remembered: readonly number[] = [82]

function run(seed: number): Simulation {
  const simulation = new Simulation(new SeededRandom(seed))
  try {
    simulation.act(30_000)
    simulation.heal(60_000)
  } catch (error) {
    throw new Error(`SEED=${seed} RUNS=1: ${(error as Error).message}`, { cause: error })
  }
  return simulation
}

test('no fault breaks the rules of raft, and a cluster that works again goes on', t => {
  const first = testSeed()
  const totals: Record<string, number> = {}
  for (const seed of [...remembered, ...Array.from({ length: runs }, (_, index) => first + index)]) {
    for (const [name, count] of Object.entries(run(seed).counts)) totals[name] = (totals[name] ?? 0) + count
  }
  t.diagnostic(`seeds ${first} to ${first + runs - 1}: ${JSON.stringify(totals)}`)
})
