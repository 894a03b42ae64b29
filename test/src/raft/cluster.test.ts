import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../support/virtual-clock.js'
import type { NodeOptions, RaftNode } from './support/rig.js'
import { MemoryNetwork, openNode, partitionPath, snapshotsOf, staticVoters, topicRecord } from './support/rig.js'

/** Nodes that talk by the bytes of the protocol, on one clock. */
class Cluster {
  readonly clock = new VirtualClock()
  readonly network = new MemoryNetwork()
  readonly nodes = new Map<number, RaftNode>()

  start(nodeId: number, options: NodeOptions = {}): RaftNode {
    const node = openNode({ nodeId, clock: this.clock, channel: this.network.channelOf(nodeId), ...options })
    this.nodes.set(nodeId, node)
    this.network.add(node)
    node.driver.start()
    return node
  }

  /** The process is gone; what it wrote is there. */
  kill(nodeId: number): RaftNode {
    const node = this.nodes.get(nodeId)!
    this.nodes.delete(nodeId)
    this.network.remove(nodeId)
    return node
  }

  get leader(): RaftNode {
    const leaders = [...this.nodes.values()].filter(node => node.driver.leader.leaderId === node.nodeId)
    assert.equal(leaders.length, 1, `leaders: ${leaders.map(node => node.nodeId)}`)
    return leaders[0]!
  }

  async append(...names: string[]): Promise<void> {
    const { driver } = this.leader
    for (const name of names) driver.append(driver.leader.epoch, [topicRecord(name)])
    const committed = driver.whenCommitted(driver.leader.epoch, driver.endOffset)
    await this.clock.advance(1000)
    await committed
  }

  assertHealthy(): void {
    for (const node of this.nodes.values()) assert.deepEqual(node.faults, [], `node ${node.nodeId}`)
  }
}

async function threeVoters(options: NodeOptions = {}): Promise<Cluster> {
  const cluster = new Cluster()
  for (const nodeId of [1, 2, 3]) cluster.start(nodeId, { voters: staticVoters([1, 2, 3]), ...options })
  await cluster.clock.advance(5000)
  return cluster
}

function replicaIds(replicas: readonly { readonly replicaId: number }[]): number[] {
  return replicas.map(replica => replica.replicaId)
}

test('three voters elect a leader, and everybody gets what it appends', async () => {
  const cluster = await threeVoters()
  await cluster.append('a', 'b')
  await cluster.append('c')
  for (const node of cluster.nodes.values()) {
    assert.deepEqual(node.witness.topics, ['a', 'b', 'c'])
    assert.equal(node.witness.leader?.leaderId, cluster.leader.nodeId)
  }
  const logs = [...cluster.nodes.values()].map(node => node.disk.readFile(`${partitionPath}/00000000000000000000.log`))
  assert(
    logs.every(log => log.equals(logs[0]!)),
    'the logs are the same byte by byte',
  )
  cluster.assertHealthy()
})

test('when the leader is gone another one goes on, and the old one follows it when it is back', async () => {
  const cluster = await threeVoters()
  await cluster.append('a')
  const old = cluster.kill(cluster.leader.nodeId)
  await cluster.clock.advance(8000)
  assert.notEqual(cluster.leader.nodeId, old.nodeId)
  await cluster.append('b')
  const back = cluster.start(old.nodeId, { voters: staticVoters([1, 2, 3]), disk: old.disk.killed() })
  await cluster.clock.advance(5000)
  assert.deepEqual(back.witness.topics, ['a', 'b'])
  cluster.assertHealthy()
})

test('what a leader wrote without a majority is cut off when it comes back', async () => {
  const cluster = await threeVoters()
  await cluster.append('a')
  const { leader } = cluster
  for (const other of [1, 2, 3]) if (other !== leader.nodeId) cluster.network.cut(leader.nodeId, other)
  const { epoch } = leader.driver.leader
  leader.driver.append(epoch, [topicRecord('lost')])
  const refused = assert.rejects(leader.driver.whenCommitted(epoch, leader.driver.endOffset))
  await cluster.clock.advance(10_000)
  await refused
  await cluster.append('b')
  cluster.network.heal()
  await cluster.clock.advance(5000)
  assert.deepEqual(leader.witness.topics, ['a', 'b'])
  cluster.assertHealthy()
})

