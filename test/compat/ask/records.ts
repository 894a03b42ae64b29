import { readInt16, stampCrc, writeInt16, writeInt32, writeInt64 } from '#protocol/records/batch.js'
import { type BatchHeaderOptions, buildBatch, type NewRecord } from '#protocol/records/build.js'
import { ask, inVersions, type Step, untilLed } from './step.js'

/** A time that both brokers take: the script is made once, so both get the same bytes. */
const NOW = Date.now()
const YEAR_MS = 365 * 24 * 3600 * 1000
const TOPIC = 'records'
const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAABAA'

const text = (value: string | null) => (value === null ? null : Buffer.from(value))
const record = (value: string | null, more: Partial<NewRecord> = {}): NewRecord => ({
  timestamp: NOW,
  key: null,
  value: text(value),
  ...more,
})
const batch = (values: readonly (string | null)[], options: BatchHeaderOptions = {}, more: Partial<NewRecord> = {}) =>
  buildBatch({ ...options, records: values.map(value => record(value, more)) })
const hex = (bytes: Uint8Array | null) => (bytes === null ? null : { hex: Buffer.from(bytes).toString('hex') })

/** A batch with some bytes of its header changed, and its checksum made right again. */
function changed(change: (bytes: Buffer) => void, values: readonly string[] = ['a', 'b']): Buffer {
  const bytes = Buffer.from(batch(values))
  change(bytes)
  stampCrc(bytes, 0)
  return bytes
}

interface ProduceOptions {
  readonly topic?: string
  readonly topicId?: string
  readonly index?: number
  readonly acks?: number
  readonly transactionalId?: string | null
}

function produce(version: number, records: Uint8Array | null, options: ProduceOptions = {}, step: Step = {}): Step {
  const { topic = TOPIC, topicId = '$records', index = 0, acks = -1, transactionalId = null } = options
  const name = version >= 13 ? { topicId } : { name: topic }
  return ask(
    'Produce',
    version,
    {
      transactionalId,
      acks,
      timeoutMs: 10_000,
      topicData: [{ ...name, partitionData: [{ index, records: hex(records) }] }],
    },
    step,
  )
}

const PRODUCE_VERSIONS = [3, 4, 5, 7, 8, 9, 10, 11, 12, 13]
const LATEST = 12

export function recordSteps(): Step[] {
  return [
    ask(
      'CreateTopics',
      7,
      {
        timeoutMs: 10_000,
        topics: [
          { name: TOPIC, numPartitions: 3, replicationFactor: 1 },
          {
            name: 'compacted',
            numPartitions: 1,
            replicationFactor: 1,
            configs: [{ name: 'cleanup.policy', value: 'compact' }],
          },
          {
            name: 'small',
            numPartitions: 1,
            replicationFactor: 1,
            configs: [{ name: 'max.message.bytes', value: '200' }],
          },
          {
            name: 'stamped',
            numPartitions: 1,
            replicationFactor: 1,
            configs: [{ name: 'message.timestamp.type', value: 'LogAppendTime' }],
          },
          {
            name: 'squeezed',
            numPartitions: 1,
            replicationFactor: 1,
            configs: [{ name: 'compression.type', value: 'gzip' }],
          },
          {
            name: 'loose',
            numPartitions: 1,
            replicationFactor: 1,
            configs: [{ name: 'compression.type', value: 'uncompressed' }],
          },
          {
            name: 'dated',
            numPartitions: 1,
            replicationFactor: 1,
            configs: [{ name: 'message.timestamp.before.max.ms', value: '3600000' }],
          },
          {
            name: 'replicas',
            numPartitions: 1,
            replicationFactor: 1,
            configs: [{ name: 'min.insync.replicas', value: '2' }],
          },
        ],
      },
      { ignore: ['/topics'] },
    ),
    ask(
      'Metadata',
      12,
      { topics: [{ name: TOPIC }], allowAutoTopicCreation: false },
      { save: { records: '/topics/0/topicId' }, retry: { pointer: '/topics/0/errorCode', until: 0 } },
    ),
    ...untilLed(TOPIC, 3),
    ...['compacted', 'small', 'stamped', 'squeezed', 'loose', 'dated', 'replicas'].flatMap(name => untilLed(name)),
    ...produceSteps(),
    ...idempotentSteps(),
    ...fetchSteps(),
    ...sessionSteps(),
    ...offsetSteps(),
    ...deleteRecordsSteps(),
    ...directorySteps(),
  ]
}

