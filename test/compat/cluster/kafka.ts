import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { oracleScript } from '../broker.js'
import { javaPackages } from '../cache.js'
import { run, runOrThrow } from '../process.js'
import { freeBlock } from './ports.js'
import { isAlive, killAndWait, NODES, OVERRIDES, pause, type StartedCluster, untilNodeAnswers } from './started.js'

/** The one that the script gives to every cluster. */
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qk'

/** Three nodes of Apache Kafka: what the checks are proven by. */
export async function startKafkaCluster(): Promise<StartedCluster> {
  await javaPackages()
  const folder = mkdtempSync(join(tmpdir(), 'ottla-cluster-kafka-'))
  const port = await freeBlock(30)
  const addresses = NODES.map(node => `localhost:${port + 10 * node}`)
  const settings = ['default.replication.factor=3', 'min.insync.replicas=2', ...OVERRIDES]
  const flags = settings.flatMap(setting => ['--set', setting])
  const pidOf = (node: number) => Number(readFileSync(join(folder, `node-${node + 1}`, 'pid'), 'utf8'))
  const startAll = async () => {
    const args = [oracleScript, 'start', '--nodes', '3', '--port', String(port), '--dir', folder, ...flags]
    await runOrThrow('bash', args, { timeoutMs: 900_000 })
    for (const address of addresses) await untilNodeAnswers(address)
  }
  const stop = async () => {
    const pids = NODES.map(pidOf)
    await run('bash', [oracleScript, 'stop', '--dir', folder])
    for (const pid of pids) while (isAlive(pid)) await pause(50)
  }
  await startAll().catch(error => {
    process.stdout.write(`see ${folder}\n`)
    throw error
  })
  return {
    name: 'Apache Kafka',
    addresses,
    logFile: join(folder, 'node-1', 'out'),
    kill: node => killAndWait(pidOf(node)),
    erase: async node => {
      const home = join(folder, `node-${node + 1}`)
      rmSync(join(home, 'data'), { recursive: true })
      const format = ['format', '-t', CLUSTER_ID, '-c', join(home, 'server.properties')]
      await runOrThrow('bash', [oracleScript, 'tool', 'storage', ...format])
    },
    start: async node => {
      const home = join(folder, `node-${node + 1}`)
      const { stdout } = await runOrThrow('bash', [oracleScript, 'classpath'], { env: { KAFKA: 'core' } })
      const args = ['-Xmx1G', '-cp', stdout.trim(), 'kafka.Kafka', join(home, 'server.properties')]
      const child = spawn('java', args, { stdio: 'ignore' })
      writeFileSync(join(home, 'pid'), String(child.pid))
      await untilNodeAnswers(addresses[node]!)
    },
    stop,
    startAll,
    remove: async () => {
      for (const node of NODES) {
        try {
          await killAndWait(pidOf(node))
        } catch {
          // It was stopped before.
        }
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
