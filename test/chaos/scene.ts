import { AlterPartitionReassignments } from '#protocol/messages/alter-partition-reassignments.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { ElectLeaders } from '#protocol/messages/elect-leaders.js'
import type { SeededRandom } from '../support/random.js'
import { ClusterClient, RefusedError } from './cluster-client.js'
import { type Node, pause } from './nodes.js'
import type { ProxyNetwork } from './proxy.js'
import type { SmallDisk } from './small-disk.js'

export const EXACT_TOPIC = 'exact'
export const EXACT_PARTITIONS = 6
/** How long the cluster may take to be whole again after the end of a fault, ms. */
const CALM_MS_MAX = 90_000
const ASK_MS_MAX = 30_000
const ELECTION_NOT_NEEDED = 84

/** What faults work on. */
export interface Scene {
  readonly nodes: readonly Node[]
  readonly proxy: ProxyNetwork
  readonly client: ClusterClient
  readonly random: SeededRandom
  readonly disks: readonly SmallDisk[]
  readonly clusterId: string
  /** Numbers of writers that must have been acknowledged something new before all is well. */
  readonly unheard: (since: number) => readonly string[]
  readonly say: (text: string) => void
}

export function nodeOf(scene: Scene, id: number): Node {
  const node = scene.nodes.find(candidate => candidate.id === id)
  if (node === undefined) throw new Error(`there is no node ${id}`)
  return node
}

export function otherNodes(scene: Scene, id: number): readonly Node[] {
  return scene.nodes.filter(node => node.id !== id)
}

export function controllerId(scene: Scene): Promise<number> {
  return scene.client.until('the active controller', ASK_MS_MAX, async () => {
    const { leaderId } = await scene.client.quorum()
    return leaderId < 0 ? null : leaderId
  })
}

/** Who leads the partitions of the exact topic, by partition. */
export function leaders(scene: Scene): Promise<ReadonlyMap<number, number>> {
  return scene.client.until('leaders', ASK_MS_MAX, async () => {
    const { topics } = await scene.client.refresh([EXACT_TOPIC])
    const partitions = topics[0]?.partitions ?? []
    if (partitions.length !== EXACT_PARTITIONS || partitions.some(({ leaderId }) => leaderId < 0)) return null
    return new Map(partitions.map(({ partitionIndex, leaderId }) => [partitionIndex, leaderId]))
  })
}

/** A node that leads something and is not the active controller, where there is one. */
export async function someLeader(scene: Scene): Promise<Node> {
  const controller = await controllerId(scene)
  const ids = [...new Set((await leaders(scene)).values())].sort()
  const wanted = ids.filter(id => id !== controller)
  return nodeOf(scene, scene.random.pick(wanted.length > 0 ? wanted : ids))
}

export async function createTopic(scene: Scene, name: string, numPartitions: number): Promise<void> {
  await scene.client.until(`topic ${name}`, ASK_MS_MAX, async () => {
    const topics = [{ name, numPartitions, replicationFactor: 3, assignments: [], configs: [] }]
    const answer = await scene.client.ask(CreateTopics, 5, { topics, timeoutMs: 5000 })
    const code = answer.topics[0]?.errorCode ?? -1
    const TOPIC_ALREADY_EXISTS = 36
    if (code !== 0 && code !== TOPIC_ALREADY_EXISTS) {
      throw new RefusedError('CreateTopics', code, answer.topics[0]?.errorMessage)
    }
    return true
  })
}

/** Gives partitions these replicas, the first of them to lead; resolves when the change is accepted. */
export async function reassign(
  scene: Scene,
  topic: string,
  replicasOf: ReadonlyMap<number, readonly number[]>,
): Promise<void> {
  const partitions = [...replicasOf].map(([partitionIndex, replicas]) => ({ partitionIndex, replicas }))
  await scene.client.until('a reassignment', ASK_MS_MAX, async () => {
    const topics = [{ name: topic, partitions }]
    const answer = await scene.client.ask(AlterPartitionReassignments, 0, { timeoutMs: 5000, topics })
    const failed = answer.responses[0]?.partitions.find(({ errorCode }) => errorCode !== 0)
    const code = answer.errorCode !== 0 ? answer.errorCode : (failed?.errorCode ?? 0)
    if (code !== 0) throw new RefusedError('AlterPartitionReassignments', code, failed?.errorMessage)
    return true
  })
}

