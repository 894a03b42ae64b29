import { ErrorCode } from '#protocol/errors.js'
import { AlterPartitionReassignments } from '#protocol/messages/alter-partition-reassignments.js'
import { CreatePartitions } from '#protocol/messages/create-partitions.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { DeleteTopics } from '#protocol/messages/delete-topics.js'
import { ElectLeaders } from '#protocol/messages/elect-leaders.js'
import { IncrementalAlterConfigs } from '#protocol/messages/incremental-alter-configs.js'
import { Metadata } from '#protocol/messages/metadata.js'
import { PeerError } from '#src/client/peer.js'
import type { World } from '../world.js'
import type { ClusterClient } from './cluster-client.js'
import { isPassing, unexpected } from './errors.js'
import { VoterKeeper } from './voters.js'

/** What an administrator may be answered when the cluster is not what it was when the request was made. */
const REFUSALS = new Set<number>([
  ErrorCode.NONE,
  ErrorCode.TOPIC_ALREADY_EXISTS,
  ErrorCode.INVALID_REPLICATION_FACTOR,
  ErrorCode.INVALID_PARTITIONS,
  ErrorCode.INVALID_REPLICA_ASSIGNMENT,
  ErrorCode.NO_REASSIGNMENT_IN_PROGRESS,
  ErrorCode.ELECTION_NOT_NEEDED,
  ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
  ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
  ErrorCode.REASSIGNMENT_IN_PROGRESS,
])

/** Changes the cluster while it is in use. */
export class SimAdmin {
  readonly #world: World
  readonly #client: ClusterClient
  #made = 0
  /** Topics of its own, and what was answered: true they are there, false nobody knows. */
  readonly #own = new Map<string, boolean>()
  readonly #deleted = new Set<string>()

  constructor(world: World, client: ClusterClient) {
    this.#world = world
    this.#client = client
  }

  async run(isOver: () => boolean): Promise<void> {
    const { random } = this.#client
    while (!isOver()) {
      await this.#client.pause(random.pick([300, 2000]))
      try {
        await this.#one()
      } catch (error) {
        if (!(error instanceof PeerError)) throw error
        await this.#client.pause(100)
      }
    }
  }

  async #one(): Promise<void> {
    const { random } = this.#client
    const actions = [
      () => this.#createTopic(),
      () => this.#deleteTopic(),
      () => this.#addPartitions(),
      () => this.#alterConfig(),
      () => this.#elect(),
      () => this.#reassign(),
      () => this.#reassign(),
      () => this.#cancel(),
    ]
    if (this.#world.plan.initialVoters !== null) {
      const { network, nodes, plan } = this.#world
      const keeper = new VoterKeeper(this.#world, this.#client)
      // Where a disk is lost nobody may take another voter out: what is left would be no majority.
      const mayLoseOne = plan.faults.has('replace a disk')
      const change = async () => void (mayLoseOne ? await keeper.settle() : await keeper.changeOne())
      actions.push(change, change)
      // When it is hardest.
      if (network.isCutAmong(nodes.map(({ hostName }) => hostName)) && random.below(2) === 0) return change()
    }
    await random.pick(actions)()
  }

