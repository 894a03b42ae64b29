import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { Produce } from '#protocol/messages/produce.js'
import { batchPositions, lastOffset } from '#protocol/records/batch.js'
import type { WireClient } from '../../support/wire-client.js'
import { batchOf, produceRequest, produceTo, type ReplicaSetting, replicaSetting } from './replica-support.js'

interface Wanted {
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
  readonly maxBytes?: number
  readonly epoch?: number
  readonly lastFetchedEpoch?: number
}

interface FetchOptions {
  readonly version?: number
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly isolationLevel?: number
  readonly replicaId?: number
  readonly sessionId?: number
  readonly sessionEpoch?: number
}

function fetchRequest(wanted: readonly Wanted[], options: FetchOptions = {}) {
  const { version: _, replicaId = -1, ...rest } = options
  return {
    replicaId,
    replicaState: { replicaId },
    maxWaitMs: 0,
    minBytes: 1,
    ...rest,
    topics: wanted.map(
      ({ topic = 't', partition = 0, offset = 0, maxBytes = 100_000, epoch = -1, lastFetchedEpoch = -1 }) => ({
        topic,
        topicId: 'AAAAAAAAAAAAAAAAAAAAAA',
        partitions: [
          { partition, fetchOffset: offset, partitionMaxBytes: maxBytes, currentLeaderEpoch: epoch, lastFetchedEpoch },
        ],
      }),
    ),
    forgottenTopicsData: [],
  }
}

const answersOf = (response: { responses: readonly { topic: string; partitions: readonly unknown[] }[] }) =>
  response.responses.flatMap(({ partitions }) => partitions) as {
    partitionIndex: number
    errorCode: number
    highWatermark: number
    lastStableOffset: number
    logStartOffset: number
    abortedTransactions: unknown[] | null
    divergingEpoch: { epoch: number; endOffset: number }
    records: Uint8Array
  }[]

function fetchFrom(client: WireClient, wanted: readonly Wanted[], options: FetchOptions = {}) {
  const version = options.version ?? 12
  return answersOf(client.ask(Fetch, version, fetchRequest(wanted, options)))
}

/** Offsets after the whole batches in the records; bytes that are cut at the end are counted. */
function batchesOf(records: Uint8Array): number[] {
  return [...batchPositions(records)].map(position => lastOffset(records, position) + 1)
}

/** A topic with batches of 3, 1 and 2 records in partition 0, one record in 1, none in 2. */
async function filled(options: Parameters<typeof replicaSetting>[0] = {}): Promise<ReplicaSetting & { id: string }> {
  const setting = await replicaSetting(options)
  const id = setting.broker.createTopic('t', 3)
  for (const values of [['a', 'b', 'c'], ['d'], ['e', 'f']]) produceTo(setting.client, batchOf(values))
  produceTo(setting.client, batchOf(['q']), { partition: 1 })
  return { ...setting, id }
}

test('records are read from the batch that holds the offset, in every version', async () => {
  const { client, id } = await filled()
  for (let version = 4; version <= 18; version++) {
    const request = fetchRequest([{ offset: 1 }])
    const topics = request.topics.map(topic => ({ ...topic, topicId: id }))
    const [answer] = answersOf(client.ask(Fetch, version, { ...request, topics }))
    assert.equal(answer!.errorCode, 0)
    assert.deepEqual(batchesOf(answer!.records), [3, 4, 6])
    assert.deepEqual([answer!.highWatermark, answer!.lastStableOffset], [6, 6])
    assert.equal(answer!.abortedTransactions, null)
  }
  assert.deepEqual(batchesOf(fetchFrom(client, [{ offset: 4 }])[0]!.records), [6])
})

