import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openLogDirectory } from '#storage/log-directory.js'
import { LogError } from '#storage/log-error.js'
import { expectOwner } from '#storage/meta-properties.js'
import { SimDisk } from '../support/sim-disk.js'
import { append, batchOf, configOf, load, names, put, restarted, rig, startMs, topicId, values } from './support.js'

const otherId = 'AAAAAAAAAAAAAAAAAAAABA'

function storageError(pattern: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof LogError, String(error))
    assert.equal(error.code, 'KAFKA_STORAGE_ERROR')
    assert.match(error.message, pattern)
    return true
  }
}

test('a directory in use is locked, and the message says what to do', () => {
  const disk = new SimDisk()
  const first = openLogDirectory({ disk, path: '/data' })
  assert.throws(
    () => openLogDirectory({ disk, path: '/data' }),
    storageError(/\/data\/\.lock is locked: another broker, Ottla or Kafka.*Stop it, or change log\.dirs/),
  )
  first.abandon()
  openLogDirectory({ disk, path: '/data' }).abandon()
})

test('meta.properties of version 1 and of version 0 are read, and written as version 1', () => {
  const disk = new SimDisk()
  disk.makeDirectory('/data')
  disk.replaceFile('/data/meta.properties', Buffer.from('#Mon\nbroker.id=7\nversion=0\ncluster.id = a\\:b\n'))
  const directory = openLogDirectory({ disk, path: '/data' })
  assert.deepEqual(directory.metaProperties, { version: 0, clusterId: 'a:b', nodeId: 7, directoryId: null })
  directory.writeMetaProperties({ version: 1, clusterId: 'abc', nodeId: 8, directoryId: otherId })
  directory.abandon()
  const text = disk.readFile('/data/meta.properties').toString()
  assert.equal(text, `#\ncluster.id=abc\ndirectory.id=${otherId}\nnode.id=8\nversion=1\n`)
  const again = openLogDirectory({ disk, path: '/data' }).metaProperties!
  assert.deepEqual(again, { version: 1, clusterId: 'abc', nodeId: 8, directoryId: otherId })
  expectOwner('/data', again, { clusterId: 'abc', nodeId: 8 })
  assert.throws(
    () => expectOwner('/data', again, { clusterId: 'abd', nodeId: 8 }),
    storageError(/belongs to cluster abc/),
  )
  assert.throws(() => expectOwner('/data', again, { clusterId: null, nodeId: 9 }), storageError(/belongs to node 8/))
})

test('meta.properties that make no sense are named with the line', () => {
  for (const [text, pattern] of [
    ['version=3\n', /meta\.properties: version '3'/],
    ['version=1\ncluster.id=x\n', /node\.id is missing/],
    ['version=1\nnode.id=1\n', /cluster\.id is missing/],
    ['version=1\nnode.id=one\n', /'one' is no node id/],
    ['version=1\n==\n', /line 2/],
    ['version=1\nnode.id=1\ncluster.id=x\ndirectory.id=xyz\n', /directory\.id 'xyz' is no uuid/],
  ] as const) {
    const disk = new SimDisk()
    disk.makeDirectory('/data')
    disk.replaceFile('/data/meta.properties', Buffer.from(text))
    assert.throws(() => openLogDirectory({ disk, path: '/data' }), storageError(pattern))
    // The lock was let go of.
    assert.ok(disk.lock('/data/.lock') !== null)
  }
})

test('a clean stop leaves Kafka’s marker, and the next start takes it away before anything else', async () => {
  const now = rig()
  put(now.log, ['a'])
  await now.directory.close(42, () => 1)
  assert.equal(now.disk.readFile('/data/.kafka_cleanshutdown').toString(), '{"version":0,"brokerEpoch":42}')
  const next = openLogDirectory({ disk: now.disk, path: '/data' })
  assert.deepEqual([next.wasCleanShutdown, next.lastBrokerEpoch], [true, 42])
  const before = now.disk.trace.length
  load(next, configOf())
  assert.deepEqual(now.disk.trace.slice(before, before + 2), [
    'remove /data/.kafka_cleanshutdown',
    'syncDirectory /data',
  ])
  next.abandon()
  now.disk.open('/data/.kafka_cleanshutdown', { create: true })
  const empty = openLogDirectory({ disk: now.disk, path: '/data' })
  assert.deepEqual([empty.wasCleanShutdown, empty.lastBrokerEpoch], [true, -1])
})

