import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogConfig } from '#storage/log-config.js'
import { checkLog } from './check.js'
import { batchOf, names, put, type Rig, rig, startMs, values } from './support.js'

const size = batchOf({ values: ['x'] }).length

/** Five segments of one record each, a second apart; the last is appended to. */
function five(changes: Partial<LogConfig>): Rig {
  const made = rig({ segmentBytes: size, fileDeleteDelayMs: 1000, ...changes })
  for (let index = 0; index < 5; index++) put(made.log, ['x'], { timestamp: startMs + index * 1000 })
  return made
}

test('segments whose last record is too old go, the oldest first', () => {
  const { log } = five({ retentionMs: 2000 })
  assert.deepEqual(log.deleteOldSegments(startMs + 2000, 5), [])
  assert.deepEqual(log.deleteOldSegments(startMs + 3001, 5), [
    { baseOffset: 0, bytes: size, reason: 'retention.ms' },
    { baseOffset: 1, bytes: size, reason: 'retention.ms' },
  ])
  assert.deepEqual([log.logStartOffset, log.size, log.segmentCount], [2, 3 * size, 3])
  checkLog(log)
})

test('the active segment goes too when it is too old, and another takes its place', () => {
  const { log } = five({ retentionMs: 10 })
  assert.equal(log.deleteOldSegments(startMs + 100_000, 5).length, 5)
  assert.deepEqual([log.logStartOffset, log.logEndOffset, log.size, log.segmentCount], [5, 5, 0, 1])
  assert.deepEqual(log.deleteOldSegments(startMs + 200_000, 5), [])
  assert.equal(put(log, ['y']), 5)
  checkLog(log)
})

test('segments by which the log is too large go', () => {
  const { log } = five({ retentionMs: -1, retentionBytes: 3 * size + 1 })
  assert.deepEqual(
    log.deleteOldSegments(startMs, 5).map(({ baseOffset, reason }) => [baseOffset, reason]),
    [[0, 'retention.bytes']],
  )
  assert.equal(log.size, 4 * size)
})

test('nothing beyond the high watermark goes', () => {
  const { log } = five({ retentionMs: 10 })
  assert.equal(log.deleteOldSegments(startMs + 100_000, 2).length, 2)
  assert.equal(log.logStartOffset, 2)
})

test('segments below the start of the log go whatever the policy', () => {
  for (const cleanupPolicy of [
    { delete: false, compact: true },
    { delete: false, compact: false },
    { delete: true, compact: false },
  ]) {
    const { log } = five({ cleanupPolicy, retentionMs: -1 })
    log.advanceStart(3)
    assert.deepEqual(
      log.deleteOldSegments(startMs + 1e12, 5).map(({ baseOffset, reason }) => [baseOffset, reason]),
      [0, 1, 2].map(baseOffset => [baseOffset, 'log start offset']),
    )
    assert.deepEqual(values(log).length, 2)
  }
})

test('records without timestamps are as old as their file', () => {
  const { disk, log } = rig({ segmentBytes: size, retentionMs: 1000 })
  disk.nowMs = startMs
  put(log, ['x'], { timestamp: -1 })
  put(log, ['y'], { timestamp: -1 })
  assert.deepEqual(log.deleteOldSegments(startMs + 1000, 2), [])
  assert.equal(log.deleteOldSegments(startMs + 1001, 2).length, 2)
})

test('files are renamed at once and removed after their delay', async () => {
  const { disk, directory, log } = five({ retentionMs: 2000 })
  log.deleteOldSegments(startMs + 2001, 5)
  const gone = () => names(disk, log.directoryPath).filter(name => name.startsWith('00000000000000000000'))
  assert.deepEqual(gone(), [
    '00000000000000000000.index.deleted',
    '00000000000000000000.log.deleted',
    '00000000000000000000.timeindex.deleted',
  ])
  assert.equal(directory.removals.nextDueMs, startMs + 3001)
  await directory.removals.removeDue(startMs + 3000)
  assert.equal(gone().length, 3)
  await directory.removals.removeDue(startMs + 3001)
  assert.deepEqual(gone(), [])
  assert.equal(directory.removals.nextDueMs, Infinity)
})

test('so are the snapshots of producers, of which one may be missing', async () => {
  const { disk, directory, log } = five({ retentionMs: 2000 })
  const snapshots = () => names(disk, log.directoryPath).filter(name => name.includes('.snapshot'))
  assert.deepEqual(
    snapshots(),
    [1, 2, 3, 4].map(offset => `0000000000000000000${offset}.snapshot`),
  )
  disk.remove(`${log.directoryPath}/00000000000000000001.snapshot`)
  log.deleteOldSegments(startMs + 5001, 5)
  assert.deepEqual(snapshots(), [
    '00000000000000000002.snapshot.deleted',
    '00000000000000000003.snapshot.deleted',
    '00000000000000000004.snapshot',
  ])
  await directory.removals.removeDue(startMs + 6001)
  assert.deepEqual(snapshots(), ['00000000000000000004.snapshot'])
  checkLog(log)
})

test('epochs begin where the log begins', () => {
  const { log } = rig({ segmentBytes: size, retentionBytes: 0 })
  for (let epoch = 0; epoch < 4; epoch++) put(log, ['x'], {}, epoch)
  log.deleteOldSegments(startMs, 2)
  assert.deepEqual(log.endOffsetOf(0), { epoch: 0, endOffset: 2 })
  assert.equal(log.epochOf(1), -1)
  assert.deepEqual(log.state.epochs.entries(), [
    [2, 2],
    [3, 3],
  ])
})
