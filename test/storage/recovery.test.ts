import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartitionLog } from '#storage/log.js'
import type { LogConfig } from '#storage/log-config.js'
import type { SimDisk } from '../support/sim-disk.js'
import { checkLog } from './check.js'
import { append, batchOf, marker, names, put, type Rig, records, rig, startMs, values } from './support.js'

const config: Partial<LogConfig> = { segmentBytes: 500, indexIntervalBytes: 100 }
const folder = '/data/events-0'

/** Twelve batches in four segments, of which the first four were synced. */
async function filled(changes: Partial<LogConfig> = {}): Promise<Rig> {
  const made = rig({ ...config, ...changes })
  for (let index = 0; index < 4; index++) put(made.log, [`value ${index} ${'.'.repeat(50)}`], {}, 1)
  await made.log.sync()
  made.directory.checkpoint()
  for (let index = 4; index < 12; index++) put(made.log, [`value ${index} ${'.'.repeat(50)}`], {}, 2)
  return made
}

function nameOf(offset: number, kind: string): string {
  return `${folder}/${String(offset).padStart(20, '0')}${kind}`
}

function spoil(disk: SimDisk, path: string, position: number): void {
  disk.open(path).writeAt(position, Buffer.from([0xff, 0xfe]))
}

test('a killed process loses nothing, and only what was not synced is checked', async () => {
  const { disk, log } = await filled()
  const { recoveryPoint } = log
  const next = rig(config, disk.killed())
  checkLog(next.log)
  assert.equal(records(next.log).length, 12)
  assert.equal(next.log.recoveryPoint, recoveryPoint)
  const [report] = next.report.recoveries
  assert.deepEqual([report?.topic, report?.partition, report?.truncated], ['events', 0, null])
  assert.ok(report!.scannedBytes < next.log.size)
})

test('the log ends at the first batch whose checksum is wrong; the report says what was cut and why', async () => {
  const { disk, log } = await filled()
  const [, second, third] = log.state.segments
  const size = second!.size
  const disk2 = disk.killed()
  spoil(disk2, nameOf(second!.baseOffset, '.log'), size - 20)
  const next = rig(config, disk2)
  checkLog(next.log)
  assert.equal(next.log.logEndOffset, third!.baseOffset - 1)
  const { truncated } = next.report.recoveries[0]!
  assert.equal(truncated?.segment, nameOf(second!.baseOffset, '.log'))
  assert.equal(truncated?.segments, log.segmentCount - 2)
  assert.match(truncated?.reason ?? '', /at byte \d+: the checksum of the batch at offset 5 does not match/)
  assert.deepEqual(
    names(disk2, folder).filter(name => name.endsWith('.log')),
    [0, second!.baseOffset].map(offset => `${String(offset).padStart(20, '0')}.log`),
  )
  put(next.log, ['goes on'], {}, 3)
  assert.equal(values(next.log).at(-1), 'goes on')
})

test('segments that recovery removed do not come back behind what is appended in their place', async () => {
  const folded = { segmentBytes: 300 }
  const { disk, log } = rig(folded)
  const follow = (to: PartitionLog, baseOffset: number, leaderEpoch: number, value: string) => {
    const buffer = batchOf({ values: [value], baseOffset, partitionLeaderEpoch: leaderEpoch })
    append(to, buffer, { leaderEpoch, origin: 'replication' })
  }
  for (let offset = 0; offset < 12; offset++) follow(log, offset, 1, `old ${offset}`)
  assert.deepEqual(
    log.state.segments.map(segment => segment.baseOffset),
    [0, 4, 8],
  )
  await log.sync()
  const killed = disk.killed()
  spoil(killed, nameOf(4, '.log'), log.state.segments[1]!.size / 2 - 20)
  await killed.open(nameOf(4, '.log')).sync()
  const { log: cut } = rig(folded, killed)
  assert.equal(cut.logEndOffset, 5)
  for (let offset = 5; offset < 8; offset++) follow(cut, offset, 3, `new ${offset}`)
  // The system has written the records in its own time, but not the folder.
  await killed.open(nameOf(4, '.log')).sync()
  for (let seed = 1; seed <= 100; seed++) {
    const { log: left } = rig(folded, killed.crashed(seed))
    assert.ok(left.logEndOffset <= 8, `seed ${seed}: ${values(left)}`)
  }
})