test('after a crash, a start that ends before the logs are open leaves recovery to the next one', async () => {
  const first = rig()
  put(first.log, ['a'], {}, 1)
  await first.log.sync()
  first.directory.checkpoint()
  await first.directory.checkpointHighWatermarks(() => 1)
  // Epochs that only the batches know, as their file was not written any more.
  put(first.log, ['b'], {}, 2)
  put(first.log, ['c'], {}, 3)
  const disk = first.disk.killed()
  const second = openLogDirectory({ disk, path: '/data' })
  await second.close(-1, () => null)
  const third = rig({}, disk)
  assert.equal(third.directory.wasCleanShutdown, false)
  assert.deepEqual(third.log.endOffsetOf(1), { epoch: 1, endOffset: 1 })
  assert.deepEqual(third.log.endOffsetOf(2), { epoch: 2, endOffset: 2 })
  assert.equal(third.directory.checkpointedHighWatermarks.get('events-0'), 1)
})

test('a start that ends before the logs are open leaves a clean directory clean', async () => {
  const { disk, directory } = rig()
  await directory.close(42, () => 0)
  await openLogDirectory({ disk, path: '/data' }).close(-1, () => null)
  const next = openLogDirectory({ disk, path: '/data' })
  assert.deepEqual([next.wasCleanShutdown, next.lastBrokerEpoch], [true, 42])
})

test('a start that ends while logs are opened forgets nothing of those that are not open', async () => {
  const { disk, directory, log } = rig()
  const config = configOf()
  const other = directory.create({ topic: 'other', partition: 0, topicId: otherId, config, nowMs: startMs })
  for (const one of [log, other]) for (const value of ['a', 'b', 'c']) put(one, [value])
  other.advanceStart(2)
  await directory.close(42, () => 3)
  const second = openLogDirectory({ disk, path: '/data' })
  const loading = second.load(() => config, startMs)
  loading.next()
  assert.deepEqual([second.get('events', 0) !== undefined, second.get('other', 0)], [true, undefined])
  await second.close(-1, () => null)
  const third = openLogDirectory({ disk, path: '/data' })
  assert.equal(third.wasCleanShutdown, false)
  load(third, config)
  assert.deepEqual(values(third.get('other', 0)!), ['c'])
  assert.equal(third.checkpointedHighWatermarks.get('other-0'), 3)
})

test('the high watermark of a log that nobody asked for stays what it was', async () => {
  let now = rig()
  put(now.log, ['a'])
  await now.directory.close(42, () => 1)
  now = rig({}, now.disk)
  await now.directory.close(43, () => null)
  now = rig({}, now.disk)
  assert.equal(now.directory.checkpointedHighWatermarks.get('events-0'), 1)
})

test('checkpoint files are Kafka’s', async () => {
  const { disk, directory, log } = rig()
  for (const value of ['a', 'b', 'c']) put(log, [value])
  await log.sync()
  put(log, ['d'])
  log.advanceStart(2)
  directory.checkpoint()
  await directory.checkpointHighWatermarks(() => 4)
  directory.checkpointCleanerOffset(log, 1)
  const text = (name: string) => disk.readFile(`/data/${name}-offset-checkpoint`).toString()
  assert.equal(text('recovery-point'), '0\n1\nevents 0 3\n')
  assert.equal(text('log-start'), '0\n1\nevents 0 2\n')
  assert.equal(text('replication'), '0\n1\nevents 0 4\n')
  assert.equal(text('cleaner'), '0\n1\nevents 0 1\n')
  const before = disk.ioCount
  directory.checkpoint()
  assert.equal(disk.ioCount, before, 'what has not changed is not written')
})

test('a malformed checkpoint is not used, and the report says so', async () => {
  const now = rig()
  put(now.log, ['a'])
  await now.log.sync()
  now.directory.checkpoint()
  for (const text of ['1\n0\n', '0\n2\nevents 0 1\n', '0\n1\nevents zero 1\n', '0\n1\nevents 0 1', 'x']) {
    const disk = now.disk.killed()
    disk.replaceFile('/data/recovery-point-offset-checkpoint', Buffer.from(text))
    const next = rig({}, disk)
    assert.match(next.report.notes.join(), /recovery-point-offset-checkpoint.*the file is not used/)
    assert.equal(next.log.recoveryPoint, 0)
    assert.deepEqual(values(next.log), ['a'])
    next.directory.abandon()
  }
})

