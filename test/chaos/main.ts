/**
 * npm run chaos -- [--minutes 10] [--seed S] [--only FAULT,...] [--clients kafkajs,librdkafka] [--port 46000]
 *                  [--override OPTION=VALUE]... [--folder DIR] [--check HISTORY] [--list]
 *
 * Three real nodes with a proxy between everybody, faults drawn from a seed, real clients; and at the end the question
 * whether all that they were promised came true (checker.ts). Takes --minutes, and as long as the last fault and the
 * reading of everything take.
 */
import { createReadStream } from 'node:fs'
import { tmpdir } from 'node:os'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { testSeed } from '../support/random.js'
import { HistoryChecker, type Violation } from './checker.js'
import type { ClientName } from './clients.js'
import { FAULTS } from './faults.js'
import type { ChaosEvent } from './history.js'
import { type Happened, type Outcome, run } from './run.js'
import { CLIENTS } from './workload.js'

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(testSeed()) },
    only: { type: 'string' },
    clients: { type: 'string', default: CLIENTS.join(',') },
    port: { type: 'string', default: '46000' },
    host: { type: 'string', default: process.platform === 'linux' ? '127.0.46.1' : '127.0.0.1' },
    override: { type: 'string', multiple: true, default: [] },
    folder: { type: 'string', default: tmpdir() },
    check: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
})

function complain(message: string): never {
  process.stderr.write(`chaos: ${message}\n`)
  process.exit(2)
}

function chosen<T extends string>(what: string, text: string | undefined, known: readonly T[]): readonly T[] {
  const names = text === undefined ? known : text.split(',').filter(name => name !== '')
  for (const name of names) {
    if (!known.includes(name as T)) complain(`there is no ${what} ${name}: allowed are ${known.join(', ')}`)
  }
  return names as readonly T[]
}

function number(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0) complain(`--${name} ${text}: allowed is a number`)
  return value
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at <= 0) complain(`--override ${text}: allowed is option=value`)
  return [text.slice(0, at), text.slice(at + 1)]
}

function printViolations(violations: readonly Violation[]): void {
  for (const { kind, text } of violations) console.log(`VIOLATION ${kind}: ${text}`)
}

function printTable(rows: readonly (readonly (string | number)[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => String(row[column]).length)))
  for (const row of rows) {
    console.log(
      row.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]!) : String(cell).padStart(widths[i]!))).join('  '),
    )
  }
}

function printHappened(happened: readonly Happened[]): void {
  const rows: (readonly (string | number)[])[] = [['fault', 'times', 'hit', 'others', ...CLIENTS, 'whole after']]
  for (const { name } of FAULTS) {
    const those = happened.filter(({ fault }) => fault === name)
    if (those.length === 0) continue
    const most = (pick: (one: Happened) => number) => Math.max(...those.map(pick))
    const clients = CLIENTS.map((_, i) => most(one => one.clientsMs[i]!))
    rows.push([
      name,
      those.length,
      most(one => one.hitMs),
      most(one => one.otherMs),
      ...clients,
      most(one => one.wholeMs),
    ])
  }
  console.log('Longest time without an acknowledgement, ms: partitions whose leader was hit, others, real clients;')
  console.log('and from the end of a fault until the cluster was whole again.')
  printTable(rows)
}

function printTotals({ checker, events }: Pick<Outcome, 'checker' | 'events'>): void {
  const { sent, acknowledged, gaveUp, reads, commits, topics } = checker.totals
  console.log(
    `${sent} records sent, ${acknowledged} acknowledged, ${gaveUp} given up, ${reads} read, ${commits} commits, ` +
      `${topics} topics, ${events} events`,
  )
  console.log([...checker.acknowledgedBy].map(([name, count]) => `${name} ${count}`).join(', '))
  for (const text of checker.replaced) console.log(`replaced ${text}`)
}

/** Checks the history of an earlier run again. */
async function check(path: string): Promise<void> {
  const checker = new HistoryChecker()
  let events = 0
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (line === '') continue
    checker.add(JSON.parse(line) as ChaosEvent)
    events++
  }
  const violations = checker.finish()
  printViolations(violations)
  printTotals({ checker, events })
  process.exitCode = violations.length === 0 ? 0 : 1
}

async function main(): Promise<void> {
  const names = chosen(
    'fault',
    options.only,
    FAULTS.map(({ name }) => name),
  )
  const clients: readonly ClientName[] = chosen('client', options.clients, CLIENTS)
  const seed = number('seed', options.seed)
  const minutes = number('minutes', options.minutes)
  console.log(`seed ${seed}, ${minutes} minutes`)
  const begun = performance.now()
  const outcome = await run({
    minutes,
    seed,
    faults: FAULTS.filter(({ name }) => names.includes(name)),
    clients,
    host: options.host,
    firstPort: number('port', options.port),
    overrides: Object.fromEntries(options.override.map(pair)),
    parent: options.folder,
    print: line => console.log(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`),
  })
  for (const line of outcome.skipped) console.log(line)
  printHappened(outcome.happened)
  printTotals(outcome)
  const { violations } = outcome
  printViolations(violations)
  if (violations.length > 0) {
    const only = options.only === undefined ? '' : ` --only ${options.only}`
    const others = options.clients === CLIENTS.join(',') ? '' : ` --clients ${options.clients}`
    const overrides = options.override.map(text => ` --override ${text}`).join('')
    console.log(`again: npm run chaos -- --seed ${seed} --minutes ${minutes}${only}${others}${overrides}`)
    console.log(`logs and data: ${outcome.folder}; the history: ${outcome.historyFile}`)
  } else console.log(`nothing lost, doubled, reordered or changed: ${outcome.folder}`)
  process.exitCode = violations.length === 0 ? 0 : 1
}

if (options.list) for (const { name, about } of FAULTS) console.log(`${name.padEnd(18)} ${about}`)
else if (options.check !== undefined) await check(options.check)
else {
  await main()
  // Connections of clients that wait for nodes which are gone need no time any more.
  process.stdout.write('', () => process.exit())
}
