import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorName } from '#protocol/errors.js'
import { AlterReplicaLogDirs } from '#protocol/messages/alter-replica-log-dirs.js'
import { DeleteRecords } from '#protocol/messages/delete-records.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { Produce } from '#protocol/messages/produce.js'
import type { PartitionConfig } from '#src/replication/partition-config.js'
import { LogError } from '#storage/log-error.js'
import { SimDisk } from '../../support/sim-disk.js'
import type { WireClient } from '../../support/wire-client.js'
import {
  batchOf,
  logDirsOf,
  produceRequest,
  produceTo,
  type ReplicaSetting,
  replicaSetting,
} from './replica-support.js'

function move(client: WireClient, path: string, topic: string, partitions: number[], version = 2): [number, string][] {
  const request = { dirs: [{ path, topics: [{ name: topic, partitions }] }] }
  const { results } = client.ask(AlterReplicaLogDirs, version, request)
  assert.equal(results[0]!.topicName, topic)
  return results[0]!.partitions.map(({ partitionIndex, errorCode }) => [partitionIndex, errorName(errorCode)])
}

/** The directory of each partition of a topic; `future` where it is on its way to. */
function places(client: WireClient): string[] {
  return logDirsOf(client)
    .flatMap(({ logDir, topics }) =>
      topics.flatMap(({ name, partitions }) =>
        partitions.map(each => `${name}-${each.partitionIndex} in ${logDir}${each.isFutureKey ? ' (future)' : ''}`),
      ),
    )
    .sort()
}

async function filled(): Promise<ReplicaSetting & { readonly from: string; readonly to: string }> {
  const setting = await replicaSetting({ logDirs: ['/one', '/two'] })
  setting.broker.createTopic('t', 1)
  for (let i = 0; i < 50; i++) produceTo(setting.client, batchOf([`value ${i}`, 'x'.repeat(100_000)]))
  const from = setting.broker.replicas.partitionOf('t', 0).directory.path
  return { ...setting, from, to: from === '/one' ? '/two' : '/one' }
}

/** A partition with these records, of which a move to the other directory has begun. */
async function moving(values: readonly string[], config: Partial<PartitionConfig> = {}) {
  const setting = await replicaSetting({ logDirs: ['/one', '/two'] })
  setting.broker.createTopic('t', 1, { config })
  if (values.length > 0) produceTo(setting.client, batchOf(values))
  const partition = setting.broker.replicas.partitionOf('t', 0)
  const to = partition.directory.path === '/one' ? '/two' : '/one'
  move(setting.client, to, 't', [0])
  return { ...setting, partition, to, copy: partition.future!.log }
}

test('a replica moves to another directory while it is written to, and loses nothing', async () => {
  const { broker, client, clock, from, to } = await filled()
  assert.deepEqual(places(client), [`t-0 in ${from}`])
  assert.deepEqual(move(client, to, 't', [0]), [[0, 'NONE']])
  assert.deepEqual(places(client), [`t-0 in ${from}`, `t-0 in ${to} (future)`].sort())
  for (let i = 0; i < 5; i++) {
    await Promise.resolve()
    assert.equal(produceTo(client, batchOf([`during ${i}`])).errorCode, 0)
  }
  await clock.settle()
  assert.deepEqual(places(client), [`t-0 in ${to}`])
  const partition = broker.replicas.partitionOf('t', 0)
  assert.equal(partition.directory.path, to)
  assert.equal(partition.log.logEndOffset, 105)
  assert.equal(produceTo(client, batchOf(['after'])).baseOffset, 105)
  const request = {
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 1,
    topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 20_000_000 }] }],
    forgottenTopicsData: [],
  }
  const { records } = client.ask(Fetch, 12, request).responses[0]!.partitions[0]!
  const text = Buffer.from(records!).toString('latin1')
  for (let i = 0; i < 50; i++) assert.ok(text.includes(`value ${i}`), `value ${i}`)
  for (let i = 0; i < 5; i++) assert.ok(text.includes(`during ${i}`), `during ${i}`)
})

