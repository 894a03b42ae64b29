// What kafkajs has to be able to do.

import assert from 'node:assert/strict'
import * as zstd from '@bokuweb/zstd-wasm'
import kafkajs from 'kafkajs'
import snappy from 'kafkajs-snappy'
import lz4 from 'lz4-napi'
import { bootstrap, check, done, expectCodec, unique, until } from './report.mjs'
import { assertSame, sampleRecords } from './samples.mjs'

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs

await zstd.init()
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => lz4.compressFrame(encoder.buffer),
  decompress: async buffer => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer, 3)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
})

const kafka = new Kafka({
  clientId: unique('client'),
  brokers: [bootstrap],
  logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, retries: 10 },
})
const admin = kafka.admin()
await admin.connect()

async function createTopic(topic, numPartitions = 1, configEntries = []) {
  assert.equal(
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions, configEntries }] }),
    true,
  )
}

async function startProducer(defer, options = {}) {
  const producer = kafka.producer({ allowAutoTopicCreation: false, ...options })
  await producer.connect()
  defer(() => producer.disconnect())
  return producer
}

/** A running member of a group: what it was assigned, how often, and what it has read. */
async function startMember(defer, groupId, topic, options = {}) {
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: 10_000,
    rebalanceTimeout: 10_000,
    heartbeatInterval: 200,
    maxWaitTimeInMs: 100,
    allowAutoTopicCreation: false,
    ...options.consumer,
  })
  const member = { consumer, assigned: [], joins: 0, records: [], batches: [], stopped: false }
  member.stop = async () => {
    if (member.stopped) return
    member.stopped = true
    await consumer.disconnect()
  }
  defer(member.stop)
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    member.joins++
    member.memberId = payload.memberId
    member.isLeader = payload.isLeader
    member.assigned = payload.memberAssignment[topic] ?? []
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: options.fromBeginning ?? true })
  await consumer.run({
    autoCommit: options.autoCommit ?? true,
    eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary, heartbeat }) => {
      member.batches.push({ highWatermark: batch.highWatermark, lastOffset: batch.lastOffset() })
      for (const message of batch.messages) {
        member.records.push({
          partition: batch.partition,
          offset: Number(message.offset),
          key: message.key,
          value: message.value,
          headers: Object.entries(message.headers).flatMap(([name, value]) => [value].flat().map(one => [name, one])),
          timestamp: Number(message.timestamp),
        })
        resolveOffset(message.offset)
      }
      await commitOffsetsIfNecessary()
      await heartbeat()
    },
  })
  return member
}

function readAtLeast(member, count) {
  return until(
    () => `${member.records.length} of ${count} records`,
    () => member.records.length >= count,
  )
}

const texts = records => records.map(record => String(record.value))

await check('describes the cluster', async () => {
  const cluster = await admin.describeCluster()
  assert.equal(cluster.brokers.length, 1)
  assert.equal(cluster.controller, cluster.brokers[0].nodeId)
  assert.equal(`${cluster.brokers[0].host}:${cluster.brokers[0].port}`, bootstrap)
  assert.match(cluster.clusterId, /^[\w-]{22}$/)
})

await check('creates, lists, describes, widens and deletes a topic', async () => {
  const topic = unique('admin')
  await createTopic(topic, 3)
  assert.equal(await admin.createTopics({ topics: [{ topic }] }), false, 'it is there already')
  assert.ok((await admin.listTopics()).includes(topic))
  const described = await admin.fetchTopicMetadata({ topics: [topic] })
  assert.deepEqual(described.topics[0].partitions.map(partition => partition.partitionId).sort(), [0, 1, 2])
  for (const partition of described.topics[0].partitions) {
    assert.equal(partition.partitionErrorCode, 0)
    assert.deepEqual(partition.isr, partition.replicas)
    assert.ok(partition.replicas.includes(partition.leader))
  }
  await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
  await until(
    () => 'five partitions',
    async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length === 5,
  )
  await assert.rejects(admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] }), {
    type: 'INVALID_PARTITIONS',
  })
  await admin.deleteTopics({ topics: [topic] })
  await until(
    () => 'the topic to go',
    async () => !(await admin.listTopics()).includes(topic),
  )
})