test('what a leader wrote without a majority is not handed out when a snapshot takes the place of its log', async () => {
  const cluster = await threeVoters({ limits: { retentionBytes: 1 }, segmentBytes: 200 })
  const { leader: old } = cluster
  for (const other of [1, 2, 3]) if (other !== old.nodeId) cluster.network.cut(old.nodeId, other)
  const { epoch } = old.driver.leader
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
    old.driver.append(epoch, [topicRecord(`lost-${name}`)])
    await cluster.clock.settle()
  }
  await cluster.clock.advance(10_000)
  for (const node of cluster.nodes.values()) if (node !== old) snapshotsOf(node)
  for (const name of ['a', 'b']) await cluster.append(`kept-${name}`)
  const { leader } = cluster
  for (const name of ['c', 'd']) {
    void leader.driver.takeSnapshot()
    await cluster.clock.settle()
    await cluster.append(`kept-${name}`)
  }
  assert(leader.log.logStartOffset > 1)
  cluster.network.heal()
  await cluster.clock.advance(5000)
  assert.deepEqual(old.witness.topics, leader.witness.topics)
  assert.equal(old.witness.snapshot?.endOffset, old.log.logStartOffset)
  cluster.assertHealthy()
})

test('a snapshot that is written while one of the leader takes the place of the log is dropped', async () => {
  const cluster = await threeVoters({ limits: { retentionBytes: 1 }, segmentBytes: 200 })
  for (const node of cluster.nodes.values()) snapshotsOf(node)
  await cluster.append('a')
  const slow = [...cluster.nodes.values()].find(node => node !== cluster.leader)!
  const release = slow.disk.holdSyncs()
  void slow.driver.takeSnapshot()
  await cluster.clock.settle()
  for (const other of [1, 2, 3]) if (other !== slow.nodeId) cluster.network.cut(slow.nodeId, other)
  const { leader } = cluster
  leader.driver.resign(leader.driver.leader.epoch)
  await cluster.clock.advance(10_000)
  for (const name of ['b', 'c']) {
    await cluster.append(name)
    void cluster.leader.driver.takeSnapshot()
    await cluster.clock.settle()
  }
  assert(cluster.leader.log.logStartOffset > slow.log.logEndOffset)
  cluster.network.heal()
  await cluster.clock.advance(5000)
  assert.equal(slow.log.logStartOffset, cluster.leader.log.logStartOffset)
  release()
  await cluster.clock.advance(100)
  const names = slow.disk.list(partitionPath).map(entry => entry.name)
  assert.equal(names.filter(name => name.endsWith('.checkpoint')).length, 1)
  while (cluster.leader !== slow) {
    const { driver } = cluster.leader
    driver.resign(driver.leader.epoch)
    await cluster.clock.advance(10_000)
  }
  // Who has the newest snapshot is not sent it over and over.
  const options = { voters: staticVoters([1, 2, 3]), config: { isController: false }, format: { isController: false } }
  const observer = cluster.start(4, options)
  await cluster.clock.advance(5000)
  assert.deepEqual(observer.witness.topics, ['a', 'b', 'c'])
  await cluster.append('d')
  assert.deepEqual(observer.witness.topics, ['a', 'b', 'c', 'd'])
  cluster.assertHealthy()
})

