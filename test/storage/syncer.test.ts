import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { put, rig, startMs, values } from './support.js'

function syncs(trace: readonly string[]): number {
  return trace.filter(name => name === 'sync /data/events-0/00000000000000000000.log').length
}

test('those who wait together share a sync, and those who come meanwhile share the next one', async () => {
  const { disk, log } = rig()
  put(log, ['a'])
  await log.sync()
  const before = syncs(disk.trace)
  const release = disk.holdSyncs()
  put(log, ['b'])
  const order: string[] = []
  const first = log.sync().then(() => order.push('first'))
  put(log, ['c'])
  const second = log.sync().then(() => order.push('second'))
  put(log, ['d'])
  const third = log.sync().then(() => order.push('third'))
  assert.equal(syncs(disk.trace) - before, 1)
  assert.equal(log.recoveryPoint, 1)
  release()
  await Promise.all([first, second, third])
  assert.deepEqual(order, ['first', 'second', 'third'])
  assert.equal(syncs(disk.trace) - before, 2)
  assert.equal(log.recoveryPoint, 4)
})

test('the rest is synced at once where it is batches of the active segment, and nothing is where there is more', async () => {
  const { disk, log } = rig()
  put(log, ['a'])
  assert.equal(log.syncRest(), false, 'its epoch is new')
  await log.sync()
  put(log, ['b'])
  assert.deepEqual([log.syncRest(), log.recoveryPoint], [true, 2])
  put(log, ['c'])
  log.roll(startMs)
  put(log, ['d'])
  assert.deepEqual([log.syncRest(), log.recoveryPoint], [false, 2])
  for (let seed = 1; seed <= 50; seed++) {
    assert.deepEqual(values(rig({}, disk.crashed(seed)).log).slice(0, 2), ['a', 'b'])
  }
})

test('a log that is on the device has nothing to sync', async () => {
  const { disk, log } = rig()
  put(log, ['a'])
  await log.sync()
  const before = disk.ioCount
  await log.sync()
  assert.equal(disk.ioCount, before)
})

test('what is cut off while a sync runs is not taken for durable', async () => {
  const { disk, log } = rig()
  put(log, ['a'])
  await log.sync()
  put(log, ['b'])
  put(log, ['c'])
  const release = disk.holdSyncs()
  const done = log.sync()
  log.truncateTo(1)
  put(log, ['B'])
  release()
  await done
  assert.equal(log.recoveryPoint, 1)
  await log.sync()
  assert.equal(log.recoveryPoint, 2)
})

test('a sync that fails rejects for all who wait, and the directory is offline', async () => {
  const { disk, directory, log } = rig()
  put(log, ['a'])
  await log.sync()
  put(log, ['b'])
  const release = disk.holdSyncs()
  disk.failAt(1, 'EIO')
  const first = log.sync()
  const second = log.sync()
  release()
  for (const waiting of [first, second, log.sync()]) {
    await assert.rejects(waiting, { name: 'LogError', code: 'KAFKA_STORAGE_ERROR' })
  }
  assert.ok(directory.offline !== null)
  assert.equal(log.recoveryPoint, 1)
})

test('rolled segments go to the device by themselves', async () => {
  const { disk, log } = rig({ segmentBytes: 150 })
  put(log, ['a'.repeat(50)])
  put(log, ['b'.repeat(50)])
  assert.equal(log.segmentCount, 2)
  for (let turn = 0; turn < 50 && log.recoveryPoint === 0; turn++) await Promise.resolve()
  assert.equal(log.recoveryPoint, 1)
  assert.equal(syncs(disk.trace), 1)
})

test('what goes wrong in a sync that nobody waits for is passed over if a disk has failed, and only then', () => {
  const support = new URL('support.js', import.meta.url).href
  const run = (error: string) => {
    const script = `
      import { put, rig } from '${support}'
      const { disk, directory, log } = rig({ segmentBytes: 150 })
      disk.syncDirectoryAsync = async () => { throw Object.assign(new Error('it broke'), ${error}) }
      put(log, ['a'.repeat(50)])
      put(log, ['b'.repeat(50)])
      setImmediate(() => console.log(directory.offline === null ? 'online' : 'offline'))`
    return spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
  }
  const ofDisk = run(`{ code: 'EIO' }`)
  assert.deepEqual([ofDisk.status, ofDisk.stdout, ofDisk.stderr], [0, 'offline\n', ''])
  const ofOurs = run('{}')
  assert.equal(ofOurs.status, 1)
  assert.match(ofOurs.stderr, /it broke/)
})

test('waiting for a log that is deleted ends with an error that says so, and harms nobody', async () => {
  const { disk, directory, log } = rig()
  put(log, ['a'])
  const release = disk.holdSyncs()
  const first = log.sync()
  const second = log.sync()
  directory.deleteLog(log, startMs)
  release()
  await assert.rejects(second, { code: 'UNKNOWN_TOPIC_OR_PARTITION' })
  await first.catch((error: unknown) => assert.match(String(error), /was closed/))
  assert.equal(directory.offline, null)
  assert.throws(() => put(log, ['b']), { code: 'UNKNOWN_TOPIC_OR_PARTITION' })
})
