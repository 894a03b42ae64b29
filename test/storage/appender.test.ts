import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as batch from '#protocol/records/batch.js'
import { buildEndTransactionMarker } from '#protocol/records/control.js'
import type { LogErrorCode } from '#storage/log-error.js'
import { append, batchOf, marker, names, put, restarted, rig, startMs, values } from './support.js'

function refuses(code: LogErrorCode, run: () => unknown): void {
  assert.throws(run, { name: 'LogError', code })
}

test('batches that are too large are refused, and the log stays as it was', () => {
  const { log } = rig({ maxMessageBytes: 200, segmentBytes: 300 })
  put(log, ['a'])
  refuses('MESSAGE_TOO_LARGE', () => put(log, ['x'.repeat(200)]))
  const two = Buffer.concat([batchOf({ values: ['x'.repeat(100)] }), batchOf({ values: ['y'.repeat(100)] })])
  refuses('RECORD_LIST_TOO_LARGE', () => append(log, two))
  assert.deepEqual(values(log), ['a'])
  // A follower takes what the leader took; raft has its own limit.
  append(log, batchOf({ baseOffset: 1, values: ['z'.repeat(400)] }), { origin: 'replication' })
  append(log, batchOf({ values: ['w'.repeat(150)] }), { origin: 'raft' })
  assert.equal(log.logEndOffset, 3)
})

test('several batches of one append follow one another', () => {
  const { log } = rig({ indexIntervalBytes: 0 })
  const buffer = Buffer.concat([
    batchOf({ values: ['a', 'b'] }),
    batchOf({ values: ['c'] }),
    batchOf({ values: ['d'] }),
  ])
  const info = append(log, buffer, { origin: 'coordinator' })
  assert.deepEqual([info.baseOffset, info.lastOffset, info.batchCount, info.byteCount], [0, 3, 3, buffer.length])
  assert.deepEqual(values(log), ['a', 'b', 'c', 'd'])
  assert.deepEqual(values(log, 2), ['c', 'd'])
})

test('a follower keeps the bytes of the leader and refuses what does not continue its log', () => {
  const { log } = rig()
  const first = batchOf({ baseOffset: 5, partitionLeaderEpoch: 2, values: ['a', 'b'] })
  const info = append(log, first, { origin: 'replication', leaderEpoch: 9 })
  assert.deepEqual([info.baseOffset, info.lastOffset], [5, 6])
  assert.deepEqual(log.read(5, 1000, 100, true)?.buffer, first)
  assert.equal(log.latestEpoch, 2)
  const again = batchOf({ baseOffset: 6, values: ['c', 'd', 'e'] })
  assert.throws(() => append(log, again, { origin: 'replication' }), {
    code: 'UNEXPECTED_APPEND_OFFSET',
    firstOffset: 6,
    lastOffset: 8,
  })
  assert.equal(log.logEndOffset, 7)
})

test('a follower leaves out batches of an epoch that it does not know of yet, and all after them', () => {
  const { log } = rig()
  const of = (baseOffset: number, partitionLeaderEpoch: number) => batchOf({ baseOffset, partitionLeaderEpoch })
  const buffer = Buffer.concat([of(0, 1), of(1, 1), of(2, 2), of(3, 1)])
  const info = append(log, buffer, { origin: 'replication', leaderEpoch: 1 })
  assert.deepEqual([info.lastOffset, info.batchCount, log.logEndOffset], [1, 2, 2])
  const none = append(log, of(2, 2), { origin: 'replication', leaderEpoch: 1 })
  assert.deepEqual([none.byteCount, none.lastOffset, log.logEndOffset], [0, 1, 2])
})

test('a follower leaves out a last batch that is cut, and refuses what is no batch', () => {
  const { log } = rig()
  const two = Buffer.concat([batchOf({ baseOffset: 0 }), batchOf({ baseOffset: 1 })])
  for (const cut of [1, 30, 60, 65]) {
    const info = append(log, two.subarray(0, two.length - cut), { origin: 'replication' })
    assert.deepEqual([info.batchCount, log.logEndOffset], [1, 1])
    log.truncateTo(0)
  }
  refuses('CORRUPT_MESSAGE', () => append(log, Buffer.alloc(100), { origin: 'replication' }))
  assert.equal(log.logEndOffset, 0)
})

