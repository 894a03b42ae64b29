/** Directories that Apache Kafka wrote, opened here. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadCompression } from '#protocol/records/compression.js'
import type { PartitionLog } from '#storage/log.js'
import { type LoadReport, type LogDirectory, openLogDirectory } from '#storage/log-directory.js'
import type { SimDisk } from '../support/sim-disk.js'
import { checkLog } from './check.js'
import { kafkaConfig, kafkaDirectory } from './fixtures.js'
import { append, batchOf, names, records, startMs, values } from './support.js'

await loadCompression('zstd')

const topics = ['codecs', 'compacted', 'empty', 'plain', 'segments', 'started', 'transactions']
const ends = { codecs: 50, compacted: 120, empty: 0, plain: 5, segments: 100, started: 30, transactions: 61 }

function open(disk: SimDisk): { directory: LogDirectory; report: LoadReport } {
  const directory = openLogDirectory({ disk, path: '/data' })
  const steps = directory.load(kafkaConfig, startMs)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return { directory, report: step.value }
  }
}

function log(directory: LogDirectory, topic: string): PartitionLog {
  const found = directory.get(topic, 0)
  assert.ok(found !== undefined, topic)
  return found
}

function expectContent(directory: LogDirectory): void {
  assert.deepEqual([...directory.logs()].map(one => one.topic).sort(), topics)
  for (const one of directory.logs()) {
    assert.match(one.topicId ?? '', /^[A-Za-z0-9_-]{22}$/)
    assert.equal(one.logEndOffset, ends[one.topic as keyof typeof ends], one.topic)
    checkLog(one, { isContiguous: one.topic !== 'compacted' })
  }
  assert.deepEqual(
    values(log(directory, 'codecs')),
    ['none', 'gzip', 'snappy', 'lz4', 'zstd'].flatMap(codec =>
      Array.from({ length: 10 }, (_, index) => `${codec}-value-${index}-${'x'.repeat(50)}`),
    ),
  )
  assert.deepEqual(
    values(log(directory, 'segments')),
    Array.from({ length: 100 }, (_, index) => `value-${index}-${'y'.repeat(40)}`),
  )
  assert.deepEqual(
    values(log(directory, 'plain')),
    Array.from({ length: 5 }, (_, index) => `value-${index}`),
  )
  const started = log(directory, 'started')
  assert.equal(started.logStartOffset, 17)
  assert.equal(records(started)[0]?.offset, 17)
  expectCompacted(log(directory, 'compacted'))
  expectTransactions(log(directory, 'transactions'))
}

/** Below 114 only the last record of each key is left, and none without value. */
function expectCompacted(compacted: PartitionLog): void {
  const found = records(compacted)
  const clean = found.filter(record => record.offset < 114).map(record => String(record.key))
  assert.ok(found.length < 60)
  assert.equal(new Set(clean).size, 7)
  assert.deepEqual(found.at(-1)?.offset, 119)
}

function expectTransactions(transactions: PartitionLog): void {
  const end = transactions.logEndOffset
  const aborted = transactions.abortedTransactions(0, end)
  assert.deepEqual(
    aborted.map(({ firstOffset, lastOffset }) => [firstOffset, lastOffset]),
    [
      [5, 9],
      [20, 24],
      [35, 39],
      [50, 54],
    ],
  )
  assert.equal(transactions.lastStableOffset(end), 60)
  const open = transactions.activeProducers().filter(producer => producer.currentTransactionStartOffset >= 0)
  assert.deepEqual(
    open.map(producer => producer.currentTransactionStartOffset),
    [60],
  )
  assert.deepEqual(transactions.abortedTransactions(10, 20), [])
  assert.equal(transactions.abortedTransactions(21, 22).length, 1)
}

test('a directory that Kafka left in order is opened without recovery, with all that is in it', () => {
  const { directory, report } = open(kafkaDirectory('clean'))
  assert.equal(directory.wasCleanShutdown, true)
  assert.ok(directory.lastBrokerEpoch > 0)
  assert.equal(directory.metaProperties?.clusterId, 'MkU3OEVBNTcwNTJENDM2Qk')
  assert.equal(directory.metaProperties?.nodeId, 1)
  assert.deepEqual([report.recoveries, report.ignored, report.notes], [[], [], []])
  assert.equal(directory.checkpointedHighWatermarks.get('segments-0'), 100)
  assert.equal(directory.cleanerOffsets.get('compacted-0'), 114)
  expectContent(directory)
})

