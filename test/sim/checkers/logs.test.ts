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
