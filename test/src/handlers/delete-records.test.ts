import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { DeleteRecords } from '#protocol/messages/delete-records.js'
import { batchOf, produceTo, replicaSetting } from './replica-support.js'

async function filled() {
  const setting = await replicaSetting()
  const { broker, client, clock } = setting
  broker.createTopic('t', 2)
  broker.createTopic('compacted', 1, { config: { cleanupPolicy: { delete: false, compact: true } } })
  broker.createTopic('__consumer_offsets', 1)
  for (const values of [['a', 'b', 'c'], ['d'], ['e', 'f']]) produceTo(client, batchOf(values))
  const ask = async (offset: number, options: { topic?: string; partition?: number; version?: number } = {}) => {
    const { topic = 't', partition = 0, version = 2 } = options
    const request = { timeoutMs: 1000, topics: [{ name: topic, partitions: [{ partitionIndex: partition, offset }] }] }
    client.send(DeleteRecords, version, request)
    await clock.settle()
    const answer = client.receive(DeleteRecords, version).topics[0]!.partitions[0]!
    assert.equal(answer.partitionIndex, partition)
    return [errorName(answer.errorCode), answer.lowWatermark]
  }
  return { ...setting, ask }
}

test('the start of the log is raised, within a batch as well, never lowered, and -1 stands for the high watermark', async () => {
  const { ask, broker } = await filled()
  for (const version of [0, 1, 2]) assert.deepEqual(await ask(2, { version }), ['NONE', 2])
  assert.deepEqual(await ask(1), ['NONE', 2])
  assert.deepEqual(await ask(4), ['NONE', 4])
  assert.deepEqual(await ask(-1), ['NONE', 6])
  assert.equal(broker.replicas.partitionOf('t', 0).log.logStartOffset, 6)
})

test('of a partition that is named twice the last one counts', async () => {
  const { client, clock } = await filled()
  const partitions = [0, 1].map(offset => ({ partitionIndex: 0, offset }))
  client.send(DeleteRecords, 2, { timeoutMs: 1000, topics: [{ name: 't', partitions }] })
  await clock.settle()
  assert.deepEqual(
    client
      .receive(DeleteRecords, 2)
      .topics[0]!.partitions.map(({ lowWatermark, errorCode }) => [lowWatermark, errorCode]),
    [[1, 0]],
  )
})

test('the refusals are those of Kafka', async () => {
  const { ask } = await filled()
  assert.deepEqual(await ask(100), ['OFFSET_OUT_OF_RANGE', -1])
  assert.deepEqual(await ask(-5), ['OFFSET_OUT_OF_RANGE', -1])
  assert.deepEqual(await ask(1, { partition: 9 }), ['UNKNOWN_TOPIC_OR_PARTITION', -1])
  assert.deepEqual(await ask(1, { topic: 'nope' }), ['UNKNOWN_TOPIC_OR_PARTITION', -1])
  assert.deepEqual(await ask(0, { topic: 'compacted' }), ['POLICY_VIOLATION', -1])
  assert.deepEqual(await ask(0, { topic: '__consumer_offsets' }), ['INVALID_TOPIC_EXCEPTION', -1])
})

test('with followers it waits for them, but not for ever', async () => {
  const { broker, client, dial, clock } = await filled()
  broker.registerPeer(2)
  broker.createTopic('u', 1, { replicas: [1, 2], isr: [1] })
  produceTo(client, batchOf(['a', 'b']), { topic: 'u', acks: 1 })
  const partition = broker.replicas.partitionOf('u', 0)
  const [first, second] = [dial(), dial()]
  const request = (offset: number) => ({
    timeoutMs: 1000,
    topics: [{ name: 'u', partitions: [{ partitionIndex: 0, offset }] }],
  })
  first.send(DeleteRecords, 2, request(1))
  await clock.settle()
  assert.equal(first.receiveFrame(), null)
  const fetch = { fetchOffset: 2, logStartOffset: 1, brokerEpoch: 1 }
  partition.leader!.onFollowerFetch(2, fetch, 2, clock.now())
  second.send(DeleteRecords, 2, request(2))
  await clock.advance(1001)
  assert.equal(errorName(second.receive(DeleteRecords, 2).topics[0]!.partitions[0]!.errorCode), 'REQUEST_TIMED_OUT')
})

test('who waits is told when the directory fails', async () => {
  const { broker, client, clock, disk } = await filled()
  broker.registerPeer(2)
  broker.createTopic('u', 1, { replicas: [1, 2], isr: [1] })
  produceTo(client, batchOf(['a']), { topic: 'u' })
  const topics = [{ name: 'u', partitions: [{ partitionIndex: 0, offset: 1 }] }]
  client.send(DeleteRecords, 2, { timeoutMs: 60_000, topics })
  await clock.settle()
  const { directory } = broker.replicas.partitionOf('u', 0)
  disk.failAt(1, 'EIO')
  assert.throws(() => directory.writeMetaProperties(directory.metaProperties!), { code: 'KAFKA_STORAGE_ERROR' })
  await clock.settle()
  assert.equal(errorName(client.receive(DeleteRecords, 2).topics[0]!.partitions[0]!.errorCode), 'KAFKA_STORAGE_ERROR')
})

test('topics without partitions get no answer', async () => {
  const { client, clock } = await filled()
  client.send(DeleteRecords, 2, { timeoutMs: 1000, topics: [{ name: 't', partitions: [] }] })
  await clock.settle()
  assert.deepEqual(client.receive(DeleteRecords, 2).topics, [])
})
