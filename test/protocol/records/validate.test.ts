import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import * as batch from '#protocol/records/batch.js'
import { type BatchOptions, buildBatch, type NewRecord, writeVarint } from '#protocol/records/build.js'
import { type CompressionType, compress, compressionCodeOf, loadCompression } from '#protocol/records/compression.js'
import { buildEndTransactionMarker } from '#protocol/records/control.js'
import { InvalidRecordError, type InvalidRecordKind } from '#protocol/records/error.js'
import { describeBatch, readRecords } from '#protocol/records/reader.js'
import {
  type AppendPolicy,
  checkProduceRecords,
  newValidatedBatch,
  type ValidatedBatch,
  validateBatch,
} from '#protocol/records/validate.js'

await loadCompression('zstd')

const now = 1_700_000_000_000

const defaults: AppendPolicy = {
  messageBytesMax: 1_048_588,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number('9223372036854775807'),
  timestampAfterMaxMs: 3_600_000,
  isCompacted: false,
  compression: 'producer',
  recordBytesMax: 2_147_483_639,
  inflatedBytesMax: 100_000_000,
}
const context = { topicPartition: 't-0', nowMs: now, isFromClient: true }

/** Does with the records of a Produce request what the leader does. */
function append(bytes: Buffer, policy: Partial<AppendPolicy> = {}, version = 9): ValidatedBatch {
  const into = newValidatedBatch()
  checkProduceRecords(bytes, 0, bytes.length, version)
  validateBatch(bytes, 0, { ...defaults, ...policy }, context, into)
  return into
}

function refusal(action: () => unknown): InvalidRecordError {
  try {
    action()
  } catch (error) {
    if (error instanceof InvalidRecordError) return error
    throw error
  }
  return assert.fail('it was accepted')
}

function records(count: number, key: string | null = 'k', valueBytes = 5): NewRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    timestamp: now + index,
    key: key === null ? null : Buffer.from(`${key}${index}`),
    value: Buffer.from('v'.repeat(valueBytes)),
  }))
}

const three = (options: Partial<BatchOptions> = {}) => buildBatch({ records: records(3), ...options })

function changed(bytes: Buffer, change: (copy: Buffer) => void, isCrcRenewed = true): Buffer {
  const copy = Buffer.from(bytes)
  change(copy)
  if (isCrcRenewed) batch.stampCrc(copy, 0)
  return copy
}

function varint(value: number): number[] {
  const bytes = Buffer.alloc(10)
  return [...bytes.subarray(0, writeVarint(bytes, 0, value))]
}

/** The bytes of a record; its length may be made to lie. */
function raw(timestampDelta: number, offsetDelta: number, content: number[], lie = 0): number[] {
  const body = [0, ...varint(timestampDelta), ...varint(offsetDelta), ...content]
  return [...varint(body.length + lie), ...body]
}

const content = [2, 0x61, 2, 0x62, 0]

/** A batch of `count` records around the bytes that are given for them. */
function around(
  plain: number[],
  count: number,
  type: CompressionType = 'none',
  damage = (bytes: Buffer) => bytes,
): Buffer {
  const area = damage(compress(type, Buffer.from(plain)))
  const bytes = Buffer.concat([buildBatch({ records: records(1) }).subarray(0, 61), area])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes[22] = compressionCodeOf(type)
  bytes.writeInt32BE(count - 1, 23)
  bytes.writeInt32BE(count, 57)
  batch.stampCrc(bytes, 0)
  return bytes
}

const sound = [...raw(0, 0, content), ...raw(5, 1, content), ...raw(0, 2, content)]

