import { parseArgs } from 'node:util'
import { askMain } from './ask/main.js'
import { attachToBroker, type StartedBroker, startKafka, startOttla } from './broker.js'
import { cacheDirectory } from './cache.js'
import { clusterMain } from './cluster/main.js'
import { diskMain } from './disk/main.js'
import { dockerMain } from './docker/main.js'
import { mixedMain } from './mixed/main.js'
import { endAllProcesses } from './process.js'
import { readmeMain } from './readme/main.js'
import type { CheckResult, Suite } from './suite.js'
import { confluentSuite } from './suites/confluent.js'
import { franzGoSuite } from './suites/franz-go.js'
import { kafkaToolsSuite } from './suites/kafka-tools.js'
import { kafkajsSuite } from './suites/kafkajs.js'
import { kcatSuite } from './suites/kcat.js'
import { platformaticSuite } from './suites/platformatic.js'
import { toolsMain } from './tools/main.js'
import { upstreamMain } from './upstream/main.js'

const suites: readonly Suite[] = [
  // The longest first: it runs beside all others.
  kafkaToolsSuite,
  kafkajsSuite,
  platformaticSuite,
  kcatSuite,
  confluentSuite,
  franzGoSuite,
]

const usage = `npm run compat -- [options]
npm run compat -- ask       the same questions to Ottla and to Apache Kafka, and their answers compared
npm run compat -- cluster   three nodes started by npm run cluster, their clients, and the loss of each node
npm run compat -- disk      files of Ottla read by Kafka's tools, files of Kafka served by Ottla and taken back
npm run compat -- docker    the same with the containers of docker-compose.yml, and a container by itself
npm run compat -- mixed     nodes of Ottla and of Apache Kafka as one cluster
npm run compat -- tools     Kafka's tools for clusters against three nodes of Ottla
npm run compat -- readme    the commands and the quick-starts of the README, as they stand there
npm run compat -- upstream  the clients' own test suites, compared with what they score on Apache Kafka

Runs real clients and Apache Kafka's own tools against a broker, by default one that is started for it.

  --bootstrap HOST:PORT   against a broker that runs already
  --kafka                 against Apache Kafka, started for it: what the checks are proven by
  --override NAME=VALUE   an option of the broker that is started (may be repeated)
  --only A,B              these suites alone
  --match TEXT            only checks whose name contains TEXT
  --jobs N                so many suites at a time (default 2)
  --install               only install what the suites need
  --list                  the suites

Everything is installed into ${cacheDirectory} (OTTLA_COMPAT names another folder).
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      bootstrap: { type: 'string' },
      kafka: { type: 'boolean', default: false },
      override: { type: 'string', multiple: true, default: [] },
      only: { type: 'string' },
      match: { type: 'string', default: '' },
      jobs: { type: 'string', default: '2' },
      install: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  if (values.list) {
    for (const suite of suites) process.stdout.write(`${suite.name.padEnd(14)}${suite.about}\n`)
    return 0
  }
  const chosen = choose(values.only)
  for (const suite of chosen) await suite.install()
  if (values.install) return 0
  const options = { overrides: values.override }
  const broker = await (values.bootstrap !== undefined
    ? attachToBroker(values.bootstrap)
    : values.kafka
      ? startKafka(options)
      : startOttla(options))
  const interrupt = () => {
    endAllProcesses()
    void broker.stop().finally(() => process.exit(130))
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  try {
    return await runSuites(broker, chosen, values.match, Number(values.jobs))
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    await broker.stop()
  }
}

function choose(only: string | undefined): readonly Suite[] {
  if (only === undefined) return suites
  return only.split(',').map(name => {
    const suite = suites.find(one => one.name === name)
    if (suite === undefined) throw new Error(`no suite ${name}; there are ${suites.map(one => one.name).join(', ')}`)
    return suite
  })
}

async function runSuites(
  broker: StartedBroker,
  chosen: readonly Suite[],
  match: string,
  jobs: number,
): Promise<number> {
  process.stdout.write(`${broker.name} at ${broker.bootstrap}\n`)
  const startedAt = Date.now()
  const run = Math.random().toString(36).slice(2, 8)
  const results: CheckResult[] = []
  const waiting = [...chosen]
  const worker = async () => {
    for (let suite = waiting.shift(); suite !== undefined; suite = waiting.shift()) {
      const { name } = suite
      const report = (result: Omit<CheckResult, 'suite'>) => {
        const whole = { suite: name, ...result }
        results.push(whole)
        print(whole)
      }
      const context = { bootstrap: broker.bootstrap, prefix: `${name}-${run}-`, match, report }
      try {
        await suite.run(context)
      } catch (error) {
        report({ check: 'the suite runs to its end', tookMs: 0, error: String(error) })
      }
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, worker))
  const failed = results.filter(result => result.error !== undefined)
  if (failed.length > 0) {
    process.stdout.write('\nfailed:\n')
    for (const result of failed) process.stdout.write(`  ${result.suite}: ${result.check}\n`)
    if (broker.logFile !== undefined) process.stdout.write(`log of the broker: ${broker.logFile}\n`)
  }
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(0)
  process.stdout.write(`\n${results.length - failed.length} passed, ${failed.length} failed (${seconds} s)\n`)
  return failed.length > 0 || results.length === 0 ? 1 : 0
}

function print(result: CheckResult): void {
  const mark = result.error === undefined ? 'ok  ' : 'FAIL'
  process.stdout.write(`${mark} ${result.suite}: ${result.check} (${result.tookMs} ms)\n`)
  if (result.error !== undefined) process.stdout.write(`${result.error.replace(/^/gm, '       ')}\n`)
}

/** Areas with a command line of their own: `npm run compat -- ask ...`. */
const areas: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  ask: askMain,
  cluster: clusterMain,
  disk: diskMain,
  readme: readmeMain,
  docker: dockerMain,
  mixed: mixedMain,
  tools: toolsMain,
  upstream: upstreamMain,
}

try {
  const [area = '', ...rest] = process.argv.slice(2)
  process.exitCode = await (areas[area]?.(rest) ?? main())
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 2
}
