import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode, errorName } from '#protocol/errors.js'
import { Fetch } from '#protocol/messages/fetch.js'
import { Produce } from '#protocol/messages/produce.js'
import { batchPositions } from '#protocol/records/batch.js'
import { readRecords } from '#protocol/records/reader.js'
import type { Partition } from '#src/replication/partition.js'
import { checkInSync } from '#src/replication/replica-chores.js'
import { ThrottledReplicas } from '#src/replication/replication-quota.js'
import { ReplicaCluster } from '../../support/replica-cluster.js'
import type { DiskMachine } from '../../support/sim-disk.js'
import type { WireClient } from '../../support/wire-client.js'
import { batchOf, type ProduceOptions, produceRequest } from '../handlers/replica-support.js'

const VERSION = 9

function send(client: WireClient, values: string[], options: ProduceOptions = {}): void {
  client.send(Produce, options.version ?? VERSION, produceRequest(batchOf(values), options))
}

/** The answer for the one partition, if there is one. */
function answerOf(client: WireClient): { error: string; baseOffset: number } {
  const { errorCode, baseOffset } = client.receive(Produce, VERSION).responses[0]!.partitionResponses[0]!
  return { error: errorName(errorCode), baseOffset }
}

/** All values of a log, also those before its start. */
function valuesOf({ log }: Partition): string[] {
  const read = log.read(log.logStartOffset, 1_000_000, log.logEndOffset, true)
  if (read === null) return []
  const values: string[] = []
  for (const position of batchPositions(read.buffer)) {
    for (const { value } of readRecords(read.buffer, position)) values.push(Buffer.from(value!).toString())
  }
  return values
}

/** End of the log and high watermark of each replica. */
function ends(cluster: ReplicaCluster, topic = 't'): [number, number][] {
  return [...cluster.nodes.keys()].map(id => {
    const { log, highWatermark } = cluster.replica(id, topic)
    return [log.logEndOffset, highWatermark]
  })
}

test('a record is acknowledged when all in-sync replicas have it, and they have the same bytes', async () => {
  const cluster = await ReplicaCluster.start()
  cluster.createTopic('t', [1, 2, 3])
  await cluster.clock.advance(50)
  const client = cluster.client(1)
  send(client, ['a', 'b'])
  await cluster.clock.settle()
  assert.throws(() => answerOf(client), /no answer/)
  await cluster.clock.advance(20)
  assert.deepEqual(answerOf(client), { error: 'NONE', baseOffset: 0 })
  await cluster.clock.advance(600)
  assert.deepEqual(ends(cluster), [
    [2, 2],
    [2, 2],
    [2, 2],
  ])
  const bytes = [1, 2, 3].map(id => cluster.replica(id, 't').log.read(0, 1000, 2, true)!.buffer.toString('hex'))
  assert.equal(new Set(bytes).size, 1)
})

test('with too few in sync, records are refused, or their producer is told that they may be lost', async () => {
  const cluster = await ReplicaCluster.start({ config: { replicaLagMsMax: 2000 } })
  cluster.createTopic('t', [1, 2, 3], { minInsyncReplicas: 2 })
  await cluster.clock.advance(100)
  const client = cluster.client(1)
  cluster.stopSilently(2)
  cluster.stopSilently(3)
  send(client, ['waits'], { timeoutMs: 60_000 })
  await cluster.clock.advance(100)
  cluster.fence(2)
  cluster.fence(3)
  await cluster.clock.advance(100)
  const partition = cluster.replica(1, 't')
  assert.deepEqual(partition.isr, [1])
  assert.deepEqual([partition.log.logEndOffset, partition.highWatermark], [1, 0], 'one is too few to commit anything')
  const other = cluster.client(1)
  send(other, ['refused'])
  assert.equal(answerOf(other).error, 'NOT_ENOUGH_REPLICAS')
  const leaderAlone = cluster.client(1)
  send(leaderAlone, ['not committed'], { acks: 1 })
  assert.equal(answerOf(leaderAlone).error, 'NONE')
  cluster.restart(2)
  await cluster.clock.advance(3000)
  assert.equal(answerOf(client).error, 'NONE')
  assert.deepEqual(partition.isr, [1, 2])
  assert.equal(partition.highWatermark, 2)
})

