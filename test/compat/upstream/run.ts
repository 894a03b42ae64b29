import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { logDirectory } from '../cache.js'
import { judge, oracleName, readRecord, reasonLeftOut, type SuiteRecord, writeRecord } from './record.js'
import type { CaseResult, InstalledSuite, UpstreamSuite } from './suite.js'

export interface RunOptions {
  /** Whether the outcomes become the record. */
  readonly record: boolean
  /** Only units whose name contains this. */
  readonly match: string
  /** Whether units that take more than a minute are run. */
  readonly long: boolean
  readonly jobs: number
}

/** What running a suite came to. */
export interface Tally {
  readonly passed: number
  readonly failed: readonly string[]
  readonly flaky: readonly string[]
  readonly better: number
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
    const units = this.#ready.units.filter(unit => this.#isWanted(unit))
    const results = await this.#runUnits(units)
    const bad = this.#worse(units, results)
    const again = [...new Set(bad.map(this.#suite.unitOf))]
    const isAccident = this.#options.record || bad.length <= triedAgainMax
    const second = isAccident ? await this.#runUnits(again) : new Map<string, CaseResult>()
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
      bootstrap: this.#bootstrap,
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
    const known = new Set([...Object.keys(record.cases), ...Object.keys(record.leftOut)].map(this.#suite.unitOf))
    for (const unit of units)
      if (!known.has(unit) && ![...results.keys()].some(name => this.#suite.unitOf(name) === unit))
        failed.push(`${unit}: neither recorded nor left out`)
    const named = (name: string) => `${this.#suite.name}: ${name}`
    return { passed, failed: failed.map(named), flaky: flaky.map(named), better }
  }
}