test('the answers at the edges are those of Kafka', async t => {
  const { client, broker } = await filled()
  broker.createTopic('elsewhere', 1, { replicas: [2] })
  const cases: [string, Wanted, FetchOptions, string, number][] = [
    ['at the end', { offset: 6 }, {}, 'NONE', 6],
    ['past the end', { offset: 7 }, {}, 'OFFSET_OUT_OF_RANGE', -1],
    ['before the start', { offset: -1 }, {}, 'OFFSET_OUT_OF_RANGE', -1],
    ['nothing there', { partition: 2 }, {}, 'NONE', 0],
    ['an unknown partition', { partition: 9 }, {}, 'UNKNOWN_TOPIC_OR_PARTITION', -1],
    ['an unknown topic', { topic: 'nope' }, {}, 'UNKNOWN_TOPIC_OR_PARTITION', -1],
    ['an unknown id', {}, { version: 13 }, 'UNKNOWN_TOPIC_ID', -1],
    ['of another broker', { topic: 'elsewhere' }, {}, 'NOT_LEADER_OR_FOLLOWER', -1],
    ['the epoch of the leader', { epoch: 0, offset: 6 }, {}, 'NONE', 6],
    ['a later epoch', { epoch: 5 }, {}, 'UNKNOWN_LEADER_EPOCH', -1],
    ['no epoch, said otherwise', { epoch: -2, offset: 6 }, {}, 'NONE', 6],
    ['an unknown fetched epoch', { lastFetchedEpoch: 3, offset: 3 }, {}, 'OFFSET_OUT_OF_RANGE', -1],
    ['a negative size', { maxBytes: -5 }, {}, 'UNKNOWN_SERVER_ERROR', -1],
    ['a broker that is no replica', {}, { replicaId: 5 }, 'NOT_LEADER_OR_FOLLOWER', -1],
    ['a broker that is no replica, with an epoch', { epoch: 0 }, { replicaId: 5 }, 'UNKNOWN_LEADER_EPOCH', -1],
    ['a consumer that calls itself -2', { offset: 6 }, { replicaId: -2 }, 'NONE', 6],
  ]
  for (const [what, wanted, options, error, highWatermark] of cases) {
    await t.test(`${what}: ${error}`, () => {
      const [answer] = fetchFrom(client, [wanted], options)
      assert.equal(errorName(answer!.errorCode), error)
      assert.equal(answer!.highWatermark, highWatermark)
      assert.equal(answer!.records.length, 0)
    })
  }
  await t.test('histories that differ are told with the end of the epoch, also beyond the end', () => {
    for (const offset of [7, 9]) {
      const [answer] = fetchFrom(client, [{ lastFetchedEpoch: 0, offset }])
      assert.equal(answer!.errorCode, 0)
      assert.deepEqual(answer!.divergingEpoch, { epoch: 0, endOffset: 6 })
      assert.equal(answer!.highWatermark, 6)
    }
    assert.deepEqual(fetchFrom(client, [{ lastFetchedEpoch: 0, offset: 3 }])[0]!.divergingEpoch, {
      epoch: -1,
      endOffset: -1,
    })
  })
  await t.test('an isolation level that nobody knows fails the whole request', () => {
    const response = client.ask(Fetch, 12, fetchRequest([{}], { isolationLevel: 7 }))
    assert.equal(errorName(response.errorCode), 'UNKNOWN_SERVER_ERROR')
    assert.equal(answersOf(response)[0]!.errorCode, -1)
  })
  await t.test('what is not there is answered after what is', () => {
    const answers = fetchFrom(client, [{ topic: 'nope' }, { partition: 0 }, { partition: 9 }, { partition: 1 }])
    assert.deepEqual(
      answers.map(({ partitionIndex, errorCode }) => [partitionIndex, errorCode]),
      [
        [0, 0],
        [1, 0],
        [0, 3],
        [9, 3],
      ],
    )
    assert.deepEqual(answers[2]!.abortedTransactions, [])
  })
  await t.test('a reader of decided records gets the list of aborted transactions, empty here', () => {
    const answers = fetchFrom(client, [{}, { partition: 2 }], { isolationLevel: 1 })
    assert.deepEqual(
      answers.map(({ abortedTransactions }) => abortedTransactions),
      [[], []],
    )
    assert.deepEqual(batchesOf(answers[0]!.records), [3, 4, 6])
  })
})

test('sizes: the first batch always comes whole, later partitions only if their first batch fits, the end may be cut', async () => {
  const { client } = await filled()
  const first = batchOf(['a', 'b', 'c']).length
  const lengths = (wanted: readonly Wanted[], options: FetchOptions = {}): number[] =>
    fetchFrom(client, wanted, options).map(({ records }) => records.length)
  const [all, other] = lengths([{}, { partition: 1 }]) as [number, number]
  assert.deepEqual(lengths([{ maxBytes: 1 }]), [first])
  assert.deepEqual(lengths([{ maxBytes: 0 }]), [first])
  assert.deepEqual(lengths([{}], { maxBytes: 0 }), [first])
  assert.deepEqual(lengths([{ maxBytes: first + 10 }]), [first + 10])
  assert.deepEqual(lengths([{}, { partition: 1 }], { maxBytes: 1 }), [first, 0])
  assert.deepEqual(lengths([{}, { partition: 1 }], { maxBytes: all + other - 1 }), [all, 0])
  assert.deepEqual(lengths([{}, { partition: 1 }], { maxBytes: all + other }), [all, other])
  assert.deepEqual(
    lengths([{ partition: 2 }, { partition: 1, maxBytes: 1 }]),
    [0, other],
    'an empty one does not count',
  )
})