function produceSteps(): Step[] {
  const stamped = ['logAppendTimeMs']
  return [
    ...PRODUCE_VERSIONS.flatMap(v => [
      produce(v, batch([`v${v}`, null, ''])),
      produce(v, batch([`v${v}`]), { acks: 1 }),
      produce(v, batch(['x']), { acks: 2 }, { about: 'no such acks' }),
      produce(v, batch(['x']), { index: 99 }, { about: 'no such partition' }),
      produce(v, batch(['x']), { topic: 'no-such-topic', topicId: UNKNOWN_ID }),
      produce(v, null, {}, { about: 'null records', on: `null-${v}`, wait: 300 }),
      { close: `null-${v}` },
      produce(v, Buffer.alloc(0), {}, { about: 'no records' }),
    ]),
    ...PRODUCE_VERSIONS.map(v => produce(v, Buffer.concat([batch(['x']), batch(['y'])]), {}, { about: 'two batches' })),
    ...[7, 8, 9, LATEST].flatMap(badBatches),
    produce(LATEST, batch(['x'], { compression: 'gzip' })),
    produce(LATEST, batch(['x'], { compression: 'snappy' })),
    produce(LATEST, batch(['x'], { compression: 'lz4' })),
    produce(6, batch(['x'], { compression: 'lz4' })),
    produce(LATEST, batch(['x']), { topic: 'compacted' }, { about: 'no key on a compacted topic' }),
    produce(8, batch(['x', 'y']), { topic: 'compacted' }, { about: 'no keys on a compacted topic' }),
    produce(7, batch(['x', 'y']), { topic: 'compacted' }),
    produce(LATEST, batch(['x'], {}, { key: Buffer.from('k') }), { topic: 'compacted' }),
    produce(LATEST, batch([null], {}, { key: Buffer.from('k') }), { topic: 'compacted' }, { about: 'a tombstone' }),
    produce(LATEST, batch(['x'.repeat(300)]), { topic: 'small' }, { about: 'too large' }),
    produce(LATEST, batch(['x'.repeat(30)]), { topic: 'small' }),
    produce(LATEST, batch(['x']), { topic: 'stamped' }, { ignore: stamped }),
    produce(3, batch(['x']), { topic: 'stamped' }, { ignore: stamped }),
    produce(LATEST, batch(['x'.repeat(500), 'y']), { topic: 'squeezed' }),
    produce(LATEST, batch(['x'.repeat(500), 'y'], { compression: 'gzip' }), { topic: 'loose' }),
    produce(
      LATEST,
      batch(['x'], {}, { timestamp: NOW - YEAR_MS }),
      { topic: 'dated' },
      { about: 'too old', ignore: ['errorMessage', 'batchIndexErrorMessage'] },
    ),
    produce(
      LATEST,
      batch(['x'], {}, { timestamp: NOW + YEAR_MS }),
      {},
      { about: 'too new', ignore: ['errorMessage', 'batchIndexErrorMessage'] },
    ),
    produce(LATEST, batch(['x'], {}, { timestamp: -1 })),
    produce(LATEST, batch(['x']), { topic: 'replicas' }, { about: 'not enough replicas' }),
    produce(LATEST, batch(['x']), { topic: 'replicas', acks: 1 }, { about: 'acks=1 does not care' }),
    produce(LATEST, batch(['x']), { topic: '__consumer_offsets' }, { about: 'an internal topic' }),
    produce(
      LATEST,
      batch(['x']),
      { acks: 0, topic: TOPIC },
      { nowait: true, on: 'zero', about: 'acks=0 has no answer' },
    ),
    ask('ApiVersions', 0, {}, { on: 'zero', ignore: ['/apiKeys'] }),
    produce(LATEST, batch(['x']), { acks: 0, index: 99 }, { nowait: true, on: 'zero', about: 'acks=0 with an error' }),
    { receive: 'zero', wait: 2000 },
    { close: 'zero' },
    ask('Produce', LATEST, { acks: -1, timeoutMs: 1000, topicData: [] }),
    ask('Produce', LATEST, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [
        {
          name: TOPIC,
          partitionData: [
            { index: 1, records: hex(batch(['good'])) },
            { index: 99, records: hex(batch(['bad'])) },
          ],
        },
      ],
    }),
  ]
}

