import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { logDirectory } from '../cache.js'
import {
  type BrokerKind,
  brokerName,
  judge,
  type Outcome,
  readRecord,
  reasonLeftOut,
  type SuiteRecord,
  writeRecord,
} from './record.js'
import type { CaseResult, InstalledSuite, UpstreamSuite } from './suite.js'

export interface RunOptions {
  /** The broker that the outcomes are recorded for; undefined where they are only compared. */
  readonly record: BrokerKind | undefined
  /** Only units whose name contains this. */
  readonly match: string
  /** Whether units that take more than a minute are run. */
  readonly long: boolean
  /** So many processes of a suite at a time; undefined for as many as the suite bears. */
  readonly jobs: number | undefined
}

/** What running a suite came to. */
export interface Tally {
  readonly suite: string
  readonly version: string
  readonly tookMs: number
  readonly passed: number
  /** So many of the cases that were run pass on Apache Kafka. */
  readonly expected: number
  readonly failed: readonly string[]
  /** Cases that passed only when they were tried again. */
  readonly flaky: readonly string[]
  /** So many pass that do not pass on Apache Kafka. */
  readonly better: number
  /** So many cases that Apache Kafka does not pass either did not pass. */
  readonly alike: number
  /** So many entries of the record say what is not run. */
  readonly leftOut: number
}

/** More cases than this that are worse than on Kafka are no accident: they are not tried again. */
const triedAgainMax = 40

/** One suite against one broker. */
export class SuiteRun {
  readonly #suite: UpstreamSuite
  readonly #ready: InstalledSuite
  readonly #record: SuiteRecord
  readonly #bootstrap: string
  readonly #options: RunOptions
  readonly #log: string[] = []

  constructor(
    suite: UpstreamSuite,
    ready: InstalledSuite,
    record: SuiteRecord,
    bootstrap: string,
    options: RunOptions,
  ) {
    this.#suite = suite
    this.#ready = ready
    this.#record = record
    this.#bootstrap = bootstrap
    this.#options = options
  }

