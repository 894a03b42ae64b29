import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { formatKafka, type Kind, kafkaClasspath, LOG_OPTIONS, type Running, spawnBroker } from '../brokers.js'

export const NODES = [1, 2, 3] as const
export type NodeId = (typeof NODES)[number]

export type Name = Kind['name']

/** Ports of a cluster lie ten apart: clients connect to the first of ten, controllers to the second. */
const BASE_PORTS: Readonly<Record<Name, number>> = {
  Ottla: Number(process.env.BENCH_OTTLA_PORT ?? 29300),
  Kafka: Number(process.env.BENCH_KAFKA_PORT ?? 29400),
  C: Number(process.env.BENCH_FLOOR_PORT ?? 29500),
}

export function portOf(name: Name, node: NodeId): number {
  return BASE_PORTS[name] + 10 * node
}

/** Where clients reach the nodes, by node. */
export function portsOf(name: Name): number[] {
  return NODES.map(node => portOf(name, node))
}

type NodeProcess = ReturnType<typeof spawnBroker>

/** Three processes, each broker and controller in one. */
export interface Cluster extends Omit<Running, 'process' | 'pid' | 'startMs'> {
  readonly name: Name
  readonly processes: Map<NodeId, NodeProcess>
  /** Starts a node that was stopped or killed, and waits until it answers. */
  restart(node: NodeId): Promise<void>
}

/** Formats and starts three nodes; resolves as soon as they run, not when they answer. */
export function startNodes(name: Name, folder: string, options: Readonly<Record<string, string>> = {}): Cluster {
  return startAll(name, folder, node => prepare(name, node, folder, options))
}

/** A leader and two followers that are no brokers; see `floorOf`. */
export function startFloor(program: string, folder: string): Cluster {
  return startAll('C', folder, node => {
    const directory = join(folder, String(node))
    mkdirSync(directory, { recursive: true })
    const role = node === 1 ? ['lead'] : ['follow', String(portOf('C', 1))]
    return { file: program, args: [String(portOf('C', node)), directory, ...role] }
  })
}

function startAll(name: Name, folder: string, commandOf: (node: NodeId) => { file: string; args: string[] }): Cluster {
  const commands = new Map(NODES.map(node => [node, commandOf(node)]))
  const processes = new Map<NodeId, NodeProcess>()
  const spawnNode = (node: NodeId): NodeProcess => {
    const spawned = spawnBroker({ name, port: portOf(name, node) }, join(folder, String(node)), commands.get(node)!)
    processes.set(node, spawned)
    return spawned
  }
  for (const node of NODES) spawnNode(node)
  const live = () => [...processes.values()].filter(({ process: child }) => !hasEnded(child))
  let endedCpuSeconds = 0
  return {
    name,
    kind: { name, port: portOf(name, 1) },
    processes,
    cpuSeconds: () => live().reduce((sum, node) => sum + node.cpuSeconds(), endedCpuSeconds),
    residentMib: () => live().reduce((sum, node) => sum + node.residentMib(), 0),
    restart: async node => {
      await spawnNode(node).firstAnswer()
    },
    stop: async (signal = 'SIGTERM') => {
      endedCpuSeconds = 0
      await Promise.all(live().map(node => node.stop(signal)))
    },
  }
}

export function hasEnded(child: { readonly exitCode: number | null; readonly signalCode: string | null }): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** Writes the properties of a node, the same for both kinds, and formats its directory where that is a step of its own. */
function prepare(
  name: Name,
  node: NodeId,
  folder: string,
  options: Readonly<Record<string, string>>,
): { file: string; args: string[] } {
  const directory = join(folder, String(node))
  mkdirSync(directory, { recursive: true })
  const port = portOf(name, node)
  const voters = NODES.map(voter => `${voter}@localhost:${portOf(name, voter) + 1}`).join(',')
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': String(node),
    'controller.quorum.voters': voters,
    listeners: `PLAINTEXT://localhost:${port},CONTROLLER://localhost:${port + 1}`,
    'advertised.listeners': `PLAINTEXT://localhost:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(directory, 'data'),
    'default.replication.factor': '3',
    'min.insync.replicas': '2',
    ...LOG_OPTIONS,
    ...options,
  }
  const file = join(directory, 'server.properties')
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}`)
  writeFileSync(file, `${lines.join('\n')}\n`)
  if (name === 'Kafka') {
    formatKafka(file)
    return { file: 'java', args: ['-Xmx1G', '-cp', kafkaClasspath(), 'kafka.Kafka', file] }
  }
  return {
    file: process.execPath,
    args: [process.env.BENCH_OTTLA_MAIN ?? resolve('dist/bundle/main.js'), 'start', file],
  }
}