/** Batches that Kafka's validation refuses, each in its own way. */
function badBatches(version: number): Step[] {
  const bad = (about: string, bytes: Uint8Array) => produce(version, bytes, {}, { about })
  const wrongCrc = Buffer.from(batch(['a']))
  wrongCrc[17] = wrongCrc[17]! ^ 0xff
  return [
    bad('a wrong checksum', wrongCrc),
    bad('half a batch', batch(['a']).subarray(0, 50)),
    bad('a batch and a half', Buffer.concat([batch(['a']), batch(['b']).subarray(0, 30)])),
    bad('garbage', Buffer.alloc(80, 0x5a)),
    bad('a few bytes', Buffer.from([1, 2, 3])),
    bad(
      'magic 1',
      changed(bytes => (bytes[16] = 1)),
    ),
    bad(
      'magic 3',
      changed(bytes => (bytes[16] = 3)),
    ),
    bad(
      'a base offset',
      changed(bytes => writeInt64(bytes, 0, 7)),
    ),
    bad(
      'more records than it says',
      changed(bytes => writeInt32(bytes, 57, 1)),
    ),
    bad(
      'fewer records than it says',
      changed(bytes => writeInt32(bytes, 57, 3)),
    ),
    bad(
      'a negative count',
      changed(bytes => writeInt32(bytes, 57, -1)),
    ),
    bad(
      'no records',
      changed(bytes => writeInt32(bytes, 57, 0)),
    ),
    bad(
      'a last offset that lies',
      changed(bytes => writeInt32(bytes, 23, 5)),
    ),
    bad(
      'a negative last offset',
      changed(bytes => writeInt32(bytes, 23, -1)),
    ),
    bad(
      'a control batch',
      changed(bytes => writeInt16(bytes, 21, readInt16(bytes, 21) | 0x20)),
    ),
    bad(
      'LogAppendTime by the client',
      changed(bytes => writeInt16(bytes, 21, readInt16(bytes, 21) | 0x08)),
    ),
    bad(
      'a codec nobody knows',
      changed(bytes => writeInt16(bytes, 21, 7)),
    ),
    bad(
      'gzip that is none',
      changed(bytes => writeInt16(bytes, 21, 1)),
    ),
    bad(
      'transactional without an id',
      batch(['a'], { isTransactional: true, producerId: 5, producerEpoch: 0, baseSequence: 0 }),
    ),
    bad(
      'a producer id without a sequence',
      changed(bytes => writeInt64(bytes, 43, 9)),
    ),
    bad(
      'a record that is too long',
      changed(bytes => (bytes[61] = 0x7e)),
    ),
  ]
}