test('a follower that lags leaves the in-sync replicas, and comes back when it has caught up', async () => {
  const cluster = await ReplicaCluster.start({ config: { replicaLagMsMax: 2000 } })
  cluster.createTopic('t', [1, 2, 3])
  await cluster.clock.advance(100)
  cluster.network.cut('node-1', 'node-3')
  const client = cluster.client(1)
  send(client, ['a'], { timeoutMs: 60_000 })
  await cluster.clock.advance(1000)
  assert.throws(() => answerOf(client), /no answer/)
  await cluster.clock.advance(3000)
  assert.equal(answerOf(client).error, 'NONE')
  assert.deepEqual([...cluster.partition('t').isr], [1, 2])
  cluster.network.heal()
  await cluster.clock.advance(2000)
  assert.deepEqual([...cluster.partition('t').isr].sort(), [1, 2, 3])
})

test('a proposal that the controller refuses is made again, and the records count for those in it meanwhile', async () => {
  const cluster = await ReplicaCluster.start({ config: { replicaLagMsMax: 2000 } })
  cluster.createTopic('t', [1, 2, 3])
  await cluster.clock.advance(100)
  cluster.kill(3)
  cluster.refusal = ErrorCode.INELIGIBLE_REPLICA
  cluster.restart(3)
  await cluster.clock.advance(2000)
  assert.deepEqual([...cluster.partition('t').isr], [1, 2])
  const asked = cluster.alterPartitions
  assert.ok(asked > 1, 'with each fetch anew')
  cluster.refusal = null
  await cluster.clock.advance(1000)
  assert.deepEqual([...cluster.partition('t').isr], [1, 2, 3])
})

test('producers that wait are told at once when the leader changes', async () => {
  const cluster = await ReplicaCluster.start()
  cluster.createTopic('t', [1, 2, 3])
  await cluster.clock.advance(100)
  cluster.network.cut('node-1', 'node-2')
  cluster.network.cut('node-1', 'node-3')
  const client = cluster.client(1)
  send(client, ['lost'], { timeoutMs: 60_000 })
  await cluster.clock.advance(50)
  cluster.change('t', 0, { leader: 2 })
  await cluster.clock.advance(5)
  assert.equal(answerOf(client).error, 'NOT_LEADER_OR_FOLLOWER')
  const second = cluster.client(2)
  cluster.change('t', 0, { isr: [2, 3] })
  await cluster.clock.advance(1000)
  send(second, ['kept'])
  await cluster.clock.advance(100)
  assert.deepEqual(answerOf(second), { error: 'NONE', baseOffset: 0 })
  cluster.network.heal()
  await cluster.clock.advance(5000)
  assert.deepEqual(valuesOf(cluster.replica(1, 't')), ['kept'], 'what only the old leader had is cut off')
})

test('a leader that hears at once that another led and that it leads again acknowledges only what others have now', async () => {
  const cluster = await ReplicaCluster.start()
  cluster.createTopic('t', [1, 2, 3], { minInsyncReplicas: 2 })
  await cluster.clock.advance(100)
  cluster.network.cut('node-1', 'node-2')
  const client = cluster.client(1)
  send(client, ['a'], { timeoutMs: 60_000 })
  await cluster.clock.advance(50)
  assert.equal(cluster.replica(3, 't').log.logEndOffset, 1)
  const first = cluster.node(1)
  first.isAlive = false
  cluster.change('t', 0, { leader: 2 })
  await cluster.clock.advance(50)
  send(cluster.client(2), ['x'], { acks: 1 })
  await cluster.clock.advance(50)
  assert.deepEqual(valuesOf(cluster.replica(3, 't')), ['x'], 'what its leader does not have is cut off')
  first.isAlive = true
  cluster.kill(2)
  await cluster.clock.advance(1)
  assert.equal(cluster.replica(1, 't').leaderEpoch, 2)
  assert.equal(client.receiveFrame(), null, 'nobody else has it')
  await cluster.clock.advance(1000)
  assert.deepEqual(answerOf(client), { error: 'NONE', baseOffset: 0 })
  assert.deepEqual(valuesOf(cluster.replica(3, 't')), ['a'])
})

