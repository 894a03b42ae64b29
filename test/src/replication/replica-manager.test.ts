import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName } from '#protocol/errors.js'
import type { Disk } from '#storage/disk.js'
import { openLogDirectory } from '#storage/log-directory.js'
import { LogError } from '#storage/log-error.js'
import { configOf, load } from '../../storage/support.js'
import { batchOf, produceTo, replicaSetting } from '../handlers/replica-support.js'

const names = (disk: Disk, path: string): string[] => disk.list(path).map(({ name }) => name)

test('replicas come and go with the metadata', async () => {
  const { broker, client, disk, clock } = await replicaSetting()
  broker.createTopic('t', 2)
  broker.createTopic('elsewhere', 1, { replicas: [2] })
  produceTo(client, batchOf(['a']))
  assert.deepEqual(
    names(disk, '/data').filter(name => /^(t|elsewhere)-/.test(name)),
    ['t-0', 't-1'],
  )
  const partition = broker.replicas.partitionOf('t', 0)
  broker.deleteTopic('t')
  assert.equal(partition.isGone, true)
  assert.deepEqual(
    names(disk, '/data').filter(name => /^t-\d$/.test(name)),
    [],
  )
  assert.equal(names(disk, '/data').filter(name => /^t-\d\.[0-9a-f]{32}-delete$/.test(name)).length, 2)
  assert.equal(errorName(produceTo(client, batchOf(['b'])).errorCode), 'UNKNOWN_TOPIC_OR_PARTITION')
  broker.replicas.startHousekeeping()
  await clock.advance(62_000)
  assert.deepEqual(
    names(disk, '/data').filter(name => /delete$/.test(name)),
    [],
  )
})

test('deleted files stay until their delay is over, and hardly longer, as short as it may be', async () => {
  const { broker, client, disk, clock } = await replicaSetting()
  broker.replicas.startHousekeeping()
  const left = (): number => names(disk, '/data').filter(name => /delete$/.test(name)).length
  broker.createTopic('brief', 1, { config: { fileDeleteDelayMs: 100 } })
  broker.createTopic('long', 1, { config: { fileDeleteDelayMs: 3000 } })
  produceTo(client, batchOf(['a']), { topic: 'brief' })
  await clock.advance(10)
  broker.deleteTopic('long')
  broker.deleteTopic('brief')
  await clock.advance(99)
  assert.equal(left(), 2)
  await clock.advance(52)
  assert.equal(left(), 1)
  await clock.advance(2840)
  assert.equal(left(), 1)
  await clock.advance(70)
  assert.equal(left(), 0)
})

test('what keeps deleted files from being removed is told, unless it is a directory that failed and has said so', async () => {
  const { broker, clock, logger } = await replicaSetting()
  const [directory] = broker.directories
  const errors = [new TypeError('a bug'), new LogError('KAFKA_STORAGE_ERROR', 'the disk')]
  Object.defineProperty(directory!.removals, 'nextDueMs', { get: () => (errors.length > 0 ? 0 : Infinity) })
  directory!.removals.removeDue = () => Promise.reject(errors.shift())
  broker.replicas.startHousekeeping()
  await clock.advance(5000)
  const told = logger.lines.filter(({ message }) => message === 'deleted files could not be removed')
  assert.deepEqual(
    told.map(({ level, fields }) => [level, String((fields as { readonly err: Error }).err)]),
    [['error', 'TypeError: a bug']],
  )
})

test('while many replicas are made others have their turn, and a stop makes no more of them', async () => {
  const { broker, client, clock } = await replicaSetting()
  broker.createTopic('t', 1)
  const passing = clock.now.bind(clock)
  let spent = 0
  // Every look at the clock finds that making one more replica took a while.
  clock.now = () => passing() + spent++
  broker.createTopic('many', 40)
  const made = (): number => [...broker.replicas.partitions()].length
  const atOnce = made()
  assert.ok(atOnce > 1 && atOnce < 20, `${atOnce} replicas`)
  assert.equal(errorName(produceTo(client, batchOf(['a'])).errorCode), 'NONE')
  const late = { topic: 'many', partition: 39 }
  assert.equal(errorName(produceTo(client, batchOf(['a']), late).errorCode), 'NOT_LEADER_OR_FOLLOWER')
  await clock.settle()
  assert.equal(made(), 41)
  assert.equal(errorName(produceTo(client, batchOf(['a']), late).errorCode), 'NONE')
  broker.createTopic('more', 40)
  broker.replicas.halt()
  const before = made()
  await clock.settle()
  assert.equal(made(), before)
})

