import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as batch from '#protocol/records/batch.js'
import { type CompressionType, loadCompression } from '#protocol/records/compression.js'
import { LogCleaner } from '#storage/cleaner.js'
import { compact, planCompaction, UncleanableError } from '#storage/compaction.js'
import type { PartitionLog } from '#storage/log.js'
import type { LogConfig } from '#storage/log-config.js'
import { LogError } from '#storage/log-error.js'
import { OffsetMap } from '#storage/offset-map.js'
import { SeededRandom } from '../support/random.js'
import { type Fault, SimDisk } from '../support/sim-disk.js'
import { checkLog } from './check.js'
import { compactionDirectory } from './fixtures.js'
import { append, batchOf, configOf, marker, names, type Rig, records, rig, startMs } from './support.js'

await loadCompression('zstd')

const compacted: Partial<LogConfig> = {
  segmentBytes: 900,
  indexIntervalBytes: 150,
  segmentIndexBytes: 4096,
  cleanupPolicy: { delete: false, compact: true },
  minCleanableDirtyRatio: 0.01,
  deleteRetentionMs: 1000,
  fileDeleteDelayMs: 0,
}

async function round(log: PartitionLog, nowMs = startMs, checkpoint?: number, dedupeBytes = 1 << 20): Promise<number> {
  const plan = planCompaction(log.state, checkpoint, log.lastStableOffset(log.logEndOffset), nowMs)
  return (await compact(log.state, plan, { nowMs, map: new OffsetMap(dedupeBytes, 0.9) })).endOffset
}

/** The records that are left, as key=value (nothing for a tombstone). */
function left(log: PartitionLog): string[] {
  return records(log).map(record => `${record.key}=${record.value ?? ''}`)
}

function put(log: PartitionLog, pairs: readonly string[], spec: Parameters<typeof batchOf>[0] = {}): number {
  const keys = pairs.map(pair => pair.split('=')[0]!)
  const values = pairs.map(pair => pair.split('=')[1]!)
  return append(log, keyed(keys, values, spec)).baseOffset
}

/** An empty value is a tombstone. */
function keyed(keys: readonly string[], values: readonly string[], spec: Parameters<typeof batchOf>[0] = {}): Buffer {
  return batchOf({ ...spec, keys, values: values.map(value => (value === '' ? null : value)) })
}

for (const which of ['first', 'second'] as const) {
  test(`the ${which} round leaves, byte for byte, what Kafka's leaves`, async () => {
    const config = configOf({ ...compacted, segmentBytes: 1500, indexIntervalBytes: 200, deleteRetentionMs: 3000 })
    const kafka = compactionDirectory(`after-${which}`)
    const { directory, disk } = rig(config, compactionDirectory(`before-${which}`))
    for (const topic of ['mixed', 'appendtime']) {
      const log = directory.get(topic, 0)!
      const folder = `/data/${topic}-0`
      const plan = planCompaction(
        log.state,
        directory.cleanerOffsets.get(`${topic}-0`),
        log.lastStableOffset(log.logEndOffset),
        startMs,
      )
      // The time of Kafka's round is in the batches that it gave a time to go.
      const nowMs = latestHorizonMs(kafka, folder) - config.deleteRetentionMs
      const { endOffset } = await compact(log.state, plan, { nowMs, map: new OffsetMap(1 << 20, 0.9) })
      assert.equal(endOffset, log.activeBaseOffset)
      checkLog(log, { isContiguous: false })
      const expected = names(kafka, folder).filter(name => /\.(log|index|timeindex|txnindex)$/.test(name))
      const found = names(disk, folder).filter(name => /\.(log|index|timeindex|txnindex)$/.test(name))
      assert.deepEqual(found, expected)
      for (const name of expected) {
        const isActive = name.startsWith(String(log.activeBaseOffset).padStart(20, '0'))
        if (isActive && name.endsWith('index')) continue
        assert.deepEqual(disk.readFile(`${folder}/${name}`), kafka.readFile(`${folder}/${name}`), `${topic} ${name}`)
      }
    }
  })
}

