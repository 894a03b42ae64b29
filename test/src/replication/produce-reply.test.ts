import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestCodec } from '#protocol/codec.js'
import { decodeResponse } from '#protocol/frame.js'
import { Produce } from '#protocol/messages/produce.js'
import { Writer } from '#protocol/writer.js'
import { mendCode, mendFailed, ProduceResults, replyBytesMax, writeReply } from '#src/replication/produce-reply.js'
import { ProduceRequestReader } from '#src/replication/produce-request.js'
import { SeededRandom, testSeed } from '../../support/random.js'

const OFFSETS = [0, 1, 4294967295, 4294967296, 9007199254740991, -1]

/** A request with random topics, read, and random results for it. */
function randomCase(random: SeededRandom, version: number) {
  const topics = Array.from({ length: random.below(4) }, () => ({
    name: random.pick(['t', 'naïve ☃', 'x'.repeat(249)]),
    topicId: random.uuid(),
    partitionData: Array.from({ length: random.below(4) }, () => ({ index: random.below(2000), records: null })),
  }))
  const writer = new Writer()
  requestCodec(Produce, version).write(writer, { acks: 1, timeoutMs: 1, topicData: topics })
  const buffer = Buffer.from(writer.toBuffer())
  const request = new ProduceRequestReader()
  request.read(buffer, 0, buffer.length, version)
  const results = new ProduceResults()
  const leader = random.pick([
    { host: 'a', port: 9092, rack: null },
    { host: 'node-2.example', port: 65535, rack: 'rack-☃' },
  ])
  for (let i = 0; i < request.partitionCount; i++) {
    results.add(random.pick([0, 3, 87, -1]), random.pick(OFFSETS), random.pick(OFFSETS), random.pick(OFFSETS))
    if (random.below(3) === 0) {
      const recordErrors = Array.from({ length: random.below(3) }, (_, batchIndex) => ({
        batchIndex,
        message: `no ☃ ${batchIndex}`,
      }))
      results.details[i] = { recordErrors, message: random.pick([null, 'why', 'x'.repeat(5000)]) }
    }
    if (random.below(3) === 0) {
      const leaderId = random.below(2)
      results.hints[i] = { leaderId, leaderEpoch: 5, endpoint: leaderId === 0 ? leader : null }
    }
  }
  return { topics, buffer, request, results, leader }
}

test('writes what the codec reads back, in every version, within the bytes that it said it would take', () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  for (let round = 0; round < 2000; round++) {
    const version = 3 + random.below(11)
    const { topics, buffer, request, results, leader } = randomCase(random, version)
    const start = random.below(30)
    const bytesMax = replyBytesMax(request, results)
    const target = Buffer.alloc(start + bytesMax, 0xee)
    const end = writeReply(target, start, version, 4711, buffer, request, results)
    assert.ok(end <= start + bytesMax, `seed ${seed}`)
    assert.equal(target.readInt32BE(start), end - start - 4)
    const { correlationId, response } = decodeResponse(Produce, version, target.subarray(start + 4, end))
    assert.equal(correlationId, 4711)
    let i = 0
    const expected = topics
      .filter(({ partitionData }) => partitionData.length > 0)
      .map(({ name, topicId, partitionData }) => ({
        name: version >= 13 ? '' : name,
        topicId: version >= 13 ? topicId : 'AAAAAAAAAAAAAAAAAAAAAA',
        partitionResponses: partitionData.map(({ index }) => {
          const details = version >= 8 ? results.details[i] : null
          const hint = version >= 10 ? results.hints[i] : null
          return {
            index,
            errorCode: results.errorCode[i],
            baseOffset: results.baseOffset[i],
            logAppendTimeMs: results.logAppendTimeMs[i],
            logStartOffset: version >= 5 ? results.logStartOffset[i] : -1,
            recordErrors: (details?.recordErrors ?? []).map(({ batchIndex, message }) => ({
              batchIndex,
              batchIndexErrorMessage: message,
            })),
            errorMessage: details?.message ?? null,
            currentLeader: { leaderId: hint?.leaderId ?? -1, leaderEpoch: hint?.leaderEpoch ?? -1 },
            i: i++,
          }
        }),
      }))
    for (const { partitionResponses } of expected)
      for (const each of partitionResponses) delete (each as { i?: number }).i
    assert.deepEqual(response.responses, expected, `version ${version}, seed ${seed}`)
    const named = version >= 10 && results.hints.slice(0, results.count).some(hint => hint?.leaderId === 0)
    assert.deepEqual(
      response.nodeEndpoints,
      named ? [{ nodeId: 0, ...leader }] : [],
      `version ${version}, seed ${seed}`,
    )
  }
})

test('an answer that was written can be mended where a partition failed after all', () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  for (let round = 0; round < 300; round++) {
    const version = 3 + random.below(11)
    const { buffer, request, results } = randomCase(random, version)
    if (request.partitionCount === 0) continue
    const target = Buffer.alloc(replyBytesMax(request, results))
    const end = writeReply(target, 0, version, 1, buffer, request, results)
    const before = decodeResponse(Produce, version, Buffer.from(target.subarray(4, end))).response
    const failed = random.below(request.partitionCount)
    mendFailed(target, results.errorAt[failed]!, version, 56)
    const late = random.below(request.partitionCount)
    if (late !== failed) mendCode(target, results.errorAt[late]!, 7)
    const after = decodeResponse(Produce, version, target.subarray(4, end)).response
    const all = (response: typeof before) => response.responses.flatMap(each => each.partitionResponses)
    all(after).forEach((partition, i) => {
      const was = all(before)[i]!
      const unknown = { baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1 }
      if (i === failed) assert.deepEqual(partition, { ...was, errorCode: 56, ...unknown }, `seed ${seed}`)
      else assert.deepEqual(partition, i === late ? { ...was, errorCode: 7 } : was, `seed ${seed}`)
    })
  }
})
