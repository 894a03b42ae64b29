import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as batch from '#protocol/records/batch.js'
import { append, batchOf, names, put, restarted, rig, values } from './support.js'

const folder = '/data/events-0'

test('a new log has the files that Kafka makes', () => {
  const { disk, log } = rig()
  const zero = '00000000000000000000'
  assert.deepEqual(names(disk, folder), [`${zero}.index`, `${zero}.log`, `${zero}.timeindex`, 'partition.metadata'])
  assert.equal(disk.readFile(`${folder}/partition.metadata`).toString(), 'version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ')
  assert.deepEqual([log.logStartOffset, log.logEndOffset, log.size, log.latestEpoch], [0, 0, 0, -1])
})

test('a leader gives offsets and its epoch, in place and in the file', () => {
  const { log } = rig()
  put(log, ['a', 'b'])
  const buffer = batchOf({ values: ['c', 'd', 'e'] })
  const info = append(log, buffer, { leaderEpoch: 4 })
  assert.deepEqual([info.baseOffset, info.lastOffset, info.byteCount, info.batchCount], [2, 4, buffer.length, 1])
  assert.equal(batch.baseOffset(buffer, 0), 2)
  assert.equal(batch.partitionLeaderEpoch(buffer, 0), 4)
  assert.equal(log.logEndOffset, 5)
  assert.deepEqual(values(log), ['a', 'b', 'c', 'd', 'e'])
  assert.deepEqual(log.endOffsetOf(0), { epoch: 0, endOffset: 2 })
  assert.deepEqual(log.endOffsetOf(3), { epoch: 0, endOffset: 2 })
  assert.deepEqual(log.endOffsetOf(4), { epoch: 4, endOffset: 5 })
  assert.deepEqual(log.endOffsetOf(5), { epoch: -1, endOffset: -1 })
  assert.equal(log.epochOf(1), 0)
  assert.equal(log.epochOf(2), 4)
})

test('what is gathered is read only when it is written, and then as one', () => {
  const { disk, log } = rig()
  put(log, ['a'])
  const options = { leaderEpoch: 0, nowMs: 0, origin: 'client' } as const
  const before = disk.ioCount
  for (const value of ['b', 'c', 'd']) {
    const buffer = batchOf({ values: [value] })
    log.appendGathered(buffer, 0, buffer.length, options)
  }
  assert.equal(disk.ioCount, before)
  assert.equal(log.logEndOffset, 1)
  assert.deepEqual(values(log), ['a'])
  assert.equal(log.read(1, 1000, 100, true), null)
  log.writeGathered()
  assert.equal(disk.ioCount, before + 1)
  assert.equal(log.gatheredBytes, 0)
  assert.deepEqual(values(log), ['a', 'b', 'c', 'd'])
})

test('a clean stop and a start keep everything, and the start reads no batch twice', async () => {
  let now = rig({ indexIntervalBytes: 200, segmentBytes: 2000 })
  const expected: string[] = []
  for (let index = 0; index < 100; index++) {
    expected.push(`value ${index}`)
    put(now.log, [`value ${index}`], { timestamp: 1000 + index }, Math.floor(index / 40))
  }
  now = await restarted(now, { indexIntervalBytes: 200, segmentBytes: 2000 })
  assert.equal(now.directory.wasCleanShutdown, true)
  assert.equal(now.directory.lastBrokerEpoch, 7)
  assert.deepEqual(now.report.recoveries, [])
  assert.deepEqual(values(now.log), expected)
  assert.equal(now.log.recoveryPoint, 100)
  assert.equal(now.log.latestEpoch, 2)
  assert.deepEqual(now.log.endOffsetOf(1), { epoch: 1, endOffset: 80 })
  assert.deepEqual(await now.log.offsetForTime(1050, 1000), { timestamp: 1050, offset: 50, leaderEpoch: 1 })
  put(now.log, ['more'])
  assert.deepEqual(values(now.log, 99), ['value 99', 'more'])
})