test('a replica that is added begins where the leader begins, and is in sync when it has all', async () => {
  const cluster = await ReplicaCluster.start()
  cluster.createTopic('t', [1])
  await cluster.clock.advance(50)
  const client = cluster.client(1)
  for (const value of ['a', 'b', 'c', 'd']) send(client, [value])
  await cluster.clock.settle()
  cluster.replica(1, 't').deleteRecords(2)
  cluster.change('t', 0, { replicas: [1, 2], adding: [2] })
  await cluster.clock.advance(1500)
  const added = cluster.replica(2, 't')
  assert.deepEqual([added.log.logStartOffset, added.log.logEndOffset, added.highWatermark], [2, 4, 4])
  assert.deepEqual([...cluster.partition('t').isr], [1, 2])
  cluster.change('t', 0, { replicas: [2], isr: [2], leader: 2, adding: [] })
  await cluster.clock.advance(50)
  assert.throws(() => cluster.replica(1, 't'), /NOT_LEADER_OR_FOLLOWER/)
  assert.equal(cluster.replica(2, 't').isLeader, true)
})

test('a log that begins within a batch is taken over with the whole batch', async () => {
  const cluster = await ReplicaCluster.start()
  cluster.createTopic('t', [1])
  await cluster.clock.advance(50)
  send(cluster.client(1), ['a', 'b', 'c', 'd'])
  await cluster.clock.settle()
  cluster.replica(1, 't').deleteRecords(2)
  cluster.change('t', 0, { replicas: [1, 2] })
  await cluster.clock.advance(1500)
  const { log, highWatermark } = cluster.replica(2, 't')
  assert.deepEqual([log.logStartOffset, log.logEndOffset, highWatermark], [2, 4, 4])
  assert.deepEqual(valuesOf(cluster.replica(2, 't')), ['a', 'b', 'c', 'd'])
})

test('records are deleted when all replicas have deleted them', async () => {
  const cluster = await ReplicaCluster.start()
  cluster.createTopic('t', [1, 2, 3])
  await cluster.clock.advance(50)
  const client = cluster.client(1)
  for (const value of ['a', 'b', 'c']) send(client, [value])
  await cluster.clock.advance(600)
  let lowWatermark = -1
  const { replicas } = cluster.node(1).broker
  void replicas.deleteRecords(cluster.replica(1, 't'), 2, 10_000).then(found => {
    lowWatermark = found
  })
  await cluster.clock.settle()
  assert.equal(lowWatermark, -1)
  await cluster.clock.advance(1100)
  assert.equal(lowWatermark, 2)
  for (const id of [2, 3]) assert.equal(cluster.replica(id, 't').log.logStartOffset, 2)
})

test('after an unclean election the others follow, although they have had more', async () => {
  const cluster = await ReplicaCluster.start({ config: { replicaLagMsMax: 1000 } })
  cluster.createTopic('t', [1, 2])
  await cluster.clock.advance(50)
  send(cluster.client(1), ['a'])
  await cluster.clock.advance(600)
  cluster.kill(2)
  for (const value of ['b', 'c']) send(cluster.client(1), [value])
  await cluster.clock.advance(1000)
  assert.equal(cluster.replica(1, 't').highWatermark, 3)
  cluster.kill(1)
  cluster.restart(2)
  await cluster.clock.advance(100)
  cluster.change('t', 0, { leader: 2, isr: [2] })
  await cluster.clock.advance(100)
  send(cluster.client(2), ['x'])
  cluster.restart(1)
  await cluster.clock.advance(2000)
  for (const id of [1, 2]) assert.deepEqual(valuesOf(cluster.replica(id, 't')), ['a', 'x'])
  assert.deepEqual([...cluster.partition('t').isr].sort(), [1, 2])
})

