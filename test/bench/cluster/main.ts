import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { removeDirectory } from '../brokers.js'
import {
  compileFloor,
  compileLoad,
  Figures,
  Measurements,
  printTable,
  type Row,
  row,
  temporaryFolder,
} from '../table.js'
import { measure, type Work } from '../works.js'
import {
  type Cluster,
  hasEnded,
  type Name,
  NODES,
  type NodeId,
  portOf,
  portsOf,
  startFloor,
  startNodes,
} from './nodes.js'
import { partitionRows } from './partitions.js'
import { activeController, createTopic, GapProducer, leaderPort } from './producer.js'

/*
 * npm run bench -- cluster [--rounds 3] [--seconds 6] [--warm 60] [--only produce,latency,start,gap,partitions]
 *   [--partitions 10000] [--skip-kafka] [--skip-ottla] [--floor] [--alone]
 *
 * Three nodes of Ottla and three of Apache Kafka, each broker and controller in one, by turns on this machine: three
 * replicas, min.insync.replicas=2, acks=all. With --floor, works of the producer alone, and three processes in C take
 * their turn, too. With --alone, only three nodes run at a time: each round starts them, warms them up and stops them.
 */
const NAMES: readonly Name[] = ['Ottla', 'Kafka']
/** What a frozen or cut off leader may cost: the session timeout and half a second. */
const SESSION_MS = 9000
const SETTLE_MS = 5000
const WARM_BATCHES = 200

const TOPIC = 'bench'
const settle = (ms = SETTLE_MS) => new Promise(resolve => setTimeout(resolve, ms))

interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly warmSeconds: number
  readonly names: readonly Name[]
  readonly partitions: number
  readonly hasFloor: boolean
  readonly isAlone: boolean
  readonly isWanted: (name: string) => boolean
}

function produce(name: string, batchBytes: number, min: number): Work {
  const args = ['produce', '--acks', '-1', '--conns', '1', '--depth', '4', '--batch', String(batchBytes)]
  return {
    name,
    topic: TOPIC,
    args: [...args, '--record', '1024'],
    figures: [
      { name: 'per CPU second of all nodes', unit: 'MiB', of: m => (m.mib_s * m.seconds) / m.cpuSeconds, min },
      { name: 'throughput', unit: 'MiB/s', of: m => m.mib_s },
      { name: 'p50', unit: 'ms', of: m => m.p50_ms },
      { name: 'p99', unit: 'ms', of: m => m.p99_ms },
    ],
  }
}

const WORKS: readonly Work[] = [
  produce('produce 16 KiB batches, RF 3', 16384, 5),
  produce('produce 64 KiB batches, RF 3', 65536, 4),
  produce('produce 1 MiB batches, RF 3', 1 << 20, 3),
  {
    name: 'latency: produce to consume, 200 batches/s, RF 3',
    topic: 'tail',
    args: ['latency', '--acks', '-1', '--rate', '200', '--batch', '1024', '--record', '900'],
    figures: [
      { name: 'p50', unit: 'ms', of: m => m.p50_ms, max: 0.8 },
      { name: 'p99', unit: 'ms', of: m => m.p99_ms, max: 0.4 },
    ],
  },
]

export async function clusterBench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '6' },
      warm: { type: 'string', default: '60' },
      only: { type: 'string', default: '' },
      partitions: { type: 'string', default: '10000' },
      'skip-kafka': { type: 'boolean', default: false },
      'skip-ottla': { type: 'boolean', default: false },
      floor: { type: 'boolean', default: false },
      alone: { type: 'boolean', default: false },
    },
  })
  const only = values.only === '' ? [] : values.only.split(',')
  const options: Options = {
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    warmSeconds: Number(values.warm),
    names: NAMES.filter(name => !values[`skip-${name === 'Kafka' ? 'kafka' : 'ottla'}`]),
    partitions: Number(values.partitions),
    hasFloor: values.floor,
    isAlone: values.alone,
    isWanted: name =>
      (only.length === 0 || only.some(word => name.includes(word))) && !(values.floor && !name.startsWith('produce')),
  }
  const folder = temporaryFolder()
  try {
    const load = compileLoad(folder)
    console.log(`three nodes; ${values.rounds} rounds of ${values.seconds} s; medians\n`)
    // Each table by itself, so that what was measured is there even if something later goes wrong.
    printTable(await startRows(folder, options))
    printTable(await loadRows(folder, load, options))
    printTable(await gapRows(folder, options))
    if (options.isWanted('partitions')) printTable(await partitionRows(folder, options))
  } finally {
    removeDirectory(folder)
  }
}

async function startRows(folder: string, { names, rounds, isWanted }: Options): Promise<Row[]> {
  if (!isWanted('start')) return []
  const figures = new Figures()
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const directory = join(folder, `start-${name}-${round}`)
      const begun = performance.now()
      const cluster = startNodes(name, directory)
      // Kafka's directories are formatted by a process of its own, which does not count.
      const started = performance.now()
      await createTopic(portsOf(name), TOPIC)
      const producer = new GapProducer(portsOf(name), TOPIC)
      await producer.more(1)
      figures.add('start', name, performance.now() - (name === 'Kafka' ? started : begun))
      await producer.stop()
      await settle()
      figures.add('memory', name, cluster.residentMib())
      await cluster.stop()
      removeDirectory(directory)
    }
  }
  const work = 'three processes'
  return [
    row(work, { name: 'start to the first acks=all record', unit: 'ms', max: 1 / 8 }, figures.of('start')),
    row(work, { name: 'idle resident memory of all', unit: 'MiB' }, figures.of('memory')),
  ]
}

