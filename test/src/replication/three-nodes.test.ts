import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName } from '#protocol/errors.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { Metadata } from '#protocol/messages/metadata.js'
import { Produce } from '#protocol/messages/produce.js'
import { batchPositions } from '#protocol/records/batch.js'
import { readRecords } from '#protocol/records/reader.js'
import { type EmbeddedCluster, startCluster } from '#src/testing/start-cluster.js'
import { askAddress, until } from '../../support/cluster-client.js'
import { batchOf } from '../handlers/replica-support.js'

const TOPIC = 'three'

/** What a running node of the cluster says of the partition. */
async function partitionOf(kafka: EmbeddedCluster) {
  const node = kafka.nodes.find(({ isRunning }) => isRunning)!
  const { topics } = await askAddress(node.bootstrapServers, Metadata, { topics: [{ name: TOPIC }] }, 9)
  return topics[0]!.partitions[0]!
}

async function produce(kafka: EmbeddedCluster, leaderId: number, value: string): Promise<[number, number]> {
  const address = kafka.nodes.find(({ nodeId }) => nodeId === leaderId)!.bootstrapServers
  const partitionData = [{ index: 0, records: batchOf([value]) }]
  const request = { transactionalId: null, acks: -1, timeoutMs: 5000, topicData: [{ name: TOPIC, partitionData }] }
  const { responses } = await askAddress(address, Produce, request, 9)
  const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
  return [errorCode, baseOffset]
}

async function contentOf(address: string): Promise<Map<number, string>> {
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000_000 }]
  const request = { replicaId: -1, maxWaitMs: 0, minBytes: 0, topics: [{ topic: TOPIC, partitions }] }
  const { responses } = await askAddress(address, Fetch, { ...request, forgottenTopicsData: [] }, 12)
  const { errorCode, records } = responses[0]!.partitions[0]!
  assert.equal(errorName(errorCode), 'NONE')
  const content = new Map<number, string>()
  const buffer = Buffer.from(records ?? [])
  for (const position of batchPositions(buffer)) {
    for (const { offset, value } of readRecords(buffer, position)) content.set(offset, Buffer.from(value!).toString())
  }
  return content
}

test('three nodes lose no acknowledged record when the leader is killed, and take it back when it returns', async () => {
  await using kafka = await startCluster({ brokers: 3 })
  const topics = [{ name: TOPIC, numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] }]
  const created = await askAddress(kafka.nodes[0]!.bootstrapServers, CreateTopics, { topics, timeoutMs: 10_000 }, 6)
  assert.equal(errorName(created.topics[0]!.errorCode), 'NONE')
  const acknowledged = new Map<number, string>()
  const write = async (leaderId: number, value: string): Promise<boolean> => {
    const [errorCode, offset] = await produce(kafka, leaderId, value)
    if (errorCode === ErrorCode.NONE) acknowledged.set(offset, value)
    return errorCode === ErrorCode.NONE
  }
  const first = await until(
    () => partitionOf(kafka),
    ({ isrNodes, leaderId }) => isrNodes.length === 3 && leaderId > 0,
  )
  await until(
    () => write(first.leaderId, 'first'),
    done => done,
  )
  for (let i = 0; i < 20; i++) assert.ok(await write(first.leaderId, `value-${i}`))
  const killed = kafka.nodes.find(({ nodeId }) => nodeId === first.leaderId)!
  killed.kill()
  const second = await until(
    () => partitionOf(kafka),
    ({ leaderId }) => leaderId > 0 && leaderId !== first.leaderId,
  )
  await until(
    () => write(second.leaderId, 'after'),
    done => done,
  )
  for (let i = 20; i < 40; i++) assert.ok(await write(second.leaderId, `value-${i}`))
  await killed.start()
  await until(
    () => partitionOf(kafka),
    ({ isrNodes }) => isrNodes.length === 3,
  )
  const leader = kafka.nodes.find(({ nodeId }) => nodeId === second.leaderId)!
  const content = await contentOf(leader.bootstrapServers)
  for (const [offset, value] of acknowledged) assert.equal(content.get(offset), value)
})
