/**
 * npm run sim -- [--seed S] [--runs N] [--nodes N] [--faults A,B] [--dirs N] [--first] [--twice] [--trace] [--debug]
 *   [--dump FOLDER] [--brief] | --kept | --mutants [--only NAME]
 * Whole brokers on simulated clock, network and disk: each seed is one run, and the same every time.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { loadCompression } from '#protocol/records/compression.js'
import { Coverage } from './coverage.js'
import { type KeptRun, keptRuns } from './kept.js'
import { runMutants } from './mutants.js'
import { type RunResult, runSeed } from './run.js'

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string' },
    nodes: { type: 'string' },
    twice: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    debug: { type: 'boolean', default: false },
    kept: { type: 'boolean', default: false },
    dump: { type: 'string' },
    first: { type: 'boolean', default: false },
    faults: { type: 'string' },
    dirs: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string' },
    brief: { type: 'boolean', default: false },
  },
})

if (options.mutants) {
  const survivors = runMutants(options.only, options.runs)
  console.log(survivors.length === 0 ? 'every mutant was found' : `${survivors.length} mutants were not found`)
  process.exit(survivors.length === 0 ? 0 : 1)
}
await loadCompression('zstd')

function writeInto(folder: string): (path: string, content: Buffer) => void {
  return (path, content) => {
    mkdirSync(dirname(`${folder}/${path}`), { recursive: true })
    writeFileSync(`${folder}/${path}`, content)
  }
}

/** What else a run depends on. */
function narrowed(run: KeptRun): string {
  const parts = []
  if (run.nodes !== null) parts.push(` --nodes ${run.nodes}`)
  if (run.faults !== null) parts.push(` --faults '${run.faults}'`)
  if (run.directories !== null) parts.push(` --dirs ${run.directories}`)
  return parts.join('')
}

function report(result: RunResult, run: KeptRun): void {
  console.log(
    `\nseed ${result.seed} FAILED after ${(result.virtualMs / 1000).toFixed(1)} s: ${result.failure!.message}`,
  )
  if (!options.brief) for (const line of result.tail) console.log(line)
  console.log(`again: npm run sim -- --seed ${result.seed}${narrowed(run)}`)
}

const nodes = options.nodes === undefined ? null : Number(options.nodes)
const faults = options.faults?.split(',') ?? null
const directories = options.dirs === undefined ? null : Number(options.dirs)
const drawn = Array.from({ length: Number(options.runs ?? 1) }, (_, i) => ({
  seed: Number(options.seed) + i,
  nodes,
  faults,
  directories,
}))
const runs: readonly KeptRun[] = options.kept ? keptRuns() : drawn
/** From so many runs on it is said what did not happen in any of them. */
const COVERING_RUNS = 50
const coverage = new Coverage()
const failed: number[] = []
let events = 0
let virtualMs = 0
let acknowledged = 0
let read = 0
let commits = 0
const begin = performance.now()
for (const run of runs) {
  const { seed } = run
  const dump = options.dump === undefined ? {} : { dump: writeInto(options.dump) }
  const echo = options.trace ? { echo: (line: string) => console.log(line) } : {}
  const result = await runSeed(seed, { ...run, debug: options.debug, ...echo, ...dump })
  coverage.add(result.coverage)
  events += result.events
  virtualMs += result.virtualMs
  acknowledged += result.acknowledged
  read += result.read
  commits += result.commits
  if (result.failure !== null) {
    failed.push(seed)
    report(result, run)
    if (options.first) break
  }
  if (options.twice) {
    const again = await runSeed(seed, { ...run, debug: options.debug })
    if (again.hash !== result.hash || again.events !== result.events) {
      failed.push(seed)
      console.log(
        `seed ${seed} IS NOT DETERMINISTIC: ${result.hash} of ${result.events} events, then ${again.hash} of ${again.events}`,
      )
    }
  }
}
const seconds = (performance.now() - begin) / 1000
console.log(`\n${runs.length} runs, ${failed.length} failed${failed.length > 0 ? `: ${failed.join(' ')}` : ''}`)
console.log(
  `${events} events, ${Math.round(virtualMs / 1000)} s of virtual time in ${seconds.toFixed(1)} s; ` +
    `${acknowledged} records acknowledged, ${read} read, ${commits} group commits`,
)
for (const line of coverage.lines()) console.log(line)
if (runs.length >= COVERING_RUNS && coverage.missing.length > 0) {
  console.log(`never happened: ${coverage.missing.join('; ')}`)
}
process.exitCode = failed.length > 0 ? 1 : 0
