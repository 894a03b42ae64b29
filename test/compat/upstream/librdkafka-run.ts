import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { oracleScript } from '../broker.js'
import { type Finished, run } from '../process.js'
import type { Outcome } from './record.js'
import type { UpstreamContext } from './suite.js'

/** What the source says of each test, by its name: `0012_produce_consume`. */
export type TestTable = ReadonlyMap<string, TestEntry>

export interface TestEntry {
  /** The options of the broker that it was written for: `default` or `noautocreate`. */
  readonly scenario: string
}

/** The table of tests in test.c. */
export function readTable(source: string): TestTable {
  const table = new Map<string, TestEntry>()
  const entries = source.slice(source.indexOf('struct test tests[] ='))
  for (const [, name = '', rest = ''] of entries.matchAll(/_TEST\((\d{4}_\w+),([\s\S]*?)(?=_TEST\(|\{NULL\})/g)) {
    const scenario = /\.scenario\s*=\s*"(\w+)/.exec(rest)?.[1] ?? 'default'
    table.set(name, { scenario })
  }
  return table
}

const unitMsMax = 400_000

/**
 * Tests ask which commands a broker of this version understands. Below 2.1 they leave ACLs out, which is the only way
 * to have the rest of a test that is about something else.
 */
const brokerVersion = '4.4.0'
const brokerVersions: Readonly<Record<string, string>> = { '0109_auto_create_topics': '2.0.0' }

/**
 * How much longer than usual a test may take. 0059 has ten seconds for ten searches, and the client makes a pause of a
 * second before a search whenever it notices its full queue sooner than the seek that empties it.
 */
const timeoutFactors: Readonly<Record<string, number>> = { '0059_bsearch': 3 }

/** Units that one process runs: tests are chosen by number, and some share one. */
interface Batch {
  readonly number: string
  readonly scenario: string
  /** Words that choose parts of the test; undefined for all of it. */
  readonly part: string | undefined
  /** By the name of the test. */
  readonly units: Map<string, string>
}

/** Runs units of librdkafka's tests, each in a process of its own, so that one that crashes takes no other with it. */
export async function runUnits(source: string, table: TestTable, context: UpstreamContext): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'ottla-librdkafka-'))
  const waiting = batchesOf(table, context.units)
  const worker = async () => {
    for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift())
      await runBatch(source, scratch, batch, context)
  }
  try {
    writeKafkaTools(scratch)
    await Promise.all(Array.from({ length: Math.max(1, context.jobs) }, worker))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
    const tests = join(source, 'tests')
    for (const file of readdirSync(tests)) if (/^stats_.*\.json$/.test(file)) rmSync(join(tests, file))
  }
}

function batchesOf(table: TestTable, units: readonly string[]): Batch[] {
  const batches = new Map<string, Batch>()
  for (const unit of units) {
    const [test = '', part] = split(unit)
    const scenario = table.get(test)?.scenario ?? 'default'
    const number = test.slice(0, 4)
    const key = [number, scenario, part].join(' ')
    const batch = batches.get(key) ?? { number, scenario, part, units: new Map<string, string>() }
    batch.units.set(test, unit)
    batches.set(key, batch)
  }
  return [...batches.values()]
}

function split(unit: string): readonly [string, string | undefined] {
  const slash = unit.indexOf('/')
  return slash < 0 ? [unit, undefined] : [unit.slice(0, slash), unit.slice(slash + 1)]
}

/** Some tests run a command of Kafka's distribution. */
function writeKafkaTools(scratch: string): void {
  const bin = join(scratch, 'bin')
  mkdirSync(bin)
  const file = join(bin, 'kafka-topics.sh')
  writeFileSync(file, `#!/bin/bash\nexec bash '${oracleScript}' tool topics "$@"\n`)
  chmodSync(file, 0o755)
}

let processes = 0

async function runBatch(source: string, scratch: string, batch: Batch, context: UpstreamContext): Promise<void> {
  const id = ++processes
  const report = join(scratch, `${id}.json`)
  const config = join(scratch, `${id}.conf`)
  // Tests draw names from a generator that is seeded by the time: without these, processes would meet in their topics.
  const prefix = `${context.prefix}${batch.number}-${id}`
  writeFileSync(
    config,
    [
      `metadata.broker.list=${context.bootstrap}`,
      'broker.address.family=v4',
      `test.topic.prefix=${prefix}`,
      'test.topic.random=true',
      `test.timeout.multiplier=${timeoutFactorFor(batch)}`,
      '',
    ].join('\n'),
  )
  const startedAt = Date.now()
  // One test at a time, none that need no broker, none with known issues.
  const finished = await run('./test-runner', ['-p1', '-L', '-K'], {
    cwd: join(source, 'tests'),
    env: {
      TESTS: batch.number,
      SUBTESTS: batch.part,
      TEST_SCENARIO: batch.scenario,
      TEST_KAFKA_VERSION: versionFor(batch),
      TEST_SEED: String(1 + Math.floor(Math.random() * 0x7ffffffe)),
      TEST_REPORT: report,
      RDKAFKA_TEST_CONF: config,
      KAFKA_PATH: scratch,
      BROKERS: context.bootstrap,
      LD_LIBRARY_PATH: `${join(source, 'src')}:${join(source, 'src-cpp')}`,
      // Latencies are not measured where this is set.
      CI: undefined,
    },
    timeoutMs: unitMsMax,
  })
  const tookMs = Date.now() - startedAt
  const states = readReport(report)
  for (const [test, name] of batch.units) {
    const outcome = outcomeOf(states, test, batch.part, finished)
    const result = { name, outcome, tookMs }
    context.report(outcome === 'pass' ? result : { ...result, output: explain(finished) })
  }
}

function timeoutFactorFor(batch: Batch): number {
  const [test = ''] = batch.units.keys()
  return timeoutFactors[test] ?? 1
}

function versionFor(batch: Batch): string {
  const [test = ''] = batch.units.keys()
  return brokerVersions[test] ?? brokerVersion
}

/** States of tests by their names; none if the process did not live to write them. */
function readReport(file: string): Readonly<Record<string, string>> {
  try {
    const { tests } = JSON.parse(readFileSync(file, 'utf8')) as { tests: Record<string, { state: string }> }
    return Object.fromEntries(Object.entries(tests).map(([name, { state }]) => [name, state]))
  } catch {
    return {}
  }
}

function outcomeOf(
  states: Readonly<Record<string, string>>,
  test: string,
  part: string | undefined,
  finished: Finished,
): Outcome {
  if (states[test] === 'SKIPPED') return 'skip'
  if (states[test] !== 'PASSED' || finished.code !== 0) return 'fail'
  // A part that nothing is called by passes as well: see that one was really run.
  const ran = plain(finished.stdout + finished.stderr)
  return part === undefined || ran.split('\n').some(line => line.includes(part) && line.includes(': PASS ('))
    ? 'pass'
    : 'skip'
}

function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a terminal.
  return text.replace(/\u001b\[[0-9;]*m/g, '')
}

/** What a test wrote from its first failure on, or its last lines. */
function explain(finished: Finished): string {
  const lines = plain(finished.stdout + finished.stderr)
    .split('\n')
    .filter(line => !/ test\(s\) running: |^\s*$/.test(line))
  const failure = lines.findIndex(line => line.includes('TEST FAILURE'))
  const shown = failure < 0 ? lines.slice(-15) : lines.slice(Math.max(0, failure - 10), failure + 10)
  return finished.timedOut ? ['did not end in time', ...shown].join('\n') : shown.join('\n')
}
