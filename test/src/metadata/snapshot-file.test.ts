import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MetadataRecord } from '#src/metadata/record.js'
import {
  openSnapshot,
  parseSnapshotFileName,
  readSnapshotTimestamp,
  type SnapshotContent,
  SnapshotDamagedError,
  SnapshotWriter,
  snapshotFileName,
} from '#src/metadata/snapshot-file.js'
import { replicaKey } from '#src/raft/voters.js'
import { SimDisk } from '../../support/sim-disk.js'

const id = { endOffset: 1234, epoch: 7 }
const plain: SnapshotContent = { id, lastContainedLogTimestamp: 1_600_000_000_000, kraftVersion: 0, voters: null }
const voters = [
  {
    key: replicaKey(1, 'JEXY6aqzQY-32P5TStzaFg'),
    endpoints: [{ name: 'CONTROLLER', host: 'localhost', port: 25001 }],
    minKRaftVersion: 0,
    maxKRaftVersion: 1,
  },
]

function topic(name: string): MetadataRecord {
  return { type: 'TopicRecord', version: 0, value: { name, topicId: 'JEXY6aqzQY-32P5TStzaFg' } }
}

async function written(content: SnapshotContent, records: readonly MetadataRecord[]): Promise<SimDisk> {
  const disk = new SimDisk()
  disk.makeDirectory('/log')
  const writer = new SnapshotWriter(disk, '/log', content, () => 1_700_000_000_000)
  for (const record of records) writer.append(record)
  assert(disk.exists('/log/00000000000000001234-0000000007.checkpoint.part'))
  await writer.finish()
  assert.deepEqual(
    disk.list('/log').map(entry => entry.name),
    ['00000000000000001234-0000000007.checkpoint'],
  )
  return disk
}

test('names of snapshots say where they end and what becomes of them', () => {
  assert.equal(snapshotFileName(id), '00000000000000001234-0000000007.checkpoint')
  for (const state of ['complete', 'partial', 'deleted'] as const) {
    assert.deepEqual(parseSnapshotFileName(snapshotFileName(id, state)), { id, state })
  }
  assert.deepEqual(parseSnapshotFileName('00000000000000001234-0000000007-8412.checkpoint.part'), {
    id,
    state: 'partial',
  })
  for (const name of [
    'leader-epoch-checkpoint',
    '1234-7.checkpoint',
    '00000000000000001234.snapshot',
    '00000000000000001234-0000000007.checkpoint.damaged',
  ]) {
    assert.equal(parseSnapshotFileName(name), null, name)
  }
})

test('a snapshot gives back what it was made of', async () => {
  const records = Array.from({ length: 100 }, (_, i) => topic(`topic-${i}`))
  const disk = await written(plain, records)
  const snapshot = openSnapshot(disk, '/log', id)
  assert.deepEqual([...snapshot.batches()].flat(), records)
  assert.equal(snapshot.lastContainedLogTimestamp, 1_600_000_000_000)
  assert.equal(snapshot.sizeInBytes, disk.fileSize(snapshot.path))
  assert.deepEqual(snapshot.changes, [])
  assert.equal(readSnapshotTimestamp(disk, snapshot.path), 1_600_000_000_000)
})

test('with kraft.version 1 it says who votes', async () => {
  const disk = await written({ ...plain, kraftVersion: 1, voters }, [topic('a')])
  const snapshot = openSnapshot(disk, '/log', id)
  assert.deepEqual(snapshot.changes, [{ offset: 1233, kraftVersion: 1, voters }])
  assert.deepEqual(snapshot.voters, voters)
})

test('a large one has several batches, and an empty one none', async () => {
  const records = Array.from({ length: 100 }, () => topic('x'.repeat(30_000)))
  const disk = await written(plain, records)
  const batches = [...openSnapshot(disk, '/log', id).batches()]
  assert.equal(batches.length, 3)
  assert.deepEqual(batches.flat(), records)
  assert.deepEqual([...openSnapshot(await written(plain, []), '/log', id).batches()], [])
})

test('every byte that is changed and every place where it is cut is noticed', async () => {
  const whole = (await written({ ...plain, kraftVersion: 1, voters }, [topic('a')])).readFile(
    '/log/00000000000000001234-0000000007.checkpoint',
  )
  const disk = new SimDisk()
  disk.makeDirectory('/log')
  const open = (content: Buffer): void => {
    disk.replaceFile('/log/00000000000000001234-0000000007.checkpoint', content)
    openSnapshot(disk, '/log', id)
  }
  open(whole)
  // Base offset and leader epoch of a batch are outside its checksum, and mean nothing in a snapshot.
  const unchecked = new Set<number>()
  for (let start = 0; start < whole.length; start += whole.readInt32BE(start + 8) + 12) {
    for (const at of [...Array(8).keys(), 12, 13, 14, 15]) unchecked.add(start + at)
  }
  for (let at = 0; at < whole.length; at++) {
    if (unchecked.has(at)) continue
    const changed = Buffer.from(whole)
    changed[at]! ^= 0x10
    assert.throws(() => open(changed), SnapshotDamagedError, `byte ${at}`)
  }
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => open(whole.subarray(0, length)), SnapshotDamagedError, `cut to ${length}`)
  }
  assert.throws(() => open(Buffer.concat([whole, whole])), SnapshotDamagedError)
})

test('one that is given up leaves nothing', () => {
  const disk = new SimDisk()
  disk.makeDirectory('/log')
  const writer = new SnapshotWriter(disk, '/log', plain, () => 0)
  writer.append(topic('a'))
  writer.discard()
  assert.deepEqual(disk.list('/log'), [])
})
