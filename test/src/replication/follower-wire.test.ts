import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeResponse, encodeRequest, encodeResponse } from '#protocol/frame.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { ProtocolError } from '#protocol/protocol-error.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { FollowState } from '#src/replication/followed-replica.js'
import type { SessionPartition } from '#src/replication/follower-session.js'
import { correlationIdOf, decodeFollowerFetch, encodeFollowerFetch } from '#src/replication/follower-wire.js'
import { TopicIndex } from '#src/replication/topic-index.js'
import { SeededRandom, testSeed } from '../../support/random.js'

const VERSIONS = [13, 14, 15, 16, 17, 18]
const OFFSETS = [0, 1, 4294967297, Number.MAX_SAFE_INTEGER]

function followed(random: SeededRandom, topicId: string): FollowState {
  const offset = random.pick(OFFSETS)
  const replica = {
    name: 'a replica',
    topicId,
    index: random.pick([0, 3, 2147483647]),
    logEndOffset: offset,
    logStartOffset: random.pick(OFFSETS),
    highWatermark: 0,
    latestEpoch: random.pick([-1, 0, 7]),
    needsSync: false,
    isThrottled: false,
    endOffsetOf: () => ({ epoch: -1, endOffset: -1 }),
  }
  return new FollowState(replica, random.pick([0, 5, 2147483647]))
}

/** The body as the codec of all messages is given it. */
function bodyOf(terms: Parameters<typeof encodeFollowerFetch>[0], request: Parameters<typeof encodeFollowerFetch>[1]) {
  const topics = new Map<string, FollowState[]>()
  for (const state of request.named) {
    const { topicId } = state.replica
    topics.set(topicId, [...(topics.get(topicId) ?? []), state])
  }
  const forgotten = new Map<string, number[]>()
  for (const { topicId, index } of request.forgotten) {
    forgotten.set(topicId, [...(forgotten.get(topicId) ?? []), index])
  }
  return {
    replicaId: terms.replicaId,
    replicaState: { replicaId: terms.replicaId, replicaEpoch: terms.replicaEpoch },
    maxWaitMs: terms.maxWaitMs,
    minBytes: terms.minBytes,
    maxBytes: terms.maxBytes,
    isolationLevel: 0,
    sessionId: request.sessionId,
    sessionEpoch: request.sessionEpoch,
    topics: [...topics].map(([topicId, states]) => ({
      topic: '',
      topicId,
      partitions: states.map(state => ({
        partition: state.replica.index,
        currentLeaderEpoch: state.leaderEpoch,
        fetchOffset: state.fetchOffset,
        lastFetchedEpoch: state.lastFetchedEpoch,
        logStartOffset: state.logStartOffset,
        partitionMaxBytes: terms.partitionMaxBytes,
        replicaDirectoryId: ZERO_UUID,
        highWatermark: Infinity,
      })),
    })),
    forgottenTopicsData: [...forgotten].map(([topicId, partitions]) => ({ topic: '', topicId, partitions })),
    rackId: '',
  }
}

test('a follower writes its fetches as the codec of all messages writes them', () => {
  const random = new SeededRandom(testSeed())
  for (let round = 0; round < 2000; round++) {
    const ids = Array.from({ length: 1 + random.below(4) }, () => random.uuid())
    const named = Array.from({ length: random.below(200) === 0 ? 300 : random.below(5) }, () =>
      followed(random, random.pick(ids)),
    )
    const forgotten: SessionPartition[] = Array.from({ length: random.below(4) }, () => ({
      topicId: random.pick(ids),
      index: random.below(1000),
    }))
    const request = { sessionId: random.pick([0, 2147483647]), sessionEpoch: random.below(9), named, forgotten }
    const terms = {
      version: random.pick(VERSIONS),
      correlationId: random.below(2 ** 31),
      clientId: `broker-${random.below(2 ** 31)}-fetcher-${random.below(20)}`,
      replicaId: random.pick([0, 3, 2147483647]),
      replicaEpoch: random.pick([0, 99, 4294967296, Number.MAX_SAFE_INTEGER]),
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 10485760,
      partitionMaxBytes: 1048576,
    }
    const expected = Buffer.concat(encodeRequest(Fetch, terms, bodyOf(terms, request)))
    assert.deepEqual(encodeFollowerFetch(terms, request), expected)
  }
})