test('a topic that is made again under its name is another one for followers too', async () => {
  const cluster = await ReplicaCluster.start()
  cluster.createTopic('t', [1, 2, 3])
  await cluster.clock.advance(50)
  send(cluster.client(1), ['old'])
  await cluster.clock.advance(100)
  cluster.deleteTopic('t')
  cluster.createTopic('t', [3, 2, 1])
  await cluster.clock.advance(100)
  send(cluster.client(3), ['new'])
  await cluster.clock.advance(700)
  for (const id of [1, 2, 3]) assert.deepEqual(valuesOf(cluster.replica(id, 't')), ['new'])
})

test('a consumer is sent to the replica in its rack, which gives it what is committed', async () => {
  const replicaSelectorClass = 'org.apache.kafka.common.replica.RackAwareReplicaSelector'
  const cluster = await ReplicaCluster.start({ config: { replicaSelectorClass }, rackOf: id => `rack-${id}` })
  cluster.createTopic('t', [1, 2, 3])
  await cluster.clock.advance(50)
  send(cluster.client(1), ['a'])
  await cluster.clock.advance(700)
  const fetchFrom = (id: number, rackId: string) => {
    const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }]
    const topics = [{ topicId: cluster.topicIds.get('t')!, partitions }]
    const client = cluster.client(id)
    const request = { replicaId: -1, maxWaitMs: 0, minBytes: 1, topics, forgottenTopicsData: [], rackId }
    const { errorCode, preferredReadReplica, records, highWatermark } = client.ask(Fetch, 13, request).responses[0]!
      .partitions[0]!
    return [errorName(errorCode), preferredReadReplica, (records?.length ?? 0) > 0, highWatermark]
  }
  assert.deepEqual(fetchFrom(1, 'rack-3'), ['NONE', 3, false, 1])
  assert.deepEqual(fetchFrom(3, 'rack-3'), ['NONE', -1, true, 1])
  assert.deepEqual(fetchFrom(1, 'rack-1'), ['NONE', -1, true, 1])
  assert.deepEqual(fetchFrom(1, 'nowhere'), ['NONE', -1, true, 1])
})

test('a throttled replica comes in at the speed that is allowed, others at their own', async () => {
  const cluster = await ReplicaCluster.start({ config: { leaderBytesPerSecondMax: 1000, replicaFetchBytesMax: 5000 } })
  const leaderThrottledReplicas = ThrottledReplicas.of(['0:1'])
  cluster.createTopic('t', [1], { leaderThrottledReplicas })
  await cluster.clock.advance(50)
  const client = cluster.client(1)
  for (let i = 0; i < 40; i++) send(client, ['x'.repeat(1000)])
  await cluster.clock.settle()
  cluster.change('t', 0, { replicas: [1, 2], adding: [2] })
  await cluster.clock.advance(3000)
  assert.deepEqual([...cluster.partition('t').isr], [1])
  await cluster.clock.advance(90_000)
  assert.deepEqual([...cluster.partition('t').isr], [1, 2])
})

test('a directory that fails stops its followers, the others go on', async () => {
  const cluster = await ReplicaCluster.start({ logDirs: ['/one', '/two'] })
  cluster.createTopic('t', [1, 2], {}, 2)
  await cluster.clock.advance(50)
  const [first, second] = [0, 1].map(index => cluster.replica(2, 't', index))
  assert.notEqual(first!.directory, second!.directory)
  cluster.node(2).disk.failAt(1, 'EIO')
  send(cluster.client(1), ['a'])
  await cluster.clock.advance(700)
  assert.deepEqual([first!.isOffline, second!.isOffline], [true, false])
  send(cluster.client(1), ['b'], { partition: 1 })
  await cluster.clock.advance(700)
  assert.equal(second!.log.logEndOffset, 1)
})