/** What Apache Kafka 4.4 answered to each of these Produce requests; null is acceptance. */
const answers: [string, Buffer, InvalidRecordKind | null, RegExp?][] = [
  ['a sound batch', three(), null],
  ['a wrong checksum', changed(three(), bytes => (bytes[70] = 0), false), 'CORRUPT_MESSAGE', /stored crc = \d+/],
  ['nothing', Buffer.alloc(0), 'INVALID_RECORD', /at least one record batch/],
  ['five bytes', Buffer.alloc(5), 'INVALID_RECORD', /at least one record batch/],
  ['a cut batch', three().subarray(0, -1), 'INVALID_RECORD', /at least one record batch/],
  ['five bytes of junk behind', Buffer.concat([three(), Buffer.from('junk!')]), null],
  ['zeros behind', Buffer.concat([three(), Buffer.alloc(30)]), 'CORRUPT_MESSAGE', /Record size 0/],
  ['a cut batch behind', Buffer.concat([three(), three().subarray(0, -5)]), null],
  ['two batches', Buffer.concat([three(), three()]), 'INVALID_RECORD', /exactly one record batch/],
  ['magic 1', changed(three(), bytes => (bytes[16] = 1), false), 'INVALID_RECORD', /magic version 2/],
  ['magic 3', changed(three(), bytes => (bytes[16] = 3), false), 'CORRUPT_MESSAGE', /Invalid magic found in record: 3/],
  ['length 13', changed(three(), bytes => bytes.writeInt32BE(13, 8), false), 'CORRUPT_MESSAGE', /Record size 13/],
  ['length 20', changed(three(), bytes => bytes.writeInt32BE(20, 8), false), 'CORRUPT_MESSAGE'],
  ['base offset 5', three({ baseOffset: 5 }), 'INVALID_RECORD', /append to t-0 should be 0, but it is 5/],
  ['count 0', changed(three(), bytes => bytes.writeInt32BE(0, 57)), 'INVALID_RECORD', /reported count .* 0/],
  ['count 2 of 3', changed(three(), bytes => bytes.writeInt32BE(2, 57)), 'INVALID_RECORD', /\[0, 2\] and count .* 2/],
  ['last delta -1', changed(three(), bytes => bytes.writeInt32BE(-1, 23)), 'INVALID_RECORD', /range: \[0, -1\]/],
  ['three said to be two', around(sound, 2), 'INVALID_RECORD', /records still remaining/],
  ['three said to be four', around(sound, 4), 'INVALID_RECORD', /premature EOF/],
  ['no bytes for a record', around([], 1), 'INVALID_RECORD', /premature EOF/],
  ['a record longer than the batch', around(raw(0, 0, content, 9), 1), 'INVALID_RECORD', /remaining bytes/],
  ['a record with a byte too many', around([...raw(0, 0, content, 1), 0], 1), 'INVALID_RECORD', /expected to read 9/],
  ['a record with a byte too few', around(raw(0, 0, content, -1), 1), 'INVALID_RECORD', /expected to read 7/],
  ['a negative length', around([3, ...raw(0, 0, content).slice(1)], 1), 'INVALID_RECORD', /expected to read -2/],
  ['a key beyond the batch', around(raw(0, 0, [...varint(1000), 1, 2, 3]), 1), 'INVALID_RECORD', /record structure/],
  ['a varlong of eleven bytes', around([30, 0, ...Array(10).fill(255), 1, 0, 1, 1, 0], 1), 'INVALID_RECORD'],
  ['-1 headers', around(raw(0, 0, [1, 1, 1]), 1), 'INVALID_RECORD', /number of record headers -1/],
  ['25 headers in no bytes', around(raw(0, 0, [1, 1, 50]), 1), 'INVALID_RECORD', /25 is larger than the remaining/],
  ['a header without key', around(raw(0, 0, [1, 1, 2, 1, 0]), 1), 'INVALID_RECORD', /negative header key size -1/],
  ['null lengths of -2', around(raw(0, 0, [3, 3, 0]), 1), null],
  ['a control batch', three({ isControl: true }), 'INVALID_RECORD', /not allowed to write control records/],
  ['a producer without sequence', three({ producerId: 5 }), 'INVALID_RECORD', /sequence number -1 .* producerId 5/],
  ['producer -7', three({ producerId: -7, producerEpoch: 0, baseSequence: 0 }), null],
  ['a sequence without producer', three({ baseSequence: 5 }), null],
  [
    'a time in the far future',
    buildBatch({ records: [{ ...records(1)[0]!, timestamp: now + 1e9 }] }),
    'INVALID_TIMESTAMP',
  ],
  ['a time before 1970', buildBatch({ records: [{ ...records(1)[0]!, timestamp: -5 }] }), null],
  ['the time of the append, in range', three({ logAppendTimeMs: now }), null],
  ['the time of the append, none', three({ logAppendTimeMs: -1 }), 'INVALID_TIMESTAMP', /invalid timestamp/],
  ['codec 5', changed(three(), bytes => (bytes[22] = 5)), 'UNKNOWN_SERVER_ERROR', /type id: 5/],
  ['attributes that mean nothing', changed(three(), bytes => bytes.writeUInt16BE(0xff80, 21)), null],
  ['two gzip members', around(sound, 3, 'gzip', () => twice(gzipSync)), null],
  ['two zstd frames', around(sound, 3, 'zstd', () => twice(half => compress('zstd', half))), null],
  ['two snappy streams', around(sound, 3, 'snappy', () => twice(half => compress('snappy', half))), null],
  ['snappy without stream', around(sound, 3, 'snappy', bytes => bytes.subarray(20)), null],
]