test('an idempotent producer may repeat its last five batches and skip nothing', () => {
  const { log } = rig()
  const of = (baseSequence: number, producerEpoch = 0) =>
    batchOf({ values: ['a', 'b'], producerId: 4, producerEpoch, baseSequence })
  for (let index = 0; index < 7; index++) assert.equal(append(log, of(index * 2)).baseOffset, index * 2)
  for (const index of [2, 6, 4]) {
    const info = append(log, of(index * 2))
    assert.deepEqual([info.isDuplicate, info.baseOffset, info.lastOffset], [true, index * 2, index * 2 + 1])
    assert.deepEqual([info.byteCount, info.logAppendTimeMs], [0, startMs])
  }
  refuses('OUT_OF_ORDER_SEQUENCE_NUMBER', () => append(log, of(2)))
  refuses('OUT_OF_ORDER_SEQUENCE_NUMBER', () => append(log, of(16)))
  refuses('OUT_OF_ORDER_SEQUENCE_NUMBER', () => append(log, of(14, 1)))
  assert.equal(append(log, of(0, 1)).isDuplicate, false)
  refuses('INVALID_PRODUCER_EPOCH', () => append(log, of(14)))
  assert.equal(log.logEndOffset, 16)
})

test('sequences wrap around', () => {
  const { log } = rig()
  const of = (baseSequence: number, count: number) =>
    batchOf({ values: Array(count).fill('x'), producerId: 4, producerEpoch: 0, baseSequence })
  append(log, of(2 ** 31 - 3, 5))
  refuses('OUT_OF_ORDER_SEQUENCE_NUMBER', () => append(log, of(3, 1)))
  append(log, of(2, 1))
  assert.equal(append(log, of(2 ** 31 - 3, 5)).isDuplicate, true)
  assert.equal(log.activeProducers()[0]?.lastSequence, 2)
})

test('a batch that repeats one that is gathered is a duplicate of it', () => {
  const { log } = rig()
  const buffer = batchOf({ producerId: 4, producerEpoch: 0, baseSequence: 0 })
  const options = { leaderEpoch: 0, nowMs: startMs, origin: 'client' } as const
  assert.equal(log.appendGathered(buffer, 0, buffer.length, options).isDuplicate, false)
  const copy = Buffer.from(buffer)
  assert.equal(log.appendGathered(copy, 0, copy.length, options).isDuplicate, true)
  log.writeGathered()
  assert.equal(log.logEndOffset, 1)
})

test('a transaction is open until its marker, and bounds what is stable', () => {
  const { log } = rig()
  const of = (producerId: number, baseSequence: number, isTransactional = true) =>
    batchOf({ producerId, producerEpoch: 3, baseSequence, isTransactional })
  append(log, batchOf())
  append(log, of(1, 0))
  append(log, of(2, 0))
  assert.equal(log.lastStableOffset(3), 1)
  assert.equal(log.hasOpenTransaction(1, 3), true)
  refuses('INVALID_TXN_STATE', () => append(log, of(1, 1, false)))
  marker(log, 'ABORT', 1, { producerEpoch: 3, coordinatorEpoch: 5 })
  assert.equal(log.hasOpenTransaction(1, 3), false)
  assert.equal(log.lastStableOffset(4), 2)
  // Decided, but not replicated yet.
  assert.equal(log.lastStableOffset(3), 1)
  marker(log, 'COMMIT', 2, { producerEpoch: 3, coordinatorEpoch: 5 })
  assert.equal(log.lastStableOffset(5), 5)
  assert.deepEqual(log.abortedTransactions(0, 10), [
    { producerId: 1, firstOffset: 1, lastOffset: 3, lastStableOffset: 2 },
  ])
  refuses('TRANSACTION_COORDINATOR_FENCED', () => marker(log, 'ABORT', 1, { producerEpoch: 3, coordinatorEpoch: 4 }))
  refuses('INVALID_PRODUCER_EPOCH', () => marker(log, 'ABORT', 1, { producerEpoch: 2, coordinatorEpoch: 5 }))
})

test('a marker of transaction version 2 has an epoch of its own', () => {
  const { log } = rig()
  append(log, batchOf({ producerId: 1, producerEpoch: 0, baseSequence: 0, isTransactional: true }))
  refuses('INVALID_PRODUCER_EPOCH', () => marker(log, 'COMMIT', 1, { transactionVersion: 2 }))
  marker(log, 'COMMIT', 1, { transactionVersion: 2, producerEpoch: 1 })
  // Once more is a repetition.
  marker(log, 'COMMIT', 1, { transactionVersion: 2, producerEpoch: 1 })
  assert.equal(log.activeProducers()[0]?.producerEpoch, 1)
  // The sequences of the new epoch begin anew.
  const next = { producerId: 1, producerEpoch: 1, isTransactional: true }
  refuses('OUT_OF_ORDER_SEQUENCE_NUMBER', () => append(log, batchOf({ ...next, baseSequence: 1 })))
  append(log, batchOf({ ...next, baseSequence: 0 }))
})