test('folders that are no logs are left alone, and those marked for deletion go', async () => {
  const disk = new SimDisk()
  const unique = '0123456789abcdef0123456789abcdef'
  const marked = ['delete', 'stray', 'future'].map(state => `events-1.${unique}-${state}`)
  for (const name of [...marked, 'lost+found', 'nodash', '__cluster_metadata-0', 'remote-log-index-cache']) {
    disk.makeDirectory(`/data/${name}`)
  }
  const { directory, report } = rig({}, disk)
  assert.deepEqual(report.ignored, [marked[1], 'lost+found', 'nodash'])
  assert.equal(directory.getFuture('events', 1)?.logEndOffset, 0)
  assert.equal(directory.get('events', 1), undefined)
  assert.equal(directory.get('__cluster_metadata', 0), undefined)
  await directory.removals.removeDue(startMs)
  assert.ok(!names(disk, '/data').includes(marked[0]!))
})

test('a deleted log frees its name at once, and its checkpoints do not count for the next one', async () => {
  const { disk, directory, log } = rig({ fileDeleteDelayMs: 1000 })
  for (const value of ['a', 'b', 'c']) put(log, [value])
  await log.sync()
  log.advanceStart(2)
  directory.checkpoint()
  await directory.checkpointHighWatermarks(() => 3)
  directory.deleteLog(log, startMs)
  assert.equal(directory.get('events', 0), undefined)
  const [folder] = names(disk, '/data').filter(name => name.endsWith('-delete'))
  assert.match(folder ?? '', /^events-0\.[0-9a-f]{32}-delete$/)
  const options = { topic: 'events', partition: 0, topicId: otherId, config: configOf(), nowMs: startMs }
  const fresh = directory.create(options)
  assert.equal(put(fresh, ['x']), 0)
  const next = openLogDirectory({ disk: disk.killed(), path: '/data' })
  load(next, configOf())
  assert.equal(next.get('events', 0)?.topicId, otherId)
  assert.deepEqual(next.checkpointedHighWatermarks.get('events-0'), undefined)
  assert.deepEqual(values(next.get('events', 0)!), ['x'])
})

test('what the checkpoints say of a log that is gone does not count for the next one after a crash either', async () => {
  const { disk, directory, log } = rig()
  for (const value of ['a', 'b', 'c']) put(log, [value])
  log.advanceStart(2)
  directory.checkpoint()
  directory.checkpointCleanerOffset(log, 3)
  await directory.checkpointHighWatermarks(() => 3)
  directory.deleteLog(log, startMs)
  const killed = disk.killed()
  const next = openLogDirectory({ disk: killed, path: '/data' })
  load(next, configOf())
  next.create({ topic: 'events', partition: 0, topicId: otherId, config: configOf(), nowMs: startMs })
  for (const name of ['recovery-point', 'log-start', 'replication', 'cleaner']) {
    assert.doesNotMatch(killed.readFile(`/data/${name}-offset-checkpoint`).toString(), /events/)
  }
  assert.equal(next.cleanerOffsets.get('events-0'), undefined)
})

test('a log of another topic id is not handed out', () => {
  const { directory } = rig()
  const options = { topic: 'events', partition: 0, config: configOf(), nowMs: startMs }
  assert.equal(directory.create({ ...options, topicId }), directory.get('events', 0))
  assert.throws(() => directory.create({ ...options, topicId: otherId }), { code: 'INCONSISTENT_TOPIC_ID' })
})

test('a stray log keeps its files and is forgotten', () => {
  const { disk, directory, log } = rig()
  put(log, ['a'])
  directory.markStray(log, startMs)
  assert.equal(directory.get('events', 0), undefined)
  assert.equal(names(disk, '/data').filter(name => /^events-0\.[0-9a-f]{32}-stray$/.test(name)).length, 1)
})

test('a future log takes the place of the one that is here, while it is read and appended to', async () => {
  let now = rig()
  put(now.log, ['old'])
  const options = { topic: 'events', partition: 0, topicId, config: configOf(), nowMs: startMs }
  const future = now.directory.create({ ...options, isFuture: true })
  assert.match(future.directoryPath, /events-0\.[0-9a-f]{32}-future$/)
  put(future, ['new'])
  const syncing = future.sync()
  now.directory.promoteFuture(future, startMs)
  await syncing
  assert.equal(now.directory.get('events', 0), future)
  assert.equal(future.directoryPath, '/data/events-0')
  put(future, ['newer'])
  assert.deepEqual(values(future), ['new', 'newer'])
  now = await restarted(now)
  assert.deepEqual(values(now.log), ['new', 'newer'])
})