function twice(deflate: (half: Buffer) => Buffer): Buffer {
  const bytes = Buffer.from(sound)
  return Buffer.concat([deflate(bytes.subarray(0, 5)), deflate(bytes.subarray(5))])
}

for (const type of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
  const garbage = () => Buffer.from('this is garbage and nothing else, certainly no codec')
  answers.push(
    [`${type}`, around(sound, 3, type), null],
    [`${type}, three said to be two`, around(sound, 2, type), 'INVALID_RECORD'],
    [`${type}, three said to be four`, around(sound, 4, type), 'INVALID_RECORD'],
    [`${type} that is garbage`, around(sound, 3, type, garbage), 'UNKNOWN_SERVER_ERROR'],
    [`${type} that is cut`, around(sound, 3, type, bytes => bytes.subarray(0, -3)), 'UNKNOWN_SERVER_ERROR'],
    [`${type} of a key beyond the batch`, around(raw(0, 0, [...varint(1000), 1, 2, 3]), 1, type), 'INVALID_RECORD'],
    [`${type} of -1 headers`, around(raw(0, 0, [1, 1, 1]), 1, type), 'INVALID_RECORD'],
    [`${type} of a byte too many`, around([...raw(0, 0, content, 1), 0], 1, type), 'INVALID_RECORD'],
    [
      `${type} of offsets 0, 0`,
      around([...raw(0, 0, content), ...raw(0, 0, content)], 2, type),
      'UNKNOWN_SERVER_ERROR',
    ],
  )
}

test(`${answers.length} batches, good and bad, are answered as Kafka answers them`, () => {
  for (const [name, bytes, kind, pattern] of answers) {
    if (kind === null) {
      assert.equal(append(bytes).recordsCount, batch.recordsCount(bytes, 0), name)
      continue
    }
    const error = refusal(() => append(bytes))
    assert.equal(error.kind, kind, `${name}: ${error.message}`)
    if (pattern) assert.match(error.message, pattern, name)
  }
})

test('a record of a compressed batch that is shorter than it is said to be is refused, though Kafka stores it', () => {
  for (const type of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    assert.equal(refusal(() => append(around(raw(0, 0, content, -1), 1, type))).kind, 'INVALID_RECORD')
  }
})

