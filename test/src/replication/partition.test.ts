import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Produce } from '#protocol/messages/produce.js'
import { batchOf, produceRequest, produceTo, replicaSetting } from '../handlers/replica-support.js'

async function leading() {
  const { broker, client } = await replicaSetting()
  broker.createTopic('t', 1, { replicas: [1, 2], isr: [1], leaderEpoch: 4 })
  produceTo(client, batchOf(['a', 'b']))
  const image = broker.metadata.topics.partition('t', 0)!
  return { partition: broker.replicas.partitionOf('t', 0), image }
}

test('a leader epoch that goes back is a bug', async () => {
  const { partition, image } = await leading()
  const older = { ...image, leaderEpoch: 3, partitionEpoch: image.partitionEpoch + 1 }
  assert.throws(() => partition.apply(older), /epochs only rise: t-0 1@4 -> 1@3/)
})

test('another leader in the same epoch is a bug', async () => {
  const { partition, image } = await leading()
  const other = { ...image, leader: 2, partitionEpoch: image.partitionEpoch + 1 }
  assert.throws(() => partition.apply(other), /one leader an epoch: t-0 1@4 -> 2@4/)
})

test('what is older than what is known is passed over', async () => {
  const { partition, image } = await leading()
  partition.apply({ ...image, leader: 2, leaderEpoch: 3, partitionEpoch: image.partitionEpoch - 1 })
  assert.equal(partition.isLeader, true)
})

test('a leader that cuts its log is a bug', async () => {
  const { partition } = await leading()
  assert.throws(() => partition.truncateTo(1), /the high watermark does not go back/)
  assert.throws(() => partition.restartAt(5), /the high watermark does not go back/)
  assert.equal(partition.log.logEndOffset, 2)
})

test('flush.messages=1: what a killed process has left counts only when it is on the device', async () => {
  const config = { flushMessages: 1 }
  const first = await replicaSetting()
  first.broker.createTopic('t', 1, { config })
  const releaseFirst = first.disk.holdSyncs()
  const batch = batchOf(['a'], { producerId: 7, producerEpoch: 0, baseSequence: 0 })
  first.client.send(Produce, 9, produceRequest(batch))
  await first.clock.settle()
  assert.equal(first.client.receiveFrame(), null)
  const disk = first.disk.killed()
  releaseFirst()
  const release = disk.holdSyncs()
  const id = first.broker.topicIds.get('t')!
  const { broker, client, clock } = await replicaSetting({
    disk,
    clock: first.clock,
    prepare: again => again.createTopic('t', 1, { id, config, leaderEpoch: 1 }),
  })
  const partition = broker.replicas.partitionOf('t', 0)
  assert.deepEqual([partition.log.logEndOffset, partition.highWatermark], [1, 0])
  client.send(Produce, 9, produceRequest(batch))
  await clock.settle()
  assert.equal(client.receiveFrame(), null, 'not even the repetition of it')
  release()
  await clock.settle()
  assert.equal(client.receive(Produce, 9).responses[0]!.partitionResponses[0]!.baseOffset, 0)
  assert.equal(partition.highWatermark, 1)
})
