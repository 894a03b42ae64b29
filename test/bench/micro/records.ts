/**
 * node dist/test/bench/micro/records.js
 * What the checks of a leader cost per batch, in nanoseconds, best of several rounds.
 */
import { stamp } from '#protocol/records/batch.js'
import { buildBatch } from '#protocol/records/build.js'
import { compressionTypes, loadCompression } from '#protocol/records/compression.js'
import { crc32cName } from '#protocol/records/crc32c.js'
import { checkProduceRecords, newValidatedBatch, validateBatch, validateRecords } from '#protocol/records/validate.js'
import { measure } from './measure.js'

const now = 1_700_000_000_000
const policy = {
  messageBytesMax: 2_000_000,
  timestampType: 'CreateTime' as const,
  timestampBeforeMaxMs: 2 ** 63,
  timestampAfterMaxMs: 3_600_000,
  isCompacted: false,
  compression: 'producer' as const,
  recordBytesMax: 2_147_483_639,
  inflatedBytesMax: 100_000_000,
}
const context = { topicPartition: 't-0', nowMs: now, isFromClient: true }

function lines(bytes: number): Buffer {
  let text = ''
  for (let id = 0; text.length < bytes; id++) {
    text += `${JSON.stringify({ id, user: `user-${(id * 7919) % 1000}`, time: now + id * 13, score: Math.sin(id) })}\n`
  }
  return Buffer.from(text.slice(0, bytes))
}

await loadCompression('zstd')
console.log(`node ${process.version}, CRC-32C by ${crc32cName}`)
const into = newValidatedBatch()
for (const [count, size] of [
  [1, 1000],
  [16, 1000],
  [100, 100],
  [1000, 1000],
] as const) {
  const text = lines(count * size)
  for (const compression of compressionTypes) {
    const records = Array.from({ length: count }, (_, index) => ({
      timestamp: now + index,
      key: Buffer.from(`key${index}`),
      value: text.subarray(index * size, (index + 1) * size),
    }))
    const batch = buildBatch({ records, compression })
    const name = `${compression}, ${count} x ${size} (${batch.length} bytes)`
    measure(`${name}: validateBatch`, () => validateBatch(batch, 0, policy, context, into))
    if (compression !== 'none') continue
    measure(`${name}: checkProduceRecords`, () => void checkProduceRecords(batch, 0, batch.length, 9))
    measure(`${name}: validateRecords`, () => validateRecords(batch, 0, policy, context, into))
    const copy = Buffer.from(batch)
    measure(`${name}: stamp`, () => stamp(copy, 0, 123_456_789_012, 7))
  }
}