test('of a partition that is named twice the last one counts', async () => {
  const { client } = await filled()
  const answers = fetchFrom(client, [{ offset: 0 }, { offset: 6 }])
  assert.equal(answers.length, 1)
  assert.equal(answers[0]!.records.length, 0)
})

test('an answer of many megabytes comes whole', async () => {
  const { broker, client } = await replicaSetting()
  broker.createTopic('t', 4, { config: { maxMessageBytes: 5_000_000 } })
  const sent: Buffer[] = []
  for (let i = 0; i < 12; i++) {
    const batch = batchOf(['x'.repeat(700_000 + i * 1000)])
    sent.push(batch)
    produceTo(client, batch, { partition: i % 4 })
  }
  const answers = fetchFrom(
    client,
    [0, 1, 2, 3].map(partition => ({ partition, maxBytes: 10_000_000 })),
    { maxBytes: 50_000_000 },
  )
  answers.forEach(({ records, partitionIndex }) => {
    const expected = Buffer.concat(sent.filter((_, i) => i % 4 === partitionIndex))
    assert.equal(records.length, expected.length)
    // Everything after offset, length and epoch of the first batch is what was sent.
    assert.ok(Buffer.from(records).subarray(16, 600_000).equals(expected.subarray(16, 600_000)))
  })
})

test('without enough to answer a fetch waits, is woken by the append, and is answered in the same turn after the producer', async () => {
  const { broker, dial, clock } = await filled()
  const [consumer, producer] = [dial(), dial()]
  consumer.send(Fetch, 12, fetchRequest([{ offset: 6 }, { partition: 1, offset: 1 }], { maxWaitMs: 500 }))
  assert.equal(consumer.receiveFrame(), null)
  assert.equal(broker.replicas.parking.size, 1)
  produceTo(producer, batchOf(['new']), { partition: 1 })
  const answers = answersOf(consumer.receive(Fetch, 12))
  assert.deepEqual(
    answers.map(({ records }) => batchesOf(records)),
    [[], [2]],
  )
  assert.equal(broker.replicas.parking.size, 0)
  await clock.advance(1000)
  assert.equal(consumer.receiveFrame(), null)
})

test('a fetch that waits in vain is answered when its time is up', async () => {
  const { dial, clock } = await filled()
  const consumer = dial()
  consumer.send(Fetch, 12, fetchRequest([{ offset: 6 }], { maxWaitMs: 500 }))
  await clock.advance(499)
  assert.equal(consumer.receiveFrame(), null)
  await clock.advance(2)
  const [answer] = answersOf(consumer.receive(Fetch, 12))
  assert.deepEqual([answer!.errorCode, answer!.records.length, answer!.highWatermark], [0, 0, 6])
})

test('minBytes are waited for, over all partitions', async () => {
  const { dial } = await filled()
  const [consumer, producer] = [dial(), dial()]
  const batch = batchOf(['a'])
  const options = { maxWaitMs: 500, minBytes: 3 * batch.length }
  consumer.send(Fetch, 12, fetchRequest([{ offset: 6 }, { partition: 1, offset: 1 }], options))
  produceTo(producer, batch)
  produceTo(producer, batch, { partition: 1 })
  assert.equal(consumer.receiveFrame(), null)
  produceTo(producer, batch)
  const answers = answersOf(consumer.receive(Fetch, 12))
  assert.deepEqual(
    answers.map(({ records }) => records.length),
    [2 * batch.length, batch.length],
  )
})

