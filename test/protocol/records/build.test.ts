import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as batch from '#protocol/records/batch.js'
import {
  type BatchOptions,
  buildBatch,
  copyRecords,
  type NewRecord,
  varintBytes,
  writeVarint,
} from '#protocol/records/build.js'
import { compressionTypes, loadCompression } from '#protocol/records/compression.js'
import { describeBatch, openRecords, readRecords, type StoredRecord } from '#protocol/records/reader.js'
import { readRecord, recordCursor } from '#protocol/records/record.js'
import { SeededRandom } from '../../support/random.js'

await loadCompression('zstd')

function randomBytes(random: SeededRandom): Buffer | null {
  const kind = random.below(8)
  if (kind === 0) return null
  if (kind === 1) return Buffer.alloc(0)
  if (kind === 2) return Buffer.alloc(random.below(5000), random.below(256))
  return random.bytes(random.below(kind === 3 ? 3000 : 60))
}

function randomRecord(random: SeededRandom, timestamp: number): NewRecord {
  const headers = Array.from({ length: random.below(3) === 0 ? random.below(4) : 0 }, () => ({
    key: random.pick(['', 'a', 'größe', '鍵', 'x'.repeat(100)]),
    value: randomBytes(random),
  }))
  return { timestamp, key: randomBytes(random), value: randomBytes(random), headers }
}

const hex = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('hex'))

function textOf({ offset, timestamp, sequence, key, value, headers }: StoredRecord): string {
  const pairs = headers.map(header => [header.key, hex(header.value)])
  return JSON.stringify({ offset, timestamp, sequence, key: hex(key), value: hex(value), pairs })
}

test('random batches of every codec read back as they were written', t => {
  const random = new SeededRandom(Number(process.env.SEED ?? 31_001))
  t.diagnostic(`SEED=${random.seed}`)
  for (let round = 0; round < 300; round++) {
    const start = random.pick([-1, 0, 1_700_000_000_000, 2 ** 52])
    const options: BatchOptions = {
      records: Array.from({ length: random.below(30) }, () => randomRecord(random, start + random.below(2 ** 31))),
      baseOffset: random.pick([0, 1, 2 ** 40]),
      partitionLeaderEpoch: random.below(100) - 1,
      compression: random.pick(compressionTypes),
      producerId: random.pick([-1, 0, 2 ** 45]),
      baseSequence: random.pick([-1, 0, 0x7fff_fff0]),
      isTransactional: random.below(2) === 1,
      logAppendTimeMs: random.pick([null, 1_750_000_000_000]),
    }
    const bytes = buildBatch(options)
    assert.equal(batch.batchSizeAt(bytes, 0, bytes.length), bytes.length)
    assert.ok(batch.hasValidCrc(bytes, 0))
    const expected = options.records.map((record, index) => ({
      ...record,
      offset: options.baseOffset! + index,
      timestamp: options.logAppendTimeMs ?? record.timestamp,
      sequence: options.baseSequence! < 0 ? -1 : batch.incrementSequence(options.baseSequence!, index),
      headers: record.headers ?? [],
    }))
    const read = [...readRecords(bytes, 0)]
    assert.equal(read.length, expected.length)
    for (const [index, record] of read.entries())
      assert.equal(textOf(record), textOf(expected[index]!), `round ${round}`)
  }
})

test('varints are zigzag and as short as can be, also beyond 32 bits', () => {
  const buffer = Buffer.alloc(80)
  const expected: [number, string][] = [
    [0, '00'],
    [-1, '01'],
    [1, '02'],
    [63, '7e'],
    [-64, '7f'],
    [64, '8001'],
    [0x7fff_ffff, 'feffffff0f'],
    [-0x8000_0000, 'ffffffff0f'],
    [2 ** 40, '808080808040'],
    [Number.MAX_SAFE_INTEGER, 'feffffffffffff1f'],
  ]
  for (const [value, hex] of expected) {
    assert.equal(buffer.toString('hex', 0, writeVarint(buffer, 0, value)), hex)
    assert.equal(varintBytes(value), hex.length / 2)
  }
})

