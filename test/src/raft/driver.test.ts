import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MetadataRecord } from '#src/metadata/record.js'
import { NotLeaderError, RecordBatchTooLargeError } from '#src/raft/metadata-log.js'
import { openNode, partitionPath, restart, snapshotsOf, startNode, stop, topicRecord } from './support/rig.js'

/** So many records that a batch of them has about so many MiB. */
function megabytes(count: number): MetadataRecord[] {
  return Array.from({ length: count * 32 }, () => topicRecord('a'.repeat(32_700)))
}

test('a node that is the only voter leads and commits as soon as one sync is done', async () => {
  const node = openNode()
  const release = node.disk.holdSyncs()
  node.driver.start()
  await node.clock.settle()
  assert.equal(node.log.logEndOffset, 1)
  assert.equal(node.driver.highWatermark, -1)
  assert.deepEqual(node.witness.events, [])
  release()
  await node.clock.settle()
  assert.equal(node.driver.highWatermark, 1)
  assert.deepEqual(node.witness.events, ['leader 1 of 1'])
  assert.deepEqual(node.driver.leader, { leaderId: 1, epoch: 1 })
  const state = node.disk.readFile(`${partitionPath}/quorum-state`).toString()
  assert.equal(
    state,
    '{"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}',
  )
})

test('appends of one turn share a batch and a sync, and are handed back when that is done', async () => {
  const node = await startNode()
  const release = node.disk.holdSyncs()
  const first = node.driver.append(1, [topicRecord('a'), topicRecord('b')])
  const second = node.driver.append(1, [topicRecord('c')])
  assert.deepEqual(
    [first, second],
    [
      { baseOffset: 1, lastOffset: 2 },
      { baseOffset: 3, lastOffset: 3 },
    ],
  )
  assert.equal(node.driver.endOffset, 4)
  assert.equal(node.log.logEndOffset, 1)
  let isCommitted = false
  const committed = node.driver.whenCommitted(1, 4).then(() => {
    isCommitted = true
  })
  await node.clock.settle()
  assert.equal(node.log.logEndOffset, 4)
  assert.equal(isCommitted, false)
  // Written while the sync is under way: in a batch of its own, and under the next sync.
  node.driver.append(1, [topicRecord('d')])
  await node.clock.settle()
  release()
  await committed
  await node.clock.settle()
  assert.deepEqual(node.witness.events.slice(1), ['batch 1..3/1', 'batch 4..4/1'])
  assert.deepEqual(node.witness.topics, ['a', 'b', 'c', 'd'])
  assert.equal(node.witness.batches[0]?.appendTimestamp, node.clock.wallTime())
})

test('with a linger, appends of several turns share a batch', async () => {
  const node = await startNode({ lingerMs: 25 })
  node.driver.append(1, [topicRecord('a')])
  await node.clock.advance(20)
  node.driver.append(1, [topicRecord('b')])
  assert.equal(node.log.logEndOffset, 1)
  await node.clock.advance(5)
  assert.deepEqual(node.witness.events.slice(1), ['batch 1..2/1'])
})

test('an append that is not for this epoch, or for no batch, is refused and changes nothing', async () => {
  const node = await startNode()
  assert.throws(() => node.driver.append(2, [topicRecord('a')]), NotLeaderError)
  assert.throws(() => node.driver.append(0, [topicRecord('a')]), NotLeaderError)
  assert.throws(() => node.driver.append(1, megabytes(9)), RecordBatchTooLargeError)
  await assert.rejects(node.driver.whenCommitted(2, 9), NotLeaderError)
  assert.equal(node.driver.endOffset, 1)
  node.driver.append(1, megabytes(5))
  node.driver.append(1, megabytes(5))
  await node.clock.settle()
  assert.deepEqual(node.witness.events.slice(1), ['batch 1..160/1', 'batch 161..320/1'])
})

test('leadership that is given up voids what was not written, and another epoch begins', async () => {
  const node = await startNode()
  node.driver.append(1, [topicRecord('kept')])
  const waiting = node.driver.whenCommitted(1, 2)
  node.driver.resign(1)
  await assert.rejects(waiting, NotLeaderError)
  await node.clock.settle()
  assert.throws(() => node.driver.append(1, [topicRecord('late')]), NotLeaderError)
  // It was in the log before the epoch ended, so the next leader, this node again, commits it.
  assert.deepEqual(node.witness.events, ['leader 1 of 1', 'leader -1 of 1', 'batch 1..1/1', 'leader 1 of 2'])
  assert.deepEqual(node.witness.topics, ['kept'])
})

test('after a restart the log is replayed before the node is told that it leads, in a new epoch', async () => {
  const first = await startNode()
  for (const name of ['a', 'b', 'c']) {
    first.driver.append(1, [topicRecord(name)])
    await first.clock.settle()
  }
  const second = await restart(first)
  assert.deepEqual(second.witness.events, ['batch 1..1/1', 'batch 2..2/1', 'batch 3..3/1', 'leader 1 of 2'])
  assert.equal(second.driver.endOffset, 5)
  assert.deepEqual(second.witness.topics, ['a', 'b', 'c'])
})

test('a listener that comes late gets everything, and the leader last', async () => {
  const node = await startNode()
  node.driver.append(1, [topicRecord('a')])
  await node.clock.settle()
  const late = new (node.witness.constructor as new () => typeof node.witness)()
  node.driver.register(late)
  assert.deepEqual(late.events, ['batch 1..1/1', 'leader 1 of 1'])
})