test('a replica moves although something is written to it during every sync of the copy', async () => {
  const { client, clock, partition, to, copy } = await moving(['0'])
  const sync = copy.sync.bind(copy)
  let writes = 0
  copy.sync = async () => {
    await sync()
    if (partition.log !== copy && writes < 100) assert.equal(produceTo(client, batchOf([`${++writes}`])).errorCode, 0)
  }
  await clock.settle()
  assert.equal(partition.directory.path, to)
  assert.ok(writes < 10, `${writes} were written before it moved`)
  assert.deepEqual([partition.log.logEndOffset, partition.highWatermark], [writes + 1, writes + 1])
})

test('a replica moves although something is written to it at every turn, and much during a sync', async () => {
  const { client, clock, partition, to, copy } = await moving(['0'])
  let turns = 0
  const write = () => {
    if (partition.log === copy || turns >= 1000) return
    turns++
    produceTo(client, batchOf([`${turns}`]))
    clock.soon(write)
  }
  write()
  const sync = copy.sync.bind(copy)
  copy.sync = async () => {
    await sync()
    if (partition.log === copy || turns >= 1000) return
    for (let i = 0; i < 5; i++) produceTo(client, batchOf(['x'.repeat(500_000)]))
  }
  await clock.settle()
  assert.equal(partition.directory.path, to)
  assert.ok(turns < 100, `it moved after ${turns} turns`)
  assert.equal(partition.log.logEndOffset, partition.highWatermark)
})

test('a replica whose records must be on the device before they count moves, too, and its records are there', async () => {
  const { client, clock, partition, to, copy } = await moving([], { flushMessages: 1 })
  const sync = copy.sync.bind(copy)
  let writes = 0
  copy.sync = async () => {
    await sync()
    if (partition.log !== copy && writes < 100) client.send(Produce, 9, produceRequest(batchOf([`${++writes}`])))
  }
  await clock.settle()
  assert.equal(partition.directory.path, to)
  assert.ok(writes < 10, `${writes} were written before it moved`)
  assert.deepEqual([copy.recoveryPoint, copy.logEndOffset, partition.highWatermark], [writes, writes, writes])
})

test('a log that starts within a batch, and an empty one, move as well', async () => {
  const { broker, client, clock, to } = await filled()
  broker.replicas.partitionOf('t', 0).deleteRecords(7)
  move(client, to, 't', [0])
  await clock.settle()
  const { log, directory } = broker.replicas.partitionOf('t', 0)
  assert.deepEqual([directory.path, log.logStartOffset, log.logEndOffset], [to, 7, 100])
  broker.createTopic('empty', 1)
  const target = broker.replicas.partitionOf('empty', 0).directory.path === '/one' ? '/two' : '/one'
  move(client, target, 'empty', [0])
  await clock.settle()
  assert.equal(broker.replicas.partitionOf('empty', 0).directory.path, target)
})