test('a log without partition.metadata has no topic id until it is given one', () => {
  const first = rig()
  put(first.log, ['a'])
  const disk = first.disk.killed()
  disk.remove('/data/events-0/partition.metadata')
  const directory = openLogDirectory({ disk, path: '/data' })
  load(directory, configOf())
  const log = directory.get('events', 0)!
  assert.equal(log.topicId, null)
  const options = { topic: 'events', partition: 0, topicId, config: configOf(), nowMs: startMs }
  assert.equal(directory.create(options), log)
  assert.equal(log.topicId, topicId)
  assert.ok(disk.exists('/data/events-0/partition.metadata'))
})

test('one directory fails while another goes on', async () => {
  const good = rig()
  const bad = rig()
  put(good.log, ['a'])
  put(bad.log, ['a'])
  bad.disk.failAt(1, 'EIO')
  assert.throws(() => put(bad.log, ['b']), { code: 'KAFKA_STORAGE_ERROR' })
  assert.throws(() => bad.directory.checkpoint(), { code: 'KAFKA_STORAGE_ERROR' })
  await assert.rejects(bad.log.sync(), { code: 'KAFKA_STORAGE_ERROR' })
  assert.equal(bad.failures.length, 1)
  put(good.log, ['b'])
  await good.directory.close(1, () => 2)
  await bad.directory.close(1, () => 1)
  assert.ok(!bad.disk.exists('/data/.kafka_cleanshutdown'), 'an offline directory is not marked clean')
  assert.deepEqual(values(rig({}, bad.disk.killed()).log), ['a'])
})

test('the metadata log is checked from its beginning, and is none of the logs', async () => {
  const options = { topic: '__cluster_metadata', partition: 0, topicId, config: configOf(), nowMs: startMs }
  const first = rig()
  const made = first.directory.openMetadataLog(options)
  assert.equal(made.recovery, null)
  append(made.log, batchOf({ values: ['a'] }), { origin: 'raft', leaderEpoch: 3 })
  await made.log.sync()
  assert.deepEqual([...first.directory.logs()], [first.log])
  const disk = first.disk.killed()
  disk.open('/data/__cluster_metadata-0/00000000000000000000.log').append([Buffer.from('torn')])
  const again = rig({}, disk).directory.openMetadataLog(options)
  assert.equal(again.recovery?.truncated?.bytes, 4)
  assert.deepEqual([again.log.logEndOffset, again.log.latestEpoch], [1, 3])
})

test('the metadata log is not cut where whole batches lie behind the damage, if the stop was clean', async () => {
  const options = { topic: '__cluster_metadata', partition: 0, topicId, config: configOf(), nowMs: startMs }
  const path = '/data/__cluster_metadata-0/00000000000000000000.log'
  /** Three batches, of which one is damaged. */
  const damaged = async (batch: number, hasMarker: boolean) => {
    const { directory, disk } = rig()
    const { log } = directory.openMetadataLog(options)
    for (const value of ['a', 'b', 'c']) append(log, batchOf({ values: [value] }), { origin: 'raft', leaderEpoch: 3 })
    const { size } = log
    await directory.close(1, () => 1)
    disk.open(path).writeAt((batch * size) / 3 + 30, Buffer.from('?'))
    if (!hasMarker) disk.remove('/data/.kafka_cleanshutdown')
    const next = openLogDirectory({ disk, path: '/data' })
    return { open: () => next.openMetadataLog(options).log.logEndOffset, isAsItWas: () => disk.fileSize(path) === size }
  }
  const changed = await damaged(1, true)
  assert.throws(changed.open, storageError(/metadata-0\/0{20}\.log is damaged at byte \d+ .*Restore the file/))
  assert.ok(changed.isAsItWas(), 'what is there may yet be of use')
  assert.equal((await damaged(2, true)).open(), 2, 'the end may have been torn by a start that did not get far')
  assert.equal((await damaged(1, false)).open(), 1)
})

test('loading goes in pieces', () => {
  const first = rig()
  const options = { topic: 'many', topicId, config: configOf(), nowMs: startMs }
  for (let partition = 0; partition < 20; partition++) first.directory.create({ ...options, partition })
  const directory = openLogDirectory({ disk: first.disk.killed(), path: '/data' })
  let pieces = 0
  for (const _ of directory.load(() => configOf(), startMs)) pieces++
  assert.ok(pieces >= 21)
  assert.equal([...directory.logs()].length, 21)
})
