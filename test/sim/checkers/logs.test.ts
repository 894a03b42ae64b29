import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildBatch } from '#protocol/records/build.js'
import { SimDisk } from '../../support/sim-disk.js'
import { Violation } from './history.js'
import { LogWatcher } from './logs.js'

const disk = new SimDisk()

/** A node writes a batch of one record. */
function write(
  watcher: LogWatcher,
  nodeId: number,
  baseOffset: number,
  partitionLeaderEpoch: number,
  value = 'a',
): void {
  const records = [{ timestamp: 0, key: null, value: Buffer.from(value) }]
  const bytes = buildBatch({ baseOffset, partitionLeaderEpoch, records })
  const path = `/data/topic-0/${String(baseOffset).padStart(20, '0')}.log`
  watcher.changed(nodeId, disk, { kind: 'write', path, position: 0, bytes })
}

test('the same batch may come to all nodes, and another one in another epoch', () => {
  const watcher = new LogWatcher()
  for (const node of [1, 2, 3]) write(watcher, node, 0, 5)
  write(watcher, 2, 1, 6)
  write(watcher, 1, 1, 6)
  assert.equal(watcher.log(1, 'topic-0')?.end, 2)
})

test('another batch at the same offset and epoch is found', () => {
  const watcher = new LogWatcher()
  write(watcher, 1, 0, 5, 'a')
  assert.throws(() => write(watcher, 2, 0, 5, 'b'), /log matching: node 2/)
})

test('two nodes that both lead in one epoch are found', () => {
  const watcher = new LogWatcher()
  write(watcher, 1, 0, 5)
  assert.throws(() => write(watcher, 2, 1, 5), { name: new Violation('').name, message: /one leader an epoch: node 2/ })
})

test('a log parts from another one where the epochs are not the same', () => {
  const watcher = new LogWatcher()
  for (const node of [1, 2]) write(watcher, node, 0, 5)
  write(watcher, 1, 1, 5)
  write(watcher, 2, 1, 6)
  write(watcher, 2, 2, 6)
  const [own, other] = [1, 2].map(node => watcher.log(node, 'topic-0')!)
  assert.equal(own!.partsFrom(other!), 1)
  assert.equal(own!.partsFrom(own!), Infinity)
})

/** A node writes a batch of one record to a folder. */
function writeTo(watcher: LogWatcher, folder: string, baseOffset: number): string {
  const records = [{ timestamp: 0, key: null, value: Buffer.from('a') }]
  const bytes = buildBatch({ baseOffset, partitionLeaderEpoch: 1, records })
  const path = `${folder}/${String(baseOffset).padStart(20, '0')}.log`
  watcher.changed(1, disk, { kind: 'write', path, position: 0, bytes })
  return path
}

const FUTURE = '/two/topic-0.0000018bcfe571840000000000000008-future'

test('a copy in another directory counts when it takes the place of the log', () => {
  const watcher = new LogWatcher()
  for (const offset of [0, 1]) writeTo(watcher, '/one/topic-0', offset)
  writeTo(watcher, FUTURE, 0)
  assert.equal(watcher.log(1, 'topic-0')?.end, 2)
  watcher.changed(1, disk, { kind: 'rename', path: FUTURE, to: '/two/topic-0' })
  watcher.changed(1, disk, { kind: 'rename', path: '/one/topic-0', to: '/one/topic-0.00ff-delete' })
  assert.equal(watcher.log(1, 'topic-0')?.end, 1)
})

test('of two logs of a partition that counts which the controller knows', () => {
  const watcher = new LogWatcher()
  for (const offset of [0, 1]) writeTo(watcher, '/one/topic-0', offset)
  writeTo(watcher, '/two/topic-0', 0)
  for (const [directory, end] of [
    ['/one', 2],
    ['/two', 1],
  ] as const) {
    watcher.directoryOf = () => directory
    assert.equal(watcher.log(1, 'topic-0')?.end, end)
  }
})

test('a copy that has the place of a log is on the device when its new name is', () => {
  const watcher = new LogWatcher()
  writeTo(watcher, '/one/topic-0', 0)
  const path = writeTo(watcher, FUTURE, 0)
  watcher.changed(1, disk, { kind: 'sync', path, size: 1000 })
  watcher.changed(1, disk, { kind: 'rename', path: FUTURE, to: '/two/topic-0' })
  watcher.directoryOf = () => '/two'
  assert.equal(watcher.log(1, 'topic-0')?.syncedEnd, 0)
  watcher.changed(1, disk, { kind: 'sync folder', path: '/two' })
  assert.equal(watcher.log(1, 'topic-0')?.syncedEnd, 1)
})
