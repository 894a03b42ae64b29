import { join } from 'node:path'
import { ErrorCode } from '#protocol/errors.js'
import { createPartitions } from '../partitions.js'
import { Figures, type Row, row } from '../table.js'
import { type Cluster, type Name, NODES, type NodeId, portOf, startNodes } from './nodes.js'
import { electPreferredLeaders, partitionsOf, reach, type Told, untilAll, writeToAll } from './partition-probe.js'
import { activeController, createTopic } from './producer.js'

const PARTITIONS_OF_A_TOPIC = 10
const REPLICAS = 3
/** Partitions of the dead node that are written to, evenly chosen. */
const SAMPLE = 100
const IDLE_MS = 20_000
/** Idle: what is used in a time this long is within a tenth of what was used in the one before. */
const QUIET_MS = 5000
const QUIET_MS_MAX = 120_000
const QUIET_SHARE = 0.9
/** Nothing of this takes longer, or the work ends with an error. */
const LIMIT_MS = 900_000
/** Kafka's default: nothing is written, so that nothing grows old. */
const OPTIONS = { 'log.retention.check.interval.ms': '300000' }

export interface PartitionOptions {
  readonly names: readonly Name[]
  readonly rounds: number
  readonly partitions: number
}

const say = (line: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`)
const settle = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`

/** Many partitions of three replicas: what they cost when nothing happens, and how long those of a dead node are gone. */
export async function partitionRows(folder: string, options: PartitionOptions): Promise<Row[]> {
  const figures = new Figures()
  for (const name of options.names) {
    try {
      await measureOne(join(folder, `partitions-${name}`), name, options, figures)
    } catch (error) {
      // What was measured until then took long: it is in the table all the same.
      console.error(error)
      process.exitCode = 1
    }
  }
  const work = `3 nodes x ${options.partitions} partitions of RF 3`
  const ms = (figure: string, max?: number) => ({ name: figure, unit: 'ms', ...(max === undefined ? {} : { max }) })
  const failover = (node: string) => `kill -9 of a node that ${node} the active controller, until all it led`
  return [
    row(work, ms('creating them, until all are in sync and take records'), figures.of('create')),
    row(work, { name: 'idle CPU of all nodes', unit: 's/s', max: 0.5 }, figures.of('idle')),
    row(work, { name: 'idle resident memory of all nodes', unit: 'MiB' }, figures.of('memory')),
    row(work, ms(`${failover('is not')} have a new leader`), figures.of('follower leaders')),
    row(work, ms(`${failover('is not')} take acks=all records`, 0.5), figures.of('follower')),
    row(work, ms(`${failover('is')} have a new leader`), figures.of('controller leaders')),
    row(work, ms(`${failover('is')} take acks=all records`, 0.5), figures.of('controller')),
    row(work, ms('start of the killed node, until all are in sync'), figures.of('restart')),
  ]
}

async function measureOne(
  directory: string,
  name: Name,
  { rounds, partitions }: PartitionOptions,
  figures: Figures,
): Promise<void> {
  const add = (figure: string, value: number, unit: string) => {
    figures.add(figure, name, value)
    say(`${name}: ${figure} ${value.toFixed(value < 10 ? 3 : 0)} ${unit}`)
  }
  say(`${name}: starting three nodes`)
  const cluster = startNodes(name, directory, OPTIONS)
  try {
    await createTopic([portOf(name, 1)], 'bench')
    const topics = Math.ceil(partitions / PARTITIONS_OF_A_TOPIC)
    add('create', await createAll(cluster, topics), 'ms')
    for (let round = 0; round < rounds; round++) {
      await untilQuiet(cluster)
      add('idle', await idleCpu(cluster), 's/s')
      add('memory', cluster.residentMib(), 'MiB')
      for (const blow of ['follower', 'controller'] as const) {
        const controller = (await activeController(NODES.map(node => portOf(name, node)))) as NodeId
        const victim = blow === 'controller' ? controller : NODES.find(node => node !== controller)!
        const { leadersMs, recordsMs } = await failover(cluster, victim)
        add(`${blow} leaders`, leadersMs, 'ms')
        add(blow, recordsMs, 'ms')
        add('restart', await restart(cluster, victim, topics), 'ms')
        // So that every node leads its third again when the next one dies.
        await electPreferredLeaders(portOf(name, controller), LIMIT_MS)
        await onAllNodes(cluster, topics, leadsAsPreferred, 'led by their first replica')
        await untilQuiet(cluster)
      }
    }
  } finally {
    // Its files stay till the end: the device is busy for minutes with the removal of so many.
    await cluster.stop('SIGKILL')
  }
}

const isServed = ({ leaderId, errorCode }: Told) => leaderId >= 0 && errorCode === ErrorCode.NONE
const isInSync = (partition: Told) => isServed(partition) && partition.isr.length === REPLICAS
const leadsAsPreferred = (partition: Told) => isServed(partition) && partition.leaderId === partition.replicas[0]
const topicNames = (topics: number) => Array.from({ length: topics }, (_, index) => `partitions-${index}`)
const sampleOf = <T>(all: readonly T[]): T[] => all.filter((_, i) => i % Math.ceil(all.length / SAMPLE) === 0)

function portsWithout(cluster: Cluster, node: NodeId | null): Map<number, number> {
  return new Map(NODES.filter(each => each !== node).map(each => [each, portOf(cluster.name, each)]))
}

/** Returns the time until every node knows every partition with three replicas in sync, and a sample takes records, ms. */
async function createAll(cluster: Cluster, topics: number): Promise<number> {
  const port = portOf(cluster.name, 1)
  const begun = performance.now()
  await createPartitions(port, topics, PARTITIONS_OF_A_TOPIC, REPLICAS, created =>
    say(`${cluster.name}: ${created} of ${topics} topics after ${seconds(performance.now() - begun)}`),
  )
  await onAllNodes(cluster, topics, isInSync, 'in sync')
  const peer = await reach(port)
  const all = await partitionsOf(peer)
  peer.close()
  await writeToAll(portsWithout(cluster, null), sampleOf(all), LIMIT_MS)
  return performance.now() - begun
}

/** Waits until every node tells of every partition that it is as it should be. */
async function onAllNodes(
  cluster: Cluster,
  topics: number,
  isDone: (partition: Told) => boolean,
  what: string,
): Promise<void> {
  const ports = [...portsWithout(cluster, null).values()]
  await Promise.all(ports.map(port => untilAll(port, topicNames(topics), isDone, { what, limitMs: LIMIT_MS })))
}

/** Waits until what is used does not become less any more; machine code is made, logs are loaded. */
async function untilQuiet(cluster: Cluster): Promise<void> {
  const deadline = performance.now() + QUIET_MS_MAX
  let last = Infinity
  while (performance.now() < deadline) {
    const before = cluster.cpuSeconds()
    await settle(QUIET_MS)
    const used = cluster.cpuSeconds() - before
    say(`${cluster.name}: settling, ${((used * 1000) / QUIET_MS).toFixed(3)} s/s of CPU`)
    if (used >= last * QUIET_SHARE) return
    last = used
  }
}

async function idleCpu(cluster: Cluster): Promise<number> {
  const begun = performance.now()
  const before = cluster.cpuSeconds()
  await settle(IDLE_MS)
  return (cluster.cpuSeconds() - before) / ((performance.now() - begun) / 1000)
}

/**
 * Kills a node. Returns the time until both others know a living leader for everything that it led, and until a sample of
 * that has taken a record with acks=all, ms.
 */
async function failover(cluster: Cluster, victim: NodeId): Promise<{ leadersMs: number; recordsMs: number }> {
  const survivors = portsWithout(cluster, victim)
  const [first] = survivors.values()
  const peer = await reach(first!)
  const led = (await partitionsOf(peer)).filter(({ leaderId }) => leaderId === victim)
  peer.close()
  say(`${cluster.name}: kill -9 of node ${victim}, leader of ${led.length} partitions`)
  const topics = [...new Set(led.map(({ topic }) => topic))]
  const hasLeader = (partition: Told) => isServed(partition) && partition.leaderId !== victim
  const limit = { what: 'led by a living node', limitMs: LIMIT_MS }
  const begun = performance.now()
  await cluster.processes.get(victim)!.stop('SIGKILL')
  await Promise.all([...survivors.values()].map(port => untilAll(port, topics, hasLeader, limit)))
  const leadersMs = performance.now() - begun
  await writeToAll(survivors, sampleOf(led), LIMIT_MS)
  return { leadersMs, recordsMs: performance.now() - begun }
}

/** Starts a node again; returns the time until all nodes tell that every partition has all replicas in sync, ms. */
async function restart(cluster: Cluster, node: NodeId, topics: number): Promise<number> {
  const begun = performance.now()
  await cluster.restart(node)
  await onAllNodes(cluster, topics, isInSync, 'in sync')
  return performance.now() - begun
}