test('a sound batch stays where it is and as it is', () => {
  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const bytes = three({ compression, producerId: 5, producerEpoch: 1, baseSequence: 0 })
    const buffer = Buffer.concat([Buffer.alloc(9), bytes, Buffer.alloc(9)])
    const into = newValidatedBatch()
    validateBatch(buffer, 9, defaults, context, into)
    assert.equal(into.buffer, buffer)
    assert.deepEqual(buffer.subarray(9, 9 + bytes.length), bytes)
    const { position, sizeInBytes, recordsCount, maxTimestamp, offsetDeltaOfMaxTimestamp, logAppendTimeMs } = into
    assert.deepEqual(
      [position, sizeInBytes, recordsCount, maxTimestamp, offsetDeltaOfMaxTimestamp, logAppendTimeMs, into.isRewritten],
      [9, bytes.length, 3, now + 2, 2, -1, false],
    )
  }
})

test('a greatest time that lies is put right', () => {
  const bytes = three({ maxTimestamp: now + 1e12 })
  assert.equal(append(bytes).maxTimestamp, now + 2)
  assert.deepEqual(bytes, three())
  const old = buildBatch({ records: [{ timestamp: -5, key: null, value: null }], maxTimestamp: -5 })
  assert.equal(append(old).maxTimestamp, -1, 'times before 1970 count as none')
  assert.equal(batch.maxTimestamp(old, 0), -1)
  assert.ok(batch.hasValidCrc(old, 0))
})

test('a topic with the time of the append stamps it, in place or anew, and takes no such stamp from others', () => {
  const policy = { timestampType: 'LogAppendTime' as const, timestampAfterMaxMs: 0, timestampBeforeMaxMs: 0 }
  for (const compression of ['producer', 'zstd'] as const) {
    const bytes = three()
    const into = append(bytes, { ...policy, compression })
    assert.equal(into.isRewritten, compression === 'zstd')
    assert.equal(into.logAppendTimeMs, now)
    assert.equal(into.maxTimestamp, now)
    assert.ok(batch.hasValidCrc(into.buffer, into.position))
    assert.deepEqual(
      [...readRecords(into.buffer, into.position)].map(({ timestamp }) => timestamp),
      [now, now, now],
    )
    assert.equal(batch.baseTimestamp(into.buffer, into.position), now, 'which leaves the deltas alone')
  }
  const error = refusal(() => append(three({ logAppendTimeMs: now }), policy))
  assert.equal(error.kind, 'INVALID_TIMESTAMP')
  assert.equal(error.recordErrors.length, 3)
  const record = `DefaultRecord(offset=0, timestamp=${now}, key=2 bytes, value=5 bytes)`
  const text = `Invalid timestamp type in message ${record}. Producer should not set timestamp type to LogAppendTime.`
  assert.equal(error.recordErrors[0]?.message, text)
})

test('a stamp of the append on a topic with the times of producers is taken for their time', () => {
  const bytes = three({ logAppendTimeMs: now + 7 })
  const into = append(bytes)
  assert.equal(into.maxTimestamp, now + 7)
  const described = describeBatch(bytes, 0)
  assert.deepEqual([described.timestampType, described.maxTimestamp, described.isValid], ['CreateTime', now + 7, true])
})

test('records without key on a compacted topic are named, all of them, three in the text', () => {
  const keys = ['a', null, 'b', null, null, null]
  const bytes = buildBatch({
    records: keys.map(key => ({ timestamp: now, key: key === null ? null : Buffer.from(key), value: null })),
  })
  append(Buffer.from(bytes))
  const error = refusal(() => append(bytes, { isCompacted: true }))
  assert.equal(error.kind, 'INVALID_RECORD')
  const message = 'Compacted topic cannot accept message without key in topic partition t-0'
  assert.deepEqual(
    error.recordErrors,
    [1, 3, 4, 5].map(batchIndex => ({ batchIndex, message })),
  )
  const shown = [1, 3, 4].map(index => `RecordError(batchIndex=${index}, message='${message}')`).join(', ')
  assert.equal(
    error.message,
    'One or more records have been rejected due to 4 record errors in total, and only showing the first three errors ' +
      `at most: [${shown}]`,
  )
  append(buildBatch({ records: records(3, '') }), { isCompacted: true })
})

