import { CreateTopics } from '#protocol/messages/create-topics.js'
import { DescribeConfigs } from '#protocol/messages/describe-configs.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { FindCoordinator } from '#protocol/messages/find-coordinator.js'
import { InitProducerId } from '#protocol/messages/init-producer-id.js'
import { OffsetCommit } from '#protocol/messages/offset-commit.js'
import { OffsetFetch } from '#protocol/messages/offset-fetch.js'
import { Produce } from '#protocol/messages/produce.js'
import { batchPositions } from '#protocol/records/batch.js'
import { buildBatch } from '#protocol/records/build.js'
import { type CompressionType, compressionTypes, loadCompression } from '#protocol/records/compression.js'
import { readRecords } from '#protocol/records/reader.js'
import { Peer } from '#src/client/peer.js'
import { createNodeClock } from '#src/runtime/node/clock.js'
import { createNodeNetwork } from '#src/runtime/node/network.js'

export const TOPIC = 'disk'
export const CONFIGURED_TOPIC = 'disk-configured'
export const PARTITIONS = 2
const GROUP = 'disk-group'
const RETENTION_MS = '123456789'
const BATCHES_OF_A_CODEC = 12
const RECORDS_OF_A_BATCH = 40
const VALUE_BYTES = 900
const FETCH_BYTES_MAX = 4 << 20
const RETRIABLE = new Set([3, 5, 6, 14, 15, 16])
const ALREADY_THERE = 36
const ATTEMPTS_MAX = 200

export function connect(port: number): Promise<Peer> {
  return Peer.connect(createNodeNetwork(), createNodeClock(), {
    host: 'localhost',
    port,
    clientId: 'disk',
    connectTimeoutMs: 5000,
    requestTimeoutMs: 60_000,
  })
}

/** What a partition is known to hold: the text of every record by offset. */
export type Written = Map<number, string>

/** Creates the topics; a broker that has just opened its port may not be let into its cluster yet. */
export async function prepare(peer: Peer): Promise<void> {
  const topics = [
    topic(TOPIC, PARTITIONS, { 'segment.bytes': String(1 << 20) }),
    topic(CONFIGURED_TOPIC, 1, { 'retention.ms': RETENTION_MS, 'cleanup.policy': 'compact' }),
  ]
  for (let attempt = 0; ; attempt++) {
    const answer = await peer.send(CreateTopics, 7, { timeoutMs: 30_000, topics })
    const failed = answer.topics.find(({ errorCode }) => errorCode !== 0 && errorCode !== ALREADY_THERE)
    if (failed === undefined) return
    if (attempt === ATTEMPTS_MAX) throw new Error(`${failed.name}: error ${failed.errorCode} ${failed.errorMessage}`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

function topic(name: string, numPartitions: number, configs: Record<string, string>) {
  const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
  return { name, numPartitions, replicationFactor: 1, assignments: [], configs: entries }
}

/** Writes batches of every codec, idempotently, and remembers where each record landed. */
export async function write(peer: Peer, mark: string, written: readonly Written[]): Promise<void> {
  for (const type of compressionTypes) await loadCompression(type)
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const producer = await peer.send(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 60_000 })
    if (RETRIABLE.has(producer.errorCode)) {
      partition--
      continue
    }
    let sequence = 0
    for (let number = 0; number < BATCHES_OF_A_CODEC; number++) {
      for (const compression of compressionTypes) {
        const texts = Array.from({ length: RECORDS_OF_A_BATCH }, (_, index) => text(mark, compression, number, index))
        const bytes = batchOf(texts, compression, producer.producerId, sequence)
        sequence += texts.length
        const base = await produce(peer, partition, bytes)
        for (const [index, value] of texts.entries()) written[partition]!.set(base + index, value)
      }
    }
  }
}

function text(mark: string, compression: CompressionType, number: number, index: number): string {
  return `${mark} ${compression} ${number} ${index} `.padEnd(VALUE_BYTES, 'abcdefghij')
}

function batchOf(
  texts: readonly string[],
  compression: CompressionType,
  producerId: number,
  baseSequence: number,
): Buffer {
  const timestamp = Date.now()
  const records = texts.map((value, index) => ({
    timestamp: timestamp + index,
    key: Buffer.from(`key-${index}`),
    value: Buffer.from(value),
    headers: [{ key: 'codec', value: Buffer.from(compression) }],
  }))
  return buildBatch({ records, compression, producerId, producerEpoch: 0, baseSequence })
}

async function produce(peer: Peer, partition: number, records: Buffer): Promise<number> {
  const answer = await peer.send(Produce, 9, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: TOPIC, partitionData: [{ index: partition, records }] }],
  })
  const result = answer.responses[0]!.partitionResponses[0]!
  if (RETRIABLE.has(result.errorCode)) {
    await new Promise(resolve => setTimeout(resolve, 50))
    return produce(peer, partition, records)
  }
  if (result.errorCode !== 0) throw new Error(`produce answered ${result.errorCode}`)
  return result.baseOffset
}

