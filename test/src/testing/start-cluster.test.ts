import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import { AddRaftVoter } from '#protocol/messages/add-raft-voter.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { DescribeCluster } from '#protocol/messages/describe-cluster.js'
import { DescribeQuorum } from '#protocol/messages/describe-quorum.js'
import { IncrementalAlterConfigs } from '#protocol/messages/incremental-alter-configs.js'
import { InitProducerId } from '#protocol/messages/init-producer-id.js'
import { Metadata } from '#protocol/messages/metadata.js'
import { RemoveRaftVoter } from '#protocol/messages/remove-raft-voter.js'
import { UpdateFeatures } from '#protocol/messages/update-features.js'
import { type ClusterNode, type EmbeddedCluster, startCluster } from '#src/testing/start-cluster.js'
import { askAddress, until } from '../../support/cluster-client.js'
import { keepingLogger } from '../../support/quiet-logger.js'

async function create(node: ClusterNode, name: string, replicationFactor = 3) {
  const topic = { name, numPartitions: 3, replicationFactor, assignments: [], configs: [] }
  const request = { topics: [topic], timeoutMs: 10_000, validateOnly: false }
  const { topics } = await askAddress(node.bootstrapServers, CreateTopics, request)
  return { errorCode: topics[0]!.errorCode, topicId: topics[0]!.topicId }
}

async function describe(node: ClusterNode, name: string, allowAutoTopicCreation = false) {
  const answer = await askAddress(node.bootstrapServers, Metadata, { topics: [{ name }], allowAutoTopicCreation })
  return { brokers: answer.brokers.map(({ nodeId }) => nodeId).sort(), ...answer.topics[0]! }
}

async function quorumOf(address: string) {
  const request = { topics: [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }] }
  const { topics, nodes } = await askAddress(address, DescribeQuorum, request)
  const partition = topics[0]!.partitions[0]!
  const idsOf = (replicas: readonly { readonly replicaId: number }[]) =>
    replicas.map(({ replicaId }) => replicaId).sort()
  return {
    errorCode: partition.errorCode,
    leaderId: partition.leaderId,
    voters: idsOf(partition.currentVoters),
    observers: idsOf(partition.observers),
    replicas: [...partition.currentVoters, ...partition.observers],
    nodes,
  }
}

const nodeOf = (cluster: EmbeddedCluster, nodeId: number) => cluster.nodes.find(node => node.nodeId === nodeId)!
const othersThan = (cluster: EmbeddedCluster, nodeId: number) => cluster.nodes.filter(node => node.nodeId !== nodeId)

test('what any of three nodes is asked to create, that node shows at once', async () => {
  await using cluster = await startCluster()
  for (const node of cluster.nodes) {
    const name = `made-at-${node.nodeId}`
    const { errorCode, topicId } = await create(node, name)
    assert.equal(errorCode, ErrorCode.NONE)
    const topic = await describe(node, name)
    assert.deepEqual(
      [topic.errorCode, topic.topicId, topic.partitions.length, topic.brokers],
      [0, topicId, 3, [1, 2, 3]],
    )
    const auto = await describe(node, `asked-for-at-${node.nodeId}`, true)
    assert.deepEqual([auto.errorCode, auto.partitions.length], [0, 1])
    assert.equal((await create(node, name)).errorCode, ErrorCode.TOPIC_ALREADY_EXISTS)
  }
})

test('topics that do not say how many copies they want have three, and outlive any of three nodes', async () => {
  await using cluster = await startCluster()
  const [killed, other] = cluster.nodes
  assert.equal((await create(other!, 'letters', -1)).errorCode, ErrorCode.NONE)
  const { partitions } = await describe(other!, 'letters')
  assert.deepEqual(
    partitions.map(({ replicaNodes }) => replicaNodes.length),
    [3, 3, 3],
  )
  killed!.kill()
  await until(
    () => describe(other!, 'letters'),
    topic => topic.partitions.every(({ leaderId }) => leaderId > 1),
  )
})