test('the list of refused records does not grow without bound', () => {
  const error = refusal(() => append(buildBatch({ records: records(20_000, null, 0) }), { isCompacted: true }))
  assert.equal(error.recordErrors.length, 10_000)
  assert.match(error.message, /due to 20000 record errors in total/)
})

test('times out of bounds are named with the bounds, and a record without time is never to blame', () => {
  const at = (timestamp: number) => ({ timestamp, key: null, value: null })
  const policy = { timestampBeforeMaxMs: 1000, timestampAfterMaxMs: 2000 }
  const bytes = buildBatch({ records: [at(now - 1000), at(now - 1001), at(-1), at(now + 2000), at(now + 2001)] })
  const error = refusal(() => append(bytes, policy))
  assert.equal(error.kind, 'INVALID_TIMESTAMP')
  assert.equal(error.message, 'One or more records have been rejected due to invalid timestamp')
  const within = `The timestamp should be within [${now - 1000}, ${now + 2000}]`
  assert.deepEqual(error.recordErrors, [
    { batchIndex: 1, message: `Timestamp ${now - 1001} of message with offset 1 is out of range. ${within}` },
    { batchIndex: 4, message: `Timestamp ${now + 2001} of message with offset 4 is out of range. ${within}` },
  ])
  append(buildBatch({ records: [at(now - 1000), at(-1), at(now + 2000)] }), policy)
  append(buildBatch({ records: [at(-1)] }), policy)
  const unbounded = refusal(() => append(buildBatch({ records: [at(now + 1e10)] })))
  const bounds = `[${BigInt(now) - 9223372036854775807n}, ${now + 3_600_000}]`
  assert.ok(unbounded.recordErrors[0]?.message.endsWith(bounds), 'unbounded as Kafka prints it')
})

test('a topic that asks for another codec gets it, and nothing else changes', () => {
  const targets = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
  const headers = [{ key: 'h', value: Buffer.from('x') }]
  const options = { producerId: 77, producerEpoch: 3, baseSequence: 9, isTransactional: true }
  for (const source of targets) {
    for (const compression of targets) {
      const bytes = buildBatch({
        records: records(50).map(record => ({ ...record, headers })),
        compression: source,
        ...options,
      })
      const before = [...readRecords(bytes, 0)]
      const into = append(bytes, { compression, compressionLevel: 1 })
      assert.equal(into.isRewritten, source !== compression)
      const described = describeBatch(into.buffer, into.position)
      assert.equal(described.compressionType, compression)
      assert.ok(described.isValid)
      assert.deepEqual([...readRecords(into.buffer, into.position)], before)
      const { producerId, producerEpoch, baseSequence, isTransactional, recordsCount } = described
      assert.deepEqual({ producerId, producerEpoch, baseSequence, isTransactional }, options)
      assert.equal(recordsCount, 50)
      if (compression === 'none')
        assert.deepEqual(
          into.buffer,
          buildBatch({ records: records(50).map(record => ({ ...record, headers })), ...options }),
        )
    }
  }
})

test('times and producers that cannot be are refused where the batch is written anew', () => {
  const gzip = { compression: 'gzip' } as const
  const early = changed(three(), bytes => bytes.writeBigInt64BE(-5n, 27))
  const producer = (producerId: number, producerEpoch: number, baseSequence: number) =>
    changed(three(), bytes => {
      bytes.writeBigInt64BE(BigInt(producerId), 43)
      bytes.writeInt16BE(producerEpoch, 51)
      bytes.writeInt32BE(baseSequence, 53)
    })
  const cases: readonly (readonly [Buffer, RegExp])[] = [
    [early, /Invalid negative timestamp -5/],
    [producer(-2, -1, -1), /Invalid negative producer epoch/],
  ]
  for (const [bytes, message] of cases) {
    assert.equal(append(Buffer.from(bytes)).isRewritten, false)
    const error = refusal(() => append(Buffer.from(bytes), gzip))
    assert.equal(error.kind, 'UNKNOWN_SERVER_ERROR')
    assert.match(error.message, message)
  }
  assert.equal(append(producer(9, 0, 0), gzip).isRewritten, true)
})

