import { ErrorCode } from '#protocol/errors.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { ElectLeaders } from '#protocol/messages/elect-leaders.js'
import { PeerError } from '#src/client/peer.js'
import { findMisplaced } from './checkers/directories.js'
import { Violation } from './checkers/history.js'
import { findOtherImage } from './checkers/images.js'
import { SimAdmin } from './client/admin.js'
import type { ClusterClient } from './client/cluster-client.js'
import { isPassing, unexpected } from './client/errors.js'
import { GroupMember } from './client/group-member.js'
import { SimMover } from './client/mover.js'
import { SimProducer } from './client/producer.js'
import { readAll, SimReader } from './client/reader.js'
import { VoterKeeper } from './client/voters.js'
import type { Coverage } from './coverage.js'
import { FaultInjector } from './faults.js'
import { CLUSTER_ID, SimNode } from './node.js'
import { drawPlan, type TopicPlan } from './plan.js'
import { World } from './world.js'

export interface RunOptions {
  /** Prints the trace. */
  readonly echo?: (line: string) => void
  readonly debug?: boolean
  /** When it fails, called with every file of every node. */
  readonly dump?: (path: string, content: Buffer) => void
  readonly nodes?: number | null
  /** These faults instead of those that the seed draws. */
  readonly faults?: readonly string[] | null
  /** So many log directories on each node. */
  readonly directories?: number | null
  /** The safety act takes so long, instead of what the seed draws, ms. */
  readonly safetyMs?: number
}

export interface RunResult {
  readonly seed: number
  readonly failure: Error | null
  /** The same for two runs of one seed. */
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
  readonly coverage: Coverage
  readonly tail: readonly string[]
  readonly acknowledged: number
  readonly read: number
  readonly commits: number
}

/** The deadline of the liveness act, ms. */
const LIVENESS_MS = 90_000
const TAIL_LINES = 60

/** Who is told of promises that nobody hears; one run at a time. */
let worldNow: World | null = null
process.on('unhandledRejection', error => {
  if (worldNow === null) throw error
  worldNow.onUncaught(worldNow.scheduler.current, error)
})

/** Runs a seed from beginning to end. Never rejects: what went wrong is in the result. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<RunResult> {
  const { nodes = null, faults = null, directories = null } = options
  const drawn = drawPlan(seed, { nodes, faults, directories })
  const plan = options.safetyMs === undefined ? drawn : { ...drawn, safetyMs: options.safetyMs }
  const world = new World(seed, plan, options.debug === true)
  if (options.echo !== undefined) world.scheduler.echo = options.echo
  worldNow = world
  try {
    let isDone = false
    const show = new Show(world)
    world.scheduler.at(0, null, 'begin', () => {
      show.run().then(
        () => {
          isDone = true
        },
        error => world.onUncaught(null, error),
      )
    })
    await world.scheduler.run(() => isDone || world.failure !== null)
  } catch (error) {
    world.fail(error as Error)
  }
  world.isOver = true
  if (world.failure !== null && options.dump !== undefined) dumpDisks(world, options.dump)
  for (const node of world.nodes) node.kill()
  // What was left undone comes to rest before the next run begins.
  await new Promise<void>(resolve => setImmediate(resolve))
  await new Promise<void>(resolve => setImmediate(resolve))
  worldNow = null
  const { scheduler, coverage, history } = world
  return {
    seed,
    failure: world.failure,
    hash: scheduler.hash,
    events: scheduler.events,
    virtualMs: scheduler.now,
    coverage,
    tail: scheduler.tail(TAIL_LINES),
    acknowledged: history.acknowledged,
    read: history.read,
    commits: history.commits,
  }
}

function dumpDisks(world: World, dump: (path: string, content: Buffer) => void): void {
  for (const { disk, hostName } of world.nodes) {
    const visit = (path: string): void => {
      for (const { name, isDirectory } of disk.list(path)) {
        if (isDirectory) visit(`${path}/${name}`)
        else dump(`${hostName}${path}/${name}`, disk.readFile(`${path}/${name}`))
      }
    }
    disk.lookedAt(() => visit(''))
  }
}

/** The acts of a run. */
class Show {
  readonly #world: World
  readonly #producers: SimProducer[] = []
  readonly #members: GroupMember[] = []
  readonly #running: Promise<void>[] = []
  #director!: ClusterClient
  #admin: SimAdmin | null = null
  #areClientsOver = false

  constructor(world: World) {
    this.#world = world
  }

