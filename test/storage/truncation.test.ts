import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartitionLog } from '#storage/log.js'
import { checkLog } from './check.js'
import { append, batchOf, marker, names, put, records, restarted, rig, startMs, values } from './support.js'

/** Where the batches begin and end. */
function shape(log: PartitionLog): number[][] {
  return log.state.segments.map(segment => [
    segment.baseOffset,
    ...records(log, Math.max(log.logStartOffset, segment.baseOffset))
      .map(record => record.offset)
      .filter(offset => offset >= segment.baseOffset && offset < segment.readNextOffset()),
  ])
}

test('only whole batches go: {[0,1] [2,4]} {[5,5] [6,8]} truncated to 7 is {[0,1] [2,4]} {[5,5]}', () => {
  const { log } = rig({ segmentBytes: 200 })
  put(log, ['a', 'b'])
  put(log, ['c', 'd', 'e'])
  put(log, ['f'])
  put(log, ['g', 'h', 'i'])
  log.truncateTo(6)
  assert.equal(log.logEndOffset, 6)
  assert.deepEqual(values(log), ['a', 'b', 'c', 'd', 'e', 'f'])
  checkLog(log)
  log.truncateTo(4)
  assert.deepEqual(values(log), ['a', 'b'])
  assert.equal(log.logEndOffset, 4)
  log.truncateTo(2)
  assert.equal(put(log, ['C']), 2)
  checkLog(log)
  assert.deepEqual(shape(log), [[0, 0, 1, 2]])
})

test('epochs, producers, aborted transactions and snapshots go with the records', async () => {
  const { disk, log } = rig({ segmentBytes: 1000 })
  const of = (baseSequence: number) => ({ producerId: 1, producerEpoch: 0, baseSequence, isTransactional: true })
  append(log, batchOf(of(0)), { leaderEpoch: 3 })
  marker(log, 'ABORT', 1, { leaderEpoch: 3 })
  append(log, batchOf(of(1)), { leaderEpoch: 4 })
  log.roll(startMs)
  marker(log, 'ABORT', 1, { leaderEpoch: 5 })
  await log.sync()
  log.truncateTo(3)
  checkLog(log)
  assert.equal(log.latestEpoch, 4)
  assert.equal(log.abortedTransactions(0, 10).length, 1)
  assert.equal(log.lastStableOffset(3), 2)
  assert.equal(log.recoveryPoint, 3)
  log.truncateTo(1)
  assert.equal(log.latestEpoch, 3)
  assert.deepEqual(log.abortedTransactions(0, 10), [])
  assert.equal(log.lastStableOffset(1), 0)
  assert.equal(log.recoveryPoint, 1)
  assert.deepEqual(
    names(disk, log.directoryPath).filter(name => name.endsWith('.snapshot')),
    [],
  )
  assert.match(disk.readFile(`${log.directoryPath}/leader-epoch-checkpoint`).toString(), /^0\n1\n3 0\n$/)
})

test('truncating to the end takes back an epoch that has no records', () => {
  const { log } = rig()
  put(log, ['a'], {}, 1)
  log.assignEpoch(4)
  assert.equal(log.latestEpoch, 4)
  log.truncateTo(1)
  assert.equal(log.latestEpoch, 1)
  assert.deepEqual(log.endOffsetOf(1), { epoch: 1, endOffset: 1 })
})

test('truncating below the first segment empties the log', () => {
  const { log } = rig({ segmentBytes: 100, retentionBytes: 0 })
  for (const value of ['a', 'b', 'c']) put(log, [value])
  log.deleteOldSegments(startMs, 2)
  assert.equal(log.logStartOffset, 2)
  log.truncateTo(1)
  assert.deepEqual([log.logStartOffset, log.logEndOffset, log.size, log.latestEpoch], [1, 1, 0, -1])
  assert.equal(put(log, ['x']), 1)
  checkLog(log)
})

test('a log that is emptied goes on elsewhere, after a restart too', async () => {
  let now = rig({ segmentBytes: 100 })
  for (const value of ['a', 'b', 'c']) put(now.log, [value], { producerId: 1, producerEpoch: 0, baseSequence: 0 }, 2)
  now.log.truncateFullyAndStartAt(100, 90)
  assert.deepEqual([now.log.logStartOffset, now.log.logEndOffset, now.log.recoveryPoint], [90, 100, 0])
  now.log.truncateFullyAndStartAt(100)
  assert.deepEqual(now.log.activeProducers(), [])
  assert.equal(now.log.latestEpoch, -1)
  assert.throws(() => now.log.read(5, 10, 200, true), { code: 'OFFSET_OUT_OF_RANGE' })
  assert.equal(put(now.log, ['d'], {}, 7), 100)
  now = await restarted(now)
  assert.deepEqual([now.log.logStartOffset, now.log.logEndOffset, now.log.latestEpoch], [100, 101, 7])
  assert.deepEqual(values(now.log), ['d'])
})

