import { test } from 'node:test'
import { SeededRandom, testSeed } from '../../support/random.js'
import { DriverSimulation } from './support/driver-simulation.js'

/** SEED=n RUNS=m for others than these; a failure prints the seed of its run. */
const runs = Number(process.env.RUNS ?? 6)

/** Seeds that once found something. */
const remembered: readonly number[] = [3002, 3014]

async function run(seed: number): Promise<Record<string, number>> {
  const simulation = new DriverSimulation(new SeededRandom(seed))
  try {
    await simulation.act(60)
    await simulation.heal(200)
  } catch (error) {
    throw new Error(`SEED=${seed} RUNS=1: ${(error as Error).message}`, { cause: error })
  }
  return { ...simulation.counts, elections: simulation.elections }
}

test('whatever disks and network do, listeners of all nodes are handed the same, and at last all of it', async t => {
  const first = testSeed()
  const totals: Record<string, number> = {}
  for (const seed of [...remembered, ...Array.from({ length: runs }, (_, index) => first + index)]) {
    for (const [name, count] of Object.entries(await run(seed))) totals[name] = (totals[name] ?? 0) + count
  }
  t.diagnostic(`seeds ${first} to ${first + runs - 1}: ${JSON.stringify(totals)}`)
})
