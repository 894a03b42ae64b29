import { ErrorCode } from '#protocol/errors.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { ListOffsets } from '#protocol/messages/list-offsets.js'
import { batchPositions } from '#protocol/records/batch.js'
import { readRecords } from '#protocol/records/reader.js'
import { type Peer, PeerError } from '#src/client/peer.js'
import { ClusterClient, RefusedError } from './cluster-client.js'
import type { ChaosEvent } from './history.js'
import { pause } from './nodes.js'

const BYTES_MAX = 1 << 20
const WAIT_MS = 200
const REQUEST_TIMEOUT_MS = 2000
const BACKOFF_MS = 20
/** How long a node may take to show a partition whole, ms. */
const WHOLE_MS_MAX = 20_000

interface Fetched {
  /** One after the other, the first at the offset that was asked for. */
  readonly values: readonly string[]
}

/** Fetches from an offset; throws RefusedError or PeerError. */
async function fetchValues(
  peer: Peer,
  topic: string,
  partition: number,
  offset: number,
  maxWaitMs: number,
): Promise<Fetched> {
  const answer = await peer.send(Fetch, 11, {
    maxWaitMs,
    minBytes: 1,
    maxBytes: BYTES_MAX,
    topics: [{ topic, partitions: [{ partition, fetchOffset: offset, partitionMaxBytes: BYTES_MAX }] }],
  })
  const data = answer.responses[0]?.partitions[0]
  if (data === undefined || data.errorCode !== 0) throw new RefusedError('Fetch', data?.errorCode ?? answer.errorCode)
  const values: string[] = []
  const bytes = Buffer.from(data.records ?? [])
  for (const position of batchPositions(bytes)) {
    for (const record of readRecords(bytes, position)) {
      if (record.offset < offset) continue
      const expected = offset + values.length
      if (record.offset !== expected) {
        throw new GapError(`${topic}-${partition} has no offset ${expected}: ${record.offset} comes next`)
      }
      values.push(record.value === null ? '' : Buffer.from(record.value).toString())
    }
  }
  return { values }
}

/** Offsets of a log that is never compacted, without transactions, have no gaps. */
class GapError extends Error {}

/** Follows a partition from its beginning, as a consumer without a group does. */
export class TailReader {
  readonly #name: string
  readonly #topic: string
  readonly #partition: number
  readonly #client: ClusterClient
  readonly #say: (event: ChaosEvent) => void
  #next = 0
  #isOver = false

  constructor(topic: string, partition: number, addresses: readonly string[], say: (event: ChaosEvent) => void) {
    this.#name = `tail-${topic}-${partition}`
    this.#topic = topic
    this.#partition = partition
    const requestTimeoutMs = REQUEST_TIMEOUT_MS
    this.#client = new ClusterClient({ name: `chaos-${this.#name}`, addresses, requestTimeoutMs })
    this.#say = say
  }

  stop(): void {
    this.#isOver = true
  }

  async run(): Promise<void> {
    let outOfRange = 0
    while (!this.#isOver) {
      try {
        const peer = await this.#client.leader(this.#topic, this.#partition)
        const { values } = await fetchValues(peer, this.#topic, this.#partition, this.#next, WAIT_MS)
        outOfRange = 0
        if (values.length > 0) {
          const [topic, p] = [this.#topic, this.#partition]
          this.#say({ e: 'read', r: this.#name, topic, p, offset: this.#next, values })
          this.#next += values.length
        }
      } catch (error) {
        if (error instanceof GapError) return this.#say({ e: 'wrong', what: error.message })
        if (!(error instanceof PeerError || error instanceof RefusedError)) throw error
        const isOutOfRange = error instanceof RefusedError && error.code === ErrorCode.OFFSET_OUT_OF_RANGE
        // A leader that does not have what was visible: it is behind, or the records are gone.
        if (isOutOfRange && ++outOfRange === 1) {
          const what = `${this.#name} is told that ${this.#next} is out of range, where it had been`
          this.#say({ e: 'wrong', what })
        }
        await pause(BACKOFF_MS)
        await this.#client.refresh([this.#topic]).catch(() => this.#client.forget())
      }
    }
    this.#client.close()
  }
}

/** Where a partition ends, as its leader says. */
export async function endOffset(client: ClusterClient, topic: string, partition: number): Promise<number> {
  return client.until(`the end of ${topic}-${partition}`, WHOLE_MS_MAX, async () => {
    client.forget()
    const peer = await client.leader(topic, partition)
    const topics = [{ name: topic, partitions: [{ partitionIndex: partition, timestamp: -1 }] }]
    const answer = await peer.send(ListOffsets, 4, { replicaId: -1, isolationLevel: 0, topics })
    const found = answer.topics[0]?.partitions[0]
    if (found === undefined || found.errorCode !== 0) throw new RefusedError('ListOffsets', found?.errorCode ?? -1)
    return found.offset
  })
}

/** Reads a whole partition from one node, which must come to have it all; nothing may be writing. */
export async function readWhole(
  address: string,
  reader: string,
  topic: string,
  partition: number,
  end: number,
  say: (event: ChaosEvent) => void,
): Promise<void> {
  const client = new ClusterClient({ name: `chaos-${reader}`, addresses: [address], requestTimeoutMs: 10_000 })
  // A follower hears a moment later than its leader what is committed.
  const deadline = performance.now() + WHOLE_MS_MAX
  let offset = 0
  try {
    while (offset < end && performance.now() < deadline) {
      const { values } = await client.until(
        `${reader} of ${topic}-${partition} at ${offset}`,
        WHOLE_MS_MAX,
        async () => {
          return fetchValues(await client.peer(address), topic, partition, offset, WAIT_MS)
        },
      )
      if (values.length > 0) say({ e: 'read', r: reader, topic, p: partition, offset, values })
      offset += values.length
    }
    say({ e: 'whole', r: reader, topic, p: partition, start: 0, end: offset })
  } finally {
    client.close()
  }
}