function latestHorizonMs(disk: SimDisk, folder: string): number {
  let latest = 0
  for (const name of names(disk, folder).filter(candidate => candidate.endsWith('.log'))) {
    const content = disk.readFile(`${folder}/${name}`)
    for (const position of batch.batchPositions(content)) {
      latest = Math.max(latest, batch.deleteHorizonMs(content, position) ?? 0)
    }
  }
  return latest
}

test('the last record of each key stays, where it was', async () => {
  const { log } = rig(compacted)
  put(log, ['a=1', 'b=1', 'a=2'])
  put(log, ['c=1', 'b=2'])
  log.roll(startMs)
  put(log, ['a=9'])
  assert.equal(await round(log), 5)
  checkLog(log, { isContiguous: false })
  assert.deepEqual(left(log), ['a=2', 'c=1', 'b=2', 'a=9'])
  assert.deepEqual(
    records(log).map(record => record.offset),
    [2, 3, 4, 5],
  )
  // A key of the active segment is not seen before it is rolled.
  log.roll(startMs)
  assert.equal(await round(log, startMs, 5), 6)
  assert.deepEqual(left(log), ['c=1', 'b=2', 'a=9'])
  assert.equal(log.segmentCount, 2)
})

test('a tombstone stays for delete.retention.ms after the round that saw it first', async () => {
  const { log } = rig(compacted)
  put(log, ['a=1', 'b=1'])
  put(log, ['a='])
  put(log, ['end=1'])
  log.roll(startMs)
  put(log, ['x=1'])
  await round(log, startMs)
  assert.deepEqual(left(log), ['b=1', 'a=', 'end=1', 'x=1'])
  assert.equal(records(log)[1]?.timestamp, startMs)
  await round(log, startMs + 999)
  assert.deepEqual(left(log), ['b=1', 'a=', 'end=1', 'x=1'])
  await round(log, startMs + 1000)
  assert.deepEqual(left(log), ['b=1', 'end=1', 'x=1'])
  checkLog(log, { isContiguous: false })
})

test('the batch with the last sequence of a producer stays, without records', async () => {
  let now = rig(compacted)
  put(now.log, ['a=1'], { producerId: 7, producerEpoch: 2, baseSequence: 0 })
  put(now.log, ['a=2', 'a=3'], { producerId: 7, producerEpoch: 2, baseSequence: 1 })
  put(now.log, ['a=4'])
  put(now.log, ['end=1'])
  now.log.roll(startMs)
  await round(now.log)
  assert.deepEqual(left(now.log), ['a=4', 'end=1'])
  checkLog(now.log, { isContiguous: false })
  const first = now.log.read(0, 61, 100, true)!.buffer
  assert.deepEqual([batch.baseOffset(first, 0), batch.lastOffset(first, 0), batch.recordsCount(first, 0)], [1, 2, 0])
  assert.equal(batch.sizeInBytes(first, 0), 61)
  now = rig(compacted, now.disk.killed())
  const options = { producerId: 7, producerEpoch: 2 }
  assert.equal(append(now.log, batchOf({ ...options, values: ['x', 'y'], baseSequence: 1 })).isDuplicate, true)
  assert.equal(append(now.log, batchOf({ ...options, values: ['x'], baseSequence: 3 })).isDuplicate, false)
})

