import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createNodeRandom } from '#src/runtime/node/random.js'
import { SeededRandom } from '../support/random.js'
import { HistoryChecker, type Violation } from './checker.js'
import type { ClientName } from './clients.js'
import { ClusterClient } from './cluster-client.js'
import type { Fault } from './faults.js'
import { readAll } from './finish.js'
import { GapMeter } from './gaps.js'
import { type ChaosEvent, HistoryLog } from './history.js'
import { copyProgram, Node, pause } from './nodes.js'
import { ProxyNetwork } from './proxy.js'
import { calm, EXACT_PARTITIONS, leaders, type Scene } from './scene.js'
import { SmallDisk } from './small-disk.js'
import { Workload } from './workload.js'

const NODES = 3
const PORTS_A_NODE = 10
const QUIET_MS = 1500
/** Acknowledgements of real clients that count for the gaps. */
const CLIENT_WRITERS = ['kafkajs-idempotent', 'librdkafka-idempotent']

export interface RunOptions {
  readonly minutes: number
  readonly seed: number
  readonly faults: readonly Fault[]
  readonly clients: readonly ClientName[]
  readonly host: string
  readonly firstPort: number
  /** Options of the nodes, over those of nodes.ts. */
  readonly overrides: Readonly<Record<string, string>>
  /** Where the folder of the run is made. */
  readonly parent: string
  readonly print: (line: string) => void
}

/** One fault that happened, and the longest times without an acknowledgement, ms. */
export interface Happened {
  readonly fault: string
  /** Of partitions whose leader was hit. */
  readonly hitMs: number
  /** Of other partitions. */
  readonly otherMs: number
  /** Of the real clients' idempotent producers. */
  readonly clientsMs: readonly number[]
  /** From the end of the fault until the cluster was whole. */
  readonly wholeMs: number
}

export interface Outcome {
  readonly violations: readonly Violation[]
  readonly happened: readonly Happened[]
  readonly checker: HistoryChecker
  readonly events: number
  readonly folder: string
  readonly historyFile: string
  readonly skipped: readonly string[]
}

interface Cluster extends Scene {
  readonly folder: string
  readonly log: HistoryLog
  readonly meter: GapMeter
  readonly checker: HistoryChecker
}

/** Makes everything that a run needs, formats the nodes and starts them. */
async function makeCluster(options: RunOptions): Promise<Cluster> {
  const folder = mkdtempSync(join(options.parent, 'chaos-'))
  const checker = new HistoryChecker()
  const meter = new GapMeter()
  const heard = (event: ChaosEvent) => {
    checker.add(event)
    if (event.e === 'ack' && CLIENT_WRITERS.includes(event.w)) meter.acknowledged(event.w, performance.now())
    if (event.e === 'wrong') options.print(`WRONG: ${event.what}`)
    if (event.e === 'replaced') options.print(`replaced ${event.client}: ${event.why}`)
  }
  const log = new HistoryLog(join(folder, 'history.jsonl'), [heard])
  const random = new SeededRandom(options.seed)
  const proxy = new ProxyNetwork()
  const program = copyProgram(folder)
  const clusterId = createNodeRandom().uuid()
  const { host, firstPort, overrides } = options
  const ids = Array.from({ length: NODES }, (_, i) => i + 1)
  const portOf = (id: number) => firstPort + id * PORTS_A_NODE
  const controllers = ids.map(id => `${host}:${portOf(id) + 3}`)
  const onUnexpectedEnd = (what: string) => log.add({ e: 'wrong', what })
  const shared = { host, folder, program, clusterId, controllers, proxy, overrides, onUnexpectedEnd }
  const nodes = ids.map(id => new Node({ id, port: portOf(id), ...shared }))
  const disks = nodes.map(node => SmallDisk.mount(node.data)).filter(disk => disk !== null)
  const addresses = nodes.map(node => node.address)
  const client = new ClusterClient({ name: 'chaos-observer', addresses, requestTimeoutMs: 5000 })
  const unheard = (since: number) => {
    const writers = Array.from({ length: EXACT_PARTITIONS }, (_, p) => `exact-${p}`)
    return writers.filter(w => meter.lastOf(w) > 0 && meter.lastOf(w) < since).map(w => `${w} is acknowledged nothing`)
  }
  const say = options.print
  return { nodes, proxy, client, random, disks, clusterId, unheard, say, folder, log, meter, checker }
}

async function startCluster({ nodes }: Cluster): Promise<void> {
  const random = createNodeRandom()
  const initial = nodes.map(node => {
    const { host, port } = node.controllerEndpoint
    return `${node.id}@${host}:${port}:${random.uuid()}`
  })
  for (const node of nodes) node.format(initial.join(','))
  await Promise.all(nodes.map(node => node.start()))
}

