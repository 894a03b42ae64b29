import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as batch from '#protocol/records/batch.js'
import { metadataRecordsOf } from '#src/metadata/snapshot-file.js'
import { readQuorumState } from '#src/raft/quorum-state.js'
import { SimDisk } from '../../support/sim-disk.js'
import { directoryPath, openNode, partitionPath, type RaftNode, staticVoters } from './support/rig.js'

const fixtures = fileURLToPath(new URL('../../../../test/src/raft/fixtures/', import.meta.url))

/** A directory as Kafka 4.4 left it: one node that is broker and controller, a topic or two. */
function kafkaDisk(name: 'static' | 'dynamic', without: readonly string[] = []): SimDisk {
  const disk = new SimDisk()
  disk.makeDirectory(partitionPath)
  for (const file of readdirSync(`${fixtures}${name}`)) {
    if (without.includes(file)) continue
    const folder = file === 'meta.properties' ? directoryPath : partitionPath
    const opened = disk.open(`${folder}/${file}`, { create: true })
    opened.append([readFileSync(`${fixtures}${name}/${file}`)])
    opened.close()
  }
  return disk
}

function open(name: 'static' | 'dynamic', disk = kafkaDisk(name)): RaftNode {
  return openNode({
    disk,
    voters: name === 'static' ? staticVoters([1]) : [],
    config: { localEndpoints: [{ name: 'CONTROLLER', host: 'localhost', port: 25001 }] },
    segmentBytes: 1024 * 1024 * 1024,
  })
}

for (const name of ['static', 'dynamic'] as const) {
  test(`a directory that Kafka wrote (${name} voters) is opened and led on`, async () => {
    const node = open(name)
    assert.equal(node.log.latestEpoch, 1)
    const { logEndOffset } = node.log
    node.driver.start()
    await node.clock.settle()
    assert.deepEqual(node.faults, [])
    assert.deepEqual(node.driver.leader, { leaderId: 1, epoch: 2 })
    // One control record: nobody has to be told of voters that the log knows already.
    assert.equal(node.driver.endOffset, logEndOffset + 1)
    assert.equal(node.driver.highWatermark, logEndOffset + 1)
    assert(node.witness.topics.includes('t1'))
    assert.equal(node.driver.kraftVersion, name === 'static' ? 0 : 1)
    const text = node.disk.readFile(`${partitionPath}/quorum-state`).toString()
    const before = readFileSync(`${fixtures}${name}/quorum-state`).toString()
    assert.equal(text, before.replace('"leaderEpoch":1', '"leaderEpoch":2'))
    const { features } = finalized(node)
    assert.equal(features.get('metadata.version'), 33)
    assert.equal(features.get('group.version'), 1)
  })
}

function finalized(node: RaftNode): { readonly features: Map<string, number> } {
  const features = new Map<string, number>()
  for (const record of node.witness.records) {
    if (record.type === 'FeatureLevelRecord') features.set(record.value.name, record.value.featureLevel)
  }
  return { features }
}

for (const name of ['static', 'dynamic'] as const) {
  test(`on a directory that Kafka formatted (${name} voters), the first batch of the log is Kafka's`, async () => {
    const written = '00000000000000000000.log'
    const others = readdirSync(`${fixtures}${name}`).filter(file => /^0.*(13|40)-/.test(file))
    const node = open(name, kafkaDisk(name, [written, 'quorum-state', ...others]))
    node.driver.start()
    await node.clock.settle()
    assert.deepEqual(node.faults, [])
    const ours = node.disk.readFile(`${partitionPath}/${written}`)
    const kafkas = readFileSync(`${fixtures}${name}/${written}`)
    const size = batch.sizeInBytes(kafkas, 0)
    assert.equal(ours.length, size)
    assert.deepEqual(timeless(ours), timeless(kafkas.subarray(0, size)))
  })
}

/** The batch at the beginning, without its times and the checksum that covers them. */
function timeless(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  batch.writeInt64(copy, 27, 0)
  batch.writeInt64(copy, 35, 0)
  batch.writeInt32(copy, 17, 0)
  return copy
}

test('the newest snapshot of Kafka is loaded, and the log after it', async () => {
  const node = open('dynamic')
  node.driver.start()
  await node.clock.settle()
  assert.equal(node.witness.events[0], 'snapshot 40-1 of 13')
})

test('what Kafka wrote says the same in the log and in the snapshot', () => {
  const log = readFileSync(`${fixtures}dynamic/00000000000000000000.log`)
  const types = new Map<string, number>()
  for (const position of batch.batchPositions(log)) {
    if (batch.isControl(log, position)) continue
    for (const record of metadataRecordsOf(log, position)) types.set(record.type, (types.get(record.type) ?? 0) + 1)
  }
  assert.equal(types.get('TopicRecord'), 1)
  assert.equal(types.get('PartitionRecord'), 3)
  assert.equal(types.get('BeginTransactionRecord'), 1)
  assert.equal(types.get('RegisterBrokerRecord'), 1)
})

test('a vote and a leader are read from the files of both versions', () => {
  assert.deepEqual(readQuorumState(kafkaDisk('static'), partitionPath), { epoch: 1, leaderId: 1, voted: null })
  assert.deepEqual(readQuorumState(kafkaDisk('dynamic'), partitionPath), { epoch: 1, leaderId: 1, voted: null })
  assert.equal(readQuorumState(kafkaDisk('static', ['quorum-state']), partitionPath), null)
})