test('a torn end and a tail of zeros are cut off', async () => {
  for (const [tail, reason] of [
    [batchOf({ baseOffset: 12 }).subarray(0, 40), /no whole batch in the last 40 bytes/],
    [Buffer.alloc(300), /300 bytes that begin with zeros/],
    [Buffer.from([1, 2, 3]), /no whole batch in the last 3 bytes/],
    [batchOf({ baseOffset: 3 }), /a batch of offsets 3 to 3 where 12 was expected/],
  ] as const) {
    const { disk, log } = await filled()
    const killed = disk.killed()
    killed.open(nameOf(log.activeBaseOffset, '.log')).append([tail])
    const next = rig(config, killed)
    checkLog(next.log)
    assert.equal(next.log.logEndOffset, 12)
    assert.equal(next.report.recoveries[0]?.truncated?.bytes, tail.length)
    assert.match(next.report.recoveries[0]?.truncated?.reason ?? '', reason)
  }
})

test('a segment that does not begin where the one before it ends goes, unless the topic is compacted', async () => {
  const compact = { cleanupPolicy: { delete: false, compact: true } }
  for (const changes of [{}, compact]) {
    const { disk, log } = await filled(changes)
    const [, second, third] = log.state.segments
    const killed = disk.killed()
    killed.open(nameOf(second!.baseOffset, '.log')).truncate((second!.size / 3) * 2)
    const next = rig({ ...config, ...changes }, killed)
    checkLog(next.log, { isContiguous: changes !== compact })
    if (changes === compact) assert.equal(next.log.logEndOffset, 12)
    else {
      assert.ok(next.log.logEndOffset < third!.baseOffset)
      const reason = next.report.recoveries[0]?.truncated?.reason
      assert.match(reason ?? '', new RegExp(`the next segment begins at offset ${third!.baseOffset}, not at`))
    }
  }
})

test('what lies below the recovery point is not read again', async () => {
  const { disk, log } = await filled()
  await log.sync()
  const first = rig(config, disk.killed())
  first.directory.checkpoint()
  await first.log.sync()
  first.directory.checkpoint()
  const killed = first.disk.killed()
  spoil(killed, nameOf(0, '.log'), 70)
  const next = rig(config, killed)
  assert.equal(next.log.logEndOffset, 12)
  assert.equal(next.report.recoveries[0]?.truncated, null)
})

test('indexes that are gone are made anew, after a clean stop too', async () => {
  for (const isClean of [true, false]) {
    const made = await filled()
    const expected = new Map(
      names(made.disk, folder)
        .filter(name => name.endsWith('.log'))
        .map(name => [name, made.disk.readFile(`${folder}/${name}`)]),
    )
    if (isClean) await made.directory.close(1, log => log.logEndOffset)
    const disk = made.disk.killed()
    for (const name of names(disk, folder)) if (name.endsWith('index')) disk.remove(`${folder}/${name}`)
    const next = rig(config, disk)
    checkLog(next.log)
    assert.equal(next.report.recoveries.length, 1)
    for (const [name, content] of expected) assert.deepEqual(disk.readFile(`${folder}/${name}`), content)
  }
})

test('leftovers are removed: temporary files, indexes without batches, unfinished compaction', async () => {
  const made = await filled()
  await made.directory.close(1, log => log.logEndOffset)
  const disk = made.disk.killed()
  const before = names(disk, folder)
  for (const name of [
    '00000000000000000000.log.deleted',
    '00000000000000000003.index',
    '00000000000000000003.timeindex',
    '00000000000000000000.log.cleaned',
    '00000000000000000005.log.swap',
    '00000000000000000009.snapshot.tmp',
    'leader-epoch-checkpoint.tmp',
  ]) {
    disk.open(`${folder}/${name}`, { create: true })
  }
  const next = rig(config, disk)
  assert.deepEqual(names(disk, folder), before)
  checkLog(next.log)
  assert.deepEqual(next.report.recoveries, [])
})

test('a compaction that was whole takes the place of what it was made of', async () => {
  const made = await filled()
  await made.directory.close(1, log => log.logEndOffset)
  const disk = made.disk.killed()
  const bases = made.log.state.segments.map(segment => segment.baseOffset)
  // The first two segments as one; the second is still there.
  const content = Buffer.concat([disk.readFile(nameOf(0, '.log')), disk.readFile(nameOf(bases[1]!, '.log'))])
  disk.open(nameOf(0, '.log.swap'), { create: true }).append([content])
  for (const kind of ['.index.swap', '.timeindex.swap']) disk.open(nameOf(0, kind), { create: true })
  const next = rig({ ...config, segmentBytes: 5000 }, disk)
  assert.deepEqual(
    next.log.state.segments.map(segment => segment.baseOffset),
    [0, ...bases.slice(2)],
  )
  assert.equal(records(next.log).length, 12)
  assert.match(next.report.recoveries[0]?.notes[0] ?? '', /An interrupted compaction was completed/)
})