test('an observer follows, and one that is far behind gets the snapshot in pieces', async () => {
  const cluster = await threeVoters()
  for (const node of cluster.nodes.values()) snapshotsOf(node)
  await cluster.append(...Array.from({ length: 20 }, (_, i) => `topic-${i}`))
  const { leader } = cluster
  const taken = leader.driver.takeSnapshot()
  await cluster.clock.settle()
  await taken
  await cluster.append('later')
  cluster.network.sent.length = 0
  const observer = cluster.start(4, {
    voters: staticVoters([1, 2, 3]),
    config: { isController: false },
    format: { isController: false },
  })
  await cluster.clock.advance(5000)
  assert.deepEqual(observer.witness.topics, leader.witness.topics)
  assert.equal(observer.witness.snapshot?.endOffset, 21)
  assert(cluster.network.sent.filter(line => line === `4->${leader.nodeId} FetchSnapshot`).length > 3)
  assert.equal(observer.log.logStartOffset, 21)
  const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const described = await leader.driver.describeQuorum({ topics })
  const partition = described.topics[0]?.partitions[0]
  assert.deepEqual(replicaIds(partition?.observers ?? []), [4])
  assert.deepEqual(replicaIds(partition?.currentVoters ?? []), [1, 2, 3])
  cluster.assertHealthy()
  // It stops and starts from what it has.
  const gone = cluster.kill(4)
  await cluster.append('last')
  const again = cluster.start(4, {
    voters: staticVoters([1, 2, 3]),
    config: { isController: false },
    disk: gone.disk.killed(),
  })
  await cluster.clock.advance(5000)
  assert.equal(again.witness.events[0], 'snapshot 21-1 of 20')
  assert.deepEqual(again.witness.topics, cluster.leader.witness.topics)
})

test('a snapshot that arrives damaged is fetched again', async () => {
  const cluster = await threeVoters()
  for (const node of cluster.nodes.values()) snapshotsOf(node)
  await cluster.append('a', 'b', 'c')
  const { leader } = cluster
  const taken = leader.driver.takeSnapshot()
  await cluster.clock.settle()
  await taken
  const path = `${partitionPath}/00000000000000000004-0000000001.checkpoint`
  const whole = leader.disk.readFile(path)
  const damaged = Buffer.from(whole)
  damaged[100]! ^= 1
  leader.disk.replaceFile(path, damaged)
  const observer = cluster.start(4, {
    voters: staticVoters([1, 2, 3]),
    config: { isController: false },
    format: { isController: false },
  })
  await cluster.clock.advance(500)
  assert.equal(observer.witness.snapshot, null)
  assert(observer.logger.lines.some(line => line.includes('a snapshot that the leader sent is damaged')))
  leader.disk.replaceFile(path, whole)
  await cluster.clock.advance(5000)
  assert.deepEqual(observer.witness.topics, ['a', 'b', 'c'])
  cluster.assertHealthy()
})

test('a quorum grows from one voter to two and lets the first go', async () => {
  const cluster = new Cluster()
  const dynamic = { format: { quorum: { kind: 'standalone', host: 'localhost', port: 9001 } } } as const
  const bootstrapServers = [{ host: 'localhost', port: 9001 }]
  const first = cluster.start(1, { ...dynamic, config: { bootstrapServers } })
  await cluster.clock.advance(100)
  assert.deepEqual(first.driver.leader, { leaderId: 1, epoch: 1 })
  // LeaderChange, KRaftVersion and Voters in one batch.
  assert.equal(first.driver.endOffset, 3)
  await cluster.append('a')
  const second = cluster.start(2, {
    format: { quorum: { kind: 'noInitialControllers' } },
    config: { bootstrapServers, autoJoin: true },
  })
  await cluster.clock.advance(8000)
  assert.deepEqual(
    first.driver.voters.map(voter => voter.key.id),
    [1, 2],
  )
  assert.deepEqual(second.driver.voters, first.driver.voters)
  assert.deepEqual(second.witness.topics, ['a'])
  const { reply } = await first.driver.ask({ api: 'removeVoter', voter: first.driver.voters[0]!.key })
  assert.equal(reply.api === 'removeVoter' ? reply.error : -2, 0)
  await cluster.clock.advance(5000)
  assert.equal(cluster.leader.nodeId, 2)
  await cluster.append('b')
  assert.deepEqual(first.witness.topics, ['a', 'b'])
  const text = second.disk.readFile(`${partitionPath}/quorum-state`).toString()
  assert.match(
    text,
    /^\{"leaderId":2,"leaderEpoch":\d+,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1\}$/,
  )
  cluster.assertHealthy()
})

test('a leader that stops hands over at once', async () => {
  const cluster = await threeVoters()
  await cluster.append('a')
  const { leader } = cluster
  const closed = leader.driver.close()
  await cluster.clock.advance(200)
  await closed
  cluster.kill(leader.nodeId)
  assert.notEqual(cluster.leader.nodeId, leader.nodeId)
  cluster.assertHealthy()
})