test('a fetch that waits for much looks at what has moved, not each time at all of its partitions', async () => {
  const { broker, dial } = await replicaSetting()
  const count = 300
  broker.createTopic('many', count)
  const [consumer, producer] = [dial(), dial()]
  const batch = batchOf(['a'])
  const partitions = Array.from({ length: count }, (_, partition) => partition)
  let looked = 0
  for (const partition of partitions) {
    const { log } = broker.replicas.partitionOf('many', partition)
    const locate = log.locate.bind(log)
    log.locate = (...place) => {
      looked++
      return locate(...place)
    }
  }
  const wanted = partitions.map(partition => ({ topic: 'many', partition }))
  const options = { maxWaitMs: 500, minBytes: 2 * count * batch.length }
  consumer.send(Fetch, 12, fetchRequest(wanted, options))
  for (let round = 0; round < 2; round++) {
    assert.equal(consumer.receiveFrame(), null)
    for (const partition of partitions) produceTo(producer, batch, { topic: 'many', partition })
  }
  const bytes = answersOf(consumer.receive(Fetch, 12)).reduce((sum, { records }) => sum + records.length, 0)
  assert.equal(bytes, options.minBytes)
  assert.ok(looked < 10 * count, `looked ${looked} times`)
})

test('an error, or a partition that nobody has beside nothing to read, does not wait', async () => {
  const { dial } = await filled()
  const wait = { maxWaitMs: 500 }
  assert.equal(fetchFrom(dial(), [{ offset: 6 }, { offset: 99, partition: 1 }], wait)[1]!.errorCode, 1)
  assert.equal(fetchFrom(dial(), [{ topic: 'nope' }], wait)[0]!.errorCode, 3)
  assert.deepEqual(fetchFrom(dial(), [], wait), [])
})

test('requests behind a waiting fetch are handled, and answered after it; another fetch waits for it', async () => {
  const { broker, dial, clock } = await filled()
  const client = dial()
  client.transport.feed(
    Buffer.concat([
      client.frame(Fetch, 12, fetchRequest([{ offset: 1, partition: 1 }], { maxWaitMs: 500 })),
      client.frame(Produce, 9, produceRequest(batchOf(['x']))),
      client.frame(Produce, 9, produceRequest(batchOf(['y']), { acks: 0 })),
      client.frame(Fetch, 12, fetchRequest([{ offset: 6 }])),
    ]),
  )
  assert.equal(client.receiveFrame(), null)
  assert.equal(broker.replicas.partitionOf('t', 0).log.logEndOffset, 8, 'both batches are appended')
  await clock.advance(501)
  assert.equal(answersOf(client.receive(Fetch, 12))[0]!.records.length, 0)
  assert.equal(client.receive(Produce, 9).responses[0]!.partitionResponses[0]!.baseOffset, 6)
  assert.deepEqual(batchesOf(answersOf(client.receive(Fetch, 12))[0]!.records), [7, 8])
})

test('a fetch of one that has gone is forgotten', async () => {
  const { broker, dial, clock } = await filled()
  const client = dial()
  client.send(Fetch, 12, fetchRequest([{ offset: 6 }], { maxWaitMs: 500 }))
  assert.equal(broker.replicas.parking.size, 1)
  client.transport.close(new Error('reset'))
  assert.equal(broker.replicas.parking.size, 0)
  produceTo(dial(), batchOf(['x']))
  await clock.settle()
  assert.equal(broker.budget.used, 0)
})

test('waiting fetches learn that a topic is deleted or led by another broker', async () => {
  const { broker, dial, clock } = await filled()
  broker.createTopic('u', 1, { replicas: [1, 2], isr: [1] })
  const [first, second] = [dial(), dial()]
  first.send(Fetch, 12, fetchRequest([{ offset: 6 }], { maxWaitMs: 500 }))
  second.send(Fetch, 9, fetchRequest([{ topic: 'u' }], { maxWaitMs: 500 }))
  broker.deleteTopic('t')
  broker.changePartition('u', 0, { leader: 2 })
  await clock.settle()
  assert.equal(errorName(answersOf(first.receive(Fetch, 12))[0]!.errorCode), 'UNKNOWN_TOPIC_OR_PARTITION')
  assert.equal(errorName(answersOf(second.receive(Fetch, 9))[0]!.errorCode), 'NOT_LEADER_OR_FOLLOWER')
})