test('a directory that Kafka was killed over is recovered to the same content', () => {
  const { directory, report } = open(kafkaDirectory('unclean'))
  assert.equal(directory.wasCleanShutdown, false)
  assert.ok(report.recoveries.length > 0)
  for (const recovery of report.recoveries) assert.equal(recovery.truncated, null)
  expectContent(directory)
})

test('recovery without trust in any index makes the files that Kafka made', async () => {
  const disk = kafkaDirectory('clean')
  const kafkas = new Map(topics.map(topic => [topic, names(disk, `/data/${topic}-0`)]))
  const original = kafkaDirectory('clean')
  for (const topic of topics) {
    for (const name of names(disk, `/data/${topic}-0`)) {
      if (/index$|snapshot$|leader-epoch/.test(name)) disk.remove(`/data/${topic}-0/${name}`)
    }
  }
  disk.remove('/data/.kafka_cleanshutdown')
  disk.remove('/data/recovery-point-offset-checkpoint')
  const { directory } = open(disk)
  await directory.close(1, one => one.logEndOffset)
  for (const topic of topics) {
    const folder = `/data/${topic}-0`
    // Snapshots are made where segments begin when they are made, and not later.
    const expected = kafkas
      .get(topic)!
      .filter(name => !name.endsWith('.snapshot') || name === newest(kafkas.get(topic)!))
    if (topic === 'empty') continue
    assert.deepEqual(names(disk, folder), expected)
    for (const name of expected) {
      // Density of index entries is not part of the format, and Kafka's compaction counts bytes in another way.
      // The epoch of a compacted log begins where the first record is that is left.
      if (/index$|leader-epoch/.test(name) && topic === 'compacted') continue
      if (name.endsWith('.snapshot')) continue
      assert.deepEqual(disk.readFile(`${folder}/${name}`), original.readFile(`${folder}/${name}`), `${topic} ${name}`)
    }
  }
})

function newest(all: readonly string[]): string | undefined {
  return all.filter(name => name.endsWith('.snapshot')).at(-1)
}

test('what is appended behind Kafka’s records is found with them', async () => {
  const disk = kafkaDirectory('unclean')
  const { directory } = open(disk)
  for (const one of directory.logs()) {
    append(one, batchOf({ values: ['ours'], keys: ['ours'] }), { leaderEpoch: 5, nowMs: startMs + 1e12 })
  }
  await directory.close(3, one => one.logEndOffset)
  const { directory: again, report } = open(disk)
  assert.deepEqual(report.recoveries, [])
  for (const one of again.logs()) {
    checkLog(one, { isContiguous: one.topic !== 'compacted' })
    assert.equal(values(one).at(-1), 'ours')
    assert.equal(one.epochOf(one.logEndOffset - 1), 5)
  }
})

test('records are found by time as Kafka finds them', async () => {
  const { directory } = open(kafkaDirectory('unclean'))
  const segments = log(directory, 'segments')
  const at = 1_700_000_000_000
  assert.deepEqual(await segments.offsetForTime(at + 41_500, 100), {
    timestamp: at + 42_000,
    offset: 42,
    leaderEpoch: 0,
  })
  assert.deepEqual(await segments.offsetForTime(0, 100), { timestamp: at, offset: 0, leaderEpoch: 0 })
  assert.equal(await segments.offsetForTime(at + 99_001, 100), null)
  assert.equal(await segments.offsetForTime(at + 90_000, 50), null)
  assert.deepEqual(await segments.offsetOfMaxTimestamp(), { timestamp: at + 99_000, offset: 99, leaderEpoch: 0 })
  const codecs = log(directory, 'codecs')
  assert.equal((await codecs.offsetForTime(at + 9, 100))?.offset, 9)
  assert.equal(await log(directory, 'empty').offsetOfMaxTimestamp(), null)
})
