import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CheckpointFile } from '#storage/checkpoint-file.js'
import { SimDisk } from '../support/sim-disk.js'

const path = '/data/replication-offset-checkpoint'

function setting() {
  const disk = new SimDisk()
  disk.makeDirectory('/data')
  return { disk, file: new CheckpointFile(disk, path), text: () => disk.readFile(path).toString() }
}

const lineOf = (topic: string, offset: number) => ({ topic, partition: 0, offset })

test('what waits for the device does not replace what was written after it had begun', async () => {
  const { disk, file, text } = setting()
  file.write([lineOf('gone', 1), lineOf('here', 1)])
  const release = disk.holdSyncs()
  const slow = file.writeAsync(() => [lineOf('gone', 2), lineOf('here', 2)])
  file.removeAll(new Set(['gone-0']))
  assert.equal(text(), '0\n1\nhere 0 2\n')
  release()
  await slow
  assert.equal(text(), '0\n1\nhere 0 2\n')
  assert.deepEqual(
    disk.list('/data').map(({ name }) => name),
    ['replication-offset-checkpoint'],
  )
  const before = disk.ioCount
  file.write([lineOf('here', 2)])
  assert.equal(disk.ioCount, before, 'what has not changed is not written')
})

test('writes that wait for the device go one after the other, each with what is true when its turn has come', async () => {
  const { disk, file, text } = setting()
  const release = disk.holdSyncs()
  let offset = 1
  const first = file.writeAsync(() => [lineOf('t', offset)])
  offset = 2
  const second = file.writeAsync(() => [lineOf('t', offset)])
  const third = file.writeAsync(() => [lineOf('t', offset)])
  offset = 3
  assert.equal(disk.exists(path), false)
  release()
  await first
  assert.equal(text(), '0\n1\nt 0 1\n')
  await Promise.all([second, third])
  assert.equal(text(), '0\n1\nt 0 3\n')
  const before = disk.ioCount
  await file.writeAsync(() => [lineOf('t', 3)])
  assert.equal(disk.ioCount, before, 'what has not changed is not written')
})

test('what could not be written is written the next time, though nothing has changed', async () => {
  const { disk, file, text } = setting()
  const lines = [lineOf('t', 7)]
  disk.failAt(1, 'EIO')
  await assert.rejects(
    file.writeAsync(() => lines),
    { code: 'EIO' },
  )
  await file.writeAsync(() => lines)
  assert.equal(text(), '0\n1\nt 0 7\n')
  const before = disk.ioCount
  await file.writeAsync(() => lines)
  assert.equal(disk.ioCount, before, 'and then no more')
})

test('what was dropped for a write that failed is written the next time', async () => {
  const { disk, file, text } = setting()
  file.write([lineOf('gone', 1), lineOf('here', 1)])
  const release = disk.holdSyncs()
  const slow = file.writeAsync(() => [lineOf('gone', 2), lineOf('here', 2)])
  disk.failAt(1, 'EIO')
  assert.throws(() => file.removeAll(new Set(['gone-0'])), { code: 'EIO' })
  disk.heal()
  release()
  await slow
  assert.equal(text(), '0\n2\ngone 0 1\nhere 0 1\n')
  await file.writeAsync(() => [lineOf('gone', 2), lineOf('here', 2)])
  assert.equal(text(), '0\n2\ngone 0 2\nhere 0 2\n')
})