test('a listener that fails stops the node', async () => {
  const node = openNode()
  node.driver.register({
    onSnapshot: () => {},
    onCommitted: () => {
      throw new Error('cannot replay')
    },
    onLeaderChange: () => {},
  })
  node.driver.start()
  await node.clock.settle()
  node.driver.append(1, [topicRecord('a')])
  await node.clock.settle()
  assert.deepEqual(
    node.faults.map(fault => fault.message),
    ['cannot replay'],
  )
  assert.throws(() => node.driver.append(1, [topicRecord('b')]), NotLeaderError)
})

test('a disk that fails stops the node, and what was not synced is not committed', async () => {
  const node = await startNode()
  node.disk.failAt(2, 'EIO')
  node.driver.append(1, [topicRecord('a')])
  const refused = assert.rejects(node.driver.whenCommitted(1, 2))
  await node.clock.settle()
  await refused
  assert.equal(node.faults.length, 1)
  assert.deepEqual(node.witness.topics, [])
})

test('closing commits what was appended', async () => {
  const node = await startNode()
  node.driver.append(1, [topicRecord('last')])
  await stop(node)
  assert.deepEqual(node.witness.topics, ['last'])
  assert.equal(node.clock.timerCount, 0)
  const next = await startNode({ disk: node.disk, clock: node.clock })
  assert.deepEqual(next.witness.topics, ['last'])
})

test('closing comes to an end also where the disk fails meanwhile', async () => {
  for (const io of [1, 2]) {
    const node = await startNode()
    node.driver.append(1, [topicRecord('last')])
    node.disk.failAt(io, 'EIO')
    let isClosed = false
    const closed = node.driver.close().then(() => {
      isClosed = true
    })
    await node.clock.advance(10_000)
    assert(isClosed, `I/O ${io} fails`)
    await closed
    assert.equal(node.faults.length, 1)
  }
})

test('a snapshot is taken when enough was committed, and the next start begins with it', async () => {
  const limits = { recordBytesBetween: 1000 }
  const node = await startNode({ limits })
  snapshotsOf(node)
  for (let i = 0; i < 12; i++) {
    node.driver.append(1, [topicRecord(`topic-${i}`)])
    await node.clock.settle()
  }
  const names = node.disk
    .list(partitionPath)
    .map(entry => entry.name)
    .filter(name => name.includes('checkpoint') && !name.startsWith('leader'))
  assert.deepEqual(names, ['00000000000000000000-0000000000.checkpoint', '00000000000000000012-0000000001.checkpoint'])
  const next = await restart(node, { limits })
  assert.deepEqual(next.witness.events, ['snapshot 12-1 of 11', 'batch 12..12/1', 'leader 1 of 2'])
  assert.deepEqual(
    next.witness.topics,
    Array.from({ length: 12 }, (_, i) => `topic-${i}`),
  )
})

test('a snapshot is taken when time has passed, but not of nothing', async () => {
  const node = await startNode({ limits: { intervalMs: 3_600_000 } })
  snapshotsOf(node)
  await node.clock.advance(3_600_000)
  assert.equal(node.witness.events.length, 1)
  node.driver.append(1, [topicRecord('a')])
  await node.clock.settle()
  await node.clock.advance(3_600_000)
  assert(node.disk.exists(`${partitionPath}/00000000000000000002-0000000001.checkpoint`))
  await node.clock.advance(7_200_000)
  const count = node.disk.list(partitionPath).filter(entry => entry.name.endsWith('.checkpoint')).length
  assert.equal(count, 2)
})

test('old snapshots and the log below go when there is too much of them; the files stay for a minute', async () => {
  const limits = { recordBytesBetween: 1500, retentionBytes: 3000 }
  const node = await startNode({ limits, segmentBytes: 2000 })
  snapshotsOf(node)
  for (let i = 0; i < 40; i++) {
    node.driver.append(1, [topicRecord(`topic-${i}-${'x'.repeat(40)}`)])
    // The image stays small.
    node.witness.records.splice(0)
    await node.clock.settle()
  }
  assert(node.log.logStartOffset > 0)
  const files = (): string[] => node.disk.list(partitionPath).map(entry => entry.name)
  const first = files().find(name => name.endsWith('.checkpoint'))!
  assert.equal(Number(first.slice(0, 20)), node.log.logStartOffset)
  assert(files().some(name => name.endsWith('.checkpoint.deleted')))
  await node.clock.advance(60_000)
  assert.deepEqual(
    files().filter(name => name.endsWith('.checkpoint.deleted')),
    [],
  )
  const next = await restart(node, { limits, segmentBytes: 2000 })
  assert.equal(next.faults.length, 0)
  assert.equal(next.driver.leader.epoch, 2)
  assert(next.witness.events[0]?.startsWith('snapshot'))
})

test('DescribeQuorum shows the leader as of now', async () => {
  const node = await startNode()
  await node.clock.advance(5000)
  const { driver } = node
  const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const describe = (request: object): Promise<object> => driver.describeQuorum(request as never)
  const now = node.clock.wallTime()
  assert.deepEqual(await describe({ topics }), {
    errorCode: 0,
    errorMessage: '',
    topics: [
      {
        topicName: '__cluster_metadata',
        partitions: [
          {
            partitionIndex: 0,
            errorCode: 0,
            errorMessage: '',
            leaderId: 1,
            leaderEpoch: 1,
            highWatermark: 1,
            currentVoters: [
              {
                replicaId: 1,
                replicaDirectoryId: 'AAAAAAAAAAAAAAAAAAAAAA',
                logEndOffset: 1,
                lastFetchTimestamp: now,
                lastCaughtUpTimestamp: now,
              },
            ],
            observers: [],
          },
        ],
      },
    ],
    nodes: [{ nodeId: 1, listeners: [{ name: 'CONTROLLER', host: 'localhost', port: 9001 }] }],
  })
  assert.deepEqual(await describe({ topics: [] }), { errorCode: 0, errorMessage: '', topics: [], nodes: [] })
})