test('a marker that cannot be read is refused before anything is done', () => {
  const { log } = rig()
  const buffer = buildEndTransactionMarker({
    type: 'ABORT',
    coordinatorEpoch: 0,
    producerId: 1,
    producerEpoch: 0,
    timestamp: startMs,
  })
  buffer[61 + 4] = 1 // the key of the record is shorter than a key can be
  batch.stampCrc(buffer, 0)
  refuses('INVALID_RECORD', () => append(log, buffer, { origin: 'coordinator' }))
  assert.deepEqual([log.logEndOffset, log.gatheredBytes], [0, 0])
})

test('a segment is rolled by size', () => {
  const size = batchOf({ values: ['x'] }).length
  const { log } = rig({ segmentBytes: size * 3 })
  for (let index = 0; index < 7; index++) put(log, ['x'])
  assert.deepEqual(
    log.state.segments.map(segment => [segment.baseOffset, segment.size]),
    [
      [0, size * 3],
      [3, size * 3],
      [6, size],
    ],
  )
  assert.equal(values(log).length, 7)
})

test('a segment is rolled by the time of its records, and by the clock if they have none', () => {
  const { log } = rig({ segmentMs: 1000 })
  put(log, ['a'], { timestamp: 5000 })
  put(log, ['b'], { timestamp: 6000 })
  assert.equal(log.segmentCount, 1)
  put(log, ['c'], { timestamp: 6001 })
  assert.equal(log.segmentCount, 2)
  const { log: timeless } = rig({ segmentMs: 1000 })
  const options = { nowMs: startMs + 1000 }
  append(timeless, batchOf({ timestamp: -1 }), options)
  append(timeless, batchOf({ timestamp: -1 }), options)
  assert.equal(timeless.segmentCount, 1)
  append(timeless, batchOf({ timestamp: -1 }), { nowMs: startMs + 1001 })
  assert.equal(timeless.segmentCount, 2)
})

test('a segment of a compacted topic is rolled in time for max.compaction.lag.ms', () => {
  for (const [compact, segments] of [
    [true, 2],
    [false, 1],
  ] as const) {
    const { log } = rig({ maxCompactionLagMs: 1000, cleanupPolicy: { delete: false, compact } })
    put(log, ['a'], { timestamp: 5000 })
    put(log, ['b'], { timestamp: 6000 })
    assert.equal(log.segmentCount, 1)
    put(log, ['c'], { timestamp: 6001 })
    assert.equal(log.segmentCount, segments)
  }
})

test('a jitter that is longer than max.compaction.lag.ms does not roll a segment for every batch', () => {
  const cleanupPolicy = { delete: false, compact: true }
  for (let lagMs = 1000; lagMs < 1020; lagMs++) {
    const { log } = rig({ maxCompactionLagMs: lagMs, segmentJitterMs: 600_000, cleanupPolicy })
    put(log, ['a'], { timestamp: 5000 })
    put(log, ['b'], { timestamp: 5000 })
    assert.equal(log.segmentCount, 1)
  }
})

test('a jitter rolls segments a little earlier, each by its own', () => {
  const rolledAt = (segmentJitterMs: number) => {
    const { log } = rig({ segmentMs: 10_000, segmentJitterMs })
    put(log, ['a'], { timestamp: 0 })
    for (let timestamp = 1; ; timestamp++) {
      put(log, ['b'], { timestamp })
      if (log.segmentCount === 2) return timestamp
    }
  }
  assert.equal(rolledAt(0), 10_001)
  assert.ok(rolledAt(9000) < 10_000)
  assert.equal(rolledAt(9000), rolledAt(9000))
})

test('a segment is rolled when an index is full', () => {
  const { log } = rig({ indexIntervalBytes: 0, segmentIndexBytes: 36 })
  // Room for four offsets, and for three times of which one is kept free.
  for (let index = 0; index < 5; index++) put(log, ['x'], { timestamp: startMs + index })
  assert.deepEqual(
    log.state.segments.map(segment => segment.baseOffset),
    [0, 3],
  )
})

test('a segment is rolled when offsets would be too far from its base', () => {
  const { log } = rig()
  const origin = 'replication'
  append(log, batchOf({ baseOffset: 10 }), { origin })
  append(log, batchOf({ baseOffset: 2 ** 31 - 1 }), { origin })
  append(log, batchOf({ baseOffset: 2 ** 31 }), { origin })
  assert.deepEqual(
    log.state.segments.map(segment => segment.baseOffset),
    [0, 2 ** 31],
  )
  assert.equal(log.read(11, 1000, Infinity, true)?.firstBatchOffset, 2 ** 31 - 1)
  assert.equal(log.read(2 ** 31, 1000, Infinity, true)?.firstBatchOffset, 2 ** 31)
})

