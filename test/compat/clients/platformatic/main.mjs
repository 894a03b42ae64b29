// What @platformatic/kafka has to be able to do.

import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { bootstrap, check, done, expectCodec, unique, until } from './report.mjs'
import { assertSame, sampleRecords } from './samples.mjs'

const topicResource = 2
const brokerResource = 4
const set = 0
const append = 2

const common = { bootstrapBrokers: [bootstrap], retries: 20, retryDelay: 50, autocreateTopics: false }
const admin = new Admin({ ...common, clientId: unique('admin') })

async function createTopic(topic, partitions = 1, configs = []) {
  const [created] = await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs })
  assert.equal(created.name, topic)
  // Apache Kafka answers before every broker has heard of the topic.
  await until(
    () => `topic ${topic}`,
    () =>
      admin.metadata({ topics: [topic], forceUpdate: true }).then(
        metadata => metadata.topics.get(topic).partitions.every(partition => partition.leader >= 0),
        () => false,
      ),
  )
  return created
}

function startProducer(defer, options = {}) {
  const producer = new Producer({ ...common, clientId: unique('producer'), ...options })
  defer(() => producer.close())
  return producer
}

/** A running member of a group: what it was assigned, how often, and what it has read. */
async function startMember(defer, groupId, topic, { consumer: consumerOptions, ...consume } = {}) {
  const consumer = new Consumer({
    ...common,
    clientId: unique('consumer'),
    groupId,
    sessionTimeout: 10_000,
    rebalanceTimeout: 10_000,
    heartbeatInterval: 200,
    maxWaitTime: 100,
    ...consumerOptions,
  })
  const member = { consumer, assigned: [], joins: 0, records: [], errors: [], stopped: false }
  member.stop = async () => {
    if (member.stopped) return
    member.stopped = true
    await member.stream?.close()
    await consumer.close(true)
  }
  defer(member.stop)
  consumer.on('error', error => member.errors.push(error))
  consumer.on('consumer:group:join', ({ assignments, memberId }) => {
    member.joins++
    member.memberId = memberId
    member.assigned = (assignments ?? []).flatMap(one => (one.topic === topic ? one.partitions : []))
  })
  member.stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest', ...consume })
  member.stream.on('error', error => member.errors.push(error))
  member.stream.on('data', message => {
    member.records.push({
      partition: message.partition,
      offset: Number(message.offset),
      key: message.key,
      value: message.value,
      headers: [...message.headers].map(([name, value]) => [String(name), value]),
      timestamp: Number(message.timestamp),
    })
  })
  return member
}

function readAtLeast(member, count) {
  return until(
    () => `${member.records.length} of ${count} records; errors: ${member.errors}`,
    () => member.records.length >= count,
  )
}

const texts = records => records.map(record => String(record.value))
const numbered = (topic, from, to) =>
  Array.from({ length: to - from }, (_, i) => ({ topic, partition: 0, value: Buffer.from(`${from + i}`) }))

/** The names of the errors anywhere inside of an error. */
function errorNames(error) {
  const inner = [error?.errors, error?.cause, error?.response?.errors && Object.values(error.response.errors)].flat()
  return [error?.apiId, ...inner.filter(Boolean).flatMap(errorNames)].filter(Boolean)
}

async function assertRejects(promise, name) {
  await assert.rejects(
    promise,
    error => errorNames(error).includes(name) || assert.fail(`${errorNames(error)}, not ${name}: ${error?.stack}`),
  )
}

await check('describes the cluster', async () => {
  const metadata = await admin.metadata({ topics: [] })
  const [broker] = metadata.brokers.values()
  assert.equal(`${broker.host}:${broker.port}`, bootstrap)
  assert.equal(metadata.brokers.size, 1)
  assert.match(metadata.id, /^[\w-]{22}$/)
  assert.ok(metadata.brokers.has(metadata.controllerId))
})

