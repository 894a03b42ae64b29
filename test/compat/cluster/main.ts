import { parseArgs } from 'node:util'
import { cacheDirectory } from '../cache.js'
import { endAllProcesses } from '../process.js'
import type { CheckResult, SuiteContext } from '../suite.js'
import { clusterChecks, installClients } from './checks.js'
import { startKafkaCluster } from './kafka.js'
import { endLoads } from './load.js'
import { startOttlaCluster } from './ottla.js'
import type { StartedCluster } from './started.js'

const usage = `npm run compat -- cluster [options]

Starts three nodes with npm run cluster, from the files of config/, and takes kafkajs, librdkafka and Apache Kafka's
tools to them; then kills and restarts each node under clients that write, and looks whether anything was lost.

  --kafka                 three nodes of Apache Kafka instead: what the checks are proven by
  --override NAME=VALUE   an option of all nodes of Ottla (may be repeated)
  --install               only install what is needed

Everything is installed into ${cacheDirectory} (OTTLA_COMPAT names another folder).
`

/** `npm run compat -- cluster`. Returns the exit status. */
export async function clusterMain(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kafka: { type: 'boolean', default: false },
      override: { type: 'string', multiple: true, default: [] },
      install: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  await installClients()
  if (values.install) return 0
  return checkCluster(await (values.kafka ? startKafkaCluster() : startOttlaCluster(values.override)))
}

/** Checks of one kind of cluster. */
type MoreChecks = (context: SuiteContext) => Promise<void>

/**
 * Runs the checks against a cluster and removes it; returns the exit status. `before` runs while all nodes are there,
 * `after` when they were stopped.
 */
export async function checkCluster(
  cluster: StartedCluster,
  before: MoreChecks = async () => {},
  after: MoreChecks = async () => {},
): Promise<number> {
  process.stdout.write(`${cluster.name} at ${cluster.addresses.join(', ')}\n`)
  const startedAt = Date.now()
  const results: Omit<CheckResult, 'suite'>[] = []
  const report = (result: Omit<CheckResult, 'suite'>) => {
    results.push(result)
    process.stdout.write(`${result.error === undefined ? 'ok  ' : 'FAIL'} ${result.check} (${result.tookMs} ms)\n`)
    if (result.error !== undefined) process.stdout.write(`${result.error.replace(/^/gm, '       ')}\n`)
  }
  const interrupt = () => {
    endAllProcesses()
    endLoads()
    void cluster.remove().finally(() => process.exit(130))
  }
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  try {
    const prefix = `cluster-${Math.random().toString(36).slice(2, 8)}-`
    const context = { bootstrap: cluster.addresses.join(','), prefix, match: '', report }
    await before(context)
    await clusterChecks(context, cluster)
    await after(context)
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    await cluster.remove()
  }
  const failed = results.filter(({ error }) => error !== undefined).length
  if (failed > 0) process.stdout.write(`log of the nodes: ${cluster.logFile}\n`)
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(0)
  process.stdout.write(`\n${results.length - failed} passed, ${failed} failed (${seconds} s)\n`)
  return failed > 0 || results.length === 0 ? 1 : 0
}
