import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestCodec } from '#protocol/codec.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import { Reader } from '#protocol/reader.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import { readFetchRequest } from '#src/replication/fetch-request.js'
import { TopicIndex } from '#src/replication/topic-index.js'
import { SeededRandom, testSeed } from '../../support/random.js'

const KNOWN_ID = 'AAAAAAAAAAAAAAAAAAAACQ'

function randomRequest(random: SeededRandom) {
  const topic = () => ({
    topic: random.pick(['known', 'naïve ☃', '', 'x'.repeat(300)]),
    topicId: random.pick([KNOWN_ID, random.uuid()]),
  })
  return {
    clusterId: random.pick([null, 'a cluster']),
    replicaId: random.pick([-1, 0, 5, -2]),
    replicaState: random.pick([{}, { replicaId: 7, replicaEpoch: 4294967296 }]),
    maxWaitMs: random.pick([0, 500, -1]),
    minBytes: random.pick([0, 1, 2147483647]),
    maxBytes: random.pick([0, 52_428_800, -1]),
    isolationLevel: random.pick([0, 1, 9]),
    sessionId: random.pick([0, 2147483647]),
    sessionEpoch: random.pick([-1, 0, 17]),
    topics: Array.from({ length: random.below(4) }, () => ({
      ...topic(),
      partitions: Array.from({ length: random.below(4) }, () => ({
        partition: random.pick([0, 9999, -1]),
        currentLeaderEpoch: random.pick([-1, 0, 3]),
        fetchOffset: random.pick([0, 4294967297, 9007199254740991, -1]),
        lastFetchedEpoch: random.pick([-1, 5]),
        logStartOffset: random.pick([-1, 77]),
        partitionMaxBytes: random.pick([1_048_576, 0]),
        replicaDirectoryId: random.pick([ZERO_UUID, random.uuid()]),
        highWatermark: random.pick([Number.POSITIVE_INFINITY, 12]),
      })),
      ...(random.below(4) === 0 ? { unknownTaggedFields: [{ tag: 3, data: random.bytes(random.below(20)) }] } : {}),
    })),
    forgottenTopicsData: Array.from({ length: random.below(3) }, () => ({
      ...topic(),
      partitions: Array.from({ length: random.below(3) }, () => random.below(100)),
    })),
    rackId: random.pick(['', 'rack-1']),
    ...(random.below(4) === 0 ? { unknownTaggedFields: [{ tag: 9, data: random.bytes(200) }] } : {}),
  }
}

function topicIndex(): TopicIndex {
  const topics = new TopicIndex()
  topics.add('known', KNOWN_ID, 1)
  return topics
}

test('reads what the codec reads, in every version', () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  const topics = topicIndex()
  for (let round = 0; round < 2000; round++) {
    const version = 4 + random.below(15)
    const codec = requestCodec(Fetch, version)
    const writer = new Writer()
    codec.write(writer, randomRequest(random))
    const body = writer.toBuffer()
    const start = random.below(50)
    const buffer = Buffer.concat([random.bytes(start), body, random.bytes(20)])
    const decoded = codec.read(new Reader(buffer, start, start + body.length))
    const read = readFetchRequest(buffer, start, start + body.length, version, topics)
    const byId = version >= 13
    const nameOf = (topic: string, topicId: string): string => (byId ? (topicId === KNOWN_ID ? 'known' : '') : topic)
    const replica = version >= 15 ? decoded.replicaState : { replicaId: decoded.replicaId, replicaEpoch: -1 }
    const { partitions, forgotten, ...head } = read
    assert.deepEqual(
      head,
      {
        ...replica,
        maxWaitMs: decoded.maxWaitMs,
        minBytes: decoded.minBytes,
        maxBytes: decoded.maxBytes,
        isolationLevel: decoded.isolationLevel,
        sessionId: decoded.sessionId,
        sessionEpoch: decoded.sessionEpoch,
        rackId: decoded.rackId,
      },
      `version ${version}, seed ${seed}`,
    )
    assert.deepEqual(
      partitions.map(each => [
        each.topicName,
        each.topicId,
        each.index,
        each.currentLeaderEpoch,
        each.fetchOffset,
        each.lastFetchedEpoch,
        each.followerLogStartOffset,
        each.maxBytes,
        each.topic?.name,
      ]),
      decoded.topics.flatMap(({ topic, topicId, partitions }) =>
        partitions.map(each => [
          nameOf(topic, topicId),
          topicId,
          each.partition,
          each.currentLeaderEpoch,
          each.fetchOffset,
          each.lastFetchedEpoch,
          each.logStartOffset,
          each.partitionMaxBytes,
          (byId ? topicId === KNOWN_ID : topic === 'known') ? 'known' : undefined,
        ]),
      ),
      `version ${version}, seed ${seed}`,
    )
    assert.deepEqual(
      forgotten,
      decoded.forgottenTopicsData.flatMap(({ topic, topicId, partitions }) =>
        partitions.map(index => ({ topicName: topic, topicId, index })),
      ),
      `version ${version}, seed ${seed}`,
    )
  }
})

test('takes and refuses what the codec takes and refuses: cut, changed and random bytes raise only ProtocolError', () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  const topics = topicIndex()
  for (let round = 0; round < 5000; round++) {
    const version = 4 + random.below(15)
    const codec = requestCodec(Fetch, version)
    const writer = new Writer()
    codec.write(writer, randomRequest(random))
    let body: Buffer = Buffer.from(writer.toBuffer())
    switch (random.below(4)) {
      case 0:
        body = body.subarray(0, random.below(body.length + 1))
        break
      case 1:
        for (let i = 0; i < 3; i++) body[random.below(body.length)] = random.below(256)
        break
      case 2:
        body = random.bytes(random.below(60))
        break
      default:
        body = Buffer.concat([body, random.bytes(random.below(3))])
    }
    const failureOf = (read: () => void): string | null => {
      try {
        read()
        return null
      } catch (error) {
        assert.ok(error instanceof ProtocolError, `${error}, version ${version}, seed ${seed}`)
        return error.message
      }
    }
    const ours = failureOf(() => readFetchRequest(body, 0, body.length, version, topics))
    const codecs = failureOf(() => {
      const cursor = new Reader(body)
      codec.read(cursor)
      cursor.finish()
    })
    // The codec looks into fields that ours passes over, and refuses numbers past 2^53, which ours takes for too high.
    if (ours === null && codecs !== null) {
      assert.match(codecs, /int64 out of range|tag |highWatermark|clusterId|replica|bytes wanted|string|varint|null/)
    } else assert.equal(ours === null, codecs === null, `version ${version}, seed ${seed}: ${ours}`)
  }
})