async function electPreferred(scene: Scene, topic: string, partitions: readonly number[]): Promise<void> {
  await scene.client.until('an election', ASK_MS_MAX, async () => {
    const topicPartitions = [{ topic, partitions: [...partitions] }]
    const answer = await scene.client.ask(ElectLeaders, 2, { electionType: 0, topicPartitions, timeoutMs: 5000 })
    const codes = answer.replicaElectionResults.flatMap(result => result.partitionResult.map(one => one.errorCode))
    const bad = [answer.errorCode, ...codes].find(code => code !== 0 && code !== ELECTION_NOT_NEEDED)
    if (bad !== undefined) throw new RefusedError('ElectLeaders', bad)
    return true
  })
}

/** Lets the nodes lead the exact partitions by turns; resolves when they do. */
export async function lead(scene: Scene, ids: readonly number[]): Promise<void> {
  const replicasOf = new Map<number, readonly number[]>()
  for (let p = 0; p < EXACT_PARTITIONS; p++) {
    const first = ids[p % ids.length]!
    replicasOf.set(p, [first, ...scene.nodes.map(({ id }) => id).filter(id => id !== first)])
  }
  await reassign(scene, EXACT_TOPIC, replicasOf)
  await scene.client.until('leaders where they are wanted', ASK_MS_MAX, async () => {
    await electPreferred(scene, EXACT_TOPIC, [...replicasOf.keys()])
    const found = await leaders(scene)
    return [...replicasOf].every(([p, [first]]) => found.get(p) === first) ? true : null
  })
  await calm(scene)
}

/** Why the cluster is not whole, as one of its nodes sees it; null if it is. */
async function unrest(scene: Scene, node: Node): Promise<string | null> {
  const client = new ClusterClient({ name: 'chaos-calm', addresses: [node.address], requestTimeoutMs: 5000 })
  try {
    const metadata = await client.refresh()
    if (metadata.brokers.length < scene.nodes.length) return `node ${node.id} knows ${metadata.brokers.length} brokers`
    for (const topic of metadata.topics) {
      for (const { partitionIndex, leaderId, replicaNodes, isrNodes } of topic.partitions) {
        if (leaderId >= 0 && isrNodes.length >= replicaNodes.length) continue
        const isr = `in-sync ${isrNodes.join(',')} of ${replicaNodes.join(',')}`
        return `node ${node.id} says that ${topic.name}-${partitionIndex} has leader ${leaderId}, ${isr}`
      }
    }
    const { leaderId, voters } = await client.quorum()
    if (leaderId < 0 || voters.length !== scene.nodes.length) {
      return `node ${node.id} says that the quorum has leader ${leaderId}, voters ${voters.map(({ id }) => id).join(',')}`
    }
    return null
  } finally {
    client.close()
  }
}

/**
 * Resolves when every node runs, says that every replica is in sync and that the quorum is complete, and every writer
 * goes on; throws when that takes too long.
 */
export async function calm(scene: Scene): Promise<void> {
  const since = performance.now()
  const deadline = since + CALM_MS_MAX
  let reasons: readonly string[] = []
  for (;;) {
    const found = await Promise.all(
      scene.nodes.map(node => unrest(scene, node).catch((error: unknown) => `node ${node.id}: ${String(error)}`)),
    )
    const unheard = scene.unheard(since)
    reasons = [...found.filter(reason => reason !== null), ...unheard]
    if (reasons.length === 0) return
    if (performance.now() > deadline) {
      throw new Error(`the cluster is not whole ${CALM_MS_MAX} ms after the last fault: ${reasons.join('; ')}`)
    }
    await pause(100)
  }
}
