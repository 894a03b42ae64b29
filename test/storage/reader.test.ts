import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as batch from '#protocol/records/batch.js'
import { LogError } from '#storage/log-error.js'
import { readLocation } from '#storage/reader.js'
import { append, batchOf, put, records, restarted, rig, startMs } from './support.js'

/** Offsets that the batches of a read cover, and whether the last one is cut. */
function covered(buffer: Buffer | undefined): { first: number; last: number; isCut: boolean } | null {
  if (buffer === undefined) return null
  let end = 0
  let last = -1
  for (const position of batch.batchPositions(buffer)) {
    last = batch.lastOffset(buffer, position)
    end = position + batch.sizeInBytes(buffer, position)
  }
  return { first: batch.baseOffset(buffer, 0), last, isCut: end < buffer.length }
}

test('a read begins with the batch that holds the offset', () => {
  const { log } = rig({ indexIntervalBytes: 100 })
  for (let index = 0; index < 40; index++) put(log, ['a', 'b', 'c'])
  for (const offset of [0, 1, 2, 3, 59, 60, 61, 118, 119]) {
    const result = log.read(offset, 10_000, 120, true)
    assert.equal(result?.firstBatchOffset, offset - (offset % 3))
    assert.deepEqual(covered(result?.buffer), { first: offset - (offset % 3), last: 119, isCut: false })
  }
  assert.equal(log.read(120, 10_000, 120, true), null)
})

test('offsets outside of the log are out of range', () => {
  const { log } = rig()
  put(log, ['a', 'b', 'c'])
  log.advanceStart(1)
  for (const offset of [0, 4]) {
    assert.throws(() => log.read(offset, 1000, 100, true), { name: 'LogError', code: 'OFFSET_OUT_OF_RANGE' })
  }
  assert.equal(log.read(3, 1000, 100, true), null)
  assert.equal(log.read(1, 1000, 100, true)?.firstBatchOffset, 0)
})

test('a read ends at the limit, with whole batches', () => {
  const { log } = rig({ indexIntervalBytes: 100 })
  for (let index = 0; index < 60; index++) put(log, ['a', 'b'])
  for (const limit of [2, 10, 90, 100, 118, 120]) {
    const found = covered(log.read(0, 100_000, limit, true)?.buffer)
    assert.deepEqual(found, { first: 0, last: limit - 1, isCut: false })
  }
  assert.equal(covered(log.read(100, 100_000, 105, true)?.buffer)?.last, 103, 'a limit within a batch leaves it out')
  assert.equal(log.read(100, 100_000, 100, true), null)
  assert.equal(log.read(110, 100_000, 100, true), null)
})

test('the offset behind a read is not before its end, and not far behind it', () => {
  const { log } = rig({ indexIntervalBytes: 100, segmentBytes: 1000 })
  for (let index = 0; index < 60; index++) put(log, ['a', 'b'])
  const location = readLocation()
  for (const from of [0, 1, 17, 30, 90, 117]) {
    for (const bytes of [1, 100, 450, 100_000]) {
      assert.ok(log.locate(from, bytes, 120, true, location))
      const buffer = Buffer.alloc(location.length)
      log.readInto(location, buffer, 0)
      const { last } = covered(buffer)!
      const behind = log.offsetBehind(location)
      assert.ok(behind > last && behind <= last + 8, `${behind} is behind ${last}`)
    }
  }
})

test('bytes are limited, but for the first batch if need be', () => {
  const { log } = rig()
  const size = batchOf({ values: ['abc'] }).length
  for (let index = 0; index < 4; index++) put(log, ['abc'])
  assert.equal(log.read(0, size + 10, 4, false)?.buffer.length, size + 10)
  assert.equal(log.read(0, 10, 4, true)?.buffer.length, size)
  assert.equal(log.read(0, 10, 4, false)?.buffer.length, 10)
  assert.equal(log.read(0, 0, 4, false), null)
  assert.equal(log.read(0, 0, 4, true)?.buffer.length, size)
})

test('reads go on over segments and over gaps', () => {
  const { log } = rig({ segmentBytes: 200 })
  for (const baseOffset of [0, 5, 6, 20, 21, 40]) append(log, batchOf({ baseOffset }), { origin: 'replication' })
  assert.deepEqual(
    records(log).map(record => record.offset),
    [0, 5, 6, 20, 21, 40],
  )
  assert.equal(log.read(7, 1000, 41, true)?.firstBatchOffset, 20)
  assert.equal(log.read(22, 1000, 41, true)?.firstBatchOffset, 40)
  assert.equal(log.read(22, 1000, 40, true), null)
})