test('a topic of the same name that is made again is empty', async () => {
  const { broker, client } = await replicaSetting()
  broker.createTopic('t', 1)
  produceTo(client, batchOf(['a', 'b']))
  broker.deleteTopic('t')
  broker.createTopic('t', 1)
  assert.equal(produceTo(client, batchOf(['c'])).baseOffset, 0)
})

test('a replica that moves to other brokers goes, one that comes here is made', async () => {
  const { broker, disk } = await replicaSetting()
  broker.createTopic('t', 1)
  broker.changePartition('t', 0, { replicas: [2], isr: [2], leader: 2 })
  assert.deepEqual(
    names(disk, '/data').filter(name => /^t-\d$/.test(name)),
    [],
  )
  assert.throws(() => broker.replicas.partitionOf('t', 0), /NOT_LEADER_OR_FOLLOWER/)
  broker.changePartition('t', 0, { replicas: [1], isr: [1], leader: 1 })
  assert.equal(broker.replicas.partitionOf('t', 0).isLeader, true)
})

test('new logs go where the fewest are, or where the metadata says', async () => {
  const { broker } = await replicaSetting({ logDirs: ['/one', '/two', '/three'] })
  broker.createTopic('t', 9)
  const counts = broker.replicas.directories.map(directory => broker.replicas.replicaCount(directory))
  assert.deepEqual(counts, [3, 3, 3])
  const { directoryId } = broker.directories[1]!.metaProperties!
  broker.createTopic('u', 1, { directories: [directoryId!] })
  assert.equal(broker.replicas.partitionOf('u', 0).directory.path, '/two')
})

test('a restart finds offsets, start and high watermark again; a kill finds what was written', async () => {
  const first = await replicaSetting()
  first.broker.createTopic('t', 1)
  first.broker.replicas.startHousekeeping()
  produceTo(first.client, batchOf(['a', 'b', 'c']))
  produceTo(first.client, batchOf(['d']))
  first.broker.replicas.partitionOf('t', 0).deleteRecords(2)
  await first.clock.advance(6000)
  const id = first.broker.topicIds.get('t')!
  const { clock, disk } = first
  const prepare = (broker: typeof first.broker): void => {
    broker.createTopic('t', 1, { id })
  }
  const closing = first.broker.close()
  await clock.settle()
  await closing
  const second = await replicaSetting({ disk, clock, prepare })
  const partition = second.broker.replicas.partitionOf('t', 0)
  assert.deepEqual([partition.log.logStartOffset, partition.highWatermark, partition.log.logEndOffset], [2, 4, 4])
  assert.equal(produceTo(second.client, batchOf(['e'])).baseOffset, 4)
  const third = await replicaSetting({ disk: disk.killed(), clock, prepare })
  assert.equal(third.broker.replicas.partitionOf('t', 0).log.logEndOffset, 5)
})

test('a follower after a restart has the high watermark of the checkpoint', async () => {
  const first = await replicaSetting()
  first.broker.createTopic('t', 1, { replicas: [1, 2], isr: [1, 2] })
  first.broker.replicas.startHousekeeping()
  produceTo(first.client, batchOf(['a', 'b', 'c']), { acks: 1 })
  const leading = first.broker.replicas.partitionOf('t', 0)
  leading.leader!.onFollowerFetch(2, { fetchOffset: 2, logStartOffset: 0, brokerEpoch: 1 }, 3, first.clock.now())
  leading.advanceHighWatermark()
  await first.clock.advance(6000)
  const id = first.broker.topicIds.get('t')!
  const { broker } = await replicaSetting({
    disk: first.disk.killed(),
    clock: first.clock,
    prepare: again => again.createTopic('t', 1, { id, replicas: [1, 2], isr: [2], leader: 2, leaderEpoch: 1 }),
  })
  const partition = broker.replicas.partitionOf('t', 0)
  assert.deepEqual([partition.isLeader, partition.highWatermark, partition.log.logEndOffset], [false, 2, 3])
})

