import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName } from '#protocol/errors.js'
import { ListOffsets } from '#protocol/messages/list-offsets.js'
import { Produce } from '#protocol/messages/produce.js'
import { stampCrc } from '#protocol/records/batch.js'
import { buildBatch } from '#protocol/records/build.js'
import { batchOf, type ProduceOptions, produceRequest, produceTo, replicaSetting } from './replica-support.js'

const NONE = { errorCode: 0, logAppendTimeMs: -1, logStartOffset: 0, recordErrors: [], errorMessage: null }

/** A change to a sound batch, with the checksum that belongs to it. */
function changed(change: (batch: Buffer) => void, values = ['a', 'b']): Buffer {
  const batch = batchOf(values)
  change(batch)
  stampCrc(batch, 0)
  return batch
}

test('records are appended in every version, and answered with their offset', async () => {
  const { broker, client } = await replicaSetting()
  const id = broker.createTopic('t', 1)
  let offset = 0
  for (let version = 3; version <= 13; version++) {
    const { topicData, ...rest } = produceRequest(batchOf(['a', 'b']))
    const request = { ...rest, topicData: topicData.map(topic => ({ ...topic, topicId: id })) }
    const response = client.ask(Produce, version, request)
    assert.equal(response.responses[0]![version >= 13 ? 'topicId' : 'name'], version >= 13 ? id : 't')
    const { index, baseOffset, errorCode } = response.responses[0]!.partitionResponses[0]!
    assert.deepEqual([index, errorCode, baseOffset], [0, 0, offset])
    offset += 2
  }
  assert.equal(broker.replicas.partitionOf('t', 0).log.logEndOffset, offset)
  assert.equal(broker.replicas.partitionOf('t', 0).highWatermark, offset)
})

test('many requests in one read are written with one call for each partition and answered with one write', async () => {
  const { broker, client, disk } = await replicaSetting()
  broker.createTopic('t', 2)
  produceTo(client, batchOf(['first']))
  produceTo(client, batchOf(['first']), { partition: 1 })
  const before = disk.ioCount
  const { writes } = client.transport
  const frames = Array.from({ length: 20 }, (_, i) =>
    client.frame(Produce, 9, produceRequest(batchOf([`value ${i}`]), { partition: i % 2, acks: 1 })),
  )
  client.transport.feed(Buffer.concat(frames))
  assert.equal(disk.ioCount - before, 2)
  assert.equal(client.transport.writes - writes, 1)
  for (let i = 0; i < 20; i++) {
    const [answer] = client.receive(Produce, 9).responses
    assert.equal(answer!.partitionResponses[0]!.baseOffset, 1 + Math.floor(i / 2))
  }
})