function idempotentSteps(): Step[] {
  const sequence = (baseSequence: number, values: readonly string[] = ['i'], producerEpoch = 0) =>
    batch(values, { producerId: 4_000_000, producerEpoch, baseSequence })
  const send = (bytes: Uint8Array, about: string) => produce(LATEST, bytes, { index: 2 }, { about })
  return [
    ...inVersions(0, 5, v =>
      ask(
        'InitProducerId',
        v,
        { transactionalId: null, transactionTimeoutMs: 1000 },
        { ignore: ['producerId'], retry: { pointer: '/errorCode', until: 0 } },
      ),
    ),
    ...inVersions(3, 5, v =>
      ask(
        'InitProducerId',
        v,
        { transactionalId: null, transactionTimeoutMs: 1000, producerId: 7 },
        { ignore: ['producerId'] },
      ),
    ),
    send(sequence(0, ['a', 'b']), 'the first'),
    send(sequence(2), 'the next'),
    send(sequence(2), 'once more'),
    send(sequence(0, ['a', 'b']), 'the first once more'),
    send(sequence(5), 'a gap'),
    ...[3, 4, 5, 6, 7].map(n => send(sequence(n), 'and on')),
    send(sequence(0, ['a', 'b']), 'too old to be known'),
    send(sequence(0, ['x'], 2), 'a new epoch'),
    send(sequence(8), 'an old epoch'),
    send(sequence(5, ['x'], 3), 'a new epoch that does not begin at 0'),
    produce(7, sequence(8), { index: 2 }),
    ask('DescribeProducers', 0, { topics: [{ name: TOPIC, partitionIndexes: [2] }] }, { ignore: ['lastTimestamp'] }),
    ask('DescribeProducers', 0, { topics: [{ name: TOPIC, partitionIndexes: [0, 99] }] }),
    ask('DescribeProducers', 0, { topics: [{ name: 'no-such-topic', partitionIndexes: [0] }] }),
    ask('DescribeProducers', 0, { topics: [] }),
  ]
}

interface FetchOptions {
  readonly topic?: string
  readonly topicId?: string
  readonly partition?: number
  readonly fetchOffset?: number
  readonly more?: object
  readonly of?: object
}

function fetch(version: number, options: FetchOptions = {}, step: Step = {}): Step {
  const { topic = TOPIC, topicId = '$records', partition = 0, fetchOffset = 0, more = {}, of = {} } = options
  const name = version >= 13 ? { topicId } : { topic }
  return ask(
    'Fetch',
    version,
    {
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: 1_000_000,
      ...(version >= 7 ? { sessionEpoch: -1 } : {}),
      topics: [{ ...name, partitions: [{ partition, fetchOffset, partitionMaxBytes: 1_000_000, ...of }] }],
      ...more,
    },
    { ...step, ignore: ['nodeEndpoints', ...(step.ignore ?? [])] },
  )
}

