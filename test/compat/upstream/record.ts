import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compatDirectory, projectDirectory } from '../broker.js'

/** How a case of a client's own test suite ended. */
export type Outcome = 'pass' | 'fail' | 'skip'

/** The brokers that suites are run on. */
export type BrokerKind = 'kafka' | 'ottla'

/** What a suite came to on one broker. */
export interface Scores {
  /** The broker with its version. */
  readonly broker: string
  /** Outcomes by the name of the case, in order of the names. */
  readonly cases: Readonly<Record<string, Outcome>>
}

/** What is known of a suite: its scores on Apache Kafka and on Ottla, and what is not run at all. */
export interface SuiteRecord {
  readonly suite: string
  /** Of the client whose tests these are. */
  readonly version: string
  readonly on: Readonly<Record<BrokerKind, Scores>>
  /** Why cases do not pass on Apache Kafka, by name; a name that ends with `*` stands for all that begin so. */
  readonly notPassing: Readonly<Record<string, string>>
  /** Why cases are not run, by name; a name that ends with `*` stands for all that begin so. */
  readonly leftOut: Readonly<Record<string, string>>
}

/** Reasons that begin so name what Ottla does not have yet: such cases are to be run one day. */
const notYet = 'Ottla has no '

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
  const { kafka, ottla } = record.on
  const inOrderOn = (scores: Scores) => ({ ...scores, cases: inOrder(scores.cases) })
  const on = { kafka: inOrderOn(kafka), ottla: inOrderOn(ottla) }
  const { notPassing, leftOut } = record
  const whole = { ...record, on, notPassing: inOrder(notPassing), leftOut: inOrder(leftOut) }
  writeFileSync(recordFile(record.suite), `${JSON.stringify(whole, null, 2)}\n`)
}

function inOrder<Value>(values: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}

/** Why a case is not run; undefined if it is. */
export function reasonLeftOut(record: Pick<SuiteRecord, 'leftOut'>, name: string): string | undefined {
  return reasonFor(record.leftOut, name)
}

function reasonFor(reasons: Readonly<Record<string, string>>, name: string): string | undefined {
  const exact = reasons[name]
  if (exact !== undefined) return exact
  const groups = Object.keys(reasons).filter(key => key.endsWith('*') && name.startsWith(key.slice(0, -1)))
  const closest = groups.sort((a, b) => b.length - a.length)[0]
  return closest === undefined ? undefined : reasons[closest]
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
    'passes on Apache Kafka must pass on Ottla, or the command fails. What is left out is named here with its reason, and',
    'only gets less; of that, what Ottla does not have yet is counted for itself.',
    '',
    '`npm run compat -- upstream` installs and runs all but the last, whose package has no tests: check out its release,',
    'run `npm install` there, and name the folder with `--suite-dir kafkajs=FOLDER`. That suite and the `-nodes` ones have',
    'three brokers, the others one. `--long` runs a few more that take more than a minute each.',
    '',
    '| suite | version | on | passes | fails | skips | left out | not there yet |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
  ]
  for (const record of records) {
    const reasons = Object.values(record.leftOut)
    const later = reasons.filter(reason => reason.startsWith(notYet)).length
    for (const { broker, cases } of [record.on.kafka, record.on.ottla]) {
      const count = (outcome: Outcome) => Object.values(cases).filter(one => one === outcome).length
      const counts = [count('pass'), count('fail'), count('skip'), reasons.length - later, later].join(' | ')
      lines.push(`| [${record.suite}](${record.suite}.json) | ${record.version} | ${broker} | ${counts} |`)
    }
  }
  for (const record of records)
    lines.push('', `## ${record.suite}`, ...worseOnOttla(record), ...notPassing(record), ...leftOut(record))
  return `${lines.join('\n')}\n`
}

function worseOnOttla(record: SuiteRecord): string[] {
  const { kafka, ottla } = record.on
  const names = Object.keys(kafka.cases).filter(name => judge(kafka.cases[name], ottla.cases[name]) === 'worse')
  return names.length === 0 ? [] : ['', 'Passes on Apache Kafka and not on Ottla:', '', ...names.map(item)]
}

function notPassing(record: SuiteRecord): string[] {
  const { kafka, ottla } = record.on
  const lines: string[] = []
  for (const [outcome, title] of [
    ['fail', 'Fails on Apache Kafka'],
    ['skip', 'Skips itself on Apache Kafka'],
  ] as const) {
    const names = Object.keys(kafka.cases).filter(name => kafka.cases[name] === outcome)
    const mark = (name: string) => `${item(name)}${ottla.cases[name] === 'pass' ? ' (passes on Ottla)' : ''}`
    lines.push(...byReason(title, names, name => reasonFor(record.notPassing, name), mark))
  }
  return lines
}

function leftOut({ leftOut: reasons }: SuiteRecord): string[] {
  return byReason('Left out', Object.keys(reasons), name => reasons[name], item)
}

function byReason(
  title: string,
  names: readonly string[],
  reasonOf: (name: string) => string | undefined,
  show: (name: string) => string,
): string[] {
  const groups = new Map<string, string[]>()
  for (const name of names) {
    const reason = reasonOf(name) ?? 'nobody has looked why'
    const group = groups.get(reason)
    if (group === undefined) groups.set(reason, [name])
    else group.push(name)
  }
  const inOrderOfReasons = [...groups].sort(([a], [b]) => (a < b ? -1 : 1))
  return inOrderOfReasons.flatMap(([reason, group]) => [
    '',
    `${title} (${group.length}): ${reason}`,
    '',
    ...group.map(show),
  ])
}

function item(name: string): string {
  return `- ${code(name)}`
}

function code(name: string): string {
  return name.includes('`') ? `\`\` ${name} \`\`` : `\`${name}\``
}

/** Renders the page anew from the records on disk. */
export function writeScores(suites: readonly string[]): void {
  writeFileSync(scoresFile, renderScores(suites.map(readRecord)))
}

/** A broker that is started here, by name and version. Throws if the files that name them do not say. */
export function brokerName(kind: BrokerKind): string {
  if (kind === 'kafka') return `Apache Kafka ${oracleVersion()}`
  const { version } = JSON.parse(readFileSync(join(projectDirectory, 'package.json'), 'utf8')) as { version: string }
  return `Ottla ${version}`
}

function oracleVersion(): string {
  const pom = readFileSync(join(compatDirectory, 'oracle', 'pom-core.xml'), 'utf8')
  const version = /<artifactId>kafka_[\d.]+<\/artifactId><version>([^<]+)<\/version>/.exec(pom)?.[1]
  if (version === undefined) throw new Error('oracle/pom-core.xml names no version of kafka')
  return version
}
