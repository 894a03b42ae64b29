import { ErrorCode, errorName } from '#protocol/errors.js'
import { ElectLeaders } from '#protocol/messages/elect-leaders.js'
import { Metadata, type MetadataResponse } from '#protocol/messages/metadata.js'
import { Produce } from '#protocol/messages/produce.js'
import { buildBatch } from '#protocol/records/build.js'
import type { Peer } from '#src/client/peer.js'
import { createNodeClock } from '#src/runtime/node/clock.js'
import { connect } from './producer.js'

const METADATA_VERSION = 9
const PRODUCE_VERSION = 8
const ELECT_LEADERS_VERSION = 2
const PREFERRED = 0
const ALL = -1
/** A client of a cluster that is busy with its thousands of partitions waits longer than one that measures a gap. */
const REQUEST_MS_MAX = 60_000
const PRODUCE_MS_MAX = 1000
const POLL_MS = 20
const PROGRESS_MS = 5000

const clock = createNodeClock()
const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

/** A partition as a node tells it. */
export interface Told {
  readonly topic: string
  readonly index: number
  /** -1: it has none. */
  readonly leaderId: number
  readonly errorCode: number
  /** The preferred leader first. */
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

/** Says from time to time how far something is; one that is silent for seconds looks dead. */
export function progress(): (line: () => string) => void {
  let toldAt = clock.now()
  return line => {
    if (clock.now() - toldAt < PROGRESS_MS) return
    toldAt = clock.now()
    console.error(`  ${line()}`)
  }
}

/** Connects, and tries again until the time is over. */
export async function reach(port: number, requestMsMax = REQUEST_MS_MAX): Promise<Peer> {
  const deadline = clock.now() + REQUEST_MS_MAX
  for (;;) {
    try {
      return await connect(port, requestMsMax)
    } catch (error) {
      if (clock.now() > deadline) throw error
      await pause(POLL_MS)
    }
  }
}

/** All partitions of the named topics, or of all topics, as the node at the other end tells them. */
export async function partitionsOf(peer: Peer, topics: readonly string[] | null = null): Promise<Told[]> {
  const response: MetadataResponse = await peer.send(Metadata, METADATA_VERSION, {
    topics: topics?.map(name => ({ name })) ?? null,
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  })
  return response.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex: index, leaderId, errorCode, replicaNodes: replicas, isrNodes: isr }) => ({
      topic: name ?? '',
      index,
      leaderId,
      errorCode,
      replicas,
      isr,
    })),
  )
}

/**
 * Asks the node at `port` about its topics until `isDone` says of each of their partitions that it is as it should be;
 * topics that are done are not asked about again. Rejects after `limitMs`.
 */
export async function untilAll(
  port: number,
  topics: readonly string[],
  isDone: (partition: Told) => boolean,
  { what, limitMs }: { readonly what: string; readonly limitMs: number },
): Promise<void> {
  const deadline = clock.now() + limitMs
  const tell = progress()
  const peer = await reach(port)
  try {
    let open = [...topics]
    for (;;) {
      const told = await partitionsOf(peer, open)
      const waiting = told.filter(partition => !isDone(partition))
      // A topic that the node does not know yet has no partitions at all.
      const known = new Set(told.map(({ topic }) => topic))
      const unfinished = new Set(waiting.map(({ topic }) => topic))
      open = open.filter(topic => unfinished.has(topic) || !known.has(topic))
      if (open.length === 0) return
      const left = `${waiting.length} partitions of ${open.length} topics are not ${what} at port ${port}`
      if (clock.now() > deadline) throw new Error(`after ${limitMs / 1000} s ${left}`)
      tell(() => left)
      await pause(POLL_MS)
    }
  } finally {
    peer.close()
  }
}

/** Lets the first replica of every partition lead it. */
export async function electPreferredLeaders(port: number, timeoutMs: number): Promise<void> {
  const peer = await reach(port, timeoutMs)
  const request = { electionType: PREFERRED, topicPartitions: null, timeoutMs }
  const { errorCode } = await peer.send(ElectLeaders, ELECT_LEADERS_VERSION, request)
  peer.close()
  if (errorCode !== ErrorCode.NONE) throw new Error(`preferred leaders cannot be elected: ${errorName(errorCode)}`)
}

const BATCH = buildBatch({
  records: [{ timestamp: Date.now(), key: null, value: Buffer.alloc(100, 'x'), headers: [] }],
})

/**
 * Writes a record with acks=all to each of the partitions, to whoever leads it as the first of the ports tells, and again
 * to those that did not take it. Rejects after `limitMs`.
 */
export async function writeToAll(
  ports: ReadonlyMap<number, number>,
  partitions: readonly Pick<Told, 'topic' | 'index'>[],
  limitMs: number,
): Promise<void> {
  const deadline = clock.now() + limitMs
  const tell = progress()
  const peers = new Map<number, Peer>()
  try {
    for (const [node, port] of ports) peers.set(node, await reach(port))
    const [first] = peers.values()
    const keyOf = ({ topic, index }: Pick<Told, 'topic' | 'index'>) => `${topic}-${index}`
    const open = new Set(partitions.map(keyOf))
    const topics = [...new Set(partitions.map(({ topic }) => topic))]
    for (;;) {
      const told = (await partitionsOf(first!, topics)).filter(partition => open.has(keyOf(partition)))
      await Promise.all(
        [...peers].map(async ([node, peer]) => {
          const led = told.filter(({ leaderId }) => leaderId === node)
          for (const partition of await write(peer, led)) open.delete(keyOf(partition))
        }),
      )
      if (open.size === 0) return
      if (clock.now() > deadline) throw new Error(`after ${limitMs / 1000} s ${open.size} partitions take no records`)
      tell(() => `${open.size} of ${partitions.length} partitions have not taken a record yet`)
      await pause(POLL_MS)
    }
  } finally {
    for (const peer of peers.values()) peer.close()
  }
}

/** One request for all of the partitions; returns those that took the record. */
async function write(peer: Peer, partitions: readonly Told[]): Promise<Pick<Told, 'topic' | 'index'>[]> {
  if (partitions.length === 0) return []
  const response = await peer.send(Produce, PRODUCE_VERSION, {
    transactionalId: null,
    acks: ALL,
    timeoutMs: PRODUCE_MS_MAX,
    topicData: [...new Set(partitions.map(({ topic }) => topic))].map(name => ({
      name,
      partitionData: partitions.filter(({ topic }) => topic === name).map(({ index }) => ({ index, records: BATCH })),
    })),
  })
  return response.responses.flatMap(({ name, partitionResponses }) =>
    partitionResponses
      .filter(({ errorCode }) => errorCode === ErrorCode.NONE)
      .map(({ index }) => ({ topic: name, index })),
  )
}