test('aborted records go, and their marker after them', async () => {
  const { log } = rig(compacted)
  const of = (producerId: number, baseSequence = 0) => ({
    producerId,
    producerEpoch: 0,
    baseSequence,
    isTransactional: true,
  })
  put(log, ['a=1', 'b=1'])
  put(log, ['a=2'], of(1))
  put(log, ['b=2'], of(2))
  marker(log, 'ABORT', 1)
  marker(log, 'COMMIT', 2)
  put(log, ['end=1'])
  log.roll(startMs)
  put(log, ['open=1'], of(3))
  log.roll(startMs)
  assert.equal(log.abortedTransactions(0, 100).length, 1)
  assert.equal(await round(log), 7)
  assert.deepEqual(left(log), ['a=1', 'b=2', 'end=1', 'open=1'])
  checkLog(log, { isContiguous: false })
  // The last batch of a producer stays, and with it its marker, until the producer is forgotten.
  assert.equal(log.abortedTransactions(0, 100).length, 1)
  log.expireProducers(startMs + 10, 10)
  await round(log, startMs + 1)
  await round(log, startMs + 5000)
  assert.deepEqual(left(log), ['a=1', 'b=2', 'end=1', 'open=1'])
  assert.deepEqual(log.abortedTransactions(0, 100), [])
  assert.equal(log.lastStableOffset(100), 7, 'an open transaction bounds compaction')
})