test('logs that the metadata does not place here are set aside at the first metadata, and left on the disk', async () => {
  const first = await replicaSetting()
  first.broker.createTopic('gone', 1)
  first.broker.createTopic('other-id', 1)
  first.broker.createTopic('kept', 1)
  const closing = first.broker.close()
  await first.clock.settle()
  await closing
  const kept = first.broker.topicIds.get('kept')!
  const { disk, logger } = await replicaSetting({
    disk: first.disk,
    clock: first.clock,
    prepare: broker => {
      broker.createTopic('kept', 1, { id: kept })
      broker.createTopic('other-id', 1)
    },
  })
  const folders = names(disk, '/data').filter(name => /-\d+(\.|$)/.test(name))
  assert.equal(folders.filter(name => /^gone-0\.[0-9a-f]{32}-stray$/.test(name)).length, 1)
  assert.equal(folders.filter(name => /^other-id-0\.[0-9a-f]{32}-stray$/.test(name)).length, 1)
  assert.ok(folders.includes('kept-0') && folders.includes('other-id-0'))
  assert.equal(logger.lines.filter(({ message }) => /was set aside/.test(message)).length, 2)
})

/** The next start of a broker whose log `t-0`, with two records, does not say any more whose it is. */
async function afterLostId(options: {
  readonly replicas?: number[]
  readonly isr?: number[]
  readonly leader?: number
}) {
  const first = await replicaSetting()
  first.broker.createTopic('t', 1)
  produceTo(first.client, batchOf(['a', 'b']))
  const id = first.broker.topicIds.get('t')!
  const left = first.disk.killed()
  left.replaceFile('/data/t-0/partition.metadata', Buffer.alloc(0))
  const next = await replicaSetting({
    disk: left,
    clock: first.clock,
    prepare: again => again.createTopic('t', 1, { id, ...options }),
  })
  const strays = names(next.disk, '/data').filter(name => /^t-0\.[0-9a-f]{32}-stray$/.test(name))
  const { log } = next.broker.replicas.partitionOf('t', 0)
  return { ...next, id, strays, log }
}

test('a log that forgot whose it is keeps its records where the replica is in sync, and is told again', async () => {
  const { id, strays, log, client, disk, logger } = await afterLostId({})
  assert.deepEqual([strays, log.topicId, log.logEndOffset], [[], id, 2])
  assert.match(disk.readFile('/data/t-0/partition.metadata').toString(), new RegExp(`topic_id: ${id}$`))
  assert.equal(produceTo(client, batchOf(['c'])).baseOffset, 2)
  assert.ok(logger.lines.some(({ level, message }) => level === 'warn' && /lost its topic id/.test(message)))
})

test('a log that forgot whose it is, is set aside where others are in sync, and its replica begins anew', async () => {
  const { id, strays, log } = await afterLostId({ replicas: [1, 2], isr: [2], leader: 2 })
  assert.deepEqual([strays.length, log.topicId, log.logEndOffset], [1, id, 0])
})

test('a broker alone keeps all records that a failure of the machine has left, whether their log knows its topic or not', async () => {
  const ids = new Set<string | null>()
  for (let seed = 1; seed <= 40; seed++) {
    const first = await replicaSetting()
    first.broker.createTopic('t', 1)
    produceTo(first.client, batchOf(['a']))
    produceTo(first.client, batchOf(['b']))
    const id = first.broker.topicIds.get('t')!
    const directory = openLogDirectory({ disk: first.disk.crashed(seed), path: '/data' })
    load(directory, configOf())
    const left = directory.get('t', 0)
    if (left === undefined) continue
    if (left.logEndOffset > 0) ids.add(left.topicId)
    const { broker } = await replicaSetting({
      disk: first.disk.crashed(seed),
      clock: first.clock,
      prepare: again => again.createTopic('t', 1, { id }),
    })
    const { log } = broker.replicas.partitionOf('t', 0)
    assert.deepEqual([log.topicId, log.logEndOffset], [id, left.logEndOffset], `seed ${seed}`)
  }
  assert.ok(ids.has(null), 'some have lost their id and have records')
})