test('the answers are those of Kafka', async t => {
  const { broker, dial, clock } = await replicaSetting()
  const id = broker.createTopic('t', 2)
  broker.createTopic('compacted', 1, { config: { cleanupPolicy: { delete: false, compact: true } } })
  broker.createTopic('tiny', 1, { config: { maxMessageBytes: 1000 } })
  broker.createTopic('small', 1, { config: { segmentBytes: 1000, maxMessageBytes: 5000 } })
  broker.createTopic('min2', 1, { config: { minInsyncReplicas: 2 } })
  broker.createTopic('min2of3', 1, { config: { minInsyncReplicas: 2 }, replicas: [1, 2, 3], isr: [1] })
  broker.createTopic('elsewhere', 1, { replicas: [2] })
  broker.createTopic('__consumer_offsets', 1)
  const ok = batchOf(['a', 'b'])
  const large = batchOf(['x'.repeat(1500)])
  const keyless = Buffer.from(buildBatch({ records: [{ timestamp: 1, key: null, value: Buffer.from('a') }] }))
  const future = batchOf(['a'], { timestamp: clock.wallTime() + 7_200_000 })
  const transactional = batchOf(['a'], { producerId: 7, producerEpoch: 0, baseSequence: 0, isTransactional: true })
  const cases: [string, Uint8Array | null, ProduceOptions, string, number][] = [
    ['an unknown topic', ok, { topic: 'nope' }, 'UNKNOWN_TOPIC_OR_PARTITION', -1],
    ['an unknown partition', ok, { partition: 5 }, 'UNKNOWN_TOPIC_OR_PARTITION', -1],
    ['a negative partition', ok, { partition: -1 }, 'UNKNOWN_TOPIC_OR_PARTITION', -1],
    ['an empty name', ok, { topic: '' }, 'UNKNOWN_TOPIC_OR_PARTITION', -1],
    ['other acks', ok, { acks: 2 }, 'INVALID_REQUIRED_ACKS', -1],
    ['other acks and an unknown topic', ok, { acks: 2, topic: 'nope' }, 'UNKNOWN_TOPIC_OR_PARTITION', -1],
    ['no records', Buffer.alloc(0), {}, 'INVALID_RECORD', -1],
    ['null records', null, {}, 'INVALID_RECORD', -1],
    ['a batch that is cut', ok.subarray(0, ok.length - 3), {}, 'INVALID_RECORD', -1],
    ['two batches', Buffer.concat([ok, ok]), {}, 'INVALID_RECORD', -1],
    [
      'an old format',
      changed(batch => {
        batch[16] = 1
      }),
      {},
      'INVALID_RECORD',
      -1,
    ],
    ['a wrong checksum', Buffer.from(ok).fill(1, 70, 71), {}, 'CORRUPT_MESSAGE', -1],
    ['offsets of its own', batchOf(['a'], { baseOffset: 5 }), {}, 'INVALID_RECORD', 0],
    ['a batch larger than the topic takes', large, { topic: 'tiny' }, 'MESSAGE_TOO_LARGE', -1],
    ['a batch larger than a segment', large, { topic: 'small' }, 'RECORD_LIST_TOO_LARGE', -1],
    ['a control batch', batchOf(['a'], { isControl: true }), {}, 'INVALID_RECORD', 0],
    [
      'zstd before its time',
      changed(batch => {
        batch[22] = 4
      }),
      { version: 5 },
      'UNSUPPORTED_COMPRESSION_TYPE',
      -1,
    ],
    [
      'a codec that nobody knows',
      changed(batch => {
        batch[22] = 6
      }),
      {},
      'UNKNOWN_SERVER_ERROR',
      0,
    ],
    [
      'bytes that do not inflate',
      changed(batch => {
        batch[22] = 1
      }),
      {},
      'UNKNOWN_SERVER_ERROR',
      0,
    ],
    [
      'a count that lies',
      changed(batch => {
        batch[60] = 3
      }),
      {},
      'INVALID_RECORD',
      0,
    ],
    [
      'a count that lies twice',
      changed(batch => {
        batch[60] = 3
        batch[26] = 2
      }),
      {},
      'INVALID_RECORD',
      0,
    ],
    ["one of Kafka's own topics", ok, { topic: '__consumer_offsets' }, 'INVALID_TOPIC_EXCEPTION', -1],
    ['a partition of another broker', ok, { topic: 'elsewhere' }, 'NOT_LEADER_OR_FOLLOWER', -1],
    ['too few in sync', ok, { topic: 'min2of3' }, 'NOT_ENOUGH_REPLICAS', 0],
    ['transactional records without a transaction', transactional, {}, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', -1],
    [
      'a sequence below 0',
      batchOf(['a'], { producerId: 3, producerEpoch: 0, baseSequence: -1 }),
      {},
      'INVALID_RECORD',
      0,
    ],
  ]
  for (const [what, records, options, error, logStartOffset] of cases) {
    await t.test(`${what}: ${error}`, () => {
      const answer = produceTo(dial(), records, options)
      assert.equal(errorName(answer.errorCode), error)
      const start = (options.version ?? 9) >= 5 ? logStartOffset : -1
      assert.deepEqual([answer.baseOffset, answer.logAppendTimeMs, answer.logStartOffset], [-1, -1, start])
      assert.deepEqual([answer.recordErrors, answer.errorMessage], [[], null])
    })
  }
  await t.test('fewer replicas than min.insync.replicas do not hinder', () => {
    assert.equal(produceTo(dial(), ok, { topic: 'min2' }).errorCode, 0)
  })
  await t.test('acks=1 does not ask who is in sync', () => {
    assert.equal(produceTo(dial(), ok, { topic: 'min2of3', acks: 1 }).errorCode, 0)
  })
  await t.test('the admin client may write to internal topics', () => {
    const client = dial()
    client.clientId = '__admin_client'
    assert.equal(produceTo(client, ok, { topic: '__consumer_offsets' }).errorCode, 0)
  })
  await t.test('records without keys are named', () => {
    const answer = produceTo(dial(), keyless, { topic: 'compacted' })
    assert.equal(errorName(answer.errorCode), 'INVALID_RECORD')
    assert.deepEqual(answer.recordErrors, [
      {
        batchIndex: 0,
        batchIndexErrorMessage: 'Compacted topic cannot accept message without key in topic partition compacted-0',
      },
    ])
    assert.match(answer.errorMessage!, /^One or more records have been rejected due to 1 record errors in total/)
    assert.equal(answer.logStartOffset, 0)
  })
  await t.test('a time that the topic does not take is named', () => {
    const answer = produceTo(dial(), future)
    assert.equal(errorName(answer.errorCode), 'INVALID_TIMESTAMP')
    assert.equal(answer.errorMessage, 'One or more records have been rejected due to invalid timestamp')
    assert.equal(answer.recordErrors.length, 1)
  })
  await t.test('a format that nobody knows fails the whole request, with a message', () => {
    const answer = produceTo(
      dial(),
      changed(batch => {
        batch[16] = 7
      }),
    )
    assert.equal(errorName(answer.errorCode), 'CORRUPT_MESSAGE')
    assert.equal(answer.errorMessage, 'Invalid magic found in record: 7')
  })
  await t.test('an unknown topic id', () => {
    const request = produceRequest(ok)
    const response = dial().ask(Produce, 13, request)
    assert.equal(errorName(response.responses[0]!.partitionResponses[0]!.errorCode), 'UNKNOWN_TOPIC_ID')
    const known = { ...request, topicData: request.topicData.map(topic => ({ ...topic, topicId: id })) }
    assert.equal(dial().ask(Produce, 13, known).responses[0]!.partitionResponses[0]!.errorCode, 0)
  })
  await t.test('who asks the wrong broker learns the right one from version 10 on', () => {
    broker.createTopic('of-2', 1, { replicas: [2, 1], leader: 2, leaderEpoch: 9 })
    for (const version of [9, 10]) {
      const response = dial().ask(Produce, version, produceRequest(ok, { topic: 'of-2' }))
      const answer = response.responses[0]!.partitionResponses[0]!
      assert.equal(errorName(answer.errorCode), 'NOT_LEADER_OR_FOLLOWER')
      const expected = version === 10 ? { leaderId: 2, leaderEpoch: 9 } : { leaderId: -1, leaderEpoch: -1 }
      assert.deepEqual(answer.currentLeader, expected)
    }
  })
})

test('an error of one partition leaves the others alone, and the answer has them in the order of the request', async () => {
  const { broker, client } = await replicaSetting()
  broker.createTopic('t', 2)
  broker.createTopic('u', 1)
  const ok = batchOf(['a'])
  const request = {
    ...produceRequest(null),
    topicData: [
      {
        name: 't',
        partitionData: [
          { index: 1, records: ok },
          { index: 7, records: ok },
          { index: 0, records: ok },
        ],
      },
      { name: 'nope', partitionData: [{ index: 0, records: ok }] },
      { name: 'u', partitionData: [{ index: 0, records: Buffer.alloc(0) }] },
      { name: 'empty', partitionData: [] },
    ],
  }
  const response = client.ask(Produce, 9, request)
  assert.deepEqual(
    response.responses.map(({ name, partitionResponses }) => [
      name,
      partitionResponses.map(each => [each.index, each.errorCode]),
    ]),
    [
      [
        't',
        [
          [1, 0],
          [7, 3],
          [0, 0],
        ],
      ],
      ['nope', [[0, 3]]],
      ['u', [[0, 87]]],
    ],
  )
})

test('a batch that is shorter than its header concerns its partition alone, if that is there', async () => {
  const { broker, client } = await replicaSetting()
  broker.createTopic('t', 2)
  const short = batchOf(['a'])
  short.writeInt32BE(48, 8)
  const request = produceRequest(short)
  const partitionData = [
    { index: 0, records: batchOf(['b']) },
    { index: 1, records: short },
    { index: 2, records: short },
  ]
  const response = client.ask(Produce, 9, { ...request, topicData: [{ ...request.topicData[0]!, partitionData }] })
  assert.deepEqual(
    response.responses[0]!.partitionResponses.map(({ errorCode }) => errorName(errorCode)),
    ['NONE', 'CORRUPT_MESSAGE', 'UNKNOWN_TOPIC_OR_PARTITION'],
  )
})

test('LogAppendTime topics answer with the time of the append', async () => {
  const { broker, client, clock } = await replicaSetting()
  broker.createTopic('t', 1, { config: { messageTimestampType: 'LogAppendTime' } })
  await clock.advance(123)
  assert.deepEqual(produceTo(client, batchOf(['a'])), {
    index: 0,
    ...NONE,
    baseOffset: 0,
    logAppendTimeMs: clock.wallTime(),
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
  })
})

test('a batch that was sent before is answered with its first offset, and gaps and old epochs are refused', async () => {
  const { broker, client } = await replicaSetting()
  broker.createTopic('t', 1)
  const send = (baseSequence: number, producerEpoch = 0, producerId = 1000) => {
    const { errorCode, baseOffset } = produceTo(
      client,
      batchOf(['a', 'b'], { producerId, producerEpoch, baseSequence }),
    )
    return [errorName(errorCode), baseOffset]
  }
  produceTo(client, batchOf(['before']))
  assert.deepEqual(send(0), ['NONE', 1])
  assert.deepEqual(send(0), ['NONE', 1])
  assert.deepEqual(send(4), ['OUT_OF_ORDER_SEQUENCE_NUMBER', -1])
  assert.deepEqual(send(2), ['NONE', 3])
  assert.deepEqual(send(0), ['NONE', 1])
  assert.deepEqual(send(5, 1), ['OUT_OF_ORDER_SEQUENCE_NUMBER', -1])
  assert.deepEqual(send(0, 1), ['NONE', 5])
  assert.deepEqual(send(4, 0), ['INVALID_PRODUCER_EPOCH', -1])
  assert.deepEqual(send(5, 0, 2000), ['NONE', 7])
  assert.equal(broker.replicas.partitionOf('t', 0).log.logEndOffset, 9)
})

test('a duplicate in the same read as its first is recognised', async () => {
  const { broker, client } = await replicaSetting()
  broker.createTopic('t', 1)
  const batch = batchOf(['a'], { producerId: 5, producerEpoch: 0, baseSequence: 0 })
  const frames = [1, 2].map(() => client.frame(Produce, 9, produceRequest(batch)))
  client.transport.feed(Buffer.concat(frames))
  const offsets = frames.map(() => client.receive(Produce, 9).responses[0]!.partitionResponses[0]!.baseOffset)
  assert.deepEqual(offsets, [0, 0])
  assert.equal(broker.replicas.partitionOf('t', 0).log.logEndOffset, 1)
})

test('acks=0 is not answered, and the next request is; an error ends the connection', async () => {
  const { broker, client, clock } = await replicaSetting()
  broker.createTopic('t', 1)
  client.send(Produce, 9, produceRequest(batchOf(['a']), { acks: 0 }))
  assert.equal(client.receiveFrame(), null)
  assert.equal(produceTo(client, batchOf(['b'])).baseOffset, 1)
  client.send(Produce, 9, produceRequest(batchOf(['c']), { acks: 0, topic: 'nope' }))
  assert.equal(client.transport.isDestroyed, true)
  await clock.settle()
  assert.equal(broker.server.counters.open, 0)
})

test('a request that cannot be read to its end appends nothing and ends the connection', async () => {
  const { broker, dial } = await replicaSetting()
  broker.createTopic('t', 1)
  const client = dial()
  const frame = client.frame(Produce, 3, produceRequest(batchOf(['a'])))
  const shorter = Buffer.from(frame.subarray(0, -1))
  shorter.writeInt32BE(shorter.length - 4, 0)
  client.transport.feed(shorter)
  assert.equal(client.transport.isDestroyed, true)
  assert.equal(broker.replicas.partitionOf('t', 0).log.logEndOffset, 0)
})

test('bytes behind a request are passed over, as with every other API', async () => {
  const { broker, dial } = await replicaSetting()
  broker.createTopic('t', 1)
  const client = dial()
  const longer = Buffer.concat([client.frame(Produce, 3, produceRequest(batchOf(['a']))), Buffer.from([1])])
  longer.writeInt32BE(longer.length - 4, 0)
  client.transport.feed(longer)
  assert.equal(client.transport.isDestroyed, false)
  assert.equal(broker.replicas.partitionOf('t', 0).log.logEndOffset, 1)
})

test('a request after it on the same connection sees the records', async () => {
  const { broker, client, clock } = await replicaSetting()
  broker.createTopic('t', 1)
  const listOffsets = {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: 't', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
  }
  client.transport.feed(
    Buffer.concat([
      client.frame(Produce, 9, produceRequest(batchOf(['a', 'b', 'c']), { acks: 1 })),
      client.frame(ListOffsets, 7, listOffsets),
    ]),
  )
  await clock.settle()
  client.receive(Produce, 9)
  assert.equal(client.receive(ListOffsets, 7).topics[0]!.partitions[0]!.offset, 3)
})

test('with followers, acks=all waits for them, acks=1 does not; the time is limited', async () => {
  const { broker, dial, clock } = await replicaSetting()
  broker.createTopic('t', 1, { replicas: [1, 2], isr: [1, 2] })
  const all = dial()
  all.send(Produce, 9, produceRequest(batchOf(['a'])))
  assert.equal(all.receiveFrame(), null)
  assert.equal(produceTo(dial(), batchOf(['b']), { acks: 1 }).baseOffset, 1)
  const partition = broker.replicas.partitionOf('t', 0)
  assert.equal(partition.highWatermark, 0)
  partition.leader!.onFollowerFetch(2, { fetchOffset: 1, logStartOffset: 0, brokerEpoch: 1 }, 2, clock.now())
  partition.advanceHighWatermark()
  await clock.settle()
  assert.equal(all.receive(Produce, 9).responses[0]!.partitionResponses[0]!.errorCode, 0)

  all.send(Produce, 9, produceRequest(batchOf(['c']), { timeoutMs: 100 }))
  await clock.advance(99)
  assert.equal(all.receiveFrame(), null)
  await clock.advance(2)
  const late = all.receive(Produce, 9).responses[0]!.partitionResponses[0]!
  assert.equal(errorName(late.errorCode), 'REQUEST_TIMED_OUT')
  assert.equal(late.baseOffset, 2, 'the records are there all the same')
})

test('those that wait learn at once that this broker no longer leads, or that too few are in sync', async () => {
  const { broker, dial, clock } = await replicaSetting()
  broker.createTopic('t', 1, { replicas: [1, 2], isr: [1, 2] })
  broker.createTopic('u', 1, { replicas: [1, 2], isr: [1, 2], config: { minInsyncReplicas: 2 } })
  const [first, second] = [dial(), dial()]
  first.send(Produce, 9, produceRequest(batchOf(['a'])))
  second.send(Produce, 9, produceRequest(batchOf(['a']), { topic: 'u' }))
  broker.changePartition('t', 0, { leader: 2 })
  await clock.settle()
  assert.equal(
    errorName(first.receive(Produce, 9).responses[0]!.partitionResponses[0]!.errorCode),
    'NOT_LEADER_OR_FOLLOWER',
  )
  const partition = broker.replicas.partitionOf('u', 0)
  partition.leader!.onFollowerFetch(2, { fetchOffset: 1, logStartOffset: 0, brokerEpoch: 1 }, 1, clock.now())
  partition.advanceHighWatermark()
  await clock.settle()
  assert.equal(second.receive(Produce, 9).responses[0]!.partitionResponses[0]!.errorCode, 0)
})

test('flush.messages=1: every answer waits for the device, many share a sync, and consumers see nothing before it', async () => {
  const { broker, dial, clock, disk } = await replicaSetting()
  broker.createTopic('t', 1, { config: { flushMessages: 1 } })
  const release = disk.holdSyncs()
  const clients = [1, 1, -1].map(acks => {
    const client = dial()
    client.send(Produce, 9, produceRequest(batchOf(['a']), { acks }))
    return client
  })
  await clock.settle()
  for (const client of clients) assert.equal(client.receiveFrame(), null)
  const partition = broker.replicas.partitionOf('t', 0)
  assert.deepEqual([partition.log.logEndOffset, partition.highWatermark], [3, 0])
  release()
  await clock.settle()
  const offsets = clients.map(client => client.receive(Produce, 9).responses[0]!.partitionResponses[0]!.baseOffset)
  assert.deepEqual(offsets, [0, 1, 2])
  assert.equal(partition.highWatermark, 3)
})

test('a disk that fails under the write: no answer says that it went well, the directory is offline, others go on', async () => {
  const { broker, dial, disk, clock, logger } = await replicaSetting({ logDirs: ['/one', '/two'] })
  broker.createTopic('t', 2)
  for (const partition of [0, 1]) produceTo(dial(), batchOf(['a']), { partition })
  const failing = broker.replicas.partitionOf('t', 0)
  const other = broker.replicas.partitionOf('t', 1)
  assert.notEqual(failing.directory, other.directory)
  const [client, silent] = [dial(), dial()]
  disk.failAt(1, 'ENOSPC')
  const frames = [1, -1, 1].map(acks => client.frame(Produce, 9, produceRequest(batchOf(['b']), { acks })))
  client.transport.feed(Buffer.concat(frames))
  for (const _ of frames) {
    const answer = client.receive(Produce, 9).responses[0]!.partitionResponses[0]!
    assert.equal(errorName(answer.errorCode), 'KAFKA_STORAGE_ERROR')
    assert.deepEqual([answer.baseOffset, answer.logStartOffset], [-1, -1])
  }
  assert.equal(failing.log.logEndOffset, 1)
  assert.equal(failing.isOffline, true)
  assert.equal(logger.lines.filter(({ message }) => /the log directory is offline/.test(message)).length, 1)
  assert.equal(errorName(produceTo(dial(), batchOf(['c'])).errorCode), 'KAFKA_STORAGE_ERROR')
  silent.send(Produce, 9, produceRequest(batchOf(['c']), { acks: 0 }))
  assert.equal(silent.transport.isDestroyed, true)
  assert.equal(produceTo(dial(), batchOf(['d']), { partition: 1 }).baseOffset, 1)
  await clock.settle()
})

test('acks=0: a write that fails ends the connection', async () => {
  const { broker, client, disk } = await replicaSetting()
  broker.createTopic('t', 1)
  produceTo(client, batchOf(['a']))
  disk.failAt(1, 'EIO')
  client.send(Produce, 9, produceRequest(batchOf(['b']), { acks: 0 }))
  assert.equal(client.transport.isDestroyed, true)
})

test('a sync that fails: those who wait are told, and nothing more is taken', async () => {
  const { broker, client, disk, clock } = await replicaSetting()
  broker.createTopic('t', 1, { config: { flushMessages: 1 } })
  client.send(Produce, 9, produceRequest(batchOf(['a'])))
  await clock.settle()
  client.receive(Produce, 9)
  // The write goes well, the sync does not.
  disk.failAt(2, 'EIO')
  client.send(Produce, 9, produceRequest(batchOf(['b'])))
  await clock.settle()
  const answer = client.receive(Produce, 9).responses[0]!.partitionResponses[0]!
  assert.equal(answer.errorCode, ErrorCode.KAFKA_STORAGE_ERROR)
  assert.equal(errorName(produceTo(client, batchOf(['c'])).errorCode), 'KAFKA_STORAGE_ERROR')
})