  #mind(what: string, code: number): boolean {
    this.#world.coverage.count(`admin: ${what}${code === ErrorCode.NONE ? '' : ' refused or failed'}`)
    if (!REFUSALS.has(code) && !isPassing(code)) throw unexpected(what, code)
    return code === ErrorCode.NONE
  }

  async #createTopic(): Promise<void> {
    const { random } = this.#client
    const name = `own${this.#made++}`
    const replicationFactor = 1 + random.below(Math.min(3, this.#world.plan.nodes))
    this.#own.set(name, false)
    const answer = await this.#client.ask(-1, CreateTopics, 5, {
      topics: [{ name, numPartitions: 1 + random.below(3), replicationFactor, assignments: [], configs: [] }],
      timeoutMs: 8000,
    })
    if (this.#mind('CreateTopics', answer.topics[0]!.errorCode)) this.#own.set(name, true)
  }

  async #deleteTopic(): Promise<void> {
    const names = [...this.#own].filter(([, isThere]) => isThere).map(([name]) => name)
    if (names.length === 0) return
    const name = this.#client.random.pick(names)
    this.#own.set(name, false)
    const answer = await this.#client.ask(-1, DeleteTopics, 5, { topicNames: [name], timeoutMs: 8000 })
    const code = answer.responses[0]!.errorCode
    if (this.#mind('DeleteTopics', code)) this.#deleted.add(name)
  }

  async #addPartitions(): Promise<void> {
    const topic = this.#client.random.pick(this.#world.plan.topics)
    const count = Math.max(this.#client.partitionCount(topic.name), topic.partitions) + 1
    if (count > 6) return
    await this.#client.refresh([topic.name])
    const answer = await this.#client.ask(-1, CreatePartitions, 1, {
      topics: [{ name: topic.name, count, assignments: null }],
      timeoutMs: 8000,
      validateOnly: false,
    })
    this.#mind('CreatePartitions', answer.results[0]!.errorCode)
  }

  async #alterConfig(): Promise<void> {
    const { random } = this.#client
    const topic = random.pick(this.#world.plan.topics)
    const value = String(random.pick([1_048_576, 2_097_152]))
    const configs = [{ name: 'max.message.bytes', configOperation: 0, value }]
    const answer = await this.#client.ask(-1, IncrementalAlterConfigs, 1, {
      resources: [{ resourceType: 2, resourceName: topic.name, configs }],
      validateOnly: false,
    })
    this.#mind('IncrementalAlterConfigs', answer.responses[0]!.errorCode)
  }

  async #elect(): Promise<void> {
    const topic = this.#client.random.pick(this.#world.plan.topics)
    const isUnclean = topic.allowsUnclean && this.#client.random.below(2) === 0
    const partition = this.#client.random.below(topic.partitions)
    const answer = await this.#client.ask(-1, ElectLeaders, 2, {
      electionType: isUnclean ? 1 : 0,
      topicPartitions: [{ topic: topic.name, partitions: [partition] }],
      timeoutMs: 8000,
    })
    const code = answer.replicaElectionResults[0]?.partitionResult[0]?.errorCode ?? answer.errorCode
    this.#mind(isUnclean ? 'ElectLeaders unclean' : 'ElectLeaders', code)
  }

  async #reassign(): Promise<void> {
    const { nodes } = this.#world.plan
    if (nodes === 1) return
    const { random } = this.#client
    const topic = random.pick(this.#world.plan.topics)
    const ids = Array.from({ length: nodes }, (_, i) => i + 1)
    const replicas: number[] = []
    const wanted = Math.min(nodes, 2 + random.below(2))
    while (replicas.length < wanted) {
      const id = random.pick(ids)
      if (!replicas.includes(id)) replicas.push(id)
    }
    await this.#reassignTo(topic.name, random.below(topic.partitions), replicas, 'reassignment')
  }

  async #cancel(): Promise<void> {
    const topic = this.#client.random.pick(this.#world.plan.topics)
    await this.#reassignTo(topic.name, this.#client.random.below(topic.partitions), null, 'reassignment cancelled')
  }

  async #reassignTo(
    name: string,
    partitionIndex: number,
    replicas: readonly number[] | null,
    what: string,
  ): Promise<void> {
    const answer = await this.#client.ask(-1, AlterPartitionReassignments, 1, {
      timeoutMs: 8000,
      topics: [{ name, partitions: [{ partitionIndex, replicas: replicas === null ? null : [...replicas] }] }],
    })
    const code = answer.responses[0]?.partitions[0]?.errorCode ?? answer.errorCode
    this.#mind(what, code)
  }

  /** Topics that were made are known to every broker, those that were deleted to none. */
  async check(): Promise<string | null> {
    for (const { hostName } of this.#world.nodes) {
      const names = [...this.#own.keys()]
      const answer = await this.#client.askAt({ host: hostName, port: 9092 }, Metadata, 12, {
        topics: names.map(name => ({ name })),
        allowAutoTopicCreation: false,
      })
      for (const { name, errorCode } of answer.topics) {
        const isThere = errorCode !== ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if (this.#own.get(name!) === true && !isThere) return `${hostName} does not know topic ${name}, which was made`
        if (this.#deleted.has(name!) && isThere) return `${hostName} knows topic ${name}, which was deleted`
      }
    }
    return null
  }
}