test('a replica that is relied on, and may be in a directory that has failed, does not begin anew in another one', async () => {
  const logDirs = ['/one', '/two']
  const first = await replicaSetting({ logDirs })
  first.broker.createTopic('t', 1)
  produceTo(first.client, batchOf(['a']))
  const { path } = first.broker.replicas.partitionOf('t', 0).directory
  const id = first.broker.topicIds.get('t')!
  const newId = `${'o'.repeat(21)}A`
  let left = first.disk.killed()
  for (const [failed, end] of [
    [true, null],
    [false, 1],
  ] as const) {
    const disk = left
    const { broker } = await replicaSetting({
      logDirs,
      disk,
      clock: first.clock,
      prepare: again => {
        const directory = again.directories.find(each => each.path === path)!
        disk.failAt(failed ? 1 : Infinity, 'EIO')
        if (failed) assert.throws(() => directory.writeMetaProperties(directory.metaProperties!))
        again.createTopic('t', 1, { id })
        if (!failed) again.createTopic('new', 1, { id: newId })
      },
    })
    if (failed) broker.createTopic('new', 1, { id: newId })
    assert.equal(broker.replicas.partitionOf('new', 0).isOffline, false)
    if (end === null) assert.throws(() => broker.replicas.partitionOf('t', 0), { code: ErrorCode.KAFKA_STORAGE_ERROR })
    else assert.equal(broker.replicas.partitionOf('t', 0).log.logEndOffset, end)
    left = disk.killed()
  }
})

test('options of a topic act at once', async () => {
  const { broker, client, clock } = await replicaSetting({ config: { retentionCheckMs: 1000 } })
  broker.createTopic('t', 1)
  broker.replicas.startHousekeeping()
  assert.equal(produceTo(client, batchOf(['x'.repeat(2000)])).errorCode, 0)
  broker.setConfig('t', { maxMessageBytes: 1000, retentionMs: 5000 })
  assert.equal(errorName(produceTo(client, batchOf(['x'.repeat(2000)])).errorCode), 'MESSAGE_TOO_LARGE')
  clock.epochMs = Date.now()
  await clock.advance(3000)
  const { log } = broker.replicas.partitionOf('t', 0)
  assert.deepEqual([log.logStartOffset, log.logEndOffset], [1, 1], 'retention has removed what is too old')
})

test('a directory that fails takes its partitions offline, those that wait are told, the others go on', async () => {
  const { broker, client, dial, disk, clock } = await replicaSetting({ logDirs: ['/one', '/two'] })
  broker.createTopic('t', 2)
  for (const partition of [0, 1]) produceTo(client, batchOf(['a']), { partition })
  const [first, second] = [0, 1].map(index => broker.replicas.partitionOf('t', index))
  disk.failAt(1, 'EIO')
  assert.equal(errorName(produceTo(dial(), batchOf(['b'])).errorCode), 'KAFKA_STORAGE_ERROR')
  assert.deepEqual([first!.isOffline, second!.isOffline], [true, false])
  assert.equal(produceTo(dial(), batchOf(['b']), { partition: 1 }).errorCode, 0)
  broker.createTopic('u', 2)
  for (const index of [0, 1]) assert.equal(broker.replicas.partitionOf('u', index).directory, second!.directory)
  const { directoryId } = first!.directory.metaProperties!
  broker.createTopic('v', 1, { directories: [directoryId!] })
  assert.throws(() => broker.replicas.partitionOf('v', 0), /KAFKA_STORAGE_ERROR/)
  assert.equal(errorName(produceTo(dial(), batchOf(['b']), { topic: 'v' }).errorCode), 'KAFKA_STORAGE_ERROR')
  broker.deleteTopic('t')
  await clock.settle()
})

test('leadership is told when it is won, renewed and lost', async () => {
  const { broker, client } = await replicaSetting()
  broker.createTopic('t', 1, { replicas: [1, 2], isr: [1] })
  const partition = broker.replicas.partitionOf('t', 0)
  produceTo(client, batchOf(['a']), { acks: 1 })
  assert.equal(partition.leaderEpochStartOffset, 0)
  broker.changePartition('t', 0, { leader: 2 })
  assert.deepEqual([partition.isLeader, partition.leaderId, partition.leaderEpoch], [false, 2, 1])
  broker.changePartition('t', 0, { leader: 1 })
  assert.deepEqual([partition.isLeader, partition.leaderEpoch, partition.leaderEpochStartOffset], [true, 2, 1])
  assert.deepEqual(partition.knowingLog.endOffsetOf(0), { epoch: 0, endOffset: 1 })
})

test('ten thousand partitions are made, and looked after in slices', async () => {
  const { broker, clock, client } = await replicaSetting({ config: { retentionCheckMs: 1000 } })
  broker.createTopic('many', 10_000)
  broker.replicas.startHousekeeping()
  await clock.advance(2000)
  assert.equal(produceTo(client, batchOf(['a']), { topic: 'many', partition: 9999 }).errorCode, 0)
})