await check('creates, lists, describes, widens and deletes a topic', async () => {
  const topic = unique('admin')
  const created = await createTopic(topic, 3, [{ name: 'retention.ms', value: '123456' }])
  assert.equal(created.partitions, 3)
  assert.equal(created.replicas, 1)
  assert.equal(created.configuration['retention.ms'], '123456')
  await assertRejects(createTopic(topic), 'TOPIC_ALREADY_EXISTS')
  assert.ok((await admin.listTopics()).includes(topic))
  const [broker] = (await admin.metadata({ topics: [] })).brokers.keys()
  const assignments = [{ brokerIds: [broker] }, { brokerIds: [broker] }]
  await admin.createPartitions({ topics: [{ name: topic, count: 5, assignments }] })
  await assertRejects(
    admin.createPartitions({ topics: [{ name: topic, count: 2, assignments }] }),
    'INVALID_PARTITIONS',
  )
  await until(
    () => 'five partitions',
    async () => {
      const described = (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic)
      return described.partitionsCount === 5 && described.id === created.id
    },
  )
  await admin.deleteTopics({ topics: [topic] })
  await until(
    () => 'the topic to go',
    async () => !(await admin.listTopics()).includes(topic),
  )
  await assertRejects(admin.deleteTopics({ topics: [topic] }), 'UNKNOWN_TOPIC_OR_PARTITION')
})

await check('alters and describes configs of a topic and of the broker', async () => {
  const topic = unique('config')
  await createTopic(topic)
  const alter = (name, value, configOperation) =>
    admin.incrementalAlterConfigs({
      resources: [{ resourceType: topicResource, resourceName: topic, configs: [{ name, value, configOperation }] }],
    })
  const describe = async () => {
    const resource = { resourceType: topicResource, resourceName: topic, configurationKeys: null }
    const [described] = await admin.describeConfigs({ resources: [resource], includeSynonyms: true })
    return Object.fromEntries(described.configs.map(one => [one.name, one]))
  }
  await alter('retention.ms', '1000000', set)
  await alter('cleanup.policy', 'compact', append)
  const configs = await until(
    () => 'both to be altered',
    async () => {
      const found = await describe()
      return found['cleanup.policy'].value === 'delete,compact' && found
    },
  )
  assert.equal(configs['retention.ms'].value, '1000000')
  assert.equal(configs['retention.ms'].configSource, 1, 'a dynamic config of the topic')
  assert.equal(configs['segment.bytes'].configSource, 5, 'a default')
  assert.equal(configs['segment.bytes'].value, '1073741824')
  await assertRejects(alter('retention.ms', 'soon', set), 'INVALID_CONFIG')
  const [broker] = (await admin.metadata({ topics: [] })).brokers.keys()
  const resource = { resourceType: brokerResource, resourceName: String(broker), configurationKeys: ['node.id'] }
  const [described] = await admin.describeConfigs({ resources: [resource] })
  assert.deepEqual(
    described.configs.map(one => [one.name, one.value, one.readOnly]),
    [['node.id', String(broker), true]],
  )
})

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  await check(`carries ${compression} records: key, value, headers, timestamp, order`, async defer => {
    const topic = unique(`codec-${compression}`)
    await createTopic(topic)
    const written = sampleRecords()
    const messages = written.map(({ key, value, headers, timestamp }) => ({
      topic,
      ...(key === null ? {} : { key }),
      ...(value === null ? {} : { value }),
      headers: new Map(headers.map(([name, one]) => [Buffer.from(name), one])),
      timestamp: BigInt(timestamp),
      partition: 0,
    }))
    const { offsets } = await startProducer(defer).send({ messages, compression, acks: -1 })
    assert.deepEqual(offsets, [{ topic, partition: 0, offset: 0n }])
    const member = await startMember(defer, unique(`codec-${compression}-group`), topic)
    await readAtLeast(member, written.length)
    assertSame(member.records, written)
    expectCodec(topic, 0, compression)
  })
}