test('consumers see what is committed, followers all there is, and what followers fetch commits it', async () => {
  const { broker, dial, clock } = await replicaSetting()
  broker.createTopic('t', 1, { replicas: [1, 2], isr: [1, 2] })
  const [client, follower, consumer] = [dial(), dial(), dial()]
  produceTo(client, batchOf(['a', 'b']), { acks: 1 })
  assert.equal(fetchFrom(client, [{}])[0]!.records.length, 0)
  consumer.send(Fetch, 12, fetchRequest([{}], { maxWaitMs: 500 }))
  const [first] = fetchFrom(follower, [{ epoch: 0 }], { replicaId: 2 })
  assert.deepEqual([batchesOf(first!.records), first!.highWatermark], [[2], 0])
  assert.equal(consumer.receiveFrame(), null)
  follower.send(Fetch, 12, fetchRequest([{ epoch: 0, offset: 2 }], { replicaId: 2, maxWaitMs: 500 }))
  await clock.settle()
  assert.deepEqual(batchesOf(answersOf(consumer.receive(Fetch, 12))[0]!.records), [2])
  assert.equal(broker.replicas.partitionOf('t', 0).highWatermark, 2)
  produceTo(client, batchOf(['c']), { acks: 1 })
  const [next] = answersOf(follower.receive(Fetch, 12))
  assert.deepEqual([batchesOf(next!.records), next!.highWatermark], [[3], 2])
})

test('a session over the wire: created, incremental, ended', async () => {
  const { client } = await filled()
  const ask = (wanted: readonly Wanted[], sessionId: number, sessionEpoch: number) => {
    const response = client.ask(Fetch, 12, fetchRequest(wanted, { sessionId, sessionEpoch }))
    const named = answersOf(response).map(({ partitionIndex, records }) => [partitionIndex, records.length > 0])
    return { ...response, named }
  }
  const { sessionId, named } = ask([{ offset: 6 }, { partition: 1 }, { partition: 2 }], 0, 0)
  assert.ok(sessionId > 0)
  assert.deepEqual(named, [
    [0, false],
    [1, true],
    [2, false],
  ])
  assert.deepEqual(ask([{ partition: 1, offset: 1 }], sessionId, 1).named, [])
  produceTo(client, batchOf(['new']))
  assert.deepEqual(ask([], sessionId, 2).named, [[0, true]])
  assert.equal(errorName(ask([], sessionId, 9).errorCode), 'INVALID_FETCH_SESSION_EPOCH')
  assert.equal(errorName(ask([], sessionId + 1, 1).errorCode), 'FETCH_SESSION_ID_NOT_FOUND')
  assert.deepEqual(ask([], sessionId, -1).named, [])
  assert.equal(errorName(ask([], sessionId, 3).errorCode), 'FETCH_SESSION_ID_NOT_FOUND')
})

test('a session names a topic that comes into being, and one that is made again', async () => {
  const { broker, client } = await filled()
  const { sessionId } = client.ask(Fetch, 12, fetchRequest([{ topic: 'later' }, { offset: 6 }], { sessionEpoch: 0 }))
  broker.createTopic('later', 1)
  const codes = (epoch: number): number[] =>
    answersOf(client.ask(Fetch, 12, fetchRequest([], { sessionId, sessionEpoch: epoch }))).map(
      ({ errorCode }) => errorCode,
    )
  assert.deepEqual(codes(1), [0])
  broker.deleteTopic('later')
  assert.deepEqual(codes(2), [3])
  broker.createTopic('later', 1)
  assert.deepEqual(codes(3), [0])
})

test('records that have left the page cache are read off the loop, and answered in order', async () => {
  const { broker, dial, clock } = await filled()
  const { log } = broker.replicas.partitionOf('t', 0)
  const locate = log.locate.bind(log)
  log.locate = (offset, maxBytes, maxOffset, minOneBatch, into) => {
    const found = locate(offset, maxBytes, maxOffset, minOneBatch, into)
    into.isRecent = false
    return found
  }
  const client = dial()
  client.transport.feed(
    Buffer.concat([
      client.frame(Fetch, 12, fetchRequest([{}])),
      client.frame(Produce, 9, produceRequest(batchOf(['x']))),
    ]),
  )
  assert.equal(client.receiveFrame(), null)
  await clock.settle()
  assert.deepEqual(batchesOf(answersOf(client.receive(Fetch, 12))[0]!.records), [3, 4, 6])
  assert.equal(client.receive(Produce, 9).responses[0]!.partitionResponses[0]!.errorCode, 0)
  assert.equal(broker.budget.used, 0)

  log.readIntoAsync = () => Promise.reject(new Error('broken'))
  client.send(Fetch, 12, fetchRequest([{}]))
  await clock.settle()
  assert.equal(errorName(answersOf(client.receive(Fetch, 12))[0]!.errorCode), 'UNKNOWN_SERVER_ERROR')
  assert.equal(broker.budget.used, 0)
})

