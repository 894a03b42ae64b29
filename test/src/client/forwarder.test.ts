import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageCodec, requestCodec } from '#protocol/codec.js'
import { type ApiError, ErrorCode } from '#protocol/errors.js'
import { encodeResponse } from '#protocol/frame.js'
import { RequestHeader } from '#protocol/header.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { DescribeQuorum } from '#protocol/messages/describe-quorum.js'
import { Envelope, type EnvelopeRequest } from '#protocol/messages/envelope.js'
import { Reader } from '#protocol/reader.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { Forwarder } from '#src/client/forwarder.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { VirtualClock } from '../../support/virtual-clock.js'

const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
const request = { topics: [topic], timeoutMs: 1, validateOnly: false }
const header = { apiVersion: 6, correlationId: 42, clientId: 'admin', clientAddress: '10.0.0.7' }

function begin(errorCode = 0) {
  const clock = new VirtualClock()
  const world = {
    highWatermark: 50,
    waitsFor: [] as number[],
    waiting: 0,
    seen: [] as EnvelopeRequest[],
    reach: () => {},
    end: (_: Error) => {},
  }
  const created = { topics: [{ name: 't', errorCode: 0, errorMessage: null }] }
  const responseData = errorCode === 0 ? Buffer.concat(encodeResponse(CreateTopics, 6, 42, created)).subarray(4) : null
  const forwarder = new Forwarder({
    channel: {
      call: async <Q extends Fields, R extends Fields>(api: Api<Q, R>, sent: Encodable<Q>) => {
        if (api.key === Envelope.key) {
          world.seen.push(sent as unknown as EnvelopeRequest)
          return { errorCode, responseData } as unknown as Decoded<R>
        }
        assert.equal(api.key, DescribeQuorum.key)
        const partition = { partitionIndex: 0, errorCode: 0, highWatermark: world.highWatermark }
        return { topics: [{ topicName: '__cluster_metadata', partitions: [partition] }] } as unknown as Decoded<R>
      },
    },
    isLocal: () => false,
    waitFor: offset => {
      world.waitsFor.push(offset)
      world.waiting++
      const reached = new Promise<void>((resolve, reject) => {
        world.reach = resolve
        world.end = reject
      })
      return { reached, cancel: () => world.waiting-- }
    },
    clock,
    logger: keepingLogger(),
    requestTimeoutMs: 1000,
  })
  return { clock, world, forwarder }
}

test('a request travels as it came, with who sent it and from where', async () => {
  const { clock, world, forwarder } = begin()
  void forwarder.forward(CreateTopics, header, request)
  await clock.settle()
  const [{ requestData, requestPrincipal, clientHostAddress }] = world.seen as [EnvelopeRequest]
  const reader = new Reader(Buffer.from(requestData))
  const { requestApiKey, requestApiVersion, correlationId, clientId } = messageCodec(RequestHeader, 2).read(reader)
  assert.deepEqual([requestApiKey, requestApiVersion, correlationId, clientId], [19, 6, 42, 'admin'])
  assert.deepEqual(requestCodec(CreateTopics, 6).read(reader).topics[0]!.name, 't')
  // Version 0, 'User', 'ANONYMOUS', no token, no tagged fields.
  assert.equal(Buffer.from(requestPrincipal!).toString('hex'), '000005557365720a414e4f4e594d4f55530000')
  assert.deepEqual([...clientHostAddress], [10, 0, 0, 7])
})

test('the answer is given when this node has seen what was committed by then', async () => {
  const { clock, world, forwarder } = begin()
  let answer: unknown = null
  forwarder.forward(CreateTopics, header, request).then(({ topics }) => (answer = topics[0]!.name))
  await clock.settle()
  assert.deepEqual([answer, world.waitsFor], [null, [49]])
  world.reach()
  await clock.settle()
  assert.equal(answer, 't')
})

test('an answer is given late rather than never: a node that cannot catch up does not keep it', async () => {
  const { clock, world, forwarder } = begin()
  world.highWatermark = -1
  let answer: unknown = null
  forwarder.forward(CreateTopics, header, request).then(({ topics }) => (answer = topics[0]!.name))
  await clock.advance(999)
  assert.deepEqual([answer, world.waitsFor], [null, []])
  await clock.advance(30)
  assert.equal(answer, 't')
})

test('who waits in vain to see the change gives up when time is up, and leaves nothing behind', async () => {
  const { clock, world, forwarder } = begin()
  let answer: unknown = null
  forwarder.forward(CreateTopics, header, request).then(({ topics }) => (answer = topics[0]!.name))
  await clock.advance(999)
  assert.deepEqual([answer, world.waiting], [null, 1])
  await clock.advance(1)
  assert.deepEqual([answer, world.waiting, clock.timerCount], ['t', 0, 0])
  world.end(new Error('the node is stopping'))
  await clock.settle()
})

test('an envelope that fails is a failure that says nothing of the way', async () => {
  for (const [code, told] of [
    [ErrorCode.CLUSTER_AUTHORIZATION_FAILED, ErrorCode.UNKNOWN_SERVER_ERROR],
    [ErrorCode.UNSUPPORTED_VERSION, ErrorCode.UNSUPPORTED_VERSION],
  ]) {
    const { forwarder } = begin(code)
    await assert.rejects(forwarder.forward(CreateTopics, header, request), (error: ApiError) => error.code === told)
  }
})
