import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import * as batch from '#protocol/records/batch.js'
import { InvalidRecordError } from '#protocol/records/error.js'
import { describeBatch, readRecords } from '#protocol/records/reader.js'
import { checkProduceRecords, newValidatedBatch, validateBatch } from '#protocol/records/validate.js'
import { SeededRandom } from '../../support/random.js'
import { checkRecordVector, type RecordVector } from '../../support/record-vectors.js'

const file = new URL('../../../../test/vectors/records.jsonl.gz', import.meta.url)
const vectors: RecordVector[] = gunzipSync(readFileSync(file))
  .toString('utf8')
  .split('\n')
  .filter(line => line !== '')
  .map(line => JSON.parse(line))

test(`all ${vectors.length} vectors of Kafka read the same, and uncompressed ones are written again byte for byte`, () => {
  assert.ok(vectors.length >= 86)
  for (const vector of vectors) assert.equal(checkRecordVector(vector), null, vector.name)
})

test('the check of vectors notices a difference in every part', () => {
  const vector = vectors.find(({ name }) => name === 'v2 none 20x40 kind 1')!
  const changed = (
    change: (copy: { batches: { [name: string]: unknown; records: object[] }[]; hex: string }) => void,
  ) => {
    const copy = structuredClone(vector) as never
    change(copy)
    return checkRecordVector(copy)
  }
  assert.match(changed(({ batches }) => (batches[0]!.producerId = 1))!, /header/)
  assert.match(changed(({ batches }) => batches[0]!.records.pop())!, /number of records/)
  assert.match(changed(({ batches }) => Object.assign(batches[0]!.records[3]!, { key: 'AA==' }))!, /record 3/)
  assert.match(changed(({ batches }) => batches.pop())!, /batches/)
  assert.match(changed(copy => (copy.hex = `${copy.hex.slice(0, 40)}ff${copy.hex.slice(42)}`))!, /header/)
})

const policy = {
  messageBytesMax: 1_048_588,
  timestampType: 'CreateTime' as const,
  timestampBeforeMaxMs: 2 ** 63,
  timestampAfterMaxMs: 3_600_000,
  isCompacted: false,
  compression: 'producer' as const,
  recordBytesMax: 2_147_483_639,
  inflatedBytesMax: 1_000_000,
}
const context = { topicPartition: 't-0', nowMs: 1_700_000_000_000, isFromClient: true }

/** Does with bytes whatever can be done with them. */
function useEverything(bytes: Buffer): void {
  const into = newValidatedBatch()
  attempt(() => {
    for (const position of batch.batchPositions(bytes)) {
      attempt(() => describeBatch(bytes, position, 1_000_000))
      attempt(() => [...readRecords(bytes, position, 1_000_000)])
    }
  })
  attempt(() => {
    checkProduceRecords(bytes, 0, bytes.length, 9)
    // With a checksum that is right, what the mutation broke is found behind it.
    batch.writeInt64(bytes, 0, 0)
    batch.stampCrc(bytes, 0)
    validateBatch(bytes, 0, policy, context, into)
    const read = [...readRecords(into.buffer, into.position, 1_000_000)]
    assert.equal(read.length, into.recordsCount, 'what was accepted can be read')
    assert.deepEqual(
      read.map(({ offset }) => offset),
      [...read.keys()],
      'with offsets that count from 0',
    )
  })
}

function attempt(action: () => void): void {
  try {
    action()
  } catch (error) {
    if (!(error instanceof InvalidRecordError)) throw error
  }
}

const small = vectors.filter(({ hex }) => hex.length < 12_000)

test('vectors cut anywhere raise nothing but InvalidRecordError', () => {
  for (const vector of small) {
    const bytes = Buffer.from(vector.hex, 'hex')
    const step = Math.max(1, Math.floor(bytes.length / 60))
    for (let length = 0; length < bytes.length; length += step) useEverything(Buffer.from(bytes.subarray(0, length)))
  }
})

test('vectors with random damage raise nothing but InvalidRecordError, and what passes is sound', t => {
  const random = new SeededRandom(Number(process.env.SEED ?? 77_001))
  t.diagnostic(`SEED=${random.seed}`)
  for (let round = 0; round < 6000; round++) {
    const bytes = Buffer.from(random.pick(small).hex, 'hex')
    const from = random.below(4) === 0 ? 0 : Math.min(61, bytes.length - 1)
    for (let damages = 1 + random.below(4); damages > 0; damages--) {
      const at = from + random.below(bytes.length - from)
      bytes[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256), bytes[at]! ^ (1 << random.below(8))])
    }
    useEverything(bytes)
  }
})

test('random bytes raise nothing but InvalidRecordError', t => {
  const random = new SeededRandom(Number(process.env.SEED ?? 77_002))
  t.diagnostic(`SEED=${random.seed}`)
  for (let round = 0; round < 3000; round++) {
    const bytes = random.bytes(random.below(300))
    if (bytes.length >= 61) {
      bytes.writeInt32BE(bytes.length - 12 - random.below(3), 8)
      bytes[16] = random.below(3)
      bytes.writeInt32BE(random.below(4), 57)
      bytes.writeInt32BE(bytes.readInt32BE(57) - 1, 23)
    }
    useEverything(bytes)
  }
})

test('a batch that lies about its count is found out', () => {
  const vector = vectors.find(({ name }) => name === 'v2 none 20x40 kind 0')!
  for (const [count, pattern] of [
    [19, /records still remaining/],
    [21, /premature EOF/],
    [0x7fff_ffff, /premature EOF/],
    [-1, /Found invalid record count -1/],
  ] as const) {
    const bytes = Buffer.from(vector.hex, 'hex')
    bytes.writeInt32BE(count, 57)
    assert.throws(() => [...readRecords(bytes, 0)], pattern)
  }
})