test('producer ids of three nodes are all different', async () => {
  await using cluster = await startCluster()
  const request = { transactionalId: null, transactionTimeoutMs: 60_000 }
  const asks = [...cluster.nodes, ...cluster.nodes].map(node =>
    askAddress(node.bootstrapServers, InitProducerId, request, 4),
  )
  const answers = await Promise.all(asks)
  assert.deepEqual([...new Set(answers.map(({ errorCode }) => errorCode))], [0])
  assert.equal(new Set(answers.map(({ producerId }) => producerId)).size, 6)
})

test('a request that is forwarded in part keeps the order of its resources', async () => {
  await using cluster = await startCluster()
  const node = othersThan(cluster, cluster.activeControllerId)[0]!
  const level = { name: 'root', configOperation: 0, value: 'DEBUG' }
  const retention = { name: 'log.retention.ms', configOperation: 0, value: '12345' }
  const resources = [
    { resourceType: 8, resourceName: String(node.nodeId), configs: [level] },
    { resourceType: 4, resourceName: '', configs: [retention] },
    { resourceType: 2, resourceName: 'nowhere', configs: [] },
  ]
  const answer = await askAddress(node.bootstrapServers, IncrementalAlterConfigs, { resources, validateOnly: false })
  assert.deepEqual(
    answer.responses.map(({ resourceType, errorCode }) => [resourceType, errorCode]),
    [
      [8, ErrorCode.NONE],
      [4, ErrorCode.NONE],
      [2, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
    ],
  )
})

test('when the active controller is killed, another one takes over, fences it, and lets it in again', async () => {
  await using cluster = await startCluster()
  const dead = nodeOf(cluster, cluster.activeControllerId)
  const [node] = othersThan(cluster, dead.nodeId)
  await create(node!, 'before')
  dead.kill()
  assert.equal((await create(node!, 'after', 2)).errorCode, ErrorCode.NONE)
  const topic = await until(
    () => describe(node!, 'before'),
    found => found.brokers.length === 2 && found.partitions.every(({ leaderId }) => leaderId !== dead.nodeId),
  )
  assert.deepEqual([...new Set(topic.partitions.map(({ isrNodes }) => isrNodes.includes(dead.nodeId)))], [false])
  await dead.start()
  const seen = await describe(dead, 'after')
  assert.deepEqual([seen.errorCode, seen.brokers.length], [0, 3])
})

test('a broker that is killed while it is no controller is fenced without waiting for its session', async () => {
  await using cluster = await startCluster()
  const controller = nodeOf(cluster, cluster.activeControllerId)
  const dead = othersThan(cluster, controller.nodeId)[0]!
  await create(controller, 't')
  dead.kill()
  await until(
    () => describe(controller, 't'),
    found => found.brokers.length === 2 && found.partitions.every(({ leaderId }) => leaderId !== dead.nodeId),
  )
})

test('each node in turn stops and starts, and the cluster goes on', async () => {
  await using cluster = await startCluster()
  for (const node of cluster.nodes) {
    await node.stop()
    const [other] = othersThan(cluster, node.nodeId)
    assert.equal((await create(other!, `without-${node.nodeId}`, 2)).errorCode, ErrorCode.NONE)
    await node.start()
    assert.equal((await describe(node, `without-${node.nodeId}`)).errorCode, ErrorCode.NONE)
  }
})

test('nodes that are told to stop at the same moment are all let go before the quorum is', async () => {
  const logger = keepingLogger()
  await using cluster = await startCluster({ logger })
  await create(cluster.nodes[0]!, 't')
  logger.lines.length = 0
  await Promise.all(cluster.nodes.map(node => node.stop()))
  const fenced = logger.lines.map(({ message }) => message).filter(message => message.endsWith('is fenced'))
  assert.deepEqual(
    [...new Set(fenced)].sort(),
    [1, 2, 3].map(id => `broker ${id} is fenced`),
  )
})

test('a node that was let go serves no clients any more, and votes until it stops', async () => {
  await using cluster = await startCluster()
  const [leaving, other] = cluster.nodes
  await create(other!, 't')
  // The first part of closing a cluster.
  await (leaving as unknown as { leave(): Promise<void> }).leave()
  await assert.rejects(describe(leaving!, 't'), /ECONNREFUSED/)
  assert.deepEqual((await quorumOf(leaving!.bootstrapControllers)).voters, [1, 2, 3])
  await until(
    () => describe(other!, 't'),
    found => found.brokers.length === 2,
  )
})

test('while all nodes stop, no client is shown a cluster without brokers', async () => {
  await using cluster = await startCluster()
  await create(cluster.nodes[0]!, 't')
  const shown: (readonly number[])[] = []
  let isOver = false
  const asked = cluster.nodes.map(async node => {
    while (!isOver) {
      const topic = await describe(node, 't').catch(() => null)
      if (topic === null) break
      shown.push(topic.brokers)
    }
  })
  await until(
    () => describe(cluster.nodes[0]!, 't'),
    () => shown.length > 0,
  )
  await Promise.all(cluster.nodes.map(node => node.stop()))
  isOver = true
  await Promise.all(asked)
  assert.deepEqual(
    shown.filter(brokers => brokers.length === 0),
    [],
  )
})

test('all nodes are killed, and come back with what they had', async () => {
  await using cluster = await startCluster()
  await create(cluster.nodes[0]!, 'kept')
  for (const node of cluster.nodes) node.kill()
  await Promise.all(cluster.nodes.map(node => node.start()))
  for (const node of cluster.nodes) assert.equal((await describe(node, 'kept')).partitions.length, 3)
})

test('a broker that is no controller joins, and so does a controller that becomes a voter and is one no more', async () => {
  await using cluster = await startCluster({ brokers: 1 })
  const broker = await cluster.addNode()
  assert.equal((await create(broker, 'on-both', 2)).errorCode, ErrorCode.NONE)
  assert.deepEqual((await describe(broker, 'on-both')).brokers, [1, 2])

  const controller = await cluster.addNode({ roles: 'controller' })
  const address = cluster.nodes[0]!.bootstrapServers
  const before = await until(
    () => quorumOf(address),
    ({ observers }) => observers.includes(controller.nodeId),
  )
  assert.deepEqual([before.voters, before.observers], [[1], [2, 3]])
  const voterDirectoryId = before.replicas.find(({ replicaId }) => replicaId === 3)!.replicaDirectoryId
  const [host = '', port] = controller.bootstrapControllers.split(':')
  const voter = { voterId: 3, voterDirectoryId }
  const listeners = [{ name: 'CONTROLLER', host, port: Number(port) }]
  const added = await until(
    () =>
      askAddress(broker.bootstrapServers, AddRaftVoter, { clusterId: null, timeoutMs: 5000, ...voter, listeners }, 0),
    // It may not have caught up yet.
    ({ errorCode }) => errorCode !== ErrorCode.REQUEST_TIMED_OUT,
  )
  assert.deepEqual([added.errorCode, added.errorMessage], [0, 'NONE'])
  const during = await quorumOf(address)
  assert.deepEqual([during.voters, during.nodes.length], [[1, 3], 2])

  // The leader takes itself out, and the new voter leads alone.
  const leader = { voterId: 1, voterDirectoryId: before.replicas.find(one => one.replicaId === 1)!.replicaDirectoryId }
  const removed = await askAddress(broker.bootstrapServers, RemoveRaftVoter, { clusterId: null, ...leader })
  assert.deepEqual([removed.errorCode, removed.errorMessage], [0, 'NONE'])
  const after = await until(
    () => quorumOf(address),
    ({ errorCode, leaderId }) => errorCode === ErrorCode.NONE && leaderId === 3,
  )
  assert.deepEqual(after.voters, [3])
  assert.equal((await create(broker, 'afterwards', 2)).errorCode, ErrorCode.NONE)
})

test('a controller joins the voters by itself where that is wanted', async () => {
  await using cluster = await startCluster({ brokers: 1 })
  await cluster.addNode({ roles: 'broker,controller', options: { 'controller.quorum.auto.join.enable': 'true' } })
  const address = cluster.nodes[0]!.bootstrapServers
  const { voters } = await until(
    () => quorumOf(address),
    found => found.voters.length === 2,
  )
  assert.deepEqual(voters, [1, 2])
})

test('a voter whose disk was replaced takes its own place again', async () => {
  const options = { 'controller.quorum.auto.join.enable': 'true', 'controller.quorum.fetch.timeout.ms': '1000' }
  await using cluster = await startCluster({ options })
  const [node] = cluster.nodes
  const before = await quorumOf(node!.bootstrapServers)
  const directoryOf = ({ replicas }: typeof before, id: number) =>
    replicas.find(({ replicaId }) => replicaId === id)?.replicaDirectoryId
  await create(node!, 'kept')
  const replaced = othersThan(cluster, 1)[0]!
  await replaced.stop()
  replaced.replaceDisk()
  await replaced.start()
  const after = await until(
    () => quorumOf(node!.bootstrapServers),
    found => found.voters.length === 3 && directoryOf(found, 2) !== directoryOf(before, 2),
  )
  assert.deepEqual(after.voters, [1, 2, 3])
  assert.equal((await describe(replaced, 'kept')).partitions.length, 3)
})

test('a node that joins late begins with a snapshot of the leader', async () => {
  const options = { 'metadata.log.max.record.bytes.between.snapshots': '2000' }
  await using cluster = await startCluster({ brokers: 1, options })
  const [first] = cluster.nodes
  for (let i = 0; i < 20; i++) await create(first!, `topic-${i}`, 1)
  const isSnapshot = (name: string) => name.endsWith('.checkpoint') && !name.startsWith('0'.repeat(20))
  const folderOf = (node: ClusterNode) => `${node.directory}/__cluster_metadata-0`
  await until(
    async () => readdirSync(folderOf(first!)),
    names => names.some(isSnapshot),
  )
  const late = await cluster.addNode()
  assert.equal((await describe(late, 'topic-19')).errorCode, ErrorCode.NONE)
  assert.ok(readdirSync(folderOf(late)).some(isSnapshot))
  assert.equal((await create(late, 'afterwards', 2)).errorCode, ErrorCode.NONE)
  await late.stop()
  await late.start()
  assert.equal((await describe(late, 'topic-0')).errorCode, ErrorCode.NONE)
})

test('static voters become changeable ones by an upgrade of kraft.version', async () => {
  await using cluster = await startCluster({ hasStaticVoters: true })
  const node = othersThan(cluster, cluster.activeControllerId)[0]!
  const update = { feature: 'kraft.version', maxVersionLevel: 1, upgradeType: 1 }
  const upgrade = () =>
    askAddress(node.bootstrapServers, UpdateFeatures, {
      timeoutMs: 5000,
      featureUpdates: [update],
      validateOnly: false,
    })
  // Each voter says which directory it has a while after it has found the leader.
  await until(upgrade, ({ errorCode }) => errorCode === ErrorCode.NONE)
  const { voters, replicas } = await quorumOf(node.bootstrapServers)
  assert.deepEqual(voters, [1, 2, 3])
  assert.equal(new Set(replicas.map(({ replicaDirectoryId }) => replicaDirectoryId)).size, 3)
  const voter = { voterId: 3, voterDirectoryId: replicas.find(({ replicaId }) => replicaId === 3)!.replicaDirectoryId }
  // One change at a time: the upgrade has to be committed first.
  const removed = await until(
    () => askAddress(node.bootstrapServers, RemoveRaftVoter, { clusterId: null, ...voter }),
    ({ errorCode }) => errorCode !== ErrorCode.REQUEST_TIMED_OUT,
  )
  assert.equal(removed.errorCode, ErrorCode.NONE)
  for (const one of cluster.nodes) {
    await one.stop()
    await one.start()
  }
  assert.deepEqual((await quorumOf(node.bootstrapServers)).voters, [1, 2])
})

test('a controller without a broker answers admin tools, and has no listener for clients', async () => {
  await using cluster = await startCluster({ brokers: 1 })
  const node = await cluster.addNode({ roles: 'controller' })
  assert.equal(node.bootstrapServers, '')
  const request = { endpointType: 2, includeClusterAuthorizedOperations: false }
  const described = await until(
    () => askAddress(node.bootstrapControllers, DescribeCluster, request),
    ({ brokers }) => brokers.length === 2,
  )
  assert.deepEqual([described.errorCode, described.controllerId], [0, 1])
})

test('closed, it has left nothing behind', async () => {
  const cluster = await startCluster()
  const { directory } = cluster.nodes[0]!
  assert.ok(existsSync(directory))
  await cluster.close()
  assert.ok(!existsSync(directory))
  const left = process.getActiveResourcesInfo().filter(name => /TCP|Timeout|Immediate/.test(name))
  assert.deepEqual(left, [])
})

test('a node that is stopped starts again when the stop is over, and whoever stops it again waits for that', async () => {
  await using cluster = await startCluster()
  const [node] = cluster.nodes
  void node!.stop()
  assert.throws(() => node!.replaceDisk(), /runs: stop it first/)
  await node!.start()
  assert.equal(node!.isRunning, true)
  void node!.stop()
  await node!.stop()
  node!.replaceDisk()
  await Promise.all([node!.start(), node!.start()])
  assert.equal((await describe(node!, 'nowhere')).errorCode, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
})

test('a start that is ended before it is over rejects, and the node can be started again', async () => {
  await using cluster = await startCluster()
  const [node] = cluster.nodes
  await node!.stop()
  const killed = node!.start()
  node!.kill()
  await assert.rejects(killed, /node 1 was killed before it was ready/)
  const stopped = node!.start()
  await Promise.all([node!.stop(), assert.rejects(stopped, /node 1 was stopped before it was ready/)])
  assert.equal(node!.isRunning, false)
  const stopping = node!.start().then(() => node!.stop())
  await until(
    () => Promise.resolve(node!.isRunning),
    isRunning => isRunning,
  )
  await stopping
  await node!.start()
  void node!.stop()
  node!.kill()
  await node!.start()
})

test('a node that cannot be added is none of the cluster', async () => {
  await using cluster = await startCluster({ brokers: 1 })
  const { bootstrapServers } = cluster
  await assert.rejects(cluster.addNode({ options: { 'num.partitions': 'many' } }), /num\.partitions/)
  const adding = cluster.addNode()
  const lost = nodeOf(cluster, 2)
  lost.kill()
  await assert.rejects(adding, /killed before it was ready/)
  await assert.rejects(lost.start(), /node 2 could not be added/)
  const roles = 'controller'
  await assert.rejects(cluster.addNode({ roles, options: { 'num.partitions': 'many' } }), /num\.partitions/)
  assert.deepEqual([cluster.nodes.length, cluster.bootstrapServers], [1, bootstrapServers])
  assert.equal((await cluster.addNode()).nodeId, 2)
})

test('nodes that are added at the same moment are different ones', async () => {
  await using cluster = await startCluster({ brokers: 1 })
  const added = await Promise.all([
    cluster.addNode({ roles: 'controller' }),
    cluster.addNode({ roles: 'controller' }),
    cluster.addNode(),
  ])
  assert.deepEqual(added.map(({ nodeId }) => nodeId).sort(), [2, 3, 4])
})

test('a node that is being added when the cluster is closed says so', async () => {
  const cluster = await startCluster({ brokers: 1 })
  const added = cluster.addNode()
  await Promise.all([cluster.close(), assert.rejects(added, /node 2 was stopped before it was ready|is closed/)])
})

test('the ids of nodes are given by the cluster, and a directory without a name is none', async () => {
  const options = { 'node.id': '7' }
  await assert.rejects(startCluster({ brokers: 2, options }), /options: node\.id=7: allowed is 1/)
  await assert.rejects(startCluster({ dataDirectory: '' }), /dataDirectory: allowed is the path/)
})
