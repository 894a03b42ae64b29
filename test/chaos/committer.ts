import { ErrorCode } from '#protocol/errors.js'
import { FindCoordinator } from '#protocol/messages/find-coordinator.js'
import { OffsetCommit } from '#protocol/messages/offset-commit.js'
import { OffsetFetch } from '#protocol/messages/offset-fetch.js'
import { type Peer, PeerError } from '#src/client/peer.js'
import type { SeededRandom } from '../support/random.js'
import { ClusterClient, RefusedError } from './cluster-client.js'
import type { ChaosEvent } from './history.js'
import { pause } from './nodes.js'

const INTERVAL_MS = 50
const BACKOFF_MS = 20
/** Longer than any freeze: a commit that was given up could come about after a later one. */
const REQUEST_TIMEOUT_MS = 15_000

/** Commits growing offsets for a group without members, and asks for them from time to time. */
export class Committer {
  readonly group: string
  readonly #topic: string
  readonly #client: ClusterClient
  readonly #random: SeededRandom
  readonly #say: (event: ChaosEvent) => void
  /** In front of its ids, where there are several of a group. */
  readonly #prefix: string
  #coordinator: string | null = null
  #offset = 0
  #ids = 0
  #isOver = false

  constructor(
    group: string,
    topic: string,
    addresses: readonly string[],
    random: SeededRandom,
    say: (event: ChaosEvent) => void,
    prefix = '',
  ) {
    this.group = group
    this.#topic = topic
    const requestTimeoutMs = REQUEST_TIMEOUT_MS
    this.#client = new ClusterClient({ name: `chaos-${group}`, addresses, requestTimeoutMs })
    this.#random = random
    this.#say = say
    this.#prefix = prefix
  }

  stop(): void {
    this.#isOver = true
  }

  async run(): Promise<void> {
    while (!this.#isOver) {
      try {
        if (this.#random.below(4) === 0) await this.fetch(this.#topic, 0)
        else await this.#commit()
        await pause(INTERVAL_MS)
      } catch (error) {
        if (!(error instanceof PeerError || error instanceof RefusedError)) throw error
        this.#coordinator = null
        await pause(BACKOFF_MS)
      }
    }
    this.#client.close()
  }

  async #peer(): Promise<Peer> {
    if (this.#coordinator === null) {
      const answer = await this.#client.ask(FindCoordinator, 3, { key: this.group, keyType: 0 })
      if (answer.errorCode !== 0) throw new RefusedError('FindCoordinator', answer.errorCode)
      this.#coordinator = `${answer.host}:${answer.port}`
    }
    return this.#client.peer(this.#coordinator)
  }

  async #commit(): Promise<void> {
    const peer = await this.#peer()
    this.#offset += 1 + this.#random.below(3)
    const [id, offset] = [`${this.#prefix}${this.group}-${this.#ids++}`, this.#offset]
    this.#say({ e: 'commit', id, group: this.group, topic: this.#topic, p: 0, offset })
    const partitions = [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }]
    const answer = await peer.send(OffsetCommit, 7, {
      groupId: this.group,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [{ name: this.#topic, partitions }],
    })
    const code = answer.topics[0]?.partitions[0]?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR
    if (code !== 0) throw new RefusedError('OffsetCommit', code)
    this.#say({ e: 'committed', id })
  }

  /** Asks what the group has committed. */
  async fetch(topic: string, partition: number): Promise<number> {
    const peer = await this.#peer()
    const id = `${this.#prefix}${this.group}-${this.#ids++}`
    this.#say({ e: 'fetching', id, group: this.group, topic, p: partition })
    const topics = [{ name: topic, partitionIndexes: [partition] }]
    const answer = await peer.send(OffsetFetch, 7, { groupId: this.group, topics, requireStable: true })
    const found = answer.topics[0]?.partitions[0]
    const code = answer.errorCode !== 0 ? answer.errorCode : (found?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR)
    if (found === undefined || code !== 0) throw new RefusedError('OffsetFetch', code)
    this.#say({ e: 'fetched', id, offset: found.committedOffset })
    return found.committedOffset
  }

  /** The same, until it is answered: for the end of a run. */
  fetchAtLast(topic: string, partition: number): Promise<number> {
    return this.#client.until(`the offset of ${this.group}`, 30_000, async () => {
      try {
        return await this.fetch(topic, partition)
      } catch (error) {
        this.#coordinator = null
        throw error
      }
    })
  }

  close(): void {
    this.#client.close()
  }
}
