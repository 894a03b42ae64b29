import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DescribeQuorum } from '#protocol/messages/describe-quorum.js'
import { askAddress } from '../../support/cluster-client.js'
import { logDirectory } from '../cache.js'
import { freeBlock } from '../cluster/ports.js'
import { describeEnd, run } from '../process.js'
import { eventually } from '../suite.js'
import { type Kind, MixedNode, type Place, type RoomPlan } from './node.js'
import type { Programs } from './programs.js'

/** Changes of metadata show on every node within this, ms; so do replicas that are back in sync. */
export const SETTLE_MS = 60_000
const IDS_MAX = 10

export interface ListedPartition {
  readonly partition: number
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

/** Nodes of both kinds that are one cluster, each a process of its own on this machine. */
export class Room {
  readonly nodes: readonly MixedNode[]
  readonly folder: string
  readonly plan: RoomPlan
  readonly #isKept: boolean

  private constructor(plan: RoomPlan, nodes: readonly MixedNode[], folder: string, isKept: boolean) {
    this.plan = plan
    this.nodes = nodes
    this.folder = folder
    this.#isKept = isKept
  }

  /** Formats the directories; nothing runs yet. */
  static async make(plan: RoomPlan, programs: Programs, options: { port?: number; folder?: string }): Promise<Room> {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'ottla-mixed-'))
    const port = options.port ?? (await freeBlock(2 * IDS_MAX))
    const clusterId = randomBytes(16).toString('base64url').replace(/^-/, 'A')
    const place: Place = { folder, port, clusterId, programs }
    const nodes = plan.nodes.map(node => new MixedNode(node, plan, place))
    await Promise.all(nodes.map(node => node.format()))
    return new Room(plan, nodes, folder, options.folder !== undefined)
  }

  get brokers(): readonly MixedNode[] {
    return this.nodes.filter(node => node.address !== '')
  }

  get controllers(): readonly MixedNode[] {
    return this.nodes.filter(node => node.controllerAddress !== '')
  }

  /** Addresses of the brokers that run. */
  get bootstrap(): string {
    return this.brokers
      .filter(node => node.isRunning)
      .map(node => node.address)
      .join(',')
  }

  get allAddresses(): string {
    return this.brokers.map(node => node.address).join(',')
  }

  node(id: number): MixedNode {
    const found = this.nodes.find(node => node.id === id)
    if (found === undefined) throw new Error(`no node ${id}`)
    return found
  }

  kindOf(id: number): Kind {
    return this.node(id).kind
  }

  /** All at once, but for those that join later: no controller serves anybody before a majority is there. */
  async startAll(): Promise<void> {
    await Promise.all(this.nodes.filter(node => !node.isRunning && !node.joins).map(node => node.start()))
  }

  /** Brokers first, one after the other, so that each hands on what it leads; then controllers. */
  async stopAll(): Promise<void> {
    const alone = (node: MixedNode) => (node.controllerAddress === '' ? 0 : 1)
    const running = this.nodes.filter(node => node.isRunning).toSorted((a, b) => alone(a) - alone(b))
    for (const node of running) {
      // A broker of Kafka that is left alone waits five minutes for a controller that lets it go.
      const isStuck = node.kind === 'kafka' && node.address !== '' && node === running.at(-1)
      await (isStuck ? node.kill() : node.stop())
    }
  }

  /** Ends what runs and removes the folder; logs of the nodes are kept. */
  async remove(): Promise<void> {
    for (const node of this.nodes) await node.kill()
    if (this.#isKept) return
    mkdirSync(logDirectory, { recursive: true })
    for (const node of this.nodes) {
      if (existsSync(node.logFile)) copyFileSync(node.logFile, join(logDirectory, `${node.kind}-${node.id}.log`))
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** The partitions of a topic, as one broker knows them. */
  async partitions(topic: string, through = this.bootstrap): Promise<ListedPartition[]> {
    return partitionsIn(JSON.parse(await kcat(['-b', through, '-L', '-J', '-t', topic])) as Listing, topic)
  }

  /** Every broker that runs says that so many replicas of each partition are in sync, and that it has a leader. */
  async untilInSync(topics: readonly string[], count: number): Promise<void> {
    for (const { address } of this.brokers.filter(node => node.isRunning)) {
      await eventually(async () => {
        const listing = JSON.parse(await kcat(['-b', address, '-L', '-J'])) as Listing
        for (const topic of topics) {
          const partitions = partitionsIn(listing, topic)
          assert.ok(partitions.length > 0, `${topic} is not there, says ${address}`)
          for (const one of partitions) {
            const what = `${topic} through ${address}: ${JSON.stringify(partitions)}`
            assert.ok(one.leader > 0, what)
            assert.equal(one.isr.length, Math.min(count, one.replicas.length), what)
          }
        }
      }, SETTLE_MS)
    }
  }

  /** The node that leads the metadata quorum, as the controllers that run say of themselves. */
  async quorumLeader(): Promise<MixedNode> {
    return eventually(async () => {
      for (const controller of this.controllers.filter(node => node.isRunning)) {
        const leader = await leaderSaidBy(controller.controllerAddress).catch(() => -1)
        if (leader === controller.id) return controller
      }
      throw new Error('no controller says that it leads')
    }, SETTLE_MS)
  }
}

/** The leader of the metadata quorum, if this node leads it; -1 otherwise. */
async function leaderSaidBy(address: string): Promise<number> {
  const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const answer = await askAddress(address, DescribeQuorum, { topics })
  const partition = answer.topics[0]?.partitions[0]
  return partition?.errorCode === 0 ? partition.leaderId : -1
}

interface Listing {
  readonly brokers: readonly { readonly id: number; readonly name: string }[]
  readonly topics: readonly {
    readonly topic: string
    readonly partitions: readonly {
      readonly partition: number
      readonly leader: number
      readonly replicas: readonly { readonly id: number }[]
      readonly isrs: readonly { readonly id: number }[]
    }[]
  }[]
}

function partitionsIn({ topics }: Listing, name: string): ListedPartition[] {
  const ids = (list: readonly { id: number }[]) => list.map(({ id }) => id)
  return (topics.find(({ topic }) => topic === name)?.partitions ?? [])
    .map(({ partition, leader, replicas, isrs }) => ({
      partition,
      leader,
      replicas: ids(replicas),
      isr: ids(isrs).sort(),
    }))
    .sort((a, b) => a.partition - b.partition)
}

/** The names of the brokers that a broker tells of. */
export async function brokersKnownTo(address: string): Promise<string[]> {
  const { brokers } = JSON.parse(await kcat(['-b', address, '-L', '-J'])) as Listing
  return brokers.map(({ name }) => name).sort()
}

export async function kcat(args: readonly string[], input?: string): Promise<string> {
  const finished = await run('kcat', args, { timeoutMs: 60_000, ...(input === undefined ? {} : { input }) })
  assert.equal(finished.code, 0, `kcat ${args.join(' ')} ${describeEnd(finished)}`)
  return finished.stdout
}
