import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { oracleScript, projectDirectory, type StartedBroker } from '../broker.js'
import { javaPackages, logDirectory } from '../cache.js'
import { freeBlock } from '../cluster/ports.js'
import { runOrThrow } from '../process.js'
import { answers } from '../wire.js'
import type { BrokerKind } from './record.js'

const startMsMax = 120_000
/** More than what a cluster of Ottla gives its nodes: it ends those that are late. */
const stopMsMax = 45_000
const clusterId = 'b3R0bGEtdXBzdHJlYW0tMQ'

/** What the nodes run with: the same file is read by Ottla and by Apache Kafka. */
interface Node {
  readonly file: string
  readonly address: string
}

/**
 * Starts nodes with these ids, each broker and controller in one and in a rack of its own (`RACK` and its id), on free
 * ports and with data of their own. Resolves when all of them answer and know each other; `bootstrap` names them in the
 * order of the ids.
 *
 * overrides: options as `name=value`, the same for all nodes
 */
export async function startNodes(
  kind: BrokerKind,
  ids: readonly number[],
  overrides: readonly string[],
): Promise<StartedBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'ottla-upstream-'))
  mkdirSync(logDirectory, { recursive: true })
  const logFile = join(logDirectory, `upstream-${kind}.log`)
  const log = openSync(logFile, 'w')
  const nodes = await writeNodes(folder, ids, overrides)
  const stdio = ['ignore', log, log] as const
  const children = kind === 'kafka' ? await spawnKafka(nodes, stdio) : spawnOttla(nodes, stdio)
  closeSync(log)
  const ends = children.map(child => new Promise<void>(resolve => child.once('exit', () => resolve())))
  const stop = async () => {
    const signal = (name: NodeJS.Signals) => {
      for (const child of children) child.kill(name)
    }
    signal('SIGTERM')
    const kill = setTimeout(signal, stopMsMax, 'SIGKILL')
    await Promise.all(ends)
    clearTimeout(kill)
    rmSync(folder, { recursive: true, force: true })
  }
  const hasEnded = () => children.some(child => child.exitCode !== null || child.signalCode !== null)
  try {
    for (const { address } of nodes) await untilItAnswers(address, hasEnded)
  } catch (error) {
    await stop()
    throw new Error(`${error instanceof Error ? error.message : error}: see ${logFile}`)
  }
  const name = `${nodes.length} nodes of ${kind === 'kafka' ? 'Apache Kafka' : 'Ottla'}`
  return { bootstrap: nodes.map(node => node.address).join(','), name, logFile, stop }
}

async function writeNodes(folder: string, ids: readonly number[], overrides: readonly string[]): Promise<Node[]> {
  const first = await freeBlock(2 * ids.length)
  const port = (index: number) => first + 2 * index
  const voters = ids.map((id, index) => `${id}@localhost:${port(index) + 1}`).join(',')
  return ids.map((id, index) => {
    const address = `localhost:${port(index)}`
    const file = join(folder, `node-${id}.properties`)
    const lines = [
      'process.roles=broker,controller',
      `node.id=${id}`,
      `broker.rack=RACK${id}`,
      `controller.quorum.voters=${voters}`,
      `listeners=PLAINTEXT://${address},CONTROLLER://localhost:${port(index) + 1}`,
      `advertised.listeners=PLAINTEXT://${address}`,
      'inter.broker.listener.name=PLAINTEXT',
      'controller.listener.names=CONTROLLER',
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      `log.dirs=${join(folder, `data-${id}`)}`,
      'offsets.topic.num.partitions=5',
      'offsets.topic.replication.factor=3',
      ...overrides,
      '',
    ]
    writeFileSync(file, lines.join('\n'))
    return { file, address }
  })
}

type Output = readonly ['ignore', number, number]

async function spawnKafka(nodes: readonly Node[], stdio: Output): Promise<ChildProcess[]> {
  await javaPackages()
  for (const { file } of nodes)
    await runOrThrow('bash', [oracleScript, 'tool', 'storage', 'format', '-t', clusterId, '-c', file])
  const { stdout } = await runOrThrow('bash', [oracleScript, 'classpath'], { env: { KAFKA: 'core' } })
  return nodes.map(({ file }) =>
    spawn('java', ['-Xmx768M', '-cp', stdout.trim(), 'kafka.Kafka', file], { stdio: [...stdio] }),
  )
}

/** One process that runs all nodes as processes of its own, as `npm run cluster` does. */
function spawnOttla(nodes: readonly Node[], stdio: Output): ChildProcess[] {
  const main = join(projectDirectory, 'dist', 'bundle', 'main.js')
  if (!existsSync(main)) throw new Error(`${main} is not there: run npm run build`)
  return [spawn(process.execPath, [main, 'cluster', ...nodes.map(node => node.file)], { stdio: [...stdio] })]
}

async function untilItAnswers(address: string, hasEnded: () => boolean): Promise<void> {
  const deadline = Date.now() + startMsMax
  while (!(await answers(address))) {
    if (hasEnded()) throw new Error('a node has ended')
    if (Date.now() > deadline) throw new Error(`nobody answers at ${address}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