  async run(): Promise<void> {
    const world = this.#world
    const { plan } = world
    this.#begin()
    const director = world.client('director')
    this.#director = director
    const whole = world.spawn(director.process, async () => {
      for (const topic of plan.topics) await this.#createTopic(topic)
      const hosts = this.#startClients()
      const faults = new FaultInjector(world, hosts)
      world.note('sim', `safety act: ${plan.safetyMs} ms`)
      faults.start()
      await director.clock.sleep(plan.safetyMs)
      faults.heal()
      world.isHealed = true
      world.note('sim', 'liveness act')
      await this.#liveness()
      this.#areClientsOver = true
      await Promise.all(this.#running)
      world.note('sim', 'last act')
      await this.#lastAct()
    })
    await whole
  }

  #begin(): void {
    const world = this.#world
    const { plan } = world
    const ids = Array.from({ length: plan.nodes }, (_, i) => i + 1)
    const quorum =
      plan.initialVoters === null
        ? (['controller.quorum.voters', ids.map(id => `${id}@node${id}:9093`).join(',')] as const)
        : (['controller.quorum.bootstrap.servers', ids.map(id => `node${id}:9093`).join(',')] as const)
    const random = world.randomOf('directories')
    const initial = ids.slice(0, plan.initialVoters ?? 0).map(id => `${id}@node${id}:9093:${random.uuid()}`)
    for (const id of ids) {
      const node = new SimNode(
        world,
        id,
        new Map([
          ['process.roles', 'broker,controller'],
          ['node.id', String(id)],
          quorum,
          ['listeners', `PLAINTEXT://node${id}:9092,CONTROLLER://node${id}:9093`],
          ['inter.broker.listener.name', 'PLAINTEXT'],
          ['controller.listener.names', 'CONTROLLER'],
          ['log.dirs', plan.directories.join(',')],
          ...(plan.metadataDirectory === plan.directories[0]
            ? []
            : [['metadata.log.dir', plan.metadataDirectory] as const]),
          ...(plan.racks > 0 ? [['broker.rack', `rack${id % plan.racks}`] as const] : []),
          ...plan.options,
        ]),
      )
      world.nodes.push(node)
      if (plan.initialVoters === null) node.format(CLUSTER_ID, { kind: 'static' })
      else if (id > plan.initialVoters) node.format(CLUSTER_ID, { kind: 'noInitialControllers' })
      else node.format(CLUSTER_ID, { kind: 'initialControllers', voters: initial.join(',') })
      node.start()
    }
    world.truth.setVoters(world.nodes.slice(0, plan.initialVoters ?? plan.nodes))
  }

