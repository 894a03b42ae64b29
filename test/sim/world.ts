import type { Millis } from '#src/runtime/ports.js'
import { SeededRandom } from '../support/random.js'
import type { DiskChange } from '../support/sim-disk.js'
import { History, type PartitionHistory, Violation } from './checkers/history.js'
import { LogWatcher } from './checkers/logs.js'
import { METADATA_PARTITION, MetadataTruth } from './checkers/metadata.js'
import { ReplicaChecker } from './checkers/replicas.js'
import { type Address, ClusterClient } from './client/cluster-client.js'
import { Coverage } from './coverage.js'
import { SimNetwork } from './network.js'
import { describe, type SimNode } from './node.js'
import type { Plan } from './plan.js'
import { machineClock, ProcessGone, SimClock, SimProcess } from './process.js'
import { type Owner, Scheduler } from './scheduler.js'

/** Everything that there is in one run. */
export class World {
  readonly seed: number
  readonly plan: Plan
  readonly scheduler = new Scheduler()
  readonly coverage = new Coverage()
  readonly network: SimNetwork
  readonly history = new History()
  readonly logs = new LogWatcher()
  readonly truth: MetadataTruth
  readonly replicas = new ReplicaChecker(this)
  readonly nodes: SimNode[] = []
  readonly logsDebug: boolean
  /** The first thing that went wrong. */
  failure: Error | null = null
  /** Faults are over: nobody may end by itself any more. */
  isHealed = false
  /** The run is over: nodes stay where they are. */
  isOver = false
  readonly #producerIds = new Set<number>()

  constructor(seed: number, plan: Plan, logsDebug: boolean) {
    this.seed = seed
    this.plan = plan
    this.logsDebug = logsDebug
    this.network = new SimNetwork(this.scheduler, this.randomOf('network'), this.coverage)
    this.scheduler.onThrow = (owner, error) => this.onUncaught(owner, error)
    const directoryOf = (nodeId: number) => this.nodes[nodeId - 1]?.directoryId ?? ''
    this.truth = new MetadataTruth(this.logs, this.coverage, directoryOf, delta => this.replicas.changed(delta))
    this.logs.directoryOf = (nodeId, partition) => this.#directoryOf(nodeId, partition)
    this.logs.events = {
      written: (nodeId, partition, found, bytes, position) => {
        if (partition === METADATA_PARTITION) this.truth.written(nodeId, found, bytes, position)
      },
      cutOff: (nodeId, partition, batches) => {
        if (partition !== METADATA_PARTITION) return this.coverage.count('log truncated')
        for (const each of batches) this.truth.cutOff(nodeId, each)
      },
      synced: (_nodeId, partition) => {
        if (partition === METADATA_PARTITION) this.truth.synced()
      },
      promoted: () => this.coverage.count('replica moved to another directory'),
    }
  }