await check('refuses bad topics by name of the error', async () => {
  const create = topics => admin.createTopics({ topics })
  const errorOf = promise =>
    promise.then(
      () => 'no error',
      error => error.errors?.[0]?.type ?? error.type,
    )
  assert.equal(await errorOf(create([{ topic: 'no spaces' }])), 'INVALID_TOPIC_EXCEPTION')
  assert.equal(await errorOf(create([{ topic: unique('rf'), replicationFactor: 7 }])), 'INVALID_REPLICATION_FACTOR')
  const configEntries = [{ name: 'retention.ms', value: 'soon' }]
  assert.equal(await errorOf(create([{ topic: unique('config'), configEntries }])), 'INVALID_CONFIG')
})

await check('alters and describes a config of a topic', async () => {
  const topic = unique('config')
  await createTopic(topic, 1, [{ name: 'cleanup.policy', value: 'compact' }])
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  const configEntries = [{ name: 'retention.ms', value: '123456' }]
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] })
  const entry = async name => {
    const { resources } = await admin.describeConfigs({ includeSynonyms: true, resources: [resource] })
    return resources[0].configEntries.find(one => one.configName === name)
  }
  await until(
    () => 'retention.ms to be altered',
    async () => (await entry('retention.ms')).configValue === '123456',
  )
  assert.equal((await entry('retention.ms')).configSource, 1, 'a dynamic config of the topic')
  assert.equal((await entry('cleanup.policy')).configValue, 'delete', 'altering sets all: what is left out is default')
  assert.equal((await entry('cleanup.policy')).configSource, 5, 'a default')
})

for (const [codec, compression] of [
  ['none', CompressionTypes.None],
  ['gzip', CompressionTypes.GZIP],
  ['snappy', CompressionTypes.Snappy],
  ['lz4', CompressionTypes.LZ4],
  ['zstd', CompressionTypes.ZSTD],
]) {
  await check(`carries ${codec} records: key, value, headers, timestamp, order`, async defer => {
    const topic = unique(`codec-${codec}`)
    await createTopic(topic)
    const producer = await startProducer(defer)
    const written = sampleRecords()
    const messages = written.map(({ key, value, headers, timestamp }) => ({
      key,
      value,
      headers: Object.fromEntries(
        headers.map(([name]) => [name, headers.filter(([other]) => other === name).map(([, one]) => one)]),
      ),
      timestamp: String(timestamp),
    }))
    const [answer] = await producer.send({ topic, compression, messages })
    assert.equal(answer.errorCode, 0)
    assert.equal(answer.baseOffset, '0')
    const member = await startMember(defer, unique(`codec-${codec}-group`), topic)
    await readAtLeast(member, written.length)
    assertSame(member.records, written)
    assert.equal(member.batches.at(-1).highWatermark, String(written.length))
    expectCodec(topic, 0, codec)
  })
}

await check('writes with acks 0, 1 and all', async defer => {
  const topic = unique('acks')
  await createTopic(topic)
  const producer = await startProducer(defer)
  for (const acks of [0, 1, -1]) await producer.send({ topic, acks, messages: [{ value: `acks ${acks}` }] })
  const member = await startMember(defer, unique('acks-group'), topic)
  await readAtLeast(member, 3)
  assert.deepEqual(texts(member.records), ['acks 0', 'acks 1', 'acks -1'])
})

await check('writes many requests at a time idempotently, once each', async defer => {
  const topic = unique('idempotent')
  await createTopic(topic)
  const producer = await startProducer(defer, { idempotent: true, maxInFlightRequests: 5 })
  const expected = Array.from({ length: 100 }, (_, i) => `once ${i}`)
  await Promise.all(expected.map(value => producer.send({ topic, acks: -1, messages: [{ value }] })))
  const member = await startMember(defer, unique('idempotent-group'), topic)
  await readAtLeast(member, 100)
  // kafkajs itself does not keep the order of requests that are begun at the same time.
  assert.deepEqual(texts(member.records).sort(), expected.sort())
})