/** Commits the end of partition 0 for a group. */
export async function commit(peer: Peer, offset: number): Promise<void> {
  for (;;) {
    await peer.send(FindCoordinator, 3, { key: GROUP, keyType: 0 })
    const answer = await peer.send(OffsetCommit, 7, {
      groupId: GROUP,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [
        { name: TOPIC, partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: 'here' }] },
      ],
    })
    const code = answer.topics[0]!.partitions[0]!.errorCode
    if (code === 0) return
    if (!RETRIABLE.has(code)) throw new Error(`OffsetCommit answered ${code}`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

/** What is not as it was written, as sentences. */
export async function check(
  peer: Peer,
  who: string,
  written: readonly Written[],
  committed: number,
): Promise<string[]> {
  const problems: string[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const found = await readAll(peer, partition)
    for (const [offset, value] of written[partition]!) {
      if (found.get(offset) !== value) {
        problems.push(
          `${who}: partition ${partition} has ${found.get(offset)?.slice(0, 30)} at ${offset}, not ${value.slice(0, 30)}`,
        )
        break
      }
    }
    if (found.size !== written[partition]!.size) {
      problems.push(`${who}: partition ${partition} has ${found.size} records, not ${written[partition]!.size}`)
    }
  }
  for (;;) {
    const topics = [{ name: TOPIC, partitionIndexes: [0] }]
    await peer.send(FindCoordinator, 3, { key: GROUP, keyType: 0 })
    const answer = await peer.send(OffsetFetch, 7, { groupId: GROUP, topics, requireStable: false })
    if (RETRIABLE.has(answer.errorCode)) {
      await new Promise(resolve => setTimeout(resolve, 100))
      continue
    }
    const partition = answer.topics[0]?.partitions[0]
    if (partition?.committedOffset !== committed || partition.metadata !== 'here') {
      problems.push(`${who}: the group is at ${partition?.committedOffset}, not at ${committed}`)
    }
    break
  }
  const configs = await peer.send(DescribeConfigs, 4, {
    resources: [
      { resourceType: 2, resourceName: CONFIGURED_TOPIC, configurationKeys: ['retention.ms', 'cleanup.policy'] },
    ],
  })
  const values = new Map(configs.results[0]?.configs.map(({ name, value }) => [name, value]))
  if (values.get('retention.ms') !== RETENTION_MS || values.get('cleanup.policy') !== 'compact') {
    problems.push(`${who}: the options of ${CONFIGURED_TOPIC} are ${JSON.stringify([...values])}`)
  }
  return problems
}

async function readAll(peer: Peer, partition: number): Promise<Written> {
  const found: Written = new Map()
  for (let next = 0; ; ) {
    const answer = await peer.send(Fetch, 11, {
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: FETCH_BYTES_MAX,
      sessionEpoch: -1,
      topics: [{ topic: TOPIC, partitions: [{ partition, fetchOffset: next, partitionMaxBytes: FETCH_BYTES_MAX }] }],
    })
    const data = answer.responses[0]!.partitions[0]!
    if (RETRIABLE.has(data.errorCode)) {
      await new Promise(resolve => setTimeout(resolve, 50))
      continue
    }
    if (data.errorCode !== 0) throw new Error(`fetch at ${next} answered ${data.errorCode}`)
    const records = Buffer.from(data.records ?? [])
    const before = next
    for (const position of batchPositions(records)) {
      for (const record of readRecords(records, position)) {
        if (record.offset < next) continue
        const codec = record.headers[0]?.value
        const value = Buffer.from(record.value ?? []).toString()
        if (codec === undefined || codec === null || !value.includes(Buffer.from(codec).toString())) {
          throw new Error(`the header of offset ${record.offset} is lost`)
        }
        found.set(record.offset, value)
        next = record.offset + 1
      }
    }
    if (next === before) return found
  }
}
