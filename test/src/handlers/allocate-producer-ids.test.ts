import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AllocateProducerIds } from '#protocol/messages/allocate-producer-ids.js'
import { allocateProducerIds } from '#src/handlers/allocate-producer-ids.js'
import { call, TestCluster } from './admin-support.js'

test('brokers get blocks of a thousand ids, one after the other', async () => {
  const cluster = new TestCluster({}, [1, 2])
  const allocate = (brokerId: number) => {
    const { epoch: brokerEpoch } = cluster.image.cluster.broker(brokerId)!
    return call(AllocateProducerIds, allocateProducerIds, { controller: cluster }, { brokerId, brokerEpoch })
  }
  const block = (producerIdStart: number) => ({ throttleTimeMs: 0, errorCode: 0, producerIdStart, producerIdLen: 1000 })
  assert.deepEqual(await allocate(1), block(0))
  assert.deepEqual(await allocate(2), block(1000))
  assert.equal(cluster.image.producerIds.nextProducerId, 2000)
})

test('a broker with another epoch gets none', async () => {
  const request = { brokerId: 1, brokerEpoch: 0 }
  const cluster = new TestCluster()
  await assert.rejects(call(AllocateProducerIds, allocateProducerIds, { controller: cluster }, request), { code: 77 })
})
