import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SnapshotWriter } from '#src/metadata/snapshot-file.js'
import { MetadataStartError } from '#src/raft/quorum-state.js'
import { SimDisk } from '../../support/sim-disk.js'
import { openNode, partitionPath, type RaftNode, snapshotsOf, startNode, stop, topicRecord } from './support/rig.js'

function overwrite(disk: SimDisk, path: string, change: (content: Buffer) => Buffer): void {
  disk.replaceFile(path, change(Buffer.from(disk.readFile(path))))
}

const flipped = (content: Buffer): Buffer => {
  content[Math.floor(content.length / 2)]! ^= 0x40
  return content
}

/** A node with snapshots at 3 and 6, stopped. */
async function withSnapshots(): Promise<RaftNode> {
  const node = await startNode()
  snapshotsOf(node)
  for (const round of [1, 2]) {
    for (const name of ['a', 'b', 'c'].slice(0, round + 1)) node.driver.append(1, [topicRecord(name + round)])
    await node.clock.settle()
    const taken = node.driver.takeSnapshot()
    await node.clock.settle()
    await taken
  }
  await stop(node)
  return node
}

const snapshotAt = (offset: number): string =>
  `${partitionPath}/${String(offset).padStart(20, '0')}-0000000001.checkpoint`

for (const [what, change] of [
  ['changed in the middle', flipped],
  ['cut in the middle', (content: Buffer) => content.subarray(0, content.length / 2)],
  ['cut before the footer', (content: Buffer) => content.subarray(0, content.length - 75)],
  ['cut by a byte', (content: Buffer) => content.subarray(0, content.length - 1)],
  ['empty', () => Buffer.alloc(0)],
] as const) {
  test(`a snapshot that is ${what} is set aside, and the one before it and the log do`, async () => {
    const node = await withSnapshots()
    overwrite(node.disk, snapshotAt(6), change)
    const next = await startNode({ disk: node.disk, clock: node.clock })
    assert.equal(next.witness.events[0], 'snapshot 3-1 of 2')
    assert.deepEqual(next.witness.topics, ['a1', 'b1', 'a2', 'b2', 'c2'])
    assert(next.logger.lines.some(line => line.startsWith('error damaged snapshot') && line.includes(snapshotAt(6))))
    assert(node.disk.exists(`${snapshotAt(6)}.damaged`))
  })
}

test('without any whole snapshot the log is enough as long as it begins at 0', async () => {
  const node = await withSnapshots()
  for (const offset of [3, 6]) overwrite(node.disk, snapshotAt(offset), flipped)
  const next = await startNode({ disk: node.disk, clock: node.clock })
  assert.equal(next.witness.snapshot, null)
  assert.deepEqual(next.witness.topics, ['a1', 'b1', 'a2', 'b2', 'c2'])
})

test('a log that begins later and has no whole snapshot stops the start, naming folder, file and remedy', async () => {
  const node = await withSnapshots()
  const opened = openNode({ disk: node.disk, clock: node.clock })
  opened.log.advanceStart(6)
  opened.log.truncateFullyAndStartAt(6)
  overwrite(node.disk, snapshotAt(6), flipped)
  await opened.directory.close(-1, () => 0)
  const error = failure(() => openNode({ disk: node.disk, clock: node.clock }))
  assert.match(error.message, /begins at offset 6 and no whole snapshot leads up to it/)
  assert(error.message.includes(snapshotAt(6)))
  assert.match(error.message, /[Rr]estore/)
})

test('a damaged snapshot of the formatting stops the start only of an empty log', async () => {
  const disk = new SimDisk()
  const node = openNode({ disk })
  await node.directory.close(-1, () => 0)
  const path = `${partitionPath}/00000000000000000000-0000000000.checkpoint`
  overwrite(disk, path, flipped)
  const error = failure(() => openNode({ disk, format: { ignoreFormatted: true } }))
  assert(error.message.startsWith(path))
  assert.match(error.message, /format the directory anew/)
})