function fetchSteps(): Step[] {
  return [
    ...inVersions(4, 18, v => fetch(v)),
    ...inVersions(4, 18, v => fetch(v, { fetchOffset: 1 }, { about: 'inside a batch' })),
    ...inVersions(4, 18, v => fetch(v, { fetchOffset: 1_000_000 }, { about: 'past the end' })),
    ...inVersions(4, 18, v => fetch(v, { fetchOffset: -5 }, { about: 'a negative offset' })),
    ...inVersions(4, 18, v => fetch(v, { partition: 99 })),
    ...inVersions(4, 18, v => fetch(v, { topic: 'no-such-topic', topicId: UNKNOWN_ID })),
    ...inVersions(4, 18, v => fetch(v, { more: { isolationLevel: 1 } }, { about: 'read committed' })),
    ...inVersions(9, 18, v => fetch(v, { of: { currentLeaderEpoch: 7 } }, { about: 'a later epoch' })),
    ...inVersions(9, 18, v => fetch(v, { of: { currentLeaderEpoch: 0 } }, { about: 'the epoch' })),
    ...inVersions(12, 18, v => fetch(v, { of: { lastFetchedEpoch: 0 }, fetchOffset: 2 })),
    ...inVersions(12, 18, v => fetch(v, { of: { lastFetchedEpoch: 3 }, fetchOffset: 2 }, { about: 'another history' })),
    fetch(11, { of: { partitionMaxBytes: 1 } }, { about: 'the first batch comes whole' }),
    fetch(11, { of: { partitionMaxBytes: 0 } }),
    fetch(11, { more: { maxBytes: 1 } }),
    fetch(11, { more: { maxBytes: 0 } }),
    fetch(11, { of: { partitionMaxBytes: 150 } }, { about: 'the tail is cut' }),
    fetch(11, { more: { rackId: 'somewhere' } }),
    ask('Fetch', 11, { maxWaitMs: 100, minBytes: 1, sessionEpoch: -1, topics: [] }),
    ask(
      'Fetch',
      11,
      {
        maxWaitMs: 100,
        minBytes: 1,
        sessionEpoch: -1,
        maxBytes: 1,
        topics: [
          {
            topic: TOPIC,
            partitions: [
              { partition: 2, fetchOffset: 0, partitionMaxBytes: 1000 },
              { partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 },
              { partition: 1, fetchOffset: 0, partitionMaxBytes: 1000 },
            ],
          },
        ],
      },
      { about: 'only the first that has something' },
    ),
    ...['compacted', 'squeezed', 'loose', 'dated'].map(topic =>
      fetch(11, { topic }, { ignore: topic === 'squeezed' ? ['records'] : [] }),
    ),
    fetch(11, { topic: 'stamped' }, { ignore: ['records'] }),
    fetch(4, { more: { replicaId: -2 } }, { about: 'a debugging consumer' }),
  ]
}

function sessionSteps(): Step[] {
  const full = (step: Step) =>
    fetch(11, { more: { sessionId: 0, sessionEpoch: 0 } }, { ...step, ignore: ['sessionId'] })
  const again = (sessionId: string | number, sessionEpoch: number, topics: readonly object[], step: Step = {}) =>
    ask(
      'Fetch',
      11,
      { maxWaitMs: 100, minBytes: 1, maxBytes: 1_000_000, sessionId, sessionEpoch, topics },
      { ...step, ignore: ['sessionId'] },
    )
  const at = (partition: number, fetchOffset: number) => ({ partition, fetchOffset, partitionMaxBytes: 100_000 })
  return [
    full({ save: { session: '/sessionId' } }),
    again('$session', 1, []),
    again('$session', 2, [{ topic: TOPIC, partitions: [at(0, 1_000_000)] }], { about: 'past the end' }),
    again('$session', 3, [{ topic: TOPIC, partitions: [at(1, 0)] }], { about: 'one more partition' }),
    again('$session', 9, [], { about: 'a wrong epoch' }),
    again('$session', 4, []),
    again(123_456_789, 1, [], { about: 'no such session' }),
    again('$session', -1, [{ topic: TOPIC, partitions: [at(0, 0)] }], { about: 'the end of the session' }),
    again('$session', 5, [], { about: 'ended' }),
    ask(
      'Fetch',
      7,
      { maxWaitMs: 100, minBytes: 1, sessionId: 0, sessionEpoch: 0, topics: [] },
      { ignore: ['sessionId'] },
    ),
    ask('Fetch', 13, { maxWaitMs: 100, minBytes: 1, sessionId: '$session', sessionEpoch: 1, topics: [] }),
  ]
}