/** Does one fault and waits until the cluster is whole again. */
async function happen(cluster: Cluster, fault: Fault, options: RunOptions): Promise<Happened> {
  const { meter, log, print } = { ...cluster, ...options }
  const nodes = await fault.choose(cluster)
  await pause(QUIET_MS)
  const ids = nodes.map(({ id }) => id)
  const hit: string[] = []
  const other: string[] = []
  for (const [p, leader] of await leaders(cluster)) (ids.includes(leader) ? hit : other).push(`exact-${p}`)
  const begun = performance.now()
  const time = new Date().toISOString()
  const note = await fault.run(cluster, nodes)
  const until = performance.now()
  await calm(cluster)
  const whole = performance.now()
  log.add({ e: 'fault', fault: fault.name, nodes: ids, at: Math.round(begun), until: Math.round(until), time, note })
  const longest = (writers: readonly string[]) => Math.round(meter.longest(writers, begun, whole))
  const [hitMs, otherMs] = [longest(hit), longest(other)]
  const clientsMs = CLIENT_WRITERS.map(writer => longest([writer]))
  const wholeMs = Math.round(whole - until)
  print(`${fault.name} of ${ids.join(', ')}: ${note}; gaps ${hitMs} and ${otherMs} ms; whole after ${wholeMs} ms`)
  return { fault: fault.name, hitMs, otherMs, clientsMs, wholeMs }
}

/** All faults in an order that the seed says, again and again. */
function* deck(faults: readonly Fault[], random: SeededRandom): Generator<Fault> {
  for (;;) {
    const shuffled = [...faults]
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = random.below(i + 1)
      ;[shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!]
    }
    yield* shuffled
  }
}

/** A whole run; throws only when it cannot be begun. What goes wrong in it is a violation. */
export async function run(options: RunOptions): Promise<Outcome> {
  const cluster = await makeCluster(options)
  const { folder, log, checker, random, nodes, meter } = cluster
  options.print(`folder ${folder}`)
  const happened: Happened[] = []
  const skipped: string[] = []
  const possible = options.faults.filter(fault => {
    const why = fault.impossible?.(cluster) ?? null
    if (why !== null) skipped.push(`${fault.name}: skipped, ${why}`)
    return why === null
  })
  // Clients draw from a generator of their own: how many times they do so differs from run to run.
  const workload = new Workload(cluster, new SeededRandom(options.seed + 1), meter, event => log.add(event))
  const interrupt = onInterrupt(() => {
    for (const node of nodes) if (node.isRunning) process.kill(node.pid, 'SIGKILL')
    workload.kill()
    for (const disk of cluster.disks) disk.unmount()
    process.exit(130)
  })
  try {
    await startCluster(cluster)
    await workload.start(folder, options.clients)
    workload.broken.catch((error: unknown) =>
      log.add({ e: 'wrong', what: `a client of ours broke: ${stackOf(error)}` }),
    )
    await calm(cluster)
    const deadline = performance.now() + options.minutes * 60_000
    if (possible.length > 0) {
      for (const fault of deck(possible, random)) {
        if (performance.now() > deadline) break
        happened.push(await happen(cluster, fault, options))
      }
    }
    options.print('no more faults: the clients settle')
    await workload.stop()
    await calm({ ...cluster, unheard: () => [] })
    options.print('reading everything on every node')
    await readAll(cluster, event => log.add(event))
    options.print('stopping')
    await Promise.all(nodes.map(node => node.stop()))
  } catch (error) {
    log.add({ e: 'wrong', what: stackOf(error) })
  } finally {
    interrupt()
    workload.kill()
    cluster.client.close()
    for (const node of nodes) if (node.isRunning) await node.kill()
    cluster.proxy.close()
    await log.close()
  }
  const violations = checker.finish()
  if (violations.length > 0) keepData(cluster)
  for (const disk of cluster.disks) disk.unmount()
  if (violations.length === 0) for (const node of nodes) rmSync(node.data, { recursive: true, force: true })
  const historyFile = log.path
  return { violations, happened, checker, events: log.events, folder, historyFile, skipped }
}

/** What lies in memory is copied to where it stays. */
function keepData({ nodes, disks, folder }: Cluster): void {
  for (const node of disks.length > 0 ? nodes : []) {
    cpSync(node.data, join(folder, `kept-${node.id}`), { recursive: true })
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** Calls back when a person ends the run; returns how to call that off. */
function onInterrupt(callback: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.once(signal, callback)
  return () => {
    for (const signal of signals) process.off(signal, callback)
  }
}