await check('keeps the order of each key over several partitions', async defer => {
  const topic = unique('keys')
  await createTopic(topic, 4)
  const producer = await startProducer(defer)
  for (let round = 0; round < 10; round++) {
    const messages = Array.from({ length: 20 }, (_, i) => ({ key: `key-${i}`, value: `${round}` }))
    await producer.send({ topic, messages })
  }
  const member = await startMember(defer, unique('keys-group'), topic)
  await readAtLeast(member, 200)
  for (let i = 0; i < 20; i++) {
    const ofKey = member.records.filter(record => String(record.key) === `key-${i}`)
    assert.deepEqual(texts(ofKey), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    assert.equal(new Set(ofKey.map(record => record.partition)).size, 1)
  }
  assert.equal(new Set(member.records.map(record => record.partition)).size, 4)
})

await check('creates a topic by writing to it', async defer => {
  const topic = unique('auto-created')
  const producer = await startProducer(defer, { allowAutoTopicCreation: true })
  await producer.send({ topic, messages: [{ value: 'first' }] })
  assert.ok((await admin.listTopics()).includes(topic))
  const strict = await startProducer(defer, { retry: { retries: 1, initialRetryTime: 50 } })
  const lost = strict.send({ topic: unique('never-created'), messages: [{ value: 'lost' }] })
  await assert.rejects(lost, error => (error.cause ?? error).type === 'UNKNOWN_TOPIC_OR_PARTITION')
})

await check('is refused a record that is too large for the topic', async defer => {
  const topic = unique('too-large')
  await createTopic(topic, 1, [{ name: 'max.message.bytes', value: '1000' }])
  const producer = await startProducer(defer)
  const send = size => producer.send({ topic, messages: [{ value: 'x'.repeat(size) }] })
  await assert.rejects(send(2_000), { type: 'MESSAGE_TOO_LARGE' })
  await send(500)
})

await check('shares partitions among one, two and three members, and hands them on when one leaves', async defer => {
  const topic = unique('rebalance')
  const group = unique('rebalance-group')
  await createTopic(topic, 6)
  const members = []
  const settled = async shares => {
    const running = members.filter(member => !member.stopped)
    const all = () => running.flatMap(member => member.assigned)
    await until(
      () => `shares ${shares}, not ${JSON.stringify(running.map(member => member.assigned))}`,
      () =>
        String(running.map(member => member.assigned.length).sort()) === String(shares) &&
        String([...new Set(all())].sort()) === '0,1,2,3,4,5',
    )
  }
  for (const shares of [[6], [3, 3], [2, 2, 2]]) {
    members.push(await startMember(defer, group, topic))
    await settled(shares)
  }
  const producer = await startProducer(defer)
  const messages = Array.from({ length: 60 }, (_, i) => ({ partition: i % 6, value: `shared ${i}` }))
  await producer.send({ topic, messages })
  const read = () => members.flatMap(member => member.records)
  await until(
    () => `${read().length} of 60 records`,
    () => read().length >= 60,
  )
  assert.equal(new Set(texts(read())).size, 60)
  for (const member of members) assert.equal(member.records.length, 20, 'each reads its own partitions')
  const described = await admin.describeGroups([group])
  assert.equal(described.groups[0].state, 'Stable')
  assert.equal(described.groups[0].protocol, 'RoundRobinAssigner')
  assert.deepEqual(
    described.groups[0].members.map(member => member.memberId).sort(),
    members.map(member => member.memberId).sort(),
  )
  await members[0].stop()
  await settled([3, 3])
  await members[1].stop()
  await settled([6])
})

await check('goes on where the group committed', async defer => {
  const topic = unique('resume')
  const group = unique('resume-group')
  await createTopic(topic)
  const producer = await startProducer(defer)
  const send = (from, to) => {
    const messages = Array.from({ length: to - from }, (_, i) => ({ value: `${from + i}` }))
    return producer.send({ topic, messages })
  }
  await send(0, 10)
  const first = await startMember(defer, group, topic)
  await readAtLeast(first, 10)
  await first.stop()
  const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  assert.equal(committed.partitions[0].offset, '10')
  await send(10, 15)
  const second = await startMember(defer, group, topic)
  await readAtLeast(second, 5)
  assert.deepEqual(texts(second.records), ['10', '11', '12', '13', '14'])
  await second.consumer.commitOffsets([{ topic, partition: 0, offset: '12', metadata: 'a note' }])
  const [noted] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  assert.deepEqual(noted.partitions[0], { partition: 0, offset: '12', metadata: 'a note' })
})

await check('resets the offsets of a group and seeks', async defer => {
  const topic = unique('reset')
  const group = unique('reset-group')
  await createTopic(topic)
  const producer = await startProducer(defer)
  await producer.send({ topic, messages: Array.from({ length: 10 }, (_, i) => ({ value: `${i}` })) })
  const readFirst = async () => {
    const member = await startMember(defer, group, topic)
    await readAtLeast(member, 1)
    await member.stop()
    return String(member.records[0].value)
  }
  assert.equal(await readFirst(), '0')
  await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '7' }] })
  assert.equal(await readFirst(), '7')
  await admin.resetOffsets({ groupId: group, topic, earliest: true })
  assert.equal(await readFirst(), '0')
  const member = await startMember(defer, group, topic)
  await until(
    () => 'to join',
    () => member.joins > 0,
  )
  member.consumer.seek({ topic, partition: 0, offset: '4' })
  await readAtLeast(member, 6)
  assert.deepEqual(texts(member.records), ['4', '5', '6', '7', '8', '9'])
})