function randomAnswer(random: SeededRandom, ids: readonly string[]) {
  const tags = () =>
    random.below(4) === 0 ? { unknownTaggedFields: [{ tag: 30, data: random.bytes(random.below(20)) }] } : {}
  return {
    throttleTimeMs: random.pick([0, 100]),
    errorCode: random.pick([0, 71]),
    sessionId: random.below(2 ** 31),
    responses: Array.from({ length: random.below(3) }, () => ({
      topic: '',
      topicId: random.pick(ids),
      partitions: Array.from({ length: random.below(4) }, () => ({
        partitionIndex: random.below(100),
        errorCode: random.pick([0, 6]),
        highWatermark: random.pick([-1, ...OFFSETS]),
        lastStableOffset: -1,
        logStartOffset: random.pick([-1, ...OFFSETS]),
        divergingEpoch: random.pick([{}, { epoch: 4, endOffset: 77 }]),
        currentLeader: random.pick([{}, { leaderId: 2, leaderEpoch: 9 }]),
        snapshotId: {},
        abortedTransactions: random.pick([null, [], [{ producerId: 5, firstOffset: 6 }]]),
        preferredReadReplica: -1,
        records: random.pick([null, Buffer.alloc(0), random.bytes(random.below(300))]),
        ...tags(),
      })),
      ...tags(),
    })),
    nodeEndpoints: random.pick([[], [{ nodeId: 2, host: 'a', port: 9, rack: null }]]),
    ...tags(),
  }
}

function indexOf(id: string): TopicIndex {
  const topics = new TopicIndex()
  topics.add('known', id, 1)
  return topics
}

test('a follower reads of an answer what the codec of all messages reads', () => {
  const random = new SeededRandom(testSeed())
  for (let round = 0; round < 2000; round++) {
    const ids = [random.uuid(), random.uuid()]
    const version = random.pick(VERSIONS)
    const correlationId = random.below(2 ** 31)
    const frame = Buffer.concat(encodeResponse(Fetch, version, correlationId, randomAnswer(random, ids))).subarray(4)
    const start = random.below(30)
    const buffer = Buffer.concat([random.bytes(start), frame, random.bytes(10)])
    const { response } = decodeResponse(Fetch, version, frame)
    const parts = response.responses.flatMap(({ topicId, partitions }) =>
      partitions.map(each => {
        const { errorCode, highWatermark, logStartOffset, divergingEpoch, records } = each
        const diverging = divergingEpoch.epoch >= 0 ? { ...divergingEpoch } : null
        const part = { errorCode, highWatermark, logStartOffset, diverging, records }
        return { topicId, index: each.partitionIndex, part }
      }),
    )
    const { errorCode, sessionId } = response
    assert.equal(correlationIdOf(buffer, start, start + frame.length), correlationId)
    const answer = decodeFollowerFetch(buffer, start, start + frame.length, indexOf(ids[0]!))
    assert.deepEqual(answer, { errorCode, sessionId, parts })
  }
})

test('an answer that was cut, or has bytes left over, is no answer', () => {
  const random = new SeededRandom(testSeed())
  const topics = indexOf(random.uuid())
  for (let round = 0; round < 20; round++) {
    const answer = randomAnswer(random, [random.uuid()])
    const frame = Buffer.concat(encodeResponse(Fetch, 17, 1, answer)).subarray(4)
    for (let end = 0; end < frame.length; end++) {
      assert.throws(() => decodeFollowerFetch(frame, 0, end, topics), ProtocolError, `${end} of ${frame.length} bytes`)
    }
    const longer = Buffer.concat([frame, Buffer.of(0)])
    assert.throws(() => decodeFollowerFetch(longer, 0, longer.length, topics), ProtocolError)
  }
  assert.throws(() => correlationIdOf(Buffer.alloc(3), 0, 3), ProtocolError)
})

test('an answer with random bytes in it is read or refused, and nothing else', () => {
  const random = new SeededRandom(testSeed())
  const topics = indexOf(random.uuid())
  for (let round = 0; round < 5000; round++) {
    const answer = randomAnswer(random, [random.uuid()])
    const frame = Buffer.concat(encodeResponse(Fetch, 17, 1, answer)).subarray(4)
    for (let i = 1 + random.below(4); i > 0; i--) frame[random.below(frame.length)] = random.below(256)
    try {
      decodeFollowerFetch(frame, 0, frame.length, topics)
    } catch (error) {
      assert(error instanceof ProtocolError, String(error))
    }
  }
})
