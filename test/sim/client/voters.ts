import { ErrorCode } from '#protocol/errors.js'
import { AddRaftVoter } from '#protocol/messages/add-raft-voter.js'
import { DescribeQuorum } from '#protocol/messages/describe-quorum.js'
import { RemoveRaftVoter } from '#protocol/messages/remove-raft-voter.js'
import { PeerError } from '#src/client/peer.js'
import type { World } from '../world.js'
import type { ClusterClient } from './cluster-client.js'
import { isPassing, unexpected } from './errors.js'

const REFUSALS = new Set<number>([ErrorCode.NONE, ErrorCode.DUPLICATE_VOTER, ErrorCode.VOTER_NOT_FOUND])

interface VoterKey {
  readonly id: number
  readonly directoryId: string
}

/** Changes who votes in the metadata quorum. */
export class VoterKeeper {
  readonly #world: World
  readonly #client: ClusterClient

  constructor(world: World, client: ClusterClient) {
    this.#world = world
    this.#client = client
  }

  /** Takes a voter out, or brings one in. */
  async changeOne(): Promise<void> {
    const { random } = this.#client
    const voters = await this.#voters()
    if (voters === null) return
    const missing = this.#missing(voters)
    if (voters.length > 1 && (missing.length === 0 || random.below(2) === 0)) await this.#remove(random.pick(voters))
    else if (missing.length > 0) await this.#add(random.pick(missing))
  }

  /** Brings all nodes in and those that are no more out; whether nothing is left to do. Rejects with PeerError. */
  async settle(): Promise<boolean> {
    const voters = await this.#voters()
    if (voters === null) return false
    const gone = voters.find(voter => !this.#all().some(node => isSame(node, voter)))
    const [missing] = this.#missing(voters)
    // Its own old self first: a node id can be there once only.
    if (gone !== undefined) await this.#remove(gone)
    else if (missing !== undefined) await this.#add(missing)
    else return true
    return false
  }

  #all(): VoterKey[] {
    return this.#world.nodes.map(({ id, directoryId }) => ({ id, directoryId }))
  }

  #missing(voters: readonly VoterKey[]): VoterKey[] {
    return this.#all().filter(node => !voters.some(voter => isSame(voter, node)))
  }

  async #voters(): Promise<VoterKey[] | null> {
    const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
    const answer = await this.#client.ask(-1, DescribeQuorum, 2, { topics })
    const found = answer.topics[0]?.partitions[0]
    if (answer.errorCode !== ErrorCode.NONE || found === undefined || found.errorCode !== ErrorCode.NONE) return null
    return found.currentVoters.map(voter => ({ id: voter.replicaId, directoryId: voter.replicaDirectoryId }))
  }

  async #add({ id, directoryId }: VoterKey): Promise<void> {
    const answer = await this.#client.ask(-1, AddRaftVoter, 1, {
      clusterId: null,
      timeoutMs: 5000,
      voterId: id,
      voterDirectoryId: directoryId,
      listeners: [{ name: 'CONTROLLER', host: `node${id}`, port: 9093 }],
    })
    this.#mind('voter added', answer.errorCode)
  }

  async #remove({ id, directoryId }: VoterKey): Promise<void> {
    const request = { clusterId: null, voterId: id, voterDirectoryId: directoryId }
    const answer = await this.#client.ask(-1, RemoveRaftVoter, 0, request)
    this.#mind('voter removed', answer.errorCode)
  }

  #mind(what: string, code: number): void {
    const { coverage, network, nodes } = this.#world
    const during = network.isCutAmong(nodes.map(({ hostName }) => hostName)) ? ' under a partition' : ''
    coverage.count(`admin: ${what}${code === ErrorCode.NONE ? during : ' refused or failed'}`)
    if (!REFUSALS.has(code) && !isPassing(code)) throw unexpected(what, code)
  }

  /** As `settle`, until it is done or the deadline of this clock has come. */
  async settleUntil(deadline: number): Promise<boolean> {
    for (;;) {
      try {
        if (await this.settle()) return true
      } catch (error) {
        if (!(error instanceof PeerError)) throw error
      }
      if (this.#client.clock.now() > deadline) return false
      await this.#client.pause(200)
    }
  }
}

function isSame(one: VoterKey, other: VoterKey): boolean {
  return one.id === other.id && one.directoryId === other.directoryId
}