await check('starts at the latest record, or at the earliest', async defer => {
  const topic = unique('latest')
  await createTopic(topic)
  const producer = await startProducer(defer)
  await producer.send({ topic, messages: [{ value: 'before' }] })
  const latest = await startMember(defer, unique('latest-group'), topic, { fromBeginning: false })
  await until(
    () => 'to join',
    () => latest.joins > 0,
  )
  // The position is settled by the first fetch, which nothing tells us about: write until one is seen.
  let written = 0
  await until(
    () => 'a record',
    async () => {
      if (latest.records.length > 0) return true
      await producer.send({ topic, messages: [{ value: `after ${written++}` }] })
      return false
    },
  )
  assert.ok(!texts(latest.records).includes('before'))
  const earliest = await startMember(defer, unique('earliest-group'), topic)
  await readAtLeast(earliest, 1 + written)
  assert.equal(String(earliest.records[0].value), 'before')
})

await check('finds offsets by time, deletes records and reads from what is left', async defer => {
  const topic = unique('delete-records')
  await createTopic(topic)
  const producer = await startProducer(defer)
  const first = Date.now() - 100_000
  const messages = Array.from({ length: 10 }, (_, i) => ({ value: `${i}`, timestamp: String(first + i * 1_000) }))
  await producer.send({ topic, messages })
  const byTime = async time => (await admin.fetchTopicOffsetsByTimestamp(topic, time))[0].offset
  assert.equal(await byTime(first), '0')
  assert.equal(await byTime(first + 3_500), '4')
  assert.equal(await byTime(first + 1_000_000), '10', 'kafkajs answers the end when nothing is as late')
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '6' }] })
  const [offsets] = await admin.fetchTopicOffsets(topic)
  assert.deepEqual([offsets.low, offsets.high], ['6', '10'])
  const member = await startMember(defer, unique('delete-records-group'), topic)
  await readAtLeast(member, 4)
  member.records.length = 0
  member.consumer.seek({ topic, partition: 0, offset: '2' })
  await readAtLeast(member, 4)
  assert.deepEqual(texts(member.records), ['6', '7', '8', '9'], 'out of range, so the earliest')
})

await check('lists, describes and deletes groups', async defer => {
  const topic = unique('groups')
  const group = unique('groups-group')
  await createTopic(topic)
  const member = await startMember(defer, group, topic)
  await until(
    () => 'to join',
    () => member.joins > 0,
  )
  const listed = (await admin.listGroups()).groups.find(one => one.groupId === group)
  assert.equal(listed.protocolType, 'consumer')
  await assert.rejects(admin.deleteGroups([group]), error => error.groups[0].error.type === 'NON_EMPTY_GROUP')
  await member.stop()
  const { groups } = await admin.describeGroups([group, unique('no-group')])
  const states = Object.fromEntries(groups.map(one => [one.groupId, `${one.errorCode} ${one.state}`]))
  assert.deepEqual(states, { [group]: '0 Empty', [unique('no-group')]: '0 Dead' })
  await admin.deleteGroups([group])
  assert.ok(!(await admin.listGroups()).groups.some(one => one.groupId === group))
})

await admin.disconnect()
done()
