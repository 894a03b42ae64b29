import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeResponse } from '#protocol/frame.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { FetchPartition } from '#src/replication/fetch-partition.js'
import { FetchReply } from '#src/replication/fetch-reply.js'
import { BufferPool } from '#src/runtime/buffer-pool.js'
import { SeededRandom, testSeed } from '../../support/random.js'

const OFFSETS = [0, 1, 4294967295, 4294967296, 9007199254740991, -1]

function randomPartition(random: SeededRandom, version: number, bytesMax: number): FetchPartition {
  const names = ['a', 'b', 'naïve ☃', 'x'.repeat(249)]
  const ids = ['AAAAAAAAAAAAAAAAAAAACQ', 'AAAAAAAAAAAAAAAAAAAACg']
  const each = new FetchPartition(
    random.pick(names),
    version >= 13 ? random.pick(ids) : ZERO_UUID,
    random.below(1000),
    undefined,
  )
  each.errorCode = random.pick([0, 1, 74, -1])
  each.highWatermark = random.pick(OFFSETS)
  each.lastStableOffset = random.pick(OFFSETS)
  each.logStartOffset = random.pick(OFFSETS)
  each.bytes = random.pick([0, 0, 1, random.below(bytesMax + 1)])
  if (random.below(3) === 0) {
    each.abortedTransactions = Array.from({ length: random.below(4) }, () => {
      const firstOffset = random.below(1e9)
      return { producerId: random.below(1e12), firstOffset, lastOffset: firstOffset + 5, lastStableOffset: firstOffset }
    })
  }
  if (random.below(4) === 0) {
    each.divergingEpoch = random.below(100)
    each.divergingEndOffset = random.below(1e12)
  }
  if (random.below(4) === 0) {
    const leaderId = random.below(3)
    const endpoint =
      leaderId === 0
        ? null
        : { host: `host-${leaderId}.example`, port: 9092 + leaderId, rack: leaderId === 1 ? null : 'r' }
    each.hint = { leaderId, leaderEpoch: random.below(100), endpoint }
  }
  return each
}

/** Fills in the records of each partition: bytes that tell the partition and the place. */
function fill(reply: FetchReply): void {
  for (const { partition, from, length, target, at } of reply.pieces) {
    for (let i = 0; i < length; i++) target[at + i] = (partition.index * 31 + from + i) & 0xff
  }
}

function recordsOf(partition: FetchPartition): Buffer {
  const records = Buffer.alloc(partition.bytes)
  for (let i = 0; i < records.length; i++) records[i] = (partition.index * 31 + i) & 0xff
  return records
}

test('writes what the codec reads back, in every version, with records that span any number of buffers', () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  const pool = new BufferPool()
  for (let round = 0; round < 400; round++) {
    const version = 4 + random.below(15)
    const bytesMax = round % 40 === 0 ? 3_000_000 : 5000
    const partitions = Array.from({ length: random.below(8) }, () => randomPartition(random, version, bytesMax))
    const head = { version, correlationId: 4711, errorCode: random.pick([0, 70]), sessionId: random.below(1e9) }
    const reply = new FetchReply(pool, head, partitions)
    fill(reply)
    const frame = Buffer.concat(reply.frames())
    assert.equal(frame.readInt32BE(0), frame.length - 4, `seed ${seed}`)
    const { correlationId, response } = decodeResponse(Fetch, version, frame.subarray(4))
    assert.equal(correlationId, 4711)
    assert.equal(response.errorCode, version >= 7 ? head.errorCode : 0)
    assert.equal(response.sessionId, version >= 7 ? head.sessionId : 0)
    const answers = response.responses.flatMap(({ topic, topicId, partitions }) =>
      partitions.map(partition => ({
        topic,
        topicId,
        ...partition,
        records: Buffer.from(partition.records!).toString('hex'),
      })),
    )
    const expected = partitions.map(each => ({
      topic: version >= 13 ? '' : each.topicName,
      topicId: version >= 13 ? each.topicId : ZERO_UUID,
      partitionIndex: each.index,
      errorCode: each.errorCode,
      highWatermark: each.highWatermark,
      lastStableOffset: each.lastStableOffset,
      logStartOffset: version >= 5 ? each.logStartOffset : -1,
      abortedTransactions:
        each.abortedTransactions?.map(({ producerId, firstOffset }) => ({ producerId, firstOffset })) ?? null,
      preferredReadReplica: -1,
      records: recordsOf(each).toString('hex'),
      divergingEpoch:
        version >= 12
          ? { epoch: each.divergingEpoch, endOffset: each.divergingEndOffset }
          : { epoch: -1, endOffset: -1 },
      currentLeader:
        version >= 16 && each.hint !== null
          ? { leaderId: each.hint.leaderId, leaderEpoch: each.hint.leaderEpoch }
          : { leaderId: -1, leaderEpoch: -1 },
      snapshotId: { endOffset: -1, epoch: -1 },
    }))
    assert.deepEqual(answers, expected, `version ${version}, seed ${seed}`)
    const leaders = new Set(partitions.flatMap(({ hint }) => (hint?.endpoint == null ? [] : [hint.leaderId])))
    assert.deepEqual(
      new Set(response.nodeEndpoints.map(({ nodeId }) => nodeId)),
      version >= 16 ? leaders : new Set(),
      `version ${version}, seed ${seed}`,
    )
    reply.release()
  }
})

test('only partitions of one topic that follow each other stand together', () => {
  const partitions = ['a', 'a', 'b', 'a'].map((name, i) => new FetchPartition(name, ZERO_UUID, i, undefined))
  const reply = new FetchReply(
    new BufferPool(),
    { version: 12, correlationId: 1, errorCode: 0, sessionId: 0 },
    partitions,
  )
  const { response } = decodeResponse(Fetch, 12, Buffer.concat(reply.frames()).subarray(4))
  assert.deepEqual(
    response.responses.map(({ topic, partitions }) => [topic, partitions.length]),
    [
      ['a', 2],
      ['b', 1],
      ['a', 1],
    ],
  )
})

test('an answer of a megabyte with its fields needs one buffer', () => {
  const one = new FetchPartition('x'.repeat(249), ZERO_UUID, 0, undefined)
  one.bytes = 1_048_576
  const reply = new FetchReply(new BufferPool(), { version: 12, correlationId: 1, errorCode: 0, sessionId: 0 }, [one])
  assert.equal(reply.chunks.length, 1)
  assert.equal(reply.pieces.length, 1)
})