test('a directory that fails when a replica in it begins to follow takes only its own replicas along', async () => {
  const cluster = await ReplicaCluster.start({ logDirs: ['/one', '/two'] })
  cluster.createTopic('t', [1, 2], {}, 2)
  await cluster.clock.advance(50)
  const { directory, log } = cluster.replica(2, 't')
  for (const partition of [0, 1]) send(cluster.client(1), ['a'], { partition })
  await cluster.clock.advance(700)
  // After a clean stop epochs are not read before they are needed.
  const closed = cluster.node(2).broker.close()
  await cluster.clock.advance(50)
  await closed
  cluster.kill(2)
  const { disk } = cluster.node(2)
  const before = disk.killed.bind(disk)
  disk.killed = () => {
    const after = before()
    after.machine = failingReads(`${log.directoryPath}/leader-epoch-checkpoint`)
    return after
  }
  cluster.restart(2)
  await cluster.clock.advance(50)
  const [first, second] = [0, 1].map(index => cluster.replica(2, 't', index))
  assert.deepEqual([first!.isOffline, second!.isOffline], [true, false])
  assert.equal(first!.directory.path, directory.path)
  send(cluster.client(1), ['b'], { partition: 1 })
  await cluster.clock.advance(700)
  assert.equal(second!.log.logEndOffset, 2)
})

/** A machine that cannot read one file. */
function failingReads(file: string): DiskMachine {
  return {
    beforeIo: () => {},
    beforeRead: path => {
      if (path === file) throw Object.assign(new Error(`EIO: i/o error, read ${path}`), { code: 'EIO' })
    },
    waitForDevice: () => Promise.resolve(),
    blockOnDevice: () => {},
    changed: () => {},
    wallTime: () => 0,
  }
}

test('the controller is told in which directory a replica is, and of a move before it is done', async () => {
  const cluster = await ReplicaCluster.start({ logDirs: ['/one', '/two'] })
  cluster.createTopic('t', [1, 2])
  await cluster.clock.advance(100)
  const replica = cluster.replica(2, 't')
  const [from, to] = cluster.node(2).broker.directories
  const told = () => cluster.assignments.filter(each => each.brokerId === 2).map(({ directoryId }) => directoryId)
  assert.deepEqual(told(), [from!.metaProperties!.directoryId])
  send(cluster.client(1), ['a'])
  await cluster.clock.advance(700)
  cluster.node(2).broker.replicas.futures.move(replica, to!)
  cluster.metadataDelayMs = () => 200
  await cluster.clock.advance(150)
  assert.equal(replica.directory, from, 'not before the controller knows')
  await cluster.clock.advance(600)
  assert.equal(replica.directory, to)
  assert.deepEqual(
    told(),
    [from, to].map(directory => directory!.metaProperties!.directoryId),
  )
  send(cluster.client(1), ['b'])
  await cluster.clock.advance(700)
  assert.deepEqual(valuesOf(replica), ['a', 'b'])
})

test('the controller is told that a replica stays where its directory has failed, though it knew of its move', async () => {
  const cluster = await ReplicaCluster.start({ logDirs: ['/one', '/two'] })
  cluster.createTopic('t', [1, 2])
  await cluster.clock.advance(100)
  const replica = cluster.replica(2, 't')
  const [from, to] = cluster.node(2).broker.directories
  cluster.node(2).broker.replicas.futures.move(replica, to!)
  cluster.metadataDelayMs = () => 200
  await cluster.clock.advance(50)
  assert.equal(replica.directory, from, 'not before the controller knows')
  cluster.node(2).disk.failAt(1, 'EIO')
  assert.throws(() => from!.writeMetaProperties(from!.metaProperties!), { code: 'KAFKA_STORAGE_ERROR' })
  await cluster.clock.advance(2000)
  assert.deepEqual([replica.directory, replica.isOffline], [from, true])
  assert.equal(cluster.partition('t').directories[1], from!.metaProperties!.directoryId)
})

test('the controller is told where a replica is that went and came back before its broker heard of either', async () => {
  const cluster = await ReplicaCluster.start({ logDirs: ['/one', '/two'] })
  cluster.createTopic('t', [1, 2])
  await cluster.clock.advance(100)
  const replica = cluster.replica(2, 't')
  cluster.assignments.length = 0
  cluster.change('t', 0, { replicas: [1], isr: [1] })
  cluster.change('t', 0, { replicas: [1, 2], isr: [1] })
  assert.equal(cluster.partition('t').directories[1], 'AAAAAAAAAAAAAAAAAAAAAQ')
  await cluster.clock.advance(100)
  assert.equal(cluster.replica(2, 't'), replica)
  const directoryId = replica.directory.metaProperties!.directoryId
  assert.equal(cluster.partition('t').directories[1], directoryId)
  const told = cluster.assignments.filter(each => each.brokerId === 2)
  assert.deepEqual(told, [{ brokerId: 2, directoryId, partition: 0 }])
})