test('the recovery point on the device is lowered before anything is cut', async () => {
  const { disk, directory, log } = rig()
  for (const value of ['a', 'b', 'c']) put(log, [value])
  await log.sync()
  directory.checkpoint()
  const point = () => disk.readFile('/data/recovery-point-offset-checkpoint').toString()
  assert.equal(point(), '0\n1\nevents 0 3\n')
  const before = disk.trace.length
  log.truncateTo(1)
  assert.equal(point(), '0\n1\nevents 0 1\n')
  const trace = disk.trace.slice(before)
  const lowered = trace.findIndex(name => name.startsWith('rename /data/recovery-point'))
  const cut = trace.findIndex(name => name.startsWith('truncate /data/events-0/00000000000000000000.log'))
  assert.ok(lowered >= 0 && lowered < cut)
})

test('what the leader does not have stays cut off when the power fails, whatever came in its place', async () => {
  const { disk, log } = rig({ segmentBytes: 150 })
  put(log, ['old'])
  await log.sync()
  log.truncateTo(0)
  for (let index = 0; index < 6; index++) put(log, [`new ${index}`], {}, 4)
  assert.ok(log.state.segments.length > 2)
  for (let seed = 1; seed <= 200; seed++) {
    const { log: left } = rig({ segmentBytes: 150 }, disk.crashed(seed))
    assert.ok(
      values(left).every(value => value?.startsWith('new')),
      `seed ${seed}: ${values(left)}`,
    )
  }
})

test('the end of an epoch that the leader does not have stays cut off, too, beneath segments that came after it', async () => {
  const { disk, log } = rig({ segmentBytes: 300 })
  const follow = (baseOffset: number, leaderEpoch: number, value: string) => {
    const buffer = batchOf({ values: [value], baseOffset, partitionLeaderEpoch: leaderEpoch })
    append(log, buffer, { leaderEpoch, origin: 'replication' })
  }
  for (let offset = 0; offset < 4; offset++) follow(offset, 1, `old ${offset}`)
  await log.sync()
  log.truncateTo(2)
  for (let offset = 2; offset < 12; offset++) follow(offset, 2, `new ${offset}`)
  assert.equal(log.state.segments[1]?.baseOffset, 4)
  for (let seed = 1; seed <= 200; seed++) {
    const { log: left } = rig({ segmentBytes: 300 }, disk.crashed(seed))
    const found = values(left)
    assert.ok(found[2] === undefined || found[2] === 'new 2' || found.length === 4, `seed ${seed}: ${found}`)
  }
})

test('nor does it come back when the process is killed first, and the next one goes on', async () => {
  const follow = (to: PartitionLog, baseOffset: number, leaderEpoch: number, value: string) => {
    const buffer = batchOf({ values: [value], baseOffset, partitionLeaderEpoch: leaderEpoch })
    append(to, buffer, { leaderEpoch, origin: 'replication' })
  }
  for (const cut of [2, 0]) {
    const { disk, log } = rig({ segmentBytes: 300 })
    for (let offset = 0; offset < 4; offset++) follow(log, offset, 1, `old ${offset}`)
    await log.sync()
    log.truncateTo(cut)
    const killed = disk.killed()
    const { log: next } = rig({ segmentBytes: 300 }, killed)
    for (let offset = cut; offset < 12; offset++) follow(next, offset, 2, `new ${offset}`)
    for (let seed = 1; seed <= 200; seed++) {
      const found = values(rig({ segmentBytes: 300 }, killed.crashed(seed)).log)
      const isGone = found[cut] === undefined || found[cut] === `new ${cut}`
      assert.ok(isGone || found.length === 4, `cut at ${cut}, seed ${seed}: ${found}`)
    }
  }
})

test('the roll of a segment that was cut a while ago does not hold up everything until it is on the device', async () => {
  const { disk, log } = rig()
  put(log, ['a'])
  put(log, ['b'])
  const waits: string[] = []
  const { syncNodeNow } = disk
  disk.syncNodeNow = (node, path) => {
    if (path.endsWith('.log')) waits.push(path)
    syncNodeNow.call(disk, node, path)
  }
  log.truncateTo(1)
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  put(log, ['c'])
  log.roll(startMs)
  assert.deepEqual(waits, [])
})