await check('writes with acks 0, 1 and all', async defer => {
  const topic = unique('acks')
  await createTopic(topic)
  const producer = startProducer(defer)
  for (const acks of [0, 1, -1]) {
    await producer.send({ acks, messages: [{ topic, partition: 0, value: Buffer.from(`acks ${acks}`) }] })
  }
  const member = await startMember(defer, unique('acks-group'), topic)
  await readAtLeast(member, 3)
  assert.deepEqual(texts(member.records), ['acks 0', 'acks 1', 'acks -1'])
})

await check('writes idempotently, once each and in order', async defer => {
  const topic = unique('idempotent')
  await createTopic(topic)
  const producer = startProducer(defer, { idempotent: true })
  const expected = Array.from({ length: 50 }, (_, i) => `once ${i}`)
  for (const value of expected) await producer.send({ messages: [{ topic, partition: 0, value: Buffer.from(value) }] })
  const member = await startMember(defer, unique('idempotent-group'), topic)
  await readAtLeast(member, 50)
  assert.deepEqual(texts(member.records), expected)
})

await check('creates a topic by writing to it', async defer => {
  const topic = unique('auto-created')
  const messages = [{ topic, value: Buffer.from('first') }]
  await startProducer(defer).send({ messages, autocreateTopics: true })
  assert.ok((await admin.listTopics()).includes(topic))
  const lost = [{ topic: unique('never-created'), value: Buffer.from('lost') }]
  const strict = startProducer(defer, { retries: 0 })
  await assert.rejects(strict.send({ messages: lost, autocreateTopics: false }), /Unknown topic/)
})

await check('is refused a record that is too large for the topic', async defer => {
  const topic = unique('too-large')
  await createTopic(topic, 1, [{ name: 'max.message.bytes', value: '1000' }])
  const producer = startProducer(defer, { retries: 0 })
  const send = size => producer.send({ messages: [{ topic, value: Buffer.alloc(size) }] })
  await assertRejects(send(2_000), 'MESSAGE_TOO_LARGE')
  await send(500)
})

await check('shares partitions among one, two and three members, and hands them on when one leaves', async defer => {
  const topic = unique('rebalance')
  const group = unique('rebalance-group')
  await createTopic(topic, 6)
  const members = []
  const settled = async shares => {
    const running = members.filter(member => !member.stopped)
    await until(
      () => `shares ${shares}, not ${JSON.stringify(running.map(member => member.assigned))}`,
      () =>
        String(running.map(member => member.assigned.length).sort()) === String(shares) &&
        String(running.flatMap(member => member.assigned).sort()) === '0,1,2,3,4,5',
    )
  }
  for (const shares of [[6], [3, 3], [2, 2, 2]]) {
    members.push(await startMember(defer, group, topic))
    await settled(shares)
  }
  const producer = startProducer(defer)
  const readers = () => new Map(members.flatMap(member => texts(member.records).map(text => [text, member])))
  // A fetch that was under way while members joined may still bring what belongs to another member by now. So a first
  // round is read by somebody, and the second by its owners alone.
  for (const round of ['first', 'second']) {
    const messages = Array.from({ length: 60 }, (_, i) => ({
      topic,
      partition: i % 6,
      value: Buffer.from(`${round} ${i}`),
    }))
    await producer.send({ messages })
    const count = () => [...readers().keys()].filter(text => text.startsWith(round)).length
    await until(
      () => `${count()} of 60 records`,
      () => count() === 60,
    )
  }
  for (const [text, member] of readers()) {
    if (text.startsWith('second'))
      assert.ok(member.assigned.includes(Number(text.slice(7)) % 6), `${text} has its owner`)
  }
  const described = (await admin.describeGroups({ groups: [group] })).get(group)
  assert.equal(described.state, 'Stable')
  assert.deepEqual([...described.members.keys()].sort(), members.map(member => member.memberId).sort())
  await members[0].stop()
  await settled([3, 3])
  await members[1].stop()
  await settled([6])
})