test('times far apart and offsets with gaps survive', () => {
  const records = [
    { timestamp: 0, key: null, value: null, offset: 10 },
    { timestamp: 8_000_000_000_000_000, key: null, value: null, offset: 12 },
    { timestamp: -8_000_000_000, key: null, value: null, offset: 2_000_000_000 },
  ]
  const bytes = buildBatch({ records, baseOffset: 8, lastOffset: 2_000_000_005 })
  assert.deepEqual(
    [...readRecords(bytes, 0)].map(({ offset, timestamp }) => ({ offset, timestamp })),
    records.map(({ offset, timestamp }) => ({ offset, timestamp })),
  )
  assert.equal(batch.lastOffset(bytes, 0), 2_000_000_005)
  assert.equal(batch.maxTimestamp(bytes, 0), 8_000_000_000_000_000)
})

test('a batch cannot be built with offsets that fall back or do not fit', () => {
  const record = { timestamp: 0, key: null, value: null }
  assert.throws(
    () =>
      buildBatch({
        records: [
          { ...record, offset: 3 },
          { ...record, offset: 3 },
        ],
      }),
    /not after 3/,
  )
  assert.throws(() => buildBatch({ records: [{ ...record, offset: 2 ** 31 }] }), /cannot reach/)
})

test('the facts about sizes hold: 61 bytes without records, 68 with the smallest one', () => {
  const empty = buildBatch({ records: [], baseOffset: 100, lastOffset: 109, maxTimestamp: 5, producerId: 99 })
  assert.equal(empty.length, 61)
  const described = describeBatch(empty, 0)
  assert.deepEqual([described.baseOffset, described.lastOffset, described.recordsCount], [100, 109, 0])
  assert.equal(batch.baseTimestamp(empty, 0), -1)
  assert.deepEqual([...readRecords(empty, 0)], [])
  const smallest = buildBatch({ records: [{ timestamp: 5, key: null, value: Buffer.alloc(0) }] })
  assert.equal(smallest.length, 68)
  assert.equal(smallest.toString('hex', 61), '0c000000010000')
})

test('an empty batch may name a codec: there is nothing to inflate', () => {
  const bytes = buildBatch({ records: [], lastOffset: 3, compression: 'lz4' })
  assert.equal(bytes.length, 61)
  assert.deepEqual([...readRecords(bytes, 0)], [])
})

test('a tombstone with a delete horizon keeps its time', () => {
  const record = { timestamp: 1_700_000_000_000, key: Buffer.from('gone'), value: null, offset: 5 }
  const bytes = buildBatch({ records: [record], baseOffset: 5, deleteHorizonMs: 1_700_000_123_456 })
  assert.equal(batch.deleteHorizonMs(bytes, 0), 1_700_000_123_456)
  assert.equal([...readRecords(bytes, 0)][0]?.timestamp, 1_700_000_000_000)
})

test('records are copied into another batch with other deltas, their content untouched', () => {
  const headers = [{ key: 'h', value: Buffer.from('1') }]
  const records = Array.from({ length: 100 }, (_, index) => ({
    timestamp: 1000 + index,
    key: Buffer.from(`key-${index}`),
    value: index % 3 === 0 ? null : Buffer.alloc(index * 7, index),
    headers,
  }))
  const bytes = buildBatch({ records, baseOffset: 50, compression: 'snappy' })
  const cursor = recordCursor(bytes, 0, 0)
  openRecords(cursor, bytes, 0, 1_000_000, false)
  const copier = copyRecords(10)
  for (let index = 0; index < records.length; index++) {
    readRecord(cursor)
    if (index % 2 === 1) copier.append(cursor, cursor.timestampDelta - 500, cursor.offsetDelta)
  }
  assert.equal(copier.count, 50)
  const copied = copier.finish({ baseOffset: 50, lastOffset: 149, baseTimestamp: 1500, maxTimestamp: 1099 })
  const expected = buildBatch({
    records: records.map((record, index) => ({ ...record, offset: 50 + index })).filter((_, index) => index % 2 === 1),
    baseOffset: 50,
  })
  assert.deepEqual([...readRecords(copied, 0)], [...readRecords(expected, 0)])
})