test('when memory is short an answer is smaller, but there is one', async () => {
  const { broker, client } = await replicaSetting({ memoryBytesMax: 2_000_000 })
  broker.createTopic('t', 1, { config: { maxMessageBytes: 5_000_000 } })
  for (let i = 0; i < 10; i++) produceTo(client, batchOf(['x'.repeat(100_000)]))
  const ask = (): number => fetchFrom(client, [{ maxBytes: 10_000_000 }], { maxBytes: 10_000_000 })[0]!.records.length
  assert.equal(ask(), 750_000, 'half of what consumers may have')
  broker.budget.take(1_400_000)
  assert.ok(ask() <= 110_000)
  broker.budget.give(1_400_000)
  assert.equal(broker.budget.used, 0)
})

test('a reader that does not take its records holds a bounded part of the memory, and the others go on', async () => {
  const { broker, dial } = await replicaSetting({ limits: { unsentBytesMax: 200_000 } })
  broker.createTopic('t', 1)
  for (let i = 0; i < 5; i++) produceTo(dial(), batchOf(['x'.repeat(60_000)]))
  const slow = dial()
  slow.transport.isStuck = true
  const frames = Array.from({ length: 100 }, () => slow.frame(Fetch, 12, fetchRequest([{}])))
  slow.transport.feed(Buffer.concat(frames))
  assert.ok(broker.budget.used < 1_000_000, `${broker.budget.used} bytes`)
  assert.equal(slow.transport.isPaused, true)
  assert.equal(fetchFrom(dial(), [{}])[0]!.errorCode, 0)
  slow.transport.close(null)
  assert.equal(broker.budget.used, 0)
})

test('a topic whose name is empty is not there, in versions that name topics', async () => {
  const { client } = await filled()
  const codes = (version: number) =>
    fetchFrom(client, [{ topic: '' }], { version }).map(each => errorName(each.errorCode))
  assert.deepEqual([codes(5), codes(12)], [['UNKNOWN_TOPIC_OR_PARTITION'], ['UNKNOWN_TOPIC_OR_PARTITION']])
  assert.deepEqual(codes(13), ['UNKNOWN_TOPIC_ID'])
})

test('a negative size fails where there is something to read, and for the first partition alone', async () => {
  const { client } = await filled()
  const codes = (wanted: Wanted[], options: FetchOptions = {}) =>
    fetchFrom(client, wanted, options).map(({ errorCode }) => errorName(errorCode))
  assert.deepEqual(codes([{ maxBytes: -1 }]), ['UNKNOWN_SERVER_ERROR'])
  assert.deepEqual(codes([{ maxBytes: -1, offset: 6 }]), ['NONE'])
  assert.deepEqual(codes([{ maxBytes: -1, offset: 9 }]), ['OFFSET_OUT_OF_RANGE'])
  const [first, second] = fetchFrom(client, [{ partition: 1 }, { partition: 0 }], { maxBytes: -1 })
  assert.deepEqual([errorName(first!.errorCode), errorName(second!.errorCode)], ['UNKNOWN_SERVER_ERROR', 'NONE'])
  assert.deepEqual(batchesOf(second!.records), [3])
})

test('a consumer that asks at once is answered as any other, from what was read ahead', async () => {
  const { broker, client, clock, dial } = await replicaSetting()
  broker.createTopic('t', 1)
  for (let i = 0; i < 60; i++) produceTo(client, batchOf([`${i} `.padEnd(5000, 'x')]))
  const quick = dial()
  quick.transport.isQuick = true
  const { log } = broker.replicas.partitionOf('t', 0)
  const readInto = log.readInto.bind(log)
  let reads = 0
  log.readInto = (...args) => {
    reads++
    return readInto(...args)
  }
  for (let offset = 0; offset < 60; ) {
    const wanted = [{ offset, maxBytes: 40_000 }]
    reads = 0
    const [answer] = fetchFrom(quick, wanted)
    assert.equal(reads, offset === 0 ? 1 : 0, `at ${offset}`)
    assert.deepEqual(answer, fetchFrom(client, wanted)[0])
    offset = batchesOf(answer!.records).at(-1)!
    await clock.settle()
  }
})