test('rolling leaves a snapshot of producers where the new segment begins, and whole indexes', () => {
  const { disk, log } = rig({ indexIntervalBytes: 0 })
  put(log, ['a'], { producerId: 1, producerEpoch: 0, baseSequence: 0, timestamp: 70 })
  put(log, ['b'], { timestamp: 50 })
  log.roll(startMs)
  log.roll(startMs)
  const folder = names(disk, '/data/events-0').filter(name => name !== 'partition.metadata')
  const of = (offset: number, ...kinds: string[]) => kinds.map(kind => String(offset).padStart(20, '0') + kind)
  assert.deepEqual(folder, [
    ...of(0, '.index', '.log', '.timeindex'),
    ...of(2, '.index', '.log', '.snapshot', '.timeindex'),
  ])
  const path = `/data/events-0/${of(0, '.timeindex')[0]}`
  assert.deepEqual([...disk.readFile(path)], [0, 0, 0, 0, 0, 0, 0, 70, 0, 0, 0, 0])
})

test('flush.messages asks for a sync, flush.ms says when', async () => {
  const { log } = rig({ flushMessages: 3, flushMs: 500 })
  assert.equal(log.nextFlushDueMs, Infinity)
  assert.equal(append(log, batchOf({ values: ['a', 'b'] }), { nowMs: 1000 }).needsSync, false)
  assert.equal(log.nextFlushDueMs, 1500)
  assert.equal(append(log, batchOf(), { nowMs: 1400 }).needsSync, true)
  assert.equal(log.nextFlushDueMs, 1500)
  await log.sync()
  assert.equal(log.nextFlushDueMs, Infinity)
  assert.equal(append(log, batchOf(), { nowMs: 2000 }).needsSync, false)
})

test('LogAppendTime is told with the append', () => {
  const { log } = rig({ messageTimestampType: 'LogAppendTime' })
  assert.equal(append(log, batchOf(), { nowMs: 77 }).logAppendTimeMs, 77)
  const { log: other } = rig()
  assert.equal(append(other, batchOf(), { nowMs: 77 }).logAppendTimeMs, -1)
})

test('a failed write takes back all that was gathered', () => {
  const { disk, directory, log, failures } = rig()
  put(log, ['a'], { producerId: 1, producerEpoch: 0, baseSequence: 0 })
  log.assignEpoch(1)
  const options = { leaderEpoch: 2, nowMs: startMs, origin: 'client' } as const
  for (const baseSequence of [1, 2]) {
    const buffer = batchOf({ producerId: 1, producerEpoch: 0, baseSequence })
    log.appendGathered(buffer, 0, buffer.length, options)
  }
  disk.failAt(1, 'ENOSPC')
  refuses('KAFKA_STORAGE_ERROR', () => log.writeGathered())
  assert.deepEqual([log.logEndOffset, log.gatheredBytes, log.latestEpoch], [1, 0, 1])
  assert.equal(directory.offline, failures[0])
  assert.match(String(failures[0]?.message), /\/data: appending to .*ENOSPC.*offline/)
  assert.equal(disk.fileSize(`${log.directoryPath}/00000000000000000000.log`), log.size)
  refuses('KAFKA_STORAGE_ERROR', () => put(log, ['b']))
  const next = rig({}, disk.killed())
  assert.equal(append(next.log, batchOf({ producerId: 1, producerEpoch: 0, baseSequence: 1 })).isDuplicate, false)
})

test('after a clean restart the last five batches of each producer are recognised again, not the last one alone', async () => {
  const old = rig()
  const of = (producerId: number, sequence: number) =>
    batchOf({ producerId, producerEpoch: 0, baseSequence: sequence, values: ['a', 'b'] })
  for (let index = 0; index < 8; index++) for (const id of [1, 2]) append(old.log, of(id, index * 2))
  const { log } = await restarted(old)
  for (const id of [1, 2]) {
    for (let index = 3; index < 8; index++) {
      const info = append(log, of(id, index * 2))
      assert.deepEqual([info.isDuplicate, info.baseOffset], [true, index * 4 + (id - 1) * 2])
    }
    refuses('OUT_OF_ORDER_SEQUENCE_NUMBER', () => append(log, of(id, 4)))
    assert.equal(append(log, of(id, 16)).isDuplicate, false)
  }
})
