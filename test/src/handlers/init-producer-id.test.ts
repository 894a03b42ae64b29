import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode } from '#protocol/errors.js'
import { InitProducerId } from '#protocol/messages/init-producer-id.js'
import { initProducerId } from '#src/handlers/init-producer-id.js'
import { nodeConfig } from '../controller/support.js'
import { call } from './admin-support.js'

function services(next: () => Promise<number> = async () => 1234) {
  const config = nodeConfig()
  return { producerIds: { next }, config: () => config }
}

const idempotent = { transactionalId: null, transactionTimeoutMs: 1000 }

test('an idempotent producer gets a fresh id with epoch 0 in every version', async () => {
  for (let apiVersion = 0; apiVersion <= 5; apiVersion++) {
    const answer = await call(InitProducerId, initProducerId, services(), idempotent, { apiVersion })
    assert.deepEqual([answer.errorCode, answer.producerId, answer.producerEpoch], [0, 1234, 0])
  }
})

/** Requests and error codes; the first ones are those of Apache Kafka 4.4. */
const cases: readonly (readonly [object, number])[] = [
  [{ ...idempotent, producerId: 5, producerEpoch: -1 }, 42],
  [{ ...idempotent, producerId: -1, producerEpoch: 3 }, 42],
  [{ ...idempotent, transactionTimeoutMs: -5, producerId: 5, producerEpoch: 3 }, 0],
  [{ transactionalId: '', transactionTimeoutMs: 1000 }, 42],
  [{ transactionalId: 'tx', transactionTimeoutMs: 0 }, 50],
  [{ transactionalId: 'tx', transactionTimeoutMs: 900_001 }, 50],
  [{ transactionalId: 'tx', transactionTimeoutMs: 1000 }, 35],
]

for (const [request, code] of cases) {
  test(`${JSON.stringify(request)} is answered with ${code}`, async () => {
    const answer = await call(InitProducerId, initProducerId, services(), request as typeof idempotent, {
      apiVersion: 5,
    })
    assert.equal(answer.errorCode, code)
    assert.deepEqual([answer.producerId, answer.producerEpoch], code === 0 ? [1234, 0] : [-1, -1])
  })
}

test('without ids the client is told to come again', async () => {
  const none = () => Promise.reject(new ApiError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS))
  const answer = await call(InitProducerId, initProducerId, services(none), idempotent)
  assert.deepEqual([answer.errorCode, answer.producerId, answer.producerEpoch], [14, -1, -1])
})