await check('a static member that comes back takes its partitions without a rebalance', async defer => {
  const topic = unique('static')
  const group = unique('static-group')
  await createTopic(topic, 2)
  const options = {
    groupId: group,
    sessionTimeout: 10_000,
    rebalanceTimeout: 10_000,
    heartbeatInterval: 200,
    maxWaitTime: 100,
  }
  const workerData = { ...common, ...options, clientId: unique('vanishing'), groupInstanceId: unique('first'), topic }
  const vanishing = new Worker(new URL('static-member.mjs', import.meta.url), { workerData })
  defer(() => vanishing.terminate())
  let first = { assigned: [] }
  vanishing.on('message', message => {
    first = message
  })
  await until(
    () => 'the first to join',
    () => first.assigned.length === 2,
  )
  const start = instance => startMember(defer, group, topic, { consumer: { groupInstanceId: unique(instance) } })
  const second = await start('second')
  await until(
    () => `one partition each, not ${first.assigned} and ${second.assigned}`,
    () => first.assigned.length === 1 && second.assigned.length === 1,
  )
  const joinsBefore = second.joins
  await vanishing.terminate()
  const returned = await start('first')
  assert.deepEqual(returned.assigned, first.assigned)
  assert.equal(second.joins, joinsBefore, 'the other member does not notice')
  const described = (await admin.describeGroups({ groups: [group] })).get(group)
  assert.deepEqual([...described.members.values()].map(member => member.groupInstanceId).sort(), [
    unique('first'),
    unique('second'),
  ])
  assert.ok(described.members.has(returned.memberId))
  assert.ok(!described.members.has(first.memberId))
})

await check('goes on where the group committed', async defer => {
  const topic = unique('resume')
  const group = unique('resume-group')
  await createTopic(topic)
  const producer = startProducer(defer)
  await producer.send({ messages: numbered(topic, 0, 10) })
  const first = await startMember(defer, group, topic, { autocommit: false })
  await readAtLeast(first, 10)
  await first.consumer.commit({ offsets: [{ topic, partition: 0, offset: 7n, leaderEpoch: 0 }] })
  await first.stop()
  await producer.send({ messages: numbered(topic, 10, 12) })
  const second = await startMember(defer, group, topic)
  await readAtLeast(second, 5)
  assert.deepEqual(texts(second.records), ['7', '8', '9', '10', '11'])
  const committed = () => second.consumer.listCommittedOffsets({ topics: [{ topic, partitions: [0] }] })
  await until(
    () => 'the end to be committed by itself',
    async () => (await committed()).get(topic)[0] === 12n,
  )
})

await check('resets, lists and deletes the offsets of a group', async defer => {
  const topic = unique('reset')
  const groupId = unique('reset-group')
  await createTopic(topic)
  await startProducer(defer).send({ messages: numbered(topic, 0, 10) })
  const first = await startMember(defer, groupId, topic)
  await readAtLeast(first, 10)
  await first.stop()
  const topics = [{ name: topic, partitionOffsets: [{ partition: 0, offset: 4n }] }]
  await admin.alterConsumerGroupOffsets({ groupId, topics })
  const [listed] = await admin.listConsumerGroupOffsets({ groups: [groupId] })
  assert.equal(listed.topics[0].partitions[0].committedOffset, 4n)
  const second = await startMember(defer, groupId, topic)
  await readAtLeast(second, 6)
  assert.equal(texts(second.records)[0], '4')
  await second.stop()
  await admin.deleteConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionIndexes: [0] }] })
  const [left] = await admin.listConsumerGroupOffsets({ groups: [groupId] })
  assert.deepEqual(left.topics, [])
})

