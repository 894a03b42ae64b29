import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { attachToBroker, type StartedBroker, startKafka, startOttla } from '../broker.js'
import { cacheDirectory, logDirectory } from '../cache.js'
import { endAllProcesses } from '../process.js'
import { franzGoTests } from './franz-go.js'
import { kafkajsTests } from './kafkajs/suite.js'
import { librdkafkaTests } from './librdkafka.js'
import { judge, oracleName, readRecord, reasonLeftOut, type SuiteRecord, writeRecord, writeScores } from './record.js'
import type { CaseResult, InstalledSuite, UpstreamSuite } from './suite.js'

const suites: readonly UpstreamSuite[] = [franzGoTests, librdkafkaTests, kafkajsTests]

const usage = `npm run compat -- upstream [options]

Runs the clients' own test suites against a broker, by default an Ottla that is started for each, and compares each case
with what it gave on Apache Kafka (SCORES.md). A case that passes there must pass here; it is tried a second time.

  --suite-dir NAME=FOLDER   where a suite is that no package registry has (may be repeated)
  --bootstrap HOST:PORT     against a broker that runs already
  --kafka                   against Apache Kafka, started for it
  --record                  with --kafka: its outcomes become the record
  --render                  write SCORES.md anew from the records, and stop
  --override NAME=VALUE     an option of the broker that is started (may be repeated)
  --only A,B                these suites alone
  --match TEXT              only units whose name contains TEXT
  --long                    the units as well that take more than a minute
  --jobs N                  so many processes of a suite at a time (default 3)
  --install                 only install what the suites need
  --list                    the suites

Everything is installed into ${cacheDirectory} (OTTLA_COMPAT names another folder).
`

interface Options {
  readonly bootstrap: string | undefined
  readonly kafka: boolean
  readonly record: boolean
  readonly overrides: readonly string[]
  readonly match: string
  readonly long: boolean
  readonly jobs: number
}

/** What running a suite came to. */
interface Tally {
  readonly passed: number
  readonly failed: readonly string[]
  readonly flaky: readonly string[]
  readonly better: number
}

/** `npm run compat -- upstream`. Returns the exit status. */
export async function upstreamMain(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'suite-dir': { type: 'string', multiple: true, default: [] },
      bootstrap: { type: 'string' },
      kafka: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
      override: { type: 'string', multiple: true, default: [] },
      only: { type: 'string' },
      match: { type: 'string', default: '' },
      long: { type: 'boolean', default: false },
      jobs: { type: 'string', default: '3' },
      install: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const { bootstrap, kafka, record, override: overrides, match, long } = values
  if (values.help) process.stdout.write(usage)
  if (values.list) for (const suite of suites) process.stdout.write(`${suite.name.padEnd(14)}${suite.about}\n`)
  if (values.render) writeScores(suites.map(suite => suite.name))
  if (values.help || values.list || values.render) return 0
  if (record && !kafka) throw new Error('--record is of Apache Kafka: give --kafka as well')
  const directories = readDirectories(values['suite-dir'])
  const options = { bootstrap, kafka, record, overrides, match, long, jobs: Number(values.jobs) }
  const startedAt = Date.now()
  const tallies: Tally[] = []
  for (const suite of choose(values.only)) {
    const ready = await suite.install(directories.get(suite.name))
    if (typeof ready === 'string') process.stdout.write(`${suite.name} is not run: ${ready}\n`)
    else if (!values.install) tallies.push(await runSuite(suite, ready, options))
  }
  if (values.install) return 0
  if (record) writeScores(suites.map(suite => suite.name))
  return summarize(tallies, Date.now() - startedAt)
}

function choose(only: string | undefined): readonly UpstreamSuite[] {
  if (only === undefined) return suites
  return only.split(',').map(name => {
    const suite = suites.find(one => one.name === name)
    if (suite === undefined) throw new Error(`no suite ${name}; there are ${suites.map(one => one.name).join(', ')}`)
    return suite
  })
}