test('with flush.messages a follower answers for records when they are on its device', async () => {
  const cluster = await ReplicaCluster.start()
  cluster.createTopic('t', [1, 2], { flushMessages: 1 })
  await cluster.clock.advance(50)
  const release = cluster.node(2).disk.holdSyncs()
  const client = cluster.client(1)
  send(client, ['a'], { timeoutMs: 10_000 })
  await cluster.clock.advance(1000)
  assert.equal(cluster.replica(2, 't').log.logEndOffset, 1)
  assert.throws(() => answerOf(client), /no answer/)
  release()
  await cluster.clock.advance(100)
  assert.equal(answerOf(client).error, 'NONE')
})

test('a broker of an earlier life does not count for what it had', async () => {
  const cluster = await ReplicaCluster.start()
  cluster.createTopic('t', [1, 2])
  await cluster.clock.advance(50)
  const partitions = [{ partition: 0, currentLeaderEpoch: 0, fetchOffset: 0, logStartOffset: 0, partitionMaxBytes: 1 }]
  const ask = (replicaEpoch: number) => {
    const topics = [{ topicId: cluster.topicIds.get('t')!, partitions }]
    const replicaState = { replicaId: 2, replicaEpoch }
    const request = { maxWaitMs: 0, minBytes: 1, topics, forgottenTopicsData: [], replicaState }
    const { responses } = cluster.client(1).ask(Fetch, 15, request)
    return errorName(responses[0]!.partitions[0]!.errorCode)
  }
  assert.equal(ask(cluster.node(2).brokerEpoch), 'NONE')
  assert.equal(ask(cluster.node(2).brokerEpoch - 1), 'NOT_LEADER_OR_FOLLOWER')
  assert.equal(ask(-1), 'NONE')
})

test('a follower of many partitions costs its leader what moves, and nothing that moves is missed', async () => {
  const cluster = await ReplicaCluster.start({ config: { replicaLagMsMax: 2000 } })
  cluster.createTopic('t', [1, 2, 3], {}, 50)
  await cluster.clock.advance(2000)
  const { replicas } = cluster.node(1).broker
  const unsettled = () => [...replicas.sessions.all()].map(({ standing }) => standing!.unsettled.size)
  assert.deepEqual(unsettled(), [0, 0])
  assert.ok(replicas.parking.size === 2, 'the fetches wait')
  const client = cluster.client(1)
  send(client, ['a'], { partition: 7 })
  await cluster.clock.settle()
  assert.deepEqual(unsettled(), [1, 1])
  await cluster.clock.advance(700)
  assert.equal(answerOf(client).error, 'NONE')
  assert.deepEqual(unsettled(), [0, 0])
  for (const id of [1, 2, 3]) assert.equal(cluster.replica(id, 't', 7).highWatermark, 1)
  // A partition that was idle for longer than replicas may lag does not lose them when it is written to.
  await cluster.clock.advance(10_000)
  send(client, ['b'], { partition: 8 })
  await cluster.clock.advance(0)
  for (const _ of checkInSync(replicas));
  await cluster.clock.advance(20)
  assert.equal(answerOf(client).error, 'NONE')
  assert.equal(cluster.alterPartitions, 0)
  // The deletion of records reaches all, and new epochs are told.
  replicas.partitionOf('t', 7).deleteRecords(1)
  cluster.change('t', 9, { leader: 1 })
  await cluster.clock.advance(1500)
  for (const id of [2, 3]) assert.equal(cluster.replica(id, 't', 7).log.logStartOffset, 1)
  send(client, ['c'], { partition: 9 })
  await cluster.clock.advance(100)
  assert.equal(answerOf(client).error, 'NONE')
})