await check('starts at the latest record, at an offset, or fails for want of a commit', async defer => {
  const topic = unique('start')
  await createTopic(topic)
  const producer = startProducer(defer)
  await producer.send({ messages: numbered(topic, 0, 5) })
  const latest = await startMember(defer, unique('latest-group'), topic, { mode: 'latest' })
  const offsets = [{ topic, partition: 0, offset: 3n }]
  const manual = await startMember(defer, unique('manual-group'), topic, { mode: 'manual', offsets })
  await readAtLeast(manual, 2)
  await until(
    () => 'the position of the latest',
    () => latest.stream.offsetsToFetch.get(`${topic}:0`) === 5n,
  )
  await producer.send({ messages: numbered(topic, 5, 6) })
  await readAtLeast(latest, 1)
  await readAtLeast(manual, 3)
  assert.deepEqual(texts(latest.records), ['5'])
  assert.deepEqual(texts(manual.records), ['3', '4', '5'])
  const failing = await startMember(defer, unique('fail-group'), topic, { fallbackMode: 'fail' })
  await until(
    () => 'an error',
    () => failing.errors.length > 0,
  )
})

await check('finds offsets by time and deletes records', async defer => {
  const topic = unique('delete-records')
  await createTopic(topic)
  const first = Date.now() - 100_000
  const messages = numbered(topic, 0, 10).map((message, i) => ({ ...message, timestamp: BigInt(first + i * 1_000) }))
  await startProducer(defer).send({ messages })
  const list = async timestamp => {
    const partitions = [{ partitionIndex: 0, timestamp: BigInt(timestamp) }]
    const [listed] = await admin.listOffsets({ topics: [{ name: topic, partitions }] })
    return listed.partitions[0]
  }
  assert.equal((await list(-2)).offset, 0n)
  assert.equal((await list(-1)).offset, 10n)
  assert.equal((await list(-3)).timestamp, BigInt(first + 9_000), 'the latest timestamp')
  const found = await list(first + 3_500)
  assert.deepEqual([found.offset, found.timestamp], [4n, BigInt(first + 4_000)])
  assert.equal((await list(first + 1_000_000)).offset, -1n)
  const [deleted] = await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 6n }] }] })
  assert.deepEqual(deleted.partitions, [{ partition: 0, lowWatermark: 6n }])
  assert.equal((await list(-2)).offset, 6n)
  const member = await startMember(defer, unique('delete-records-group'), topic)
  await readAtLeast(member, 4)
  assert.deepEqual(texts(member.records), ['6', '7', '8', '9'])
})

await check('lists, describes and deletes groups, and finds their coordinator', async defer => {
  const topic = unique('groups')
  const group = unique('groups-group')
  await createTopic(topic)
  const member = await startMember(defer, group, topic)
  const listed = (await admin.listGroups({ states: ['Stable'] })).get(group)
  assert.equal(listed.protocolType, 'consumer')
  assert.equal(listed.state, 'Stable')
  const [coordinator] = await admin.findCoordinator({ keyType: 0, keys: [group] })
  assert.equal(`${coordinator.host}:${coordinator.port}`, bootstrap)
  await assertRejects(admin.deleteGroups({ groups: [group] }), 'NON_EMPTY_GROUP')
  await admin.removeMembersFromConsumerGroup({ groupId: group, members: [{ memberId: member.memberId }] })
  await member.stop()
  await until(
    () => 'an empty group',
    async () => (await admin.describeGroups({ groups: [group] })).get(group).state === 'Empty',
  )
  await admin.deleteGroups({ groups: [group] })
  assert.ok(!(await admin.listGroups()).has(group))
})

await check('describes where partitions lie', async defer => {
  const topic = unique('log-dirs')
  await createTopic(topic, 2)
  await startProducer(defer).send({ messages: numbered(topic, 0, 10) })
  const [broker] = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0, 1] }] })
  const [directory] = broker.results
  assert.ok(directory.logDir.startsWith('/'))
  const sizes = directory.topics[0].partitions.map(one => [one.partitionIndex, one.partitionSize > 0n])
  assert.deepEqual(sizes.sort(), [
    [0, true],
    [1, false],
  ])
})

await admin.close()
done()