function readDirectories(given: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    given.map(text => {
      const [, name = '', directory = ''] = /^([^=]+)=(.+)$/.exec(text) ?? []
      if (!suites.some(suite => suite.name === name)) throw new Error(`--suite-dir ${text}: it is NAME=FOLDER`)
      return [name, directory]
    }),
  )
}

async function runSuite(suite: UpstreamSuite, ready: InstalledSuite, options: Options): Promise<Tally> {
  const record = readRecord(suite.name)
  const broker = await start(suite, options)
  const interrupt = () => {
    endAllProcesses()
    void broker.stop().finally(() => process.exit(130))
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  try {
    process.stdout.write(`${suite.name} ${ready.version} against ${broker.name} at ${broker.bootstrap}\n`)
    return await new SuiteRun(suite, ready, record, broker, options).run()
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    await broker.stop()
  }
}

function start(suite: UpstreamSuite, options: Options): Promise<StartedBroker> {
  const broker = { ...suite.broker, overrides: [...suite.broker.overrides, ...options.overrides] }
  if (options.bootstrap === undefined) return options.kafka ? startKafka(broker) : startOttla(broker)
  const wanted = [...suite.broker.overrides, ...(suite.broker.nodeId === undefined ? [] : [`node.id=${suite.broker.nodeId}`])]
  process.stdout.write(`${suite.name} expects a broker with ${wanted.join(', ')}\n`)
  return attachToBroker(options.bootstrap)
}

/** More cases than this that are worse than on Kafka are no accident: they are not tried again. */
const triedAgainMax = 40

/** One suite against one broker. */
class SuiteRun {
  readonly #suite: UpstreamSuite
  readonly #ready: InstalledSuite
  readonly #record: SuiteRecord
  readonly #broker: StartedBroker
  readonly #options: Options
  readonly #log: string[] = []

  constructor(
    suite: UpstreamSuite,
    ready: InstalledSuite,
    record: SuiteRecord,
    broker: StartedBroker,
    options: Options,
  ) {
    this.#suite = suite
    this.#ready = ready
    this.#record = record
    this.#broker = broker
    this.#options = options
  }

  async run(): Promise<Tally> {
    const units = this.#ready.units.filter(unit => this.#isWanted(unit))
    const results = await this.#runUnits(units)
    const bad = this.#worse(units, results)
    const again = [...new Set(bad.map(this.#suite.unitOf))]
    const second = bad.length > triedAgainMax ? new Map<string, CaseResult>() : await this.#runUnits(again)
    const flaky = bad.filter(name => second.get(name)?.outcome === 'pass')
    for (const name of flaky) {
      results.set(name, second.get(name)!)
      process.stdout.write(`flaky ${this.#suite.name}: ${name}: passed when it was tried again\n`)
    }
    mkdirSync(logDirectory, { recursive: true })
    writeFileSync(join(logDirectory, `upstream-${this.#suite.name}.log`), this.#log.join('\n'))
    if (this.#options.record) this.#keep(units, results)
    return this.#tally(units, results, flaky)
  }

  #isWanted(unit: string): boolean {
    if (reasonLeftOut(this.#record, unit) !== undefined || !unit.includes(this.#options.match)) return false
    return this.#options.long || !this.#suite.isLong(unit)
  }

  async #runUnits(units: readonly string[]): Promise<Map<string, CaseResult>> {
    const results = new Map<string, CaseResult>()
    if (units.length === 0) return results
    const among = new Set(units)
    await this.#ready.run({
      bootstrap: this.#broker.bootstrap,
      prefix: `${this.#suite.name}-${Math.random().toString(36).slice(2, 8)}-`,
      units,
      leftOut: Object.keys(this.#record.leftOut).filter(name => among.has(this.#suite.unitOf(name))),
      jobs: this.#options.jobs,
      report: result => {
        results.set(result.name, result)
        this.#print(result)
      },
    })
    return results
  }

  #print(result: CaseResult): void {
    const { name, outcome, tookMs, output = '' } = result
    const verdict = judge(this.#record.cases[name], outcome)
    const mark = outcome === 'pass' ? 'ok   ' : verdict === 'same' ? `${outcome}*` : 'FAIL '
    process.stdout.write(`${mark} ${this.#suite.name}: ${name} (${tookMs} ms)\n`)
    if (outcome === 'pass') return
    this.#log.push(`${outcome} ${name}`, output, '')
    if (verdict !== 'same') process.stdout.write(`${output.trimEnd().replace(/^/gm, '       ')}\n`)
  }

  /** Cases that do not pass and should: also those that ended without a word. */
  #worse(units: readonly string[], results: ReadonlyMap<string, CaseResult>): string[] {
    const among = new Set(units)
    const names = Object.keys(this.#record.cases).filter(name => among.has(this.#suite.unitOf(name)))
    const worse = names.filter(name => judge(this.#record.cases[name], results.get(name)?.outcome) === 'worse')
    if (!this.#options.record) return worse
    // The record is made of what may pass: everything that does not is tried again.
    return [...results.values()].filter(result => result.outcome === 'fail').map(result => result.name)
  }

  #keep(units: readonly string[], results: ReadonlyMap<string, CaseResult>): void {
    const ran = new Set(units)
    const others = Object.entries(this.#record.cases).filter(([name]) => !ran.has(this.#suite.unitOf(name)))
    const exist = new Set(this.#ready.units)
    const still = others.filter(([name]) => exist.has(this.#suite.unitOf(name)) && !reasonLeftOut(this.#record, name))
    const found = [...results.values()].map(({ name, outcome }) => [name, outcome] as const)
    const cases = Object.fromEntries([...still, ...found])
    writeRecord({ ...this.#record, version: this.#ready.version, broker: oracleName(), cases })
  }

  #tally(units: readonly string[], results: ReadonlyMap<string, CaseResult>, flaky: readonly string[]): Tally {
    const record = this.#options.record ? readRecord(this.#suite.name) : this.#record
    const among = new Set(units)
    const names = new Set([...results.keys(), ...Object.keys(record.cases)])
    const failed: string[] = []
    let [passed, better] = [0, 0]
    for (const name of names) {
      if (!among.has(this.#suite.unitOf(name))) continue
      const found = results.get(name)?.outcome
      const verdict = judge(record.cases[name], found)
      if (found === 'pass') passed++
      if (verdict === 'better') better++
      if (verdict === 'worse') failed.push(`${name}: ${found ?? 'gave no result'}`)
      if (verdict === 'unknown') failed.push(`${name}: neither recorded nor left out`)
    }
    const known = new Set(Object.keys(record.cases).map(this.#suite.unitOf))
    for (const unit of units)
      if (!known.has(unit) && ![...results.keys()].some(name => this.#suite.unitOf(name) === unit))
        failed.push(`${unit}: neither recorded nor left out`)
    const named = (name: string) => `${this.#suite.name}: ${name}`
    return { passed, failed: failed.map(named), flaky: flaky.map(named), better }
  }
}

function summarize(tallies: readonly Tally[], tookMs: number): number {
  const failed = tallies.flatMap(tally => tally.failed)
  const flaky = tallies.flatMap(tally => tally.flaky)
  const sum = (of: (tally: Tally) => number) => tallies.reduce((total, tally) => total + of(tally), 0)
  const lines = ['']
  for (const name of flaky) lines.push(`flaky   ${name}`)
  for (const name of failed) lines.push(`failed  ${name}`)
  const better = sum(tally => tally.better)
  if (better > 0) lines.push(`${better} pass that do not pass on Apache Kafka`)
  if (flaky.length > 0) lines.push(`${flaky.length} passed only when they were tried again`)
  const passed = sum(tally => tally.passed)
  lines.push(`${passed} passed, ${failed.length} failed (${(tookMs / 1000).toFixed(0)} s)`)
  process.stdout.write(`${lines.join('\n')}\n`)
  return failed.length > 0 || passed === 0 ? 1 : 0
}