test('what was appended lately is located without reading the file, and found recent', async () => {
  let now = rig({ segmentBytes: 100_000 })
  for (let index = 0; index < 30; index++) put(now.log, ['a', 'b'])
  const location = readLocation()
  const read = () => assert.fail('the file was read')
  const { file } = now.log.state.active
  const { readInto } = file
  file.readInto = read
  for (const offset of [30, 31, 45, 59]) {
    assert.equal(now.log.locate(offset, 1000, 60, true, location), true)
    assert.equal(location.firstBatchOffset, offset - (offset % 2))
    assert.equal(location.isRecent, true)
  }
  assert.equal(now.log.locate(40, 1000, 50, true, location), true)
  file.readInto = readInto
  const target = Buffer.alloc(1000)
  assert.equal(now.log.readInto(location, target, 10), location.length)
  assert.equal(batch.baseOffset(target, 10), 40)
  assert.equal(await now.log.readIntoAsync(location, target, 0), location.length)
  assert.equal(batch.baseOffset(target, 0), 40)
  now = await restarted(now)
  assert.equal(now.log.locate(40, 1000, 60, true, location), true)
  assert.equal(location.isRecent, false, 'another process wrote it')
})

test('records stop being recent when enough was appended after them', () => {
  const disk = rig().disk
  const { directory } = rig({}, disk.killed())
  const log = directory.get('events', 0)!
  const location = readLocation()
  put(log, ['a'])
  log.state.environment.bytesAppended += log.state.environment.recentBytesMax
  assert.equal(log.locate(0, 1000, 1, true, location), true)
  assert.equal(location.isRecent, false)
})

test('records stay recent while little is there besides, however much was appended and removed after them', async () => {
  const { directory, log } = rig({ segmentBytes: 100, retentionBytes: 0, fileDeleteDelayMs: 1000 })
  const topicId = 'AAAAAAAAAAAAAAAAAAAABA'
  const kept = directory.create({ topic: 'kept', partition: 0, topicId, config: log.config, nowMs: startMs })
  const location = readLocation()
  const isRecent = () => kept.locate(0, 1000, 1, true, location) && location.isRecent
  put(kept, ['a'])
  put(log, ['b'])
  const before = log.state.environment.bytesAppended
  put(log, ['c'])
  const { environment } = log.state
  Object.defineProperty(environment, 'recentBytesMax', { value: before })
  assert.equal(isRecent(), false)
  log.deleteOldSegments(startMs, 2)
  assert.equal(isRecent(), false, 'the files that were deleted are there still')
  await directory.removals.removeDue(startMs + 1000)
  assert.equal(isRecent(), true)
  put(log, ['d', 'e'])
  assert.equal(isRecent(), false)
  directory.deleteLog(log, startMs)
  await directory.removals.removeDue(startMs + 1000)
  assert.equal(isRecent(), true)
})

test('a slice that was located is read even if retention has removed its segment, until the file is gone', async () => {
  const { directory, log } = rig({ segmentBytes: 100, retentionBytes: 0, fileDeleteDelayMs: 1000 })
  put(log, ['a'])
  put(log, ['b'])
  const location = readLocation()
  assert.equal(log.locate(0, 1000, 1, true, location), true)
  log.deleteOldSegments(startMs, 2)
  assert.equal(log.logStartOffset, 2)
  const target = Buffer.alloc(1000)
  assert.equal(log.readInto(location, target, 0), location.length)
  location.segment?.close()
  await directory.removals.removeDue(startMs + 1000)
  assert.throws(() => log.readInto(location, target, 0), { code: 'OFFSET_OUT_OF_RANGE' })
  await assert.rejects(log.readIntoAsync(location, target, 0), { code: 'OFFSET_OUT_OF_RANGE' })
  assert.equal(directory.offline, null)
})

test('an error of the disk takes the directory offline', () => {
  const { directory, log, disk } = rig()
  put(log, ['a'])
  disk.killed()
  assert.throws(
    () => log.read(0, 100, 1, true),
    (error: unknown) => {
      assert.ok(error instanceof LogError)
      assert.equal(error.code, 'KAFKA_STORAGE_ERROR')
      return true
    },
  )
  assert.ok(directory.offline !== null)
})

test('an index that is wrong is made anew when it is used', async () => {
  let now = rig({ indexIntervalBytes: 100 })
  for (let index = 0; index < 300; index++) put(now.log, [`value ${index}`])
  await now.directory.close(1, log => log.logEndOffset)
  const index = now.disk.open('/data/events-0/00000000000000000000.index')
  for (let at = 4; at < index.size; at += 8) index.writeAt(at, Buffer.from([0, 0, 1, 1]))
  now = rig({ indexIntervalBytes: 100 }, now.disk)
  assert.equal(String(records(now.log, 150)[0]?.value), 'value 150')
  assert.equal(records(now.log).length, 300)
})
