import { ErrorCode } from '#protocol/errors.js'
import { AlterReplicaLogDirs } from '#protocol/messages/alter-replica-log-dirs.js'
import { DeleteRecords } from '#protocol/messages/delete-records.js'
import { PeerError } from '#src/client/peer.js'
import type { World } from '../world.js'
import type { ClusterClient } from './cluster-client.js'
import { isPassing, unexpected } from './errors.js'

/**
 * Moves replicas between the log directories of their brokers while they are in use (AlterReplicaLogDirs), and deletes
 * records at the beginning of partitions (DeleteRecords).
 */
export class SimMover {
  readonly #world: World
  readonly #client: ClusterClient

  constructor(world: World, client: ClusterClient) {
    this.#world = world
    this.#client = client
  }

  async run(isOver: () => boolean): Promise<void> {
    const { random } = this.#client
    const pauseMs = random.pick([50, 300, 1500])
    while (!isOver()) {
      await this.#client.pause(pauseMs)
      try {
        if (random.below(8) === 0) await this.#deleteRecords()
        else await this.#move()
      } catch (error) {
        if (!(error instanceof PeerError)) throw error
      }
    }
  }

  /** Some replicas of one broker, to wherever they may go: perhaps where they are, which ends what is under way. */
  async #move(): Promise<void> {
    const { random } = this.#client
    const { nodes, plan, truth, coverage } = this.#world
    const node = random.pick(nodes)
    const here = [...truth.image.topics.all()].flatMap(({ name, partitions }) =>
      partitions.flatMap(({ replicas }, index) => (replicas.includes(node.id) ? [{ name, index }] : [])),
    )
    if (here.length === 0) return
    const chosen = Array.from({ length: 1 + random.below(3) }, () => random.pick(here))
    const dirs = chosen.map(({ name, index }) => ({
      path: random.pick(plan.directories),
      topics: [{ name, partitions: [index] }],
    }))
    const answer = await this.#client.askAt({ host: node.hostName, port: 9092 }, AlterReplicaLogDirs, 2, { dirs })
    for (const { topicName, partitions } of answer.results) {
      for (const { partitionIndex, errorCode } of partitions) {
        const what = `AlterReplicaLogDirs of ${topicName}-${partitionIndex} at node ${node.id}`
        if (errorCode === ErrorCode.NONE) coverage.count('move between directories asked for')
        else if (isPassing(errorCode)) coverage.count('move between directories refused')
        else throw unexpected(what, errorCode)
      }
    }
  }

  /** Up to somewhere that consumers have seen. */
  async #deleteRecords(): Promise<void> {
    const { random } = this.#client
    const { plan, history, coverage } = this.#world
    const topic = random.pick(plan.topics)
    if (topic.deletes === 'never') return
    const partitionIndex = random.below(topic.partitions)
    const partition = history.partition(topic.name, partitionIndex)
    const leader = await this.#client.leaderOf(topic.name, partitionIndex, () => this.#world.isHealed)
    if (leader === null) return
    const offset = random.below(partition.visibleEnd + 1)
    partition.willDelete(offset)
    const topics = [{ name: topic.name, partitions: [{ partitionIndex, offset }] }]
    const answer = await this.#client.ask(leader, DeleteRecords, 2, { topics, timeoutMs: 2000 })
    const { errorCode } = answer.topics[0]!.partitions[0]!
    if (errorCode === ErrorCode.NONE) coverage.count('records deleted')
    // A leader that is new, or one that an unclean election has brought, may know less.
    else if (!isPassing(errorCode) && errorCode !== ErrorCode.OFFSET_OUT_OF_RANGE) {
      throw unexpected(`DeleteRecords of ${partition.name}`, errorCode)
    }
    if (errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER) await this.#client.refreshQuietly([topic.name])
  }
}
