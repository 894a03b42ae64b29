import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { decodeResponse, encodeRequest } from '#protocol/frame.js'
import { AllocateProducerIds } from '#protocol/messages/allocate-producer-ids.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { Envelope } from '#protocol/messages/envelope.js'
import { HandledRequests } from '#src/broker/inner-requests.js'
import type { NodeServices } from '#src/broker/serving.js'
import type { ControllerRequests } from '#src/controller/controller-driver.js'
import { allocateProducerIds } from '#src/handlers/allocate-producer-ids.js'
import { createTopics } from '#src/handlers/create-topics.js'
import { envelope } from '#src/handlers/envelope.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { call, TestCluster } from '../handlers/admin-support.js'

const principal = Buffer.from('000005557365720a414e4f4e594d4f55530000', 'hex')
const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
const request = { topics: [topic], timeoutMs: 1000, validateOnly: false }
const address = Buffer.from([10, 0, 0, 7])

function begin(controller?: ControllerRequests) {
  const cluster = new TestCluster()
  const logger = keepingLogger()
  const requests: HandledRequests<NodeServices> = new HandledRequests<NodeServices>({
    handlers: [createTopics, allocateProducerIds, envelope],
    services: () =>
      ({
        controller: controller ?? cluster,
        config: cluster.config,
        innerRequests: requests,
      }) as unknown as NodeServices,
    unstableVersions: false,
    listenerName: 'CONTROLLER',
    logger,
  })
  const frame = (version = 6) =>
    Buffer.concat(encodeRequest(CreateTopics, { version, correlationId: 9, clientId: 'admin' }, request)).subarray(4)
  const ask = (requestData: Uint8Array, requestPrincipal: Uint8Array | null = principal, clientHostAddress = address) =>
    call(Envelope, envelope, { innerRequests: requests }, { requestData, requestPrincipal, clientHostAddress })
  return { cluster, requests, frame, ask, logger }
}

const code = (expected: ErrorCode) => (error: ApiError) => error.code === expected

test('a request in an envelope is answered in its own version, with its own correlation id', async () => {
  const { cluster, frame, ask } = begin()
  const { errorCode, responseData } = await ask(frame())
  assert.equal(errorCode, ErrorCode.NONE)
  const { correlationId, response } = decodeResponse(CreateTopics, 6, Buffer.from(responseData!))
  assert.deepEqual([correlationId, response.topics[0]!.errorCode], [9, ErrorCode.NONE])
  assert.notEqual(cluster.image.topics.byName('t'), undefined)
  const again = await ask(frame(5))
  const second = decodeResponse(CreateTopics, 5, Buffer.from(again.responseData!)).response
  assert.equal(second.topics[0]!.errorCode, ErrorCode.TOPIC_ALREADY_EXISTS)
})

test('that this is not the active controller is said of the envelope', async () => {
  const { frame, ask } = begin({ run: () => Promise.reject(new ApiError(ErrorCode.NOT_CONTROLLER)) })
  await assert.rejects(ask(frame()), code(ErrorCode.NOT_CONTROLLER))
})

test('a failure that has no error code is one for the client, and a line for the operator', async () => {
  const { frame, ask, logger } = begin({ run: () => Promise.reject(new Error('broken')) })
  const { responseData } = await ask(frame())
  const { response } = decodeResponse(CreateTopics, 6, Buffer.from(responseData!))
  assert.equal(response.topics[0]!.errorCode, ErrorCode.UNKNOWN_SERVER_ERROR)
  assert.deepEqual(
    logger.lines.map(({ level }) => level),
    ['error'],
  )
})

test('envelopes with something else in them are refused', async () => {
  const { frame, ask } = begin()
  const allocate = Buffer.concat(
    encodeRequest(
      AllocateProducerIds,
      { version: 0, correlationId: 1, clientId: null },
      { brokerId: 1, brokerEpoch: 1 },
    ),
  ).subarray(4)
  await assert.rejects(ask(allocate), code(ErrorCode.INVALID_REQUEST))
  await assert.rejects(ask(Buffer.alloc(0)), code(ErrorCode.INVALID_REQUEST))
  await assert.rejects(ask(frame().subarray(0, 30)), code(ErrorCode.UNSUPPORTED_VERSION))
  const future = Buffer.from(frame())
  future.writeInt16BE(99, 2)
  await assert.rejects(ask(future), code(ErrorCode.UNSUPPORTED_VERSION))
  await assert.rejects(ask(frame(), null), code(ErrorCode.PRINCIPAL_DESERIALIZATION_FAILURE))
  await assert.rejects(ask(frame(), principal.subarray(0, 9)), code(ErrorCode.PRINCIPAL_DESERIALIZATION_FAILURE))
  await assert.rejects(ask(frame(), principal, Buffer.alloc(5)), code(ErrorCode.INVALID_REQUEST))
})

test('a request of this process is answered as over the network: defaults are filled in', async () => {
  const { requests } = begin()
  const { topics, throttleTimeMs } = await requests.call(CreateTopics, request)
  assert.deepEqual([throttleTimeMs, topics[0]!.numPartitions], [0, 1])
  await assert.rejects(
    requests.call(Envelope, envelopeOf(Buffer.alloc(0))).then(throwCode),
    code(ErrorCode.INVALID_REQUEST),
  )
})

const envelopeOf = (requestData: Uint8Array) => ({
  requestData,
  requestPrincipal: principal,
  clientHostAddress: address,
})
const throwCode = ({ errorCode }: { readonly errorCode: number }) => {
  throw new ApiError(errorCode as ErrorCode)
}
