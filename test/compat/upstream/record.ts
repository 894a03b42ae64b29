import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compatDirectory } from '../broker.js'

/** How a case of a client's own test suite ended. */
export type Outcome = 'pass' | 'fail' | 'skip'

/** What is known of a suite: its scores on Apache Kafka, and what is not run at all. */
export interface SuiteRecord {
  readonly suite: string
  /** Of the client whose tests these are. */
  readonly version: string
  /** The broker that the outcomes were taken on. */
  readonly broker: string
  /** Outcomes by the name of the case, in order of the names. */
  readonly cases: Readonly<Record<string, Outcome>>
  /** Reasons by the name of the case; a name that ends with `*` stands for all that begin so. */
  readonly leftOut: Readonly<Record<string, string>>
}

const directory = join(compatDirectory, 'upstream')

/** Where the scores stand for people to read: rendered from the records. */
export const scoresFile = join(directory, 'SCORES.md')

/** Where the record of a suite is. */
export function recordFile(suite: string): string {
  return join(directory, `${suite}.json`)
}

/** Reads the record of a suite. Throws if it is not there. */
export function readRecord(suite: string): SuiteRecord {
  return JSON.parse(readFileSync(recordFile(suite), 'utf8')) as SuiteRecord
}

/** Writes the record of a suite, names in order. */
export function writeRecord(record: SuiteRecord): void {
  const whole = { ...record, cases: inOrder(record.cases), leftOut: inOrder(record.leftOut) }
  writeFileSync(recordFile(record.suite), `${JSON.stringify(whole, null, 2)}\n`)
}

function inOrder<Value>(values: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}

/** Why a case is not run; undefined if it is. */
export function reasonLeftOut(record: Pick<SuiteRecord, 'leftOut'>, name: string): string | undefined {
  const exact = record.leftOut[name]
  if (exact !== undefined) return exact
  const group = Object.keys(record.leftOut).find(key => key.endsWith('*') && name.startsWith(key.slice(0, -1)))
  return group === undefined ? undefined : record.leftOut[group]
}

/**
 * - `same`: the outcome that stands in the record
 * - `better`: passes here, and not on Kafka
 * - `worse`: passes on Kafka, and not here
 * - `unknown`: neither recorded nor left out
 */
export type Verdict = 'same' | 'better' | 'worse' | 'unknown'

/** Compares an outcome with the record; `undefined` is a case that ended without saying how. */
export function judge(recorded: Outcome | undefined, found: Outcome | undefined): Verdict {
  if (recorded === undefined) return 'unknown'
  if (recorded === 'pass') return found === 'pass' ? 'same' : 'worse'
  return found === 'pass' ? 'better' : 'same'
}

/** The scores of all suites as a page. */
export function renderScores(records: readonly SuiteRecord[]): string {
  const lines = [
    "# Scores of the clients' own test suites",
    '',
    'Rendered from the records beside this page: write those, then `npm run compat -- upstream --render`. A case that',
    'passes on Apache Kafka must pass on Ottla. What is left out is named here with its reason, and only gets less.',
    '',
    '| suite | version | on | passes | fails | skips | left out |',
    '| --- | --- | --- | --- | --- | --- | --- |',
  ]
  for (const record of records) {
    const outcomes = Object.values(record.cases)
    const count = (outcome: Outcome) => outcomes.filter(one => one === outcome).length
    const left = Object.keys(record.leftOut).length
    const counts = [count('pass'), count('fail'), count('skip'), left].join(' | ')
    lines.push(`| [${record.suite}](${record.suite}.json) | ${record.version} | ${record.broker} | ${counts} |`)
  }
  for (const record of records) lines.push('', `## ${record.suite}`, ...notPassing(record), ...leftOutByReason(record))
  return `${lines.join('\n')}\n`
}

function notPassing(record: SuiteRecord): string[] {
  const lines: string[] = []
  for (const [outcome, title] of [
    ['fail', 'Fails on Apache Kafka:'],
    ['skip', 'Skips itself on Apache Kafka:'],
  ] as const) {
    const names = Object.keys(record.cases).filter(name => record.cases[name] === outcome)
    if (names.length > 0) lines.push('', title, '', ...names.map(name => `- ${code(name)}`))
  }
  return lines
}

function leftOutByReason(record: SuiteRecord): string[] {
  const reasons = new Map<string, string[]>()
  for (const [name, reason] of Object.entries(record.leftOut)) {
    const names = reasons.get(reason)
    if (names === undefined) reasons.set(reason, [name])
    else names.push(name)
  }
  const lines: string[] = []
  for (const [reason, names] of [...reasons].sort(([a], [b]) => (a < b ? -1 : 1))) {
    lines.push('', `Left out: ${reason}`, '', ...names.map(name => `- ${code(name)}`))
  }
  return lines
}

function code(name: string): string {
  return name.includes('`') ? `\`\` ${name} \`\`` : `\`${name}\``
}

/** Renders the page anew from the records on disk. */
export function writeScores(suites: readonly string[]): void {
  writeFileSync(scoresFile, renderScores(suites.map(readRecord)))
}

/** The broker that the oracle starts, by name and version. Throws if its list of packages does not say. */
export function oracleName(): string {
  const pom = readFileSync(join(compatDirectory, 'oracle', 'pom-core.xml'), 'utf8')
  const version = /<artifactId>kafka_[\d.]+<\/artifactId><version>([^<]+)<\/version>/.exec(pom)?.[1]
  if (version === undefined) throw new Error('oracle/pom-core.xml names no version of kafka')
  return `Apache Kafka ${version}`
}