test('a log that ends below its start offset is emptied and begins there', async () => {
  const made = await filled()
  made.log.advanceStart(10)
  made.directory.checkpoint()
  const disk = made.disk.killed()
  for (const name of names(disk, folder)) {
    if (/^0+[69]\./.test(name)) disk.remove(`${folder}/${name}`)
  }
  const next = rig(config, disk)
  assert.deepEqual([next.log.logStartOffset, next.log.logEndOffset, next.log.size], [10, 10, 0])
  assert.match(next.report.recoveries[0]?.notes.at(-1) ?? '', /below its start offset 10/)
  assert.equal(put(next.log, ['first']), 10)
})

test('producers and aborted transactions are told anew', async () => {
  const made = rig(config)
  const of = (producerId: number, baseSequence: number) => ({ producerId, producerEpoch: 0, baseSequence })
  put(made.log, ['a'], { ...of(1, 0), isTransactional: true })
  put(made.log, ['b'], of(2, 0))
  marker(made.log, 'ABORT', 1)
  made.log.roll(startMs)
  put(made.log, ['c'], { ...of(1, 1), isTransactional: true })
  put(made.log, ['d'], of(2, 1))
  marker(made.log, 'ABORT', 1)
  put(made.log, ['e'], { ...of(1, 2), isTransactional: true })
  const expected = { producers: made.log.activeProducers(), aborted: made.log.abortedTransactions(0, 100) }
  const disk = made.disk.killed()
  for (const name of names(disk, folder)) if (name.endsWith('.txnindex')) disk.remove(`${folder}/${name}`)
  const next = rig(config, disk)
  checkLog(next.log)
  assert.deepEqual(next.log.abortedTransactions(0, 100), expected.aborted)
  assert.deepEqual(next.log.activeProducers(), expected.producers)
  assert.equal(next.log.lastStableOffset(100), 6)
})

test('a damaged snapshot is passed over', async () => {
  let now = rig(config)
  put(now.log, ['a'], { producerId: 1, producerEpoch: 0, baseSequence: 0 })
  now.log.roll(startMs)
  put(now.log, ['b'], { producerId: 1, producerEpoch: 0, baseSequence: 1 })
  await now.directory.close(1, log => log.logEndOffset)
  spoil(now.disk, nameOf(2, '.snapshot'), 20)
  now = rig(config, now.disk)
  assert.equal(now.log.activeProducers()[0]?.lastSequence, 1)
  assert.ok(!names(now.disk, folder).includes('00000000000000000002.snapshot'))
})

test('a malformed epoch checkpoint is told anew from the batches, and that is said', async () => {
  const made = await filled()
  await made.directory.close(1, log => log.logEndOffset)
  made.disk.replaceFile(`${folder}/leader-epoch-checkpoint`, Buffer.from('0\n2\n1 0\n2 '))
  const next = rig(config, made.disk)
  assert.deepEqual(next.log.state.epochs.entries(), [
    [1, 0],
    [2, 4],
  ])
  assert.deepEqual(next.restored, [`${folder}/leader-epoch-checkpoint`])
})

test('an epoch whose first batches were compacted away still begins where it began', async () => {
  const compact = { ...config, cleanupPolicy: { delete: false, compact: true } }
  for (const [told, start] of [
    ['1 1', 1],
    ['1 2', 2],
    ['1 0', 3],
    ['1 5', 3],
    ['2 2', 3],
  ] as const) {
    const { disk, log } = rig(compact)
    put(log, ['a'])
    const later = { baseOffset: 3, partitionLeaderEpoch: 1 }
    append(log, batchOf(later), { origin: 'replication', leaderEpoch: 1 })
    const killed = disk.killed()
    killed.replaceFile(`${folder}/leader-epoch-checkpoint`, Buffer.from(`0\n1\n${told}\n`))
    assert.deepEqual(rig(compact, killed).log.state.epochs.entries().at(-1), [1, start], told)
  }
})
