import { parseArgs } from 'node:util'
import { attachToBroker, type StartedBroker, startKafka, startOttla } from '../broker.js'
import { cacheDirectory } from '../cache.js'
import { endAllProcesses } from '../process.js'
import { franzGoNodesTests, franzGoTests } from './franz-go.js'
import { kafkajsTests } from './kafkajs/suite.js'
import { librdkafkaNodesTests, librdkafkaTests } from './librdkafka.js'
import { startNodes } from './nodes.js'
import { type BrokerKind, readRecord, writeScores } from './record.js'
import { type RunOptions, SuiteRun, type Tally } from './run.js'
import type { InstalledSuite, UpstreamSuite } from './suite.js'

const suites: readonly UpstreamSuite[] = [
  franzGoTests,
  franzGoNodesTests,
  librdkafkaTests,
  librdkafkaNodesTests,
  kafkajsTests,
]

const usage = `npm run compat -- upstream [options]

Runs the clients' own test suites against a broker, by default an Ottla that is started for each, and compares each case
with what it gave on Apache Kafka (SCORES.md). A case that passes there must pass here; it is tried a second time.

  --suite-dir NAME=FOLDER   where a suite is that no package registry has (may be repeated)
  --bootstrap HOST:PORT,... against brokers that run already
  --kafka                   against Apache Kafka, started for it
  --record                  the outcomes become the record, of the broker that is started
  --render                  write SCORES.md anew from the records, and stop
  --override NAME=VALUE     an option of the broker that is started (may be repeated)
  --only A,B                these suites alone
  --match TEXT              only units whose name contains TEXT
  --long                    the units as well that take more than a minute
  --jobs N                  so many processes of a suite at a time (each suite has a default of its own)
  --install                 only install what the suites need
  --list                    the suites

Everything is installed into ${cacheDirectory} (OTTLA_COMPAT names another folder).
`

interface StartOptions extends RunOptions {
  readonly bootstrap: string | undefined
  readonly kafka: boolean
  readonly overrides: readonly string[]
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
      jobs: { type: 'string' },
      install: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const { bootstrap, kafka, override: overrides, match, long } = values
  if (values.help) process.stdout.write(usage)
  if (values.list) for (const suite of suites) process.stdout.write(`${suite.name.padEnd(18)}${suite.about}\n`)
  if (values.render) writeScores(suites.map(suite => suite.name))
  if (values.help || values.list || values.render) return 0
  if (values.record && bootstrap !== undefined) throw new Error('--record is of a broker that is started for it')
  const kind: BrokerKind = kafka ? 'kafka' : 'ottla'
  const record = values.record ? kind : undefined
  const directories = readDirectories(values['suite-dir'])
  const options = { bootstrap, kafka, record, overrides, match, long, jobs: readJobs(values.jobs) }
  const startedAt = Date.now()
  const tallies: Tally[] = []
  for (const suite of choose(values.only)) {
    const ready = await suite.install(directories.get(suite.name))
    if (typeof ready === 'string') process.stdout.write(`${suite.name} is not run: ${ready}\n`)
    else if (!values.install) tallies.push(await runSuite(suite, ready, options))
  }
  if (values.install) return 0
  if (record !== undefined) writeScores(suites.map(suite => suite.name))
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

async function runSuite(suite: UpstreamSuite, ready: InstalledSuite, options: StartOptions): Promise<Tally> {
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
    return await new SuiteRun(suite, ready, record, broker.bootstrap, options).run()
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    await broker.stop()
  }
}

function start(suite: UpstreamSuite, options: StartOptions): Promise<StartedBroker> {
  const { nodeIds } = suite.broker
  const overrides = [...suite.broker.overrides, ...options.overrides]
  if (options.bootstrap !== undefined) {
    const whose = nodeIds === undefined ? 'a broker' : `brokers ${nodeIds.join(', ')}`
    process.stdout.write(`${suite.name} expects ${whose} with ${overrides.join(', ')}\n`)
    return attachToBroker(options.bootstrap)
  }
  if (nodeIds !== undefined) return startNodes(options.kafka ? 'kafka' : 'ottla', nodeIds, overrides)
  return options.kafka ? startKafka({ overrides }) : startOttla({ overrides })
}

function readJobs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const jobs = Number(text)
  if (!Number.isInteger(jobs) || jobs < 1) throw new Error(`--jobs ${text}: it is a number from 1 on`)
  return jobs
}

function summarize(tallies: readonly Tally[], tookMs: number): number {
  const lines = ['']
  for (const name of tallies.flatMap(tally => tally.flaky)) lines.push(`flaky   ${name}`)
  for (const name of tallies.flatMap(tally => tally.failed)) lines.push(`failed  ${name}`)
  for (const tally of tallies) lines.push(describeTally(tally))
  const sum = (of: (tally: Tally) => number) => tallies.reduce((total, tally) => total + of(tally), 0)
  const passed = sum(tally => tally.passed)
  const failed = sum(tally => tally.failed.length)
  lines.push(`${passed} passed, ${failed} failed (${seconds(tookMs)})`)
  process.stdout.write(`${lines.join('\n')}\n`)
  return failed > 0 || passed === 0 ? 1 : 0
}

/** One line: what passes of what passes on Apache Kafka, and everything that makes this number smaller or larger. */
function describeTally(tally: Tally): string {
  const { suite, version, passed, expected, better, alike, flaky, failed, leftOut, tookMs } = tally
  const parts = [`${passed - better} of the ${expected} pass that pass on Apache Kafka`]
  if (failed.length > 0) parts.push(`${failed.length} failed`)
  if (flaky.length > 0) parts.push(`${flaky.length} only when tried again`)
  if (better > 0) parts.push(`${better} pass that do not pass there`)
  if (alike > 0) parts.push(`${alike} pass on neither`)
  parts.push(`${leftOut} left out`)
  return `${suite} ${version}: ${parts.join(', ')} (${seconds(tookMs)})`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(0)} s`
}