  async #createTopic(topic: TopicPlan): Promise<void> {
    const director = this.#director
    const { name, partitions, replicationFactor, configs } = topic
    for (;;) {
      try {
        const topics = [{ name, numPartitions: partitions, replicationFactor, assignments: [], configs: [...configs] }]
        const answer = await director.ask(-1, CreateTopics, 5, { topics, timeoutMs: 10_000 })
        const code = answer.topics[0]!.errorCode
        if (code === ErrorCode.NONE || code === ErrorCode.TOPIC_ALREADY_EXISTS) break
        if (!isPassing(code) && code !== ErrorCode.INVALID_REPLICATION_FACTOR) throw unexpected('CreateTopics', code)
      } catch (error) {
        if (!(error instanceof PeerError)) throw error
      }
      await director.pause(200)
    }
    this.#world.history.topics.set(name, partitions)
    if (topic.deletes !== 'retention') return
    for (let i = 0; i < partitions; i++) this.#world.history.partition(name, i).willDelete(Infinity)
  }

  /** Returns the names of their machines. */
  #startClients(): string[] {
    const world = this.#world
    const { plan } = world
    const hosts: string[] = []
    const isOver = () => this.#areClientsOver
    const add = (name: string, program: (client: ClusterClient) => () => Promise<void>): void => {
      const client = world.client(name)
      hosts.push(name)
      this.#running.push(world.spawn(client.process, program(client)))
    }
    plan.producers.forEach((options, index) => {
      add(`p${index}`, client => {
        const producer = new SimProducer(world, client, options)
        if (options.acks !== 0) this.#producers.push(producer)
        return () => producer.run(isOver)
      })
    })
    for (const { name, partitions } of plan.topics) {
      for (let partition = 0; partition < partitions; partition++) {
        add(`r-${name}-${partition}`, client => {
          const reader = new SimReader(world, client, name, partition)
          return () => reader.run(isOver)
        })
      }
    }
    if (plan.hasAdmin) {
      add('admin', client => {
        const admin = new SimAdmin(world, client)
        this.#admin = admin
        return () => admin.run(isOver)
      })
    }
    if (plan.directories.length > 1) {
      add('mover', client => {
        const mover = new SimMover(world, client)
        return () => mover.run(() => world.isHealed || isOver())
      })
    }
    for (const group of plan.groups) {
      for (let i = 0; i < group.members; i++) {
        add(`${group.name}.${i}`, client => {
          const member = new GroupMember(world, client, group.name, group.topic)
          this.#members.push(member)
          return () => member.run(isOver)
        })
      }
    }
    return hosts
  }

  /** Everyone gets on again, within the deadline. */
  async #liveness(): Promise<void> {
    const { clock } = this.#director
    const deadline = clock.now() + LIVENESS_MS
    const acknowledged = this.#producers.map(producer => producer.acknowledged)
    const groups = new Map(this.#world.plan.groups.map(({ name }) => [name, this.#world.history.group(name).commits]))
    const waiting = (): string[] => [
      ...this.#producers.filter((producer, i) => producer.acknowledged <= acknowledged[i]!).map(({ name }) => name),
      ...[...groups]
        .filter(([name, commits]) => this.#world.history.group(name).commits <= commits)
        .map(([name]) => name),
    ]
    if (this.#world.plan.initialVoters !== null) {
      const keeper = new VoterKeeper(this.#world, this.#director)
      if (!(await keeper.settleUntil(deadline))) throw new Violation('not all nodes could be made voters after healing')
    }
    while (waiting().length > 0) {
      if (clock.now() > deadline)
        throw new Violation(`no progress within ${LIVENESS_MS} ms after healing: ${waiting()}`)
      // The offsets of a group may be among what nobody leads any more.
      await this.#electByHand()
      await clock.sleep(200)
    }
  }

  async #lastAct(): Promise<void> {
    const { history } = this.#world
    const { clock } = this.#director
    const deadline = clock.now() + LIVENESS_MS
    for (const partition of history.partitions.values()) {
      for (;;) {
        const { topic, deletedEnd } = partition
        const found = await readAll(this.#director, topic, partition.partition, deletedEnd === 0)
        if (found !== null) {
          partition.checkAll(found.values, found.start)
          break
        }
        if (clock.now() > deadline) throw new Violation(`${partition.name} cannot be read to its end`)
        await this.#director.pause(100)
        await this.#director.refreshQuietly([partition.topic])
      }
    }
    await this.#sameEverywhere()
    this.#director.close()
  }

  /**
   * A partition whose last leader has lost its disk stays without a leader, as in Kafka, until somebody decides that what
   * another replica has is good enough. Nobody decides that while a replica is away that may have more.
   */
  async #electByHand(): Promise<void> {
    const { truth, replicas, coverage, plan } = this.#world
    if (!plan.faults.has('replace a disk')) return
    for (const { name, partitions } of truth.image.topics.all()) {
      for (const [partition, { leader, isr, elr, replicas: all }] of partitions.entries()) {
        if (leader >= 0 || isr.length > 0 || elr.length > 0) continue
        if (all.some(nodeId => truth.image.cluster.broker(nodeId)?.fenced !== false)) continue
        replicas.allowsUnclean = true
        coverage.count('leader elected by hand after the loss of a disk')
        try {
          const topicPartitions = [{ topic: name, partitions: [partition] }]
          await this.#director.ask(-1, ElectLeaders, 2, { electionType: 1, topicPartitions, timeoutMs: 5000 })
        } catch (error) {
          if (!(error instanceof PeerError)) throw error
        }
      }
    }
  }

  /** What the nodes tell clients. */
  async #checkAnswers(): Promise<string | null> {
    try {
      const world = this.#world
      const other = (await this.#admin?.check()) ?? (await findOtherImage(world, this.#director))
      return other ?? (world.plan.directories.length > 1 ? await findMisplaced(world, this.#director) : null)
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      return error.message
    }
  }

  /** All replicas come to be in sync and the same. */
  async #sameEverywhere(): Promise<void> {
    const { clock } = this.#director
    const deadline = clock.now() + LIVENESS_MS
    for (;;) {
      const problem = this.#world.replicas.expectSameLogs() ?? (await this.#checkAnswers())
      if (problem === null) return
      await this.#electByHand()
      if (clock.now() > deadline) throw new Violation(`${LIVENESS_MS} ms after healing, ${problem}`)
      await clock.sleep(200)
    }
  }
}