  /** The path of the directory in which the controller knows a replica. */
  #directoryOf(nodeId: number, partition: string): string {
    const node = this.nodes[nodeId - 1]
    const at = partition.lastIndexOf('-')
    const image = this.truth.image.topics.partition(partition.slice(0, at), Number(partition.slice(at + 1)))
    if (node === undefined || image === undefined) return ''
    return node.pathOf(image.directories[image.replicas.indexOf(nodeId)] ?? '')
  }

  /** A stream of random numbers of its own for each purpose, so that one more draw here changes nothing there. */
  randomOf(name: string): SeededRandom {
    let state = Math.imul(this.seed + 1, 0x9e3779b1) | 0
    for (let i = 0; i < name.length; i++) state = Math.imul(state ^ name.charCodeAt(i), 0x01000193)
    return new SeededRandom((state ^ (state >>> 15)) >>> 0)
  }

  note(who: string, text: string): void {
    this.scheduler.note(who, text)
  }

  fail(error: Error): void {
    if (this.failure !== null) return
    this.failure = error
    this.note('sim', `FAILURE: ${error instanceof Violation ? error.message : (error.stack ?? error.message)}`)
  }

  /** Something threw where nobody catches it: a process would end by that. */
  onUncaught(owner: Owner | null, error: unknown): void {
    if (error instanceof ProcessGone || owner?.isDead === true) return
    if (error instanceof Violation) return this.fail(error)
    this.fail(error instanceof Error ? error : new Error(String(error)))
  }

  get isAcksOneFirm(): boolean {
    return this.plan.nodes === 1
  }

  get bootstrap(): readonly Address[] {
    return this.nodes.map(({ hostName }) => ({ host: hostName, port: 9092 }))
  }

  /** How often brokers were started. */
  get starts(): number {
    return this.nodes.reduce((sum, node) => sum + node.incarnation, 0)
  }

  checkProducerId(producerId: number): void {
    if (this.#producerIds.has(producerId)) this.fail(new Violation(`producer id ${producerId} was given out twice`))
    this.#producerIds.add(producerId)
  }

  /** A program on a machine of its own. */
  client(name: string): ClusterClient {
    const random = this.randomOf(`client ${name}`)
    this.network.addHost(name)
    const process = new SimProcess(name, () => {})
    const clock = new SimClock(this.scheduler, process, machineClock(random))
    return new ClusterClient(process, clock, this.network.port(name, process), random, this.bootstrap)
  }

  /** Runs a program; what it throws is a failure of the run. */
  spawn(process: SimProcess, program: () => Promise<void>): Promise<void> {
    return new Promise(resolve => {
      this.scheduler.at(this.scheduler.now, process, 'spawn', () => {
        program().then(resolve, (error: unknown) => {
          this.onUncaught(process, error)
          resolve()
        })
      })
    })
  }

  onDiskChange(node: SimNode, change: DiskChange): void {
    try {
      node.disk.lookedAt(() => this.#mindDiskChange(node, change))
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      this.fail(error)
    }
  }

  #mindDiskChange(node: SimNode, change: DiskChange): void {
    this.logs.changed(node.id, node.disk, change)
    if (change.kind !== 'rename') return
    if (change.to.endsWith('/quorum-state')) this.truth.voted(node.id, node.disk.readFile(change.to).toString())
    if (change.to.endsWith('.checkpoint')) this.truth.snapshot(node.id, node.disk, change.to)
  }

  /** A client knows that everything in a partition below an offset is committed. */
  committed(history: PartitionHistory, end: number): void {
    this.replicas.committed(history, end)
  }

  /** A broker ended by itself. */
  onExit(node: SimNode, why: string): void {
    this.note(`n${node.id}`, why)
    this.coverage.count('process ended by itself')
    if (!node.mayEnd) this.fail(new Violation(`node ${node.id} ${why}`))
  }

  onErrorLine(who: string, message: string, fields: object): void {
    this.coverage.count(`error line: ${message.slice(0, 60)}`)
    const node = this.nodes.find(each => each.process?.name === who)
    if (!message.startsWith('a request failed for a reason') || node === undefined || node.mayEnd) return
    const { err } = fields as { readonly err?: unknown }
    this.fail(
      new Violation(`node ${node.id}: ${message}: ${err instanceof Error ? err.stack : JSON.stringify(fields)}`),
    )
  }

  onProcessGone(node: SimNode): void {
    if (this.isOver) return
    const random = this.randomOf(`restart ${node.id} ${node.incarnation}`)
    const delay: Millis = random.below(4) === 0 ? random.below(8000) : random.below(500)
    this.scheduler.after(Math.max(delay, node.restartAt - this.scheduler.now), null, 'restart', () => {
      if (node.isRunning || this.isOver) return
      if (!node.isPowered) node.powerOn()
      node.start()
    })
  }

  beforePowerLoss(node: SimNode, isDiskGone = false): void {
    this.replicas.powerLost(node.id, isDiskGone)
    if (isDiskGone) this.truth.forget(node.id)
    else this.truth.powerLost(node.id)
  }

  afterPowerLoss(node: SimNode): void {
    const { logDirs, metadataLogDir } = node.config.node
    this.logs.rescan(node.id, node.disk, [...new Set([...logDirs, metadataLogDir])])
  }

  /** What was not synced of a partition may be gone for good, now that the leader of this epoch was elected. */
  weaken(partition: string, offset: number, leaderEpoch: number): void {
    this.coverage.count('disaster: an unsynced tail may be gone')
    this.note('sim', `from ${offset} on ${partition} may be lost`)
    if (partition.startsWith('__consumer_offsets-')) {
      for (const group of this.history.groups.values()) group.weaken()
      return
    }
    this.history.partitions.get(partition)?.weaken(offset, leaderEpoch)
  }

  describeError(error: unknown): string {
    return describe(error)
  }
}