test('a batch that recompression makes too large is refused', () => {
  const bytes = buildBatch({ records: records(100, 'k', 100), compression: 'gzip' })
  const error = refusal(() => append(bytes, { compression: 'none', messageBytesMax: 2000 }))
  assert.equal(error.kind, 'MESSAGE_TOO_LARGE')
  assert.match(
    error.message,
    /Message batch size is \d+ bytes in append to partition t-0 which exceeds .* size of 2000\./,
  )
  const early = refusal(() => append(Buffer.from(bytes), { messageBytesMax: bytes.length - 1 }))
  assert.equal(early.kind, 'MESSAGE_TOO_LARGE')
  assert.match(early.message, /The record batch size in the append to t-0 is \d+ bytes which exceeds the maximum conf/)
})

test('offsets that do not count from 0 are made to, unless the batch is compressed already', () => {
  for (const deltas of [
    [0, 0, 0],
    [0, 5, 9],
    [2, 1, 0],
    [-1, 0, 1],
  ]) {
    const plain = deltas.flatMap((delta, index) => raw(index * 3 + 4, delta, content))
    for (const compression of ['producer', 'gzip'] as const) {
      const into = append(around(plain, 3), { compression })
      const read = [...readRecords(into.buffer, into.position)]
      assert.deepEqual(
        read.map(({ offset }) => offset),
        [0, 1, 2],
      )
      assert.deepEqual(
        read.map(({ timestamp }) => timestamp),
        [now + 4, now + 7, now + 10],
      )
      assert.equal(into.isRewritten, true)
      assert.ok(batch.hasValidCrc(into.buffer, into.position))
    }
    assert.equal(refusal(() => append(around(plain, 3, 'gzip'))).kind, 'UNKNOWN_SERVER_ERROR')
  }
})

test('limits on what is inflated hold: of one record, of the whole batch', () => {
  const bytes = buildBatch({ records: records(10, 'k', 1000), compression: 'lz4' })
  append(Buffer.from(bytes), { recordBytesMax: 1020, inflatedBytesMax: 20_000 })
  const one = refusal(() => append(Buffer.from(bytes), { recordBytesMax: 1000 }))
  assert.equal(one.kind, 'INVALID_RECORD')
  assert.match(one.message, /exceeds the configured maximum record size of 1000/)
  assert.equal(refusal(() => append(Buffer.from(bytes), { inflatedBytesMax: 5000 })).kind, 'MESSAGE_TOO_LARGE')
  append(buildBatch({ records: records(1, 'k', 1000) }), { recordBytesMax: 10 })
})

test('zstd needs a Produce request of version 7', () => {
  const bytes = three({ compression: 'zstd' })
  const error = refusal(() => append(bytes, {}, 6))
  assert.equal(error.kind, 'UNSUPPORTED_COMPRESSION_TYPE')
  assert.equal(error.message, 'Produce requests with version 6 are not allowed to use ZStandard compression')
  append(bytes, {}, 7)
})

test('what the broker itself appends may be a marker, and is not compressed', () => {
  const marker = buildEndTransactionMarker({
    type: 'ABORT',
    coordinatorEpoch: 1,
    producerId: 5,
    producerEpoch: 0,
    timestamp: now,
  })
  const into = newValidatedBatch()
  validateBatch(marker, 0, { ...defaults, compression: 'gzip' }, { ...context, isFromClient: false }, into)
  assert.equal(into.buffer, marker)
  assert.equal(into.isRewritten, false)
})
