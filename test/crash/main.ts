/**
 * npm run crash -- [--rounds 100] [--seed S]
 * Kills a broker with SIGKILL under load, again and again, on the same real files, and asks at the end: is every
 * acknowledged record at its offset, is none of an idempotent producer there twice or out of order, is every committed
 * group offset and every created topic still known?
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { FindCoordinator } from '#protocol/messages/find-coordinator.js'
import { Metadata } from '#protocol/messages/metadata.js'
import { OffsetCommit } from '#protocol/messages/offset-commit.js'
import { OffsetFetch } from '#protocol/messages/offset-fetch.js'
import type { Peer } from '#src/client/peer.js'
import { SeededRandom, testSeed } from '../support/random.js'
import { freePort, type SpawnedBroker, spawnBroker } from '../support/spawned-broker.js'
import { checkPartition } from './checker.js'
import { connectPeer, NumberedWriter } from './writer.js'

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '100' }, seed: { type: 'string', default: String(testSeed()) } },
})
const rounds = Number(options.rounds)
const random = new SeededRandom(Number(options.seed))
const below = (bound: number) => random.below(bound)

const TOPIC = 'crash'
const PARTITIONS = 4
const LOAD_MS_MIN = 50
const LOAD_MS_SPREAD = 350
/** Small segments, so that rolling, retention files and snapshots take part. */
const OVERRIDES = { 'log.segment.bytes': String(1 << 20), 'num.partitions': '1', 'offsets.topic.num.partitions': '2' }

const failures: string[] = []
let committed = -1
const topicsCreated: string[] = []

/** Commits growing offsets of one group, and remembers what was acknowledged. */
async function commitOffsets(port: number, isOver: () => boolean): Promise<void> {
  const peer = await connectPeer(port, 'committer').catch(() => null)
  if (peer === null) return
  try {
    await peer.send(FindCoordinator, 3, { key: 'crash-group', keyType: 0 })
    while (!isOver()) {
      const offset = committed + 1 + below(3)
      const answer = await peer.send(OffsetCommit, 7, {
        groupId: 'crash-group',
        generationIdOrMemberEpoch: -1,
        memberId: '',
        topics: [
          {
            name: TOPIC,
            partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: `at ${offset}` }],
          },
        ],
      })
      const code = answer.topics[0]?.partitions[0]?.errorCode
      if (code === 0) committed = offset
      else if (code !== 14 && code !== 15 && code !== 16) failures.push(`OffsetCommit answered ${code}`)
    }
  } catch {
    // The broker was killed: what was not answered may be there or not.
  } finally {
    peer.close()
  }
}

async function createTopic(port: number, name: string): Promise<void> {
  const peer = await connectPeer(port, 'admin').catch(() => null)
  if (peer === null) return
  try {
    const topics = [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }]
    const answer = await peer.send(CreateTopics, 5, { topics, timeoutMs: 10_000 })
    if (answer.topics[0]?.errorCode === 0) topicsCreated.push(name)
  } catch {
    // As above.
  } finally {
    peer.close()
  }
}

async function checkMetadata(peer: Peer): Promise<void> {
  const answer = await peer.send(Metadata, 9, { topics: null, allowAutoTopicCreation: false })
  const known = new Set(answer.topics.map(topic => topic.name))
  for (const name of topicsCreated) if (!known.has(name)) failures.push(`topic ${name} is lost`)
  if (committed < 0) return
  const topics = [{ name: TOPIC, partitionIndexes: [0] }]
  for (;;) {
    const offsets = await peer.send(OffsetFetch, 7, { groupId: 'crash-group', topics, requireStable: false })
    if (offsets.errorCode === 14) continue
    const partition = offsets.topics[0]?.partitions[0]
    if (partition === undefined || partition.committedOffset < committed) {
      failures.push(`group offset ${committed} was acknowledged, ${partition?.committedOffset} is there`)
    }
    return
  }
}

async function oneRound(broker: SpawnedBroker, writers: readonly NumberedWriter[], round: number): Promise<void> {
  let over = false
  const isOver = () => over
  const load = [
    ...writers.map(writer => writer.run(broker.port, isOver)),
    commitOffsets(broker.port, isOver),
    createTopic(broker.port, `created-${round}`),
  ]
  await new Promise(resolve => setTimeout(resolve, LOAD_MS_MIN + below(LOAD_MS_SPREAD)))
  if (!broker.isRunning()) failures.push(`round ${round}: the broker ended by itself: ${broker.output()}`)
  await broker.stop('SIGKILL')
  over = true
  await Promise.all(load)
}

const folder = mkdtempSync(join(tmpdir(), 'ottla-crash-'))
const data = join(folder, 'data')
const port = await freePort()
console.log(`seed ${random.seed}, ${rounds} rounds`)
const writers = Array.from(
  { length: PARTITIONS * 2 },
  (_, index) =>
    new NumberedWriter(
      `${index < PARTITIONS ? 'idempotent' : 'plain'}-${index}`,
      TOPIC,
      index % PARTITIONS,
      index < PARTITIONS,
      below,
    ),
)
let broker = await spawnBroker({ port, data, overrides: OVERRIDES })
try {
  const peer = await connectPeer(port, 'admin')
  const topics = [{ name: TOPIC, numPartitions: PARTITIONS, replicationFactor: 1, assignments: [], configs: [] }]
  await peer.send(CreateTopics, 5, { topics, timeoutMs: 10_000 })
  peer.close()
  for (let round = 1; round <= rounds; round++) {
    await oneRound(broker, writers, round)
    broker = await spawnBroker({ port, data, overrides: OVERRIDES })
    if (round % 20 === 0)
      console.log(`round ${round}: ${writers.reduce((sum, w) => sum + w.acknowledged.length, 0)} acknowledged`)
  }
  const reader = await connectPeer(port, 'checker')
  await checkMetadata(reader)
  for (let partition = 0; partition < PARTITIONS; partition++) {
    failures.push(...(await checkPartition(reader, TOPIC, partition, writers)))
  }
  reader.close()
  for (const writer of writers) failures.push(...writer.failures)
  const code = await broker.stop()
  if (code !== 0) failures.push(`the broker ended with ${code} after SIGTERM`)
} finally {
  if (broker.isRunning()) await broker.stop('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
for (const failure of failures.slice(0, 20)) console.log(`FAILED: ${failure}`)
console.log(`${failures.length === 0 ? rounds : 0} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1