function offsetSteps(): Step[] {
  const list = (version: number, timestamp: number, more: object = {}, step: Step = {}) =>
    ask(
      'ListOffsets',
      version,
      {
        replicaId: -1,
        topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, timestamp }] }],
        ...more,
      },
      step,
    )
  const epoch = (version: number, partition: number, leaderEpoch: number, more: object = {}) =>
    ask('OffsetForLeaderEpoch', version, {
      topics: [{ topic: TOPIC, partitions: [{ partition, leaderEpoch, ...more }] }],
    })
  return [
    ...inVersions(1, 11, v => [-1, -2, -3, -4, -5, -6, -7].map(time => list(v, time))),
    ...inVersions(1, 11, v => [0, NOW, NOW + 10 * YEAR_MS].map(time => list(v, time))),
    ...inVersions(2, 11, v => list(v, -1, { isolationLevel: 1 })),
    ...inVersions(1, 11, v =>
      list(v, -1, { topics: [{ name: 'no-such-topic', partitions: [{ partitionIndex: 0, timestamp: -1 }] }] }),
    ),
    ...inVersions(4, 11, v =>
      list(v, -1, {
        topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, timestamp: -1, currentLeaderEpoch: 9 }] }],
      }),
    ),
    list(
      5,
      -1,
      {
        topics: [
          {
            name: TOPIC,
            partitions: [
              { partitionIndex: 0, timestamp: -1 },
              { partitionIndex: 0, timestamp: -2 },
            ],
          },
        ],
      },
      { about: 'twice' },
    ),
    list(5, -1, { topics: [] }),
    list(5, -1, { replicaId: -2 }),
    ...inVersions(2, 4, v => [-1, 0, 5].map(of => epoch(v, 0, of))),
    ...inVersions(2, 4, v => epoch(v, 99, 0)),
    ...inVersions(2, 4, v => epoch(v, 0, 0, { currentLeaderEpoch: 7 })),
    ask('OffsetForLeaderEpoch', 4, {
      topics: [{ topic: 'no-such-topic', partitions: [{ partition: 0, leaderEpoch: 0 }] }],
    }),
    ask('OffsetForLeaderEpoch', 4, { topics: [] }),
  ]
}

function deleteRecordsSteps(): Step[] {
  const remove = (version: number, offset: number, partitionIndex = 0, name = TOPIC) =>
    ask('DeleteRecords', version, { timeoutMs: 10_000, topics: [{ name, partitions: [{ partitionIndex, offset }] }] })
  return [
    ...inVersions(0, 2, v => remove(v, v + 1)),
    ...inVersions(0, 2, v => remove(v, 1_000_000)),
    ...inVersions(0, 2, v => remove(v, -2)),
    remove(2, 0),
    remove(2, 1, 99),
    remove(2, 1, 0, 'no-such-topic'),
    remove(2, 1, 0, 'compacted'),
    remove(2, 1, 0, '__consumer_offsets'),
    fetch(11, { fetchOffset: 0 }, { about: 'below the start' }),
    fetch(11, { fetchOffset: 3 }),
    ask('ListOffsets', 5, { topics: [{ name: TOPIC, partitions: [{ partitionIndex: 0, timestamp: -2 }] }] }),
    remove(2, -1),
    fetch(11, { fetchOffset: 3 }, { about: 'everything is deleted' }),
    produce(LATEST, batch(['after'])),
    ask('DeleteRecords', 2, { timeoutMs: 10_000, topics: [] }),
  ]
}

function directorySteps(): Step[] {
  const ignore = ['logDir', 'totalBytes', 'usableBytes', 'partitionSize']
  const move = (version: number, path: string, topic: string, partition: number) =>
    ask('AlterReplicaLogDirs', version, { dirs: [{ path, topics: [{ name: topic, partitions: [partition] }] }] })
  return [
    ...inVersions(1, 5, v => ask('DescribeLogDirs', v, { topics: [{ topic: TOPIC, partitions: [0] }] }, { ignore })),
    ...inVersions(1, 5, v =>
      ask('DescribeLogDirs', v, { topics: [{ topic: 'no-such-topic', partitions: [0] }] }, { ignore }),
    ),
    ...inVersions(1, 5, v => ask('DescribeLogDirs', v, { topics: [] }, { ignore })),
    ...inVersions(1, 2, v => move(v, '/no/such/directory', TOPIC, 0)),
    move(2, '/no/such/directory', 'no-such-topic', 0),
    ask('AlterReplicaLogDirs', 2, { dirs: [] }),
  ]
}