async function loadRows(folder: string, load: string, options: Options): Promise<Row[]> {
  const works = WORKS.filter(work => options.isWanted(work.name))
  if (works.length === 0) return []
  const measured = new Measurements()
  if (options.isAlone) {
    const turns: (readonly Name[])[] = options.names.map(name => [name])
    if (options.hasFloor) turns.push([])
    for (let round = 0; round < options.rounds; round++) {
      for (const names of turns) {
        const once = { ...options, rounds: 1, hasFloor: names.length === 0 }
        await measureRounds(folder, load, names, works, once, measured)
      }
    }
  } else await measureRounds(folder, load, options.names, works, options, measured)
  return measured.rows()
}

async function measureRounds(
  folder: string,
  load: string,
  names: readonly Name[],
  works: readonly Work[],
  options: Options,
  measured: Measurements,
): Promise<void> {
  const clusters: Cluster[] = []
  const directories = names.map(name => join(folder, `load-${name}`))
  try {
    for (const [i, name] of names.entries()) {
      const cluster = startNodes(name, directories[i]!)
      clusters.push(cluster)
      for (const topic of new Set(works.map(work => work.topic))) await createTopic(portsOf(name), topic)
      // A node that is late is not in sync yet, and then a write that wants two copies is refused.
      await settle(3 * SETTLE_MS)
      for (const work of works) await measure(load, cluster, work, options.warmSeconds / works.length)
    }
    if (options.hasFloor) {
      clusters.push(startFloor(compileFloor(folder), join(folder, 'load-C')))
      await settle()
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const work of works) {
        for (const cluster of clusters) {
          measured.add(work, cluster.name, await measure(load, cluster, work, options.seconds))
        }
      }
    }
  } finally {
    for (const cluster of clusters) await cluster.stop()
  }
  for (const directory of directories) removeDirectory(directory)
}

type Blow = 'controlled shutdown of a leader' | 'kill -9' | 'frozen leader'

/** Does something to a node, and measures the longest time that a producer goes without an acknowledgement. */
async function gapOf(cluster: Cluster, node: NodeId, blow: Blow): Promise<number> {
  const producer = new GapProducer(portsOf(cluster.name), TOPIC)
  try {
    await producer.more(WARM_BATCHES)
    producer.reset()
    const victim = cluster.processes.get(node)!
    if (blow === 'frozen leader') victim.process.kill('SIGSTOP')
    else if (blow === 'kill -9') await victim.stop('SIGKILL')
    else await victim.stop('SIGTERM')
    if (blow === 'frozen leader') await settle(SESSION_MS + SETTLE_MS)
    await producer.more(WARM_BATCHES)
    const gap = producer.longestGapMs
    if (blow === 'frozen leader') victim.process.kill('SIGCONT')
    else await cluster.restart(node)
    await settle()
    return gap
  } finally {
    await producer.stop()
  }
}

async function leaderOf(name: Name): Promise<NodeId> {
  const port = await leaderPort(portsOf(name), TOPIC)
  const node = NODES.find(each => portOf(name, each) === port)
  if (node === undefined) throw new Error('the topic has no leader')
  return node
}

async function gapRows(folder: string, { names, rounds, isWanted }: Options): Promise<Row[]> {
  if (!isWanted('gap')) return []
  const figures = new Figures()
  for (const name of names) {
    const cluster = startNodes(name, join(folder, `gap-${name}`))
    try {
      await createTopic(portsOf(name), TOPIC)
      await settle()
      for (let round = 0; round < rounds; round++) {
        const gap = async (figure: string, node: NodeId, blow: Blow) =>
          figures.add(figure, name, await gapOf(cluster, node, blow))
        await gap('shutdown', await leaderOf(name), 'controlled shutdown of a leader')
        const controller = (await activeController(portsOf(name))) as NodeId
        const leader = await leaderOf(name)
        await gap(controller === leader ? 'both' : 'leader', leader, 'kill -9')
        const next = (await activeController(portsOf(name))) as NodeId
        await gap((await leaderOf(name)) === next ? 'both' : 'controller', next, 'kill -9')
        await gap('frozen', await leaderOf(name), 'frozen leader')
      }
    } finally {
      for (const { process: child } of cluster.processes.values()) if (!hasEnded(child)) child.kill('SIGCONT')
      await cluster.stop('SIGKILL')
    }
  }
  const work = 'longest gap of a producer'
  const figure = (name: string) => ({ name, unit: 'ms' })
  return [
    row(work, figure('controlled shutdown of a leader (100 ms)'), figures.of('shutdown')),
    row(work, figure('kill -9 of a leader (1.5 s)'), figures.of('leader')),
    row(work, figure('kill -9 of the active controller (1.5 s)'), figures.of('controller')),
    row(work, figure('kill -9 of leader and active controller in one (1.5 s)'), figures.of('both')),
    row(work, figure('frozen leader (session timeout of 9 s, and 0.5 s)'), figures.of('frozen')),
  ].filter(({ values }) => values.size > 0)
}