for (const [what, text] of [
  ['no JSON', '{"leaderId":'],
  ['no object', '7'],
  ['of a later version', '{"leaderId":1,"leaderEpoch":1,"votedId":-1,"data_version":2}'],
  ['without an epoch', '{"leaderId":1,"votedId":-1,"data_version":0}'],
  ['with an epoch that is no number', '{"leaderId":1,"leaderEpoch":"1","votedId":-1,"data_version":0}'],
  [
    'with a vote for no directory',
    '{"leaderId":1,"leaderEpoch":1,"votedId":1,"votedDirectoryId":"x","data_version":1}',
  ],
] as const) {
  test(`a quorum-state that is ${what} stops the start, naming file and remedy`, async () => {
    const node = await startNode()
    await stop(node)
    node.disk.replaceFile(`${partitionPath}/quorum-state`, Buffer.from(text))
    const error = failure(() => openNode({ disk: node.disk, clock: node.clock }))
    assert(error.message.startsWith(`${partitionPath}/quorum-state: `))
    assert.match(error.message, /restore it/)
  })
}

test('a quorum-state that is behind the log counts for nothing', async () => {
  const node = await startNode()
  await stop(node)
  node.disk.remove(`${partitionPath}/quorum-state`)
  const next = await startNode({ disk: node.disk, clock: node.clock })
  assert.deepEqual(next.driver.leader, { leaderId: 1, epoch: 2 })
})

test('files that were not finished, or are about to go, are removed', async () => {
  const node = await withSnapshots()
  const leftovers = [
    '00000000000000000009-0000000001.checkpoint.part',
    '00000000000000000001-0000000001-8217.checkpoint.part',
    '00000000000000000002-0000000001.checkpoint.deleted',
  ]
  for (const name of leftovers) node.disk.writeFile(`${partitionPath}/${name}`, Buffer.from('x'))
  openNode({ disk: node.disk, clock: node.clock })
  for (const name of leftovers) assert(!node.disk.exists(`${partitionPath}/${name}`), name)
})

test('where the log goes on after the snapshot of a leader, those before it go: the oldest says where it begins', async () => {
  const { disk } = await withSnapshots()
  const id = { endOffset: 20, epoch: 3 }
  const content = { id, lastContainedLogTimestamp: 0, kraftVersion: 0, voters: null }
  const writer = new SnapshotWriter(disk, partitionPath, content, () => 0)
  writer.append(topicRecord('later'))
  writer.finishNow()
  // The power failed before the log was cut.
  const node = await startNode({ disk: disk.killed() })
  const names = node.disk.list(partitionPath).map(entry => entry.name)
  assert.deepEqual(
    names.filter(name => name.endsWith('.checkpoint')),
    ['00000000000000000020-0000000003.checkpoint'],
  )
  assert.equal(node.log.logStartOffset, 20)
  assert.deepEqual(node.witness.topics, ['later'])
})

test('records that nobody knows stop the node, and nothing after them is served', async () => {
  const node = await startNode()
  node.driver.append(1, [topicRecord('known')])
  await node.clock.settle()
  const unknown = { type: 'NoOpRecord', version: 0, value: {} } as const
  node.driver.append(1, [unknown])
  await node.clock.settle()
  await stop(node)
  // Type 20 becomes 99.
  const path = `${partitionPath}/00000000000000000000.log`
  const content = node.disk.readFile(path)
  const at = content.lastIndexOf(Buffer.from([1, 20, 0, 0]))
  content[at + 1] = 99
  const { computedCrc, writeInt32, batchPositions } = await import('#protocol/records/batch.js')
  const last = [...batchPositions(content)].at(-1)!
  writeInt32(content, last + 17, computedCrc(content, last) | 0)
  node.disk.replaceFile(path, content)
  const next = await startNode({ disk: node.disk, clock: node.clock })
  assert.deepEqual(next.witness.topics, ['known'])
  assert.match(next.faults[0]?.message ?? '', /offset 2.*unknown type 99.*newer version/)
})

function failure(work: () => unknown): Error {
  try {
    work()
  } catch (error) {
    assert(error instanceof MetadataStartError, String(error))
    return error
  }
  throw new Error('it went well')
}
