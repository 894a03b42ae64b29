import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildBatch } from '#protocol/records/build.js'
import { ProducerState } from '#storage/producer-state.js'

const PRODUCERS_MAX = 200_000

test('of too many producers those known longest are forgotten, but none with an open transaction', () => {
  const state = new ProducerState(0)
  const record = { timestamp: 1, key: null, value: Buffer.from('x') }
  const producer = { producerEpoch: 0, baseSequence: 0 }
  const plain = buildBatch({ records: [record], producerId: 0, ...producer })
  const open = buildBatch({ records: [record], producerId: 0, isTransactional: true, ...producer })
  const append = (batch: Buffer, producerId: number): void => {
    batch.writeBigInt64BE(BigInt(state.endOffset), 0)
    batch.writeBigInt64BE(BigInt(producerId), 43)
    state.apply(batch, 0)
  }
  append(open, 1)
  for (let id = 2; id <= PRODUCERS_MAX + 60_000; id++) append(plain, id)
  // One that was forgotten is new when it comes back, and those that are kept can be read in their order.
  append(plain, 2)
  assert.equal(state.count, PRODUCERS_MAX)
  const ids = Array.from(state.entries(), ({ producerId }) => producerId)
  assert.deepEqual([ids[0], ids[1], ids.at(-2), ids.at(-1)], [1, 60_003, PRODUCERS_MAX + 60_000, 2])
})