test('the refusals are those of Kafka, and the directory where it is already changes nothing', async () => {
  const { broker, client, clock, from, to } = await filled()
  broker.createTopic('elsewhere', 1, { replicas: [2] })
  for (const version of [1, 2]) {
    assert.deepEqual(move(client, '/nowhere', 't', [0], version), [[0, 'LOG_DIR_NOT_FOUND']])
    assert.deepEqual(move(client, 'two', 't', [0], version), [[0, 'LOG_DIR_NOT_FOUND']])
    assert.deepEqual(move(client, from, 't', [0, 9], version), [
      [0, 'NONE'],
      [9, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ])
    assert.deepEqual(move(client, to, 'nope', [0], version), [[0, 'UNKNOWN_TOPIC_OR_PARTITION']])
    assert.deepEqual(move(client, to, 'elsewhere', [0], version), [[0, 'REPLICA_NOT_AVAILABLE']])
    assert.deepEqual(move(client, to, 'x'.repeat(230), [0], version), [[0, 'INVALID_TOPIC_EXCEPTION']])
  }
  await clock.settle()
  assert.deepEqual(places(client), [`t-0 in ${from}`])
})

test('directories that are configured by relative paths go by absolute ones', async () => {
  const disk = new SimDisk()
  disk.makeDirectory('.')
  const { broker, client, clock } = await replicaSetting({ logDirs: ['one', './two'], disk })
  broker.createTopic('t', 1)
  const [at] = logDirsOf(client)
    .filter(({ topics }) => topics.length > 0)
    .map(({ logDir }) => logDir)
  const absolute = ['/here/one', '/here/./two']
  assert.deepEqual(
    logDirsOf(client)
      .map(({ logDir }) => logDir)
      .sort(),
    absolute.sort(),
  )
  const to = absolute.find(path => path !== at)!
  for (const path of ['one', './two', '/here/two']) {
    assert.deepEqual(move(client, path, 't', [0]), [[0, 'LOG_DIR_NOT_FOUND']])
  }
  assert.deepEqual(move(client, to, 't', [0]), [[0, 'NONE']])
  await clock.settle()
  assert.deepEqual(places(client), [`t-0 in ${to}`])
})

test('a sync that the move overtakes is no failure: producers that wait for it get their answer', async () => {
  const { broker, client, dial, clock, disk } = await replicaSetting({ logDirs: ['/one', '/two'] })
  broker.createTopic('t', 1, { config: { flushMessages: 1 } })
  client.send(Produce, 9, produceRequest(batchOf(['a'])))
  await clock.settle()
  client.receive(Produce, 9)
  const partition = broker.replicas.partitionOf('t', 0)
  const old = partition.log
  const releaseCopy = disk.holdSyncs()
  move(dial(), partition.directory.path === '/one' ? '/two' : '/one', 't', [0])
  await clock.settle()
  const releaseOld = disk.holdSyncs()
  client.send(Produce, 9, produceRequest(batchOf(['b'])))
  client.send(Produce, 9, produceRequest(batchOf(['c'])))
  releaseCopy()
  await clock.settle()
  assert.notEqual(partition.log, old)
  const codes = ['b', 'c'].map(() => client.receive(Produce, 9).responses[0]!.partitionResponses[0]!.errorCode)
  assert.deepEqual([codes, partition.highWatermark, partition.log.logEndOffset], [[0, 0], 3, 3])
  releaseOld()
  await clock.settle()
  assert.equal(partition.isOffline, false)
})

test('a copy whose directory fails is given up, and the log does not wait for it any more', async () => {
  const setting = await replicaSetting({ logDirs: ['/one', '/two'], config: { moveBytesPerSecondMax: 1 } })
  const { broker, client, clock, disk, logger } = setting
  broker.createTopic('t', 1)
  for (let i = 0; i < 30; i++) produceTo(client, batchOf(['x'.repeat(100_000)]))
  const partition = broker.replicas.partitionOf('t', 0)
  const to = broker.directories.find(directory => directory !== partition.directory)!
  move(client, to.path, 't', [0])
  await clock.settle()
  assert.equal(partition.future?.directory, to)
  disk.failAt(1, 'EIO')
  assert.throws(() => to.writeMetaProperties(to.metaProperties!), { code: 'KAFKA_STORAGE_ERROR' })
  assert.deepEqual([partition.future, partition.isOffline], [null, false])
  const told = logger.lines.find(({ message }) => /a replica is not moved, for the other/.test(message))
  const from = partition.directory.path
  assert.deepEqual(told?.fields, { partition: 't-0', from, to: to.path, failed: to.path })
  partition.deleteRecords(20)
  assert.equal(partition.lowWatermark, 20)
  assert.deepEqual(move(client, to.path, 't', [0]), [[0, 'KAFKA_STORAGE_ERROR']])
})

test('a copy whose directory fails when it is cut holds up neither the replica nor its high watermark', async () => {
  const setting = await replicaSetting({ logDirs: ['/one', '/two'], config: { moveBytesPerSecondMax: 1 } })
  const { broker, client, clock } = setting
  broker.createTopic('t', 1, { replicas: [1, 2], isr: [1] })
  for (let i = 0; i < 30; i++) produceTo(client, batchOf(['x'.repeat(100_000)]))
  const partition = broker.replicas.partitionOf('t', 0)
  const to = broker.directories.find(directory => directory !== partition.directory)!
  move(client, to.path, 't', [0])
  await clock.settle()
  assert.deepEqual([partition.future!.log.logEndOffset, partition.highWatermark], [20, 30])
  broker.changePartition('t', 0, { leader: 2 })
  setting.disk.failAt(3, 'EIO')
  partition.truncateTo(7)
  assert.deepEqual([partition.log.logEndOffset, partition.highWatermark], [7, 7])
  assert.deepEqual([partition.future, partition.isOffline, to.offline === null], [null, false, false])
})

test('records are deleted while a copy is on its way, be they in it or not', async () => {
  const setting = await replicaSetting({ logDirs: ['/one', '/two'], config: { moveBytesPerSecondMax: 1 } })
  const { broker, client, clock } = setting
  broker.createTopic('t', 1)
  for (let i = 0; i < 30; i++) produceTo(client, batchOf(['x'.repeat(100_000)]))
  const partition = broker.replicas.partitionOf('t', 0)
  const to = partition.directory.path === '/one' ? '/two' : '/one'
  move(client, to, 't', [0])
  await clock.settle()
  assert.equal(partition.future!.log.logEndOffset, 20)
  for (const offset of [5, 25]) {
    const topics = [{ name: 't', partitions: [{ partitionIndex: 0, offset }] }]
    client.send(DeleteRecords, 2, { topics, timeoutMs: 3000 })
    await clock.settle()
    const [answer] = client.receive(DeleteRecords, 2).topics[0]!.partitions
    assert.deepEqual(answer, { partitionIndex: 0, lowWatermark: offset, errorCode: 0 })
  }
  await clock.advance(10_000)
  const { directory, log } = partition
  assert.deepEqual([directory.path, log.logStartOffset, log.logEndOffset], [to, 25, 30])
})

test('a move whose log is in a directory that fails stops where it is, and that is told', async () => {
  const setting = await replicaSetting({ logDirs: ['/one', '/two'], config: { moveBytesPerSecondMax: 1 } })
  const { broker, client, clock, disk, logger } = setting
  broker.createTopic('t', 1)
  for (let i = 0; i < 30; i++) produceTo(client, batchOf(['x'.repeat(100_000)]))
  const partition = broker.replicas.partitionOf('t', 0)
  const { directory: from } = partition
  const to = from.path === '/one' ? '/two' : '/one'
  move(client, to, 't', [0])
  await clock.settle()
  disk.failAt(1, 'EIO')
  assert.throws(() => from.writeMetaProperties(from.metaProperties!), { code: 'KAFKA_STORAGE_ERROR' })
  await clock.advance(5000)
  assert.deepEqual([partition.future?.directory.path, partition.isOffline], [to, true])
  const told = logger.lines.find(({ message }) => /a replica is not moved any further/.test(message))
  assert.deepEqual(told?.fields, { partition: 't-0', from: from.path, to, failed: from.path })
})

test('a copy that cannot be made for another reason is tried again, each time later, and each failure is told', async () => {
  const setting = await replicaSetting({ logDirs: ['/one', '/two'] })
  const { broker, client, clock, logger } = setting
  broker.createTopic('t', 1)
  produceTo(client, batchOf(['a', 'b']))
  const partition = broker.replicas.partitionOf('t', 0)
  const { log, directory: from } = partition
  const read = log.read.bind(log)
  log.read = () => {
    throw new LogError('CORRUPT_MESSAGE', 'nothing to be read')
  }
  const to = from.path === '/one' ? '/two' : '/one'
  move(client, to, 't', [0])
  const failures = () => logger.lines.filter(({ level, message }) => level === 'error' && /tried again/.test(message))
  const pauses = () => failures().map(({ fields }) => (fields as { readonly retryMs: number }).retryMs)
  await clock.advance(6999)
  assert.deepEqual(pauses(), [1000, 2000, 4000])
  const [{ err, ...names }] = failures().map(({ fields }) => fields as { readonly err: Error }) as [{ err: Error }]
  assert.equal(err.message, 'nothing to be read')
  assert.deepEqual(names, { partition: 't-0', from: from.path, to, retryMs: 1000 })
  assert.equal(partition.future?.directory.path, to)
  log.read = read
  await clock.advance(1)
  assert.deepEqual([partition.directory.path, partition.log.logEndOffset, partition.future], [to, 2, null])
})

test('a copy that is whole and cannot be brought to the device is told, and tried again', async () => {
  const { clock, logger, partition, to, copy } = await moving(['a'])
  const sync = copy.sync.bind(copy)
  copy.sync = () => Promise.reject(new LogError('KAFKA_STORAGE_ERROR', 'not now'))
  await clock.settle()
  assert.ok(logger.lines.some(({ level, message }) => level === 'error' && /tried again/.test(message)))
  copy.sync = sync
  await clock.advance(1000)
  assert.deepEqual([partition.directory.path, partition.log.logEndOffset], [to, 1])
})

test('a move is limited in speed, and can be turned back', async () => {
  const setting = await replicaSetting({ logDirs: ['/one', '/two'], config: { moveBytesPerSecondMax: 1_000_000 } })
  const { broker, client, clock } = setting
  broker.createTopic('t', 1)
  for (let i = 0; i < 50; i++) produceTo(client, batchOf(['x'.repeat(100_000)]))
  const partition = broker.replicas.partitionOf('t', 0)
  const from = partition.directory.path
  const to = from === '/one' ? '/two' : '/one'
  move(client, to, 't', [0])
  await clock.advance(1500)
  assert.equal(partition.directory.path, from, 'five megabytes take five seconds')
  move(client, from, 't', [0])
  await clock.advance(10_000)
  assert.deepEqual(places(client), [`t-0 in ${from}`])
  move(client, to, 't', [0])
  await clock.advance(10_000)
  assert.deepEqual(places(client), [`t-0 in ${to}`])
})

test('a move that a restart broke off goes on', async () => {
  const { broker, client, clock, disk, to } = await filled()
  move(client, to, 't', [0])
  const id = broker.topicIds.get('t')!
  const again = await replicaSetting({
    logDirs: ['/one', '/two'],
    disk: disk.killed(),
    clock,
    prepare: renewed => renewed.createTopic('t', 1, { id }),
  })
  await clock.settle()
  const partition = again.broker.replicas.partitionOf('t', 0)
  assert.equal(partition.directory.path, to)
  assert.equal(partition.log.logEndOffset, 100)
})

test('a copy of a partition that went elsewhere while the broker was down is set aside, and nothing goes on with it', async () => {
  const { broker, client, clock, disk, to } = await filled()
  move(client, to, 't', [0])
  const id = broker.topicIds.get('t')!
  const again = await replicaSetting({
    logDirs: ['/one', '/two'],
    disk: disk.killed(),
    clock,
    prepare: renewed => renewed.createTopic('t', 1, { id, replicas: [2] }),
  })
  await clock.settle()
  const folders = (path: string) => again.disk.list(path).filter(({ name }) => name.startsWith('t-'))
  for (const path of ['/one', '/two']) assert.match(folders(path)[0]!.name, /^t-0\.[0-9a-f]{32}-stray$/)
  again.broker.changePartition('t', 0, { replicas: [2, 1] })
  await clock.settle()
  const { log, future } = again.broker.replicas.partitionOf('t', 0)
  assert.deepEqual([log.logEndOffset, future], [0, null])
})

test('a copy that has more than a crash has left of the log does not bring that back in place of what came after', async () => {
  const { broker, client, clock, disk } = await replicaSetting({ logDirs: ['/one', '/two'] })
  broker.createTopic('t', 2)
  for (let i = 0; i < 30; i++) produceTo(client, batchOf(['x'.repeat(100_000)]))
  for (const value of ['a', 'b', 'lost', 'lost']) produceTo(client, batchOf([value]), { partition: 1 })
  const { directory, log } = broker.replicas.partitionOf('t', 1)
  disk.holdSyncs()
  // The large one is the first in line after the restart, too.
  for (const index of [0, 1]) {
    const from = broker.replicas.partitionOf('t', index).directory.path
    move(client, from === '/one' ? '/two' : '/one', 't', [index])
  }
  await clock.settle()
  const left = disk.killed()
  left.open(`${log.directoryPath}/00000000000000000000.log`).truncate(log.size / 2)
  const id = broker.topicIds.get('t')!
  const again = await replicaSetting({
    logDirs: ['/one', '/two'],
    config: { moveBytesPerSecondMax: 1 },
    disk: left,
    clock,
    prepare: renewed => renewed.createTopic('t', 2, { id, leaderEpoch: 1 }),
  })
  const partition = again.broker.replicas.partitionOf('t', 1)
  assert.equal(partition.log.logEndOffset, 2)
  for (const value of ['kept', 'kept', 'kept']) produceTo(again.client, batchOf([value]), { partition: 1 })
  await clock.advance(60_000)
  assert.notEqual(partition.directory.path, directory.path)
  const text = partition.log.read(0, 10_000, 5, true)!.buffer.toString('latin1')
  assert.deepEqual([text.includes('lost'), text.match(/kept/g)?.length], [false, 3])
})

test('of two copies that are there after a restart one goes on, and the other goes away', async () => {
  const logDirs = ['/one', '/two', '/three']
  const { broker, client, clock, disk } = await replicaSetting({ logDirs, config: { moveBytesPerSecondMax: 1 } })
  broker.createTopic('t', 1)
  for (let i = 0; i < 30; i++) produceTo(client, batchOf(['x'.repeat(100_000)]))
  const { directory } = broker.replicas.partitionOf('t', 0)
  const [failing, other] = broker.directories.filter(each => each !== directory)
  move(client, failing!.path, 't', [0])
  await clock.settle()
  disk.failAt(1, 'EIO')
  assert.throws(() => failing!.writeMetaProperties(failing!.metaProperties!), { code: 'KAFKA_STORAGE_ERROR' })
  move(client, other!.path, 't', [0])
  await clock.settle()
  const id = broker.topicIds.get('t')!
  const prepare = (renewed: typeof broker) => renewed.createTopic('t', 1, { id })
  const again = await replicaSetting({ logDirs, disk: disk.killed(), clock, prepare })
  assert.equal(places(again.client).length, 2)
  await clock.settle()
  const moved = again.broker.replicas.partitionOf('t', 0)
  assert.deepEqual([moved.log.logEndOffset, moved.future], [30, null])
  assert.deepEqual(places(again.client), [`t-0 in ${moved.directory.path}`])
})

test('a copy in a directory that had failed brings nothing back that the log has cut off since', async () => {
  const logDirs = ['/one', '/two']
  const { broker, client, clock, disk } = await replicaSetting({ logDirs, config: { moveBytesPerSecondMax: 1 } })
  broker.createTopic('t', 1, { replicas: [1, 2], isr: [1] })
  for (let i = 0; i < 30; i++) produceTo(client, batchOf([`old ${i} ${'x'.repeat(100_000)}`]))
  const partition = broker.replicas.partitionOf('t', 0)
  const to = broker.directories.find(directory => directory !== partition.directory)!
  move(client, to.path, 't', [0])
  await clock.settle()
  assert.equal(partition.future!.log.logEndOffset, 20)
  disk.failAt(1, 'EIO')
  assert.throws(() => to.writeMetaProperties(to.metaProperties!), { code: 'KAFKA_STORAGE_ERROR' })
  broker.changePartition('t', 0, { leader: 2 })
  partition.truncateTo(7)
  broker.changePartition('t', 0, { leader: 1 })
  for (let i = 0; i < 30; i++) produceTo(client, batchOf([`new ${i}`]))
  const id = broker.topicIds.get('t')!
  const prepare = (renewed: typeof broker) => renewed.createTopic('t', 1, { id, leaderEpoch: 3 })
  const again = await replicaSetting({ logDirs, disk: disk.killed(), clock, prepare })
  await clock.settle()
  const { directory, log } = again.broker.replicas.partitionOf('t', 0)
  assert.deepEqual([directory.path, log.logEndOffset], [to.path, 37])
  const text = log.read(0, 10_000_000, 37, true)!.buffer.toString('latin1')
  assert.deepEqual([text.match(/old/g)?.length, text.match(/new/g)?.length], [7, 30])
})

test('of a replica that is named twice the last directory counts, and topics without partitions get no answer', async () => {
  const { client, clock, from, to } = await filled()
  const at = (path: string, topic: string, partitions: number[]) => ({ path, topics: [{ name: topic, partitions }] })
  const dirs = [at('/nowhere', 't', [0, 0]), at(from, 'empty', []), at(to, 't', [0])]
  assert.deepEqual(client.ask(AlterReplicaLogDirs, 2, { dirs }).results, [
    { topicName: 't', partitions: [{ partitionIndex: 0, errorCode: 0 }] },
  ])
  await clock.settle()
  assert.deepEqual(places(client), [`t-0 in ${to}`])
})