  async run(): Promise<Tally> {
    const startedAt = Date.now()
    const units = this.#ready.units.filter(unit => this.#isWanted(unit))
    const results = await this.#runUnits(units)
    const bad = this.#worse(units, results)
    const again = [...new Set(bad.map(this.#suite.unitOf))]
    const isAccident = this.#options.record !== undefined || bad.length <= triedAgainMax
    if (bad.length > 0) this.#tellTrialAgain(bad.length, isAccident)
    const second = isAccident ? await this.#runUnits(again) : new Map<string, CaseResult>()
    const flaky = bad.filter(name => second.get(name)?.outcome === 'pass')
    for (const name of flaky) {
      results.set(name, second.get(name)!)
      process.stdout.write(`flaky ${this.#suite.name}: ${name}: passed when it was tried again\n`)
    }
    mkdirSync(logDirectory, { recursive: true })
    writeFileSync(join(logDirectory, `upstream-${this.#suite.name}.log`), this.#log.join('\n'))
    if (this.#options.record !== undefined) this.#keep(this.#options.record, units, results)
    return this.#tally(units, results, flaky, Date.now() - startedAt)
  }

  #tellTrialAgain(count: number, isAccident: boolean): void {
    const what = `${this.#suite.name}: ${count} did not pass`
    process.stdout.write(isAccident ? `${what}: once more\n` : `${what}: too many to try them again\n`)
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
      bootstrap: this.#bootstrap,
      prefix: `${this.#suite.name}-${Math.random().toString(36).slice(2, 8)}-`,
      units,
      leftOut: Object.keys(this.#record.leftOut).filter(name => among.has(this.#suite.unitOf(name))),
      jobs: this.#options.jobs ?? this.#suite.jobs,
      report: result => {
        results.set(result.name, result)
        this.#print(result)
      },
    })
    return results
  }

  #print(result: CaseResult): void {
    const { name, outcome, tookMs, output = '' } = result
    const verdict = judge(this.#expected[name], outcome)
    const mark = outcome === 'pass' ? 'ok   ' : verdict === 'same' ? `${outcome}*` : 'FAIL '
    process.stdout.write(`${mark} ${this.#suite.name}: ${name} (${tookMs} ms)\n`)
    if (outcome === 'pass') return
    this.#log.push(`${outcome} ${name}`, output, '')
    if (verdict !== 'same') process.stdout.write(`${output.trimEnd().replace(/^/gm, '       ')}\n`)
  }

  /** Cases that do not pass and should: also those that ended without a word. */
  #worse(units: readonly string[], results: ReadonlyMap<string, CaseResult>): string[] {
    const among = new Set(units)
    const names = Object.keys(this.#expected).filter(name => among.has(this.#suite.unitOf(name)))
    const worse = names.filter(name => judge(this.#expected[name], results.get(name)?.outcome) === 'worse')
    if (this.#options.record === undefined) return worse
    // The record is made of what may pass: everything that does not is tried again.
    return [...results.values()].filter(result => result.outcome === 'fail').map(result => result.name)
  }

  #keep(kind: BrokerKind, units: readonly string[], results: ReadonlyMap<string, CaseResult>): void {
    const { version } = this.#ready
    const record = this.#record
    if (kind === 'ottla' && version !== record.version)
      throw new Error(`${record.suite} ${version} has no record on Apache Kafka: that is of ${record.version}`)
    const ran = new Set(units)
    const others = Object.entries(record.on[kind].cases).filter(([name]) => !ran.has(this.#suite.unitOf(name)))
    const exist = new Set(this.#ready.units)
    const still = others.filter(([name]) => exist.has(this.#suite.unitOf(name)) && !reasonLeftOut(record, name))
    const found = [...results.values()].map(({ name, outcome }) => [name, outcome] as const)
    const scores = { broker: brokerName(kind), cases: Object.fromEntries([...still, ...found]) }
    writeRecord({ ...record, version, on: { ...record.on, [kind]: scores } })
  }

  /** What the cases gave on Apache Kafka. */
  get #expected(): Readonly<Record<string, Outcome>> {
    return this.#record.on.kafka.cases
  }

  #tally(
    units: readonly string[],
    results: ReadonlyMap<string, CaseResult>,
    flaky: readonly string[],
    tookMs: number,
  ): Tally {
    const expected = this.#options.record === 'kafka' ? readRecord(this.#suite.name).on.kafka.cases : this.#expected
    const among = new Set(units)
    const failed = this.#missing(units, results)
    let [passed, better, alike, wanted] = [0, 0, 0, 0]
    for (const name of new Set([...results.keys(), ...Object.keys(expected)])) {
      if (!among.has(this.#suite.unitOf(name))) continue
      const found = results.get(name)?.outcome
      const verdict = judge(expected[name], found)
      if (found === 'pass') passed++
      if (expected[name] === 'pass') wanted++
      if (verdict === 'better') better++
      if (verdict === 'same' && found !== 'pass') alike++
      if (verdict === 'worse') failed.push(`${name}: ${found ?? 'gave no result'}`)
      if (verdict === 'unknown') failed.push(`${name}: neither recorded nor left out`)
    }
    if (passed === 0 && this.#options.match === '') failed.push('nothing passed')
    const named = (name: string) => `${this.#suite.name}: ${name}`
    return {
      suite: this.#suite.name,
      version: this.#ready.version,
      tookMs,
      passed,
      expected: wanted,
      failed: failed.map(named),
      flaky: flaky.map(named),
      better,
      alike,
      leftOut: Object.keys(this.#record.leftOut).length,
    }
  }

  /** Units that gave nothing and are not in the record, and recorded cases whose unit the suite does not have. */
  #missing(units: readonly string[], results: ReadonlyMap<string, CaseResult>): string[] {
    const recorded = Object.keys(this.#expected)
    const known = new Set(
      [...recorded, ...Object.keys(this.#record.leftOut), ...results.keys()].map(this.#suite.unitOf),
    )
    const exist = new Set(this.#ready.units)
    const gone = recorded.filter(name => !exist.has(this.#suite.unitOf(name)))
    return [
      ...units.filter(unit => !known.has(unit)).map(unit => `${unit}: neither recorded nor left out`),
      ...(this.#options.record === undefined
        ? gone.map(name => `${name}: recorded, and the suite has it no more`)
        : []),
    ]
  }
}