test('every codec is thinned out', async () => {
  const { log } = rig({ ...compacted, segmentBytes: 100_000 })
  const codecs: readonly CompressionType[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
  for (const compression of codecs) put(log, [`${compression}=1`, 'all=1', 'x=1'], { compression })
  put(log, ['all=2', 'x=2'])
  log.roll(startMs)
  await round(log)
  assert.deepEqual(left(log), [...codecs.map(codec => `${codec}=1`), 'all=2', 'x=2'])
  checkLog(log, { isContiguous: false })
})

test('a map that is too small takes several rounds', async () => {
  const { log } = rig({ ...compacted, segmentBytes: 4000 })
  const random = new SeededRandom(3)
  for (let index = 0; index < 300; index++) {
    put(
      log,
      Array.from({ length: 10 }, () => `key ${random.below(1400)}=${random.below(1e9)}`),
    )
  }
  log.roll(startMs)
  const expected = new Map(records(log).map(record => [String(record.key), String(record.value)]))
  let checkpoint = 0
  let rounds = 0
  while (checkpoint < log.activeBaseOffset) {
    const next = await round(log, startMs, checkpoint, 1)
    assert.ok(next > checkpoint)
    checkpoint = next
    rounds++
  }
  assert.ok(rounds > 1)
  assert.deepEqual(new Map(records(log).map(record => [String(record.key), String(record.value)])), expected)
  assert.equal(records(log).length, expected.size)
  checkLog(log, { isContiguous: false })
})

test('a batch with more keys than the map holds is compacted in several rounds, too', async () => {
  const { log } = rig({ ...compacted, segmentBytes: 1 << 20 })
  const keys = Array.from({ length: 1500 }, (_, index) => `key ${index}`)
  put(log, ['first=1'])
  for (const value of ['old', 'new']) append(log, keyed(keys, Array(keys.length).fill(value)))
  log.roll(startMs)
  put(log, ['end=1'])
  let checkpoint = 0
  while (checkpoint < log.activeBaseOffset) {
    const next = await round(log, startMs, checkpoint, 1)
    assert.ok(next > checkpoint, `${next} after ${checkpoint}`)
    checkpoint = next
  }
  assert.deepEqual(left(log), ['first=1', ...keys.map(key => `${key}=new`), 'end=1'])
  checkLog(log, { isContiguous: false })
})

test('a damaged batch makes a log uncleanable, and nothing is changed', async () => {
  const { log, disk } = rig(compacted)
  put(log, ['a=1'])
  put(log, ['a=2'])
  log.roll(startMs)
  const path = `${log.directoryPath}/00000000000000000000.log`
  disk.open(path).writeAt(65, Buffer.from('?'))
  const before = disk.readFile(path)
  await assert.rejects(round(log), UncleanableError)
  assert.deepEqual(disk.readFile(path), before)
  assert.deepEqual(
    names(disk, log.directoryPath).filter(name => name.endsWith('.cleaned')),
    [],
  )
})

test('the cleaner takes the dirtiest log first and remembers how far it came', async () => {
  const { directory, log } = rig(compacted)
  const other = directory.create({
    topic: 'other',
    partition: 3,
    topicId: 'AAAAAAAAAAAAAAAAAAAABA',
    config: log.config,
    nowMs: startMs,
  })
  for (const one of [log, other]) {
    put(one, ['a=1', 'a=2', 'a=3'])
    one.roll(startMs)
  }
  const cleaner = new LogCleaner({
    directories: () => [directory],
    lastStableOffsetOf: one => one.lastStableOffset(one.logEndOffset),
    dedupeBytesMax: 1 << 20,
    loadFactor: 0.9,
  })
  assert.equal((await cleaner.clean(startMs))?.log, log)
  assert.equal((await cleaner.clean(startMs))?.log, other)
  assert.equal(await cleaner.clean(startMs), null)
  put(log, ['b=1'])
  log.roll(startMs)
  const [first, second] = await Promise.all([cleaner.clean(startMs), cleaner.clean(startMs)])
  assert.deepEqual([first?.log, second], [log, null])
  assert.deepEqual(
    directory.cleanerOffsets,
    new Map([
      ['events-0', 4],
      ['other-3', 3],
    ]),
  )
  assert.deepEqual(left(log), ['a=3', 'b=1'])
})

test('retention and truncation in the middle of a round end it', async () => {
  for (const disturb of [
    (log: PartitionLog) => log.truncateTo(2),
    (log: PartitionLog) => log.truncateFullyAndStartAt(50),
    (log: PartitionLog) => void (log.advanceStart(8) && log.deleteOldSegments(startMs, 100)),
    (log: PartitionLog) => log.release(),
  ]) {
    const { log, directory } = rig(compacted)
    for (let index = 0; index < 12; index++) {
      put(log, [`a=${index}`])
      if (index % 3 === 2) log.roll(startMs)
    }
    const plan = planCompaction(log.state, 0, 100, startMs)
    let calls = 0
    const pace = async () => {
      if (++calls === 5) disturb(log)
    }
    await assert.rejects(compact(log.state, plan, { nowMs: startMs, map: new OffsetMap(1000, 0.9), pace }), {
      name: 'CompactionAbortedError',
    })
    if (!log.isClosed) checkLog(log, { isContiguous: false })
    assert.equal(directory.offline, null)
  }
})

test('a round does not go on with what it knows of records that were cut off meanwhile', async () => {
  const { directory, log } = rig(compacted)
  for (let index = 0; index < 12; index++) {
    put(log, [`${index < 9 ? `key ${index}` : 'key 0'}=old`])
    if (index % 3 === 2) log.roll(startMs)
  }
  let calls = 0
  const cleaner = new LogCleaner({
    directories: () => [directory],
    lastStableOffsetOf: one => one.lastStableOffset(one.logEndOffset),
    dedupeBytesMax: 1 << 20,
    loadFactor: 0.9,
    pace: async () => {
      // The map is made, and the first segment is gone through.
      if (++calls !== 5) return
      log.truncateTo(9)
      put(log, ['key 9=new'])
      log.roll(startMs)
    },
  })
  assert.equal((await cleaner.clean(startMs))?.result, null)
  assert.equal(directory.cleanerOffsets.get('events-0'), undefined)
  assert.deepEqual(left(log), [...Array.from({ length: 9 }, (_, index) => `key ${index}=old`), 'key 9=new'])
})

test('what comes in the place of records that recovery cut off is compacted, too', async () => {
  const { directory, disk, log } = rig(compacted)
  for (let index = 0; index < 8; index++) put(log, [`key ${index}=1`])
  await log.sync()
  log.roll(startMs)
  directory.checkpointCleanerOffset(log, 8)
  const killed = disk.killed()
  const name = `/data/events-0/${String(log.state.segments[0]!.baseOffset).padStart(20, '0')}.log`
  killed.open(name).writeAt(100, Buffer.from('spoilt'))
  const next = rig(compacted, killed)
  assert.equal(next.log.logEndOffset, 1)
  assert.ok((next.directory.cleanerOffsets.get('events-0') ?? 0) <= 1)
})

test('what comes in the place of records that were cut off is compacted, too', async () => {
  for (const cut of [(log: PartitionLog) => log.truncateTo(0), (log: PartitionLog) => log.truncateFullyAndStartAt(0)]) {
    const { directory, log } = rig(compacted)
    const cleaner = new LogCleaner({
      directories: () => [directory],
      lastStableOffsetOf: one => one.lastStableOffset(one.logEndOffset),
      dedupeBytesMax: 1 << 20,
      loadFactor: 0.9,
    })
    for (let index = 0; index < 8; index++) put(log, [`key ${index}=1`])
    log.roll(startMs)
    await cleaner.clean(startMs)
    assert.equal(directory.cleanerOffsets.get('events-0'), 8)
    cut(log)
    for (let index = 0; index < 8; index++) put(log, [`same=${index}`])
    log.roll(startMs)
    await cleaner.clean(startMs)
    assert.deepEqual(left(log), ['same=7'])
  }
})

test('what compaction left is not taken for damage by recovery once the topic is not compacted any more', async () => {
  const { directory, disk, log } = rig(compacted)
  for (let index = 0; index < 40; index++) put(log, [`key ${index % 4}=${index}`])
  await log.sync()
  const endOffset = await round(log)
  directory.checkpointCleanerOffset(log, endOffset)
  const [, second, third] = log.state.segments
  assert.ok(second!.readNextOffset() < third!.baseOffset)
  const expected = left(log)
  const kept = { ...compacted, cleanupPolicy: { delete: true, compact: false }, retentionMs: -1 }
  // Nothing was checkpointed: all segments are checked.
  const next = rig(kept, disk.killed())
  assert.equal(next.report.recoveries[0]?.truncated, null)
  checkLog(next.log, { isContiguous: false })
  assert.deepEqual(left(next.log), expected)
})

/** Values by key, as they were written. */
async function story(now: Rig, written: Map<string, string>): Promise<void> {
  const random = new SeededRandom(11)
  for (let index = 0; index < 24; index++) {
    const key = `key ${random.below(5)}`
    written.set(key, `${index}`)
    put(now.log, [`${key}=${index}`])
  }
  await now.log.sync()
  now.directory.checkpoint()
  const endOffset = await round(now.log)
  now.directory.checkpointCleanerOffset(now.log, endOffset)
  await now.directory.removals.removeDue(startMs)
  await round(now.log, startMs + 1, endOffset)
}

for (const fault of ['crash', 'EIO', 'ENOSPC'] as const satisfies readonly Fault[]) {
  test(`${fault} at I/O 1, 2, 3 … of a compaction loses no key`, async () => {
    const whole = new SimDisk()
    await story(rig(compacted, whole), new Map())
    const start = whole.trace.findIndex(name => name.includes('.cleaned'))
    for (let number = start; number <= whole.ioCount + 1; number++) {
      for (const restart of [(disk: SimDisk) => disk.killed(), (disk: SimDisk) => disk.crashed(number)]) {
        const disk = new SimDisk()
        disk.failAt(number, fault)
        const written = new Map<string, string>()
        try {
          await story(rig(compacted, disk), written)
        } catch (error) {
          assert.ok(error instanceof LogError && error.code === 'KAFKA_STORAGE_ERROR', String(error))
        }
        const { log, directory } = rig(compacted, restart(disk))
        const at = `I/O ${number}: ${disk.trace[number - 1]}`
        try {
          checkLog(log, { isContiguous: false })
          assert.deepEqual(new Map(records(log).map(record => [String(record.key), String(record.value)])), written)
        } catch (error) {
          throw new Error(`${at}: ${(error as Error).message}`, { cause: error })
        }
        await directory.close(1, one => one.logEndOffset)
      }
    }
  })
}
