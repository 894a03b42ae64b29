import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { Metadata } from '#protocol/messages/metadata.js'
import { type ClusterNode, type StartClusterOptions, startCluster } from '#src/testing/start-cluster.js'
import { askAddress, until } from '../../support/cluster-client.js'

function temporaryDirectory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  context.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function create(node: ClusterNode, name: string): Promise<number> {
  const topic = { name, numPartitions: 3, replicationFactor: -1, assignments: [], configs: [] }
  const request = { topics: [topic], timeoutMs: 10_000, validateOnly: false }
  return (await askAddress(node.bootstrapServers, CreateTopics, request)).topics[0]!.errorCode
}

async function describe(node: ClusterNode, name: string) {
  const request = { topics: [{ name }], allowAutoTopicCreation: false }
  return askAddress(node.bootstrapServers, Metadata, request)
}

async function madeAndClosed(dataDirectory: string, options: StartClusterOptions = {}): Promise<string> {
  const cluster = await startCluster({ dataDirectory, ...options })
  assert.equal(await create(cluster.nodes[0]!, 'kept'), ErrorCode.NONE)
  await cluster.close()
  return cluster.clusterId
}

for (const hasStaticVoters of [false, true]) {
  const voters = hasStaticVoters ? 'static voters' : 'voters in the log'
  test(`a cluster with ${voters} goes on with its data, and with all of its nodes`, async context => {
    const dataDirectory = temporaryDirectory(context)
    const clusterId = await madeAndClosed(dataDirectory, { hasStaticVoters })
    await using again = await startCluster({ dataDirectory })
    assert.equal(again.clusterId, clusterId)
    assert.equal(again.nodes.length, 3)
    for (const node of again.nodes) {
      const { topics, brokers } = await until(
        () => describe(node, 'kept'),
        found => found.brokers.length === 3 && found.topics[0]!.partitions.every(({ leaderId }) => leaderId > 0),
      )
      assert.deepEqual([topics[0]!.errorCode, topics[0]!.partitions.length, brokers.length], [0, 3, 3])
    }
    assert.equal(await create(again.nodes[1]!, 'new'), ErrorCode.NONE)
  })
}

test('a node that was added to a cluster is there again when its directory is opened again', async context => {
  const dataDirectory = temporaryDirectory(context)
  const cluster = await startCluster({ dataDirectory, brokers: 1 })
  await cluster.addNode()
  await cluster.close()
  await using again = await startCluster({ dataDirectory })
  const { brokers } = await until(
    () => describe(again.nodes[0]!, 'none'),
    found => found.brokers.length === 2,
  )
  assert.deepEqual(brokers.map(({ nodeId }) => nodeId).sort(), [1, 2])
  assert.equal((await again.addNode()).nodeId, 3)
})

for (const roles of ['broker', 'controller'] as const) {
  test(`topics have as many copies as before a ${roles} was added, also when the cluster is opened again`, async context => {
    const dataDirectory = temporaryDirectory(context)
    const cluster = await startCluster({ dataDirectory, brokers: 1 })
    await cluster.addNode({ roles })
    await cluster.close()
    await using again = await startCluster({ dataDirectory })
    assert.equal(await create(again.nodes[0]!, 'new'), ErrorCode.NONE)
    const { topics } = await describe(again.nodes[0]!, 'new')
    for (const { replicaNodes } of topics[0]!.partitions) assert.equal(replicaNodes.length, 1)
  })
}

test('a directory of a cluster is not opened as that of another one', async context => {
  const dataDirectory = temporaryDirectory(context)
  await madeAndClosed(dataDirectory, { brokers: 1 })
  await assert.rejects(startCluster({ dataDirectory, brokers: 3 }), /has a cluster of 1 nodes; brokers is 3/)
  await assert.rejects(startCluster({ dataDirectory, hasStaticVoters: true }), /a cluster with hasStaticVoters: false/)
  const path = join(dataDirectory, 'cluster.json')
  const content = readFileSync(path, 'utf8')
  for (const [text, message] of [
    ['{', /cluster\.json cannot be read: /],
    ['null', /cluster\.json does not describe a cluster/],
    [content.replace('"nodes"', '"knots"'), /cluster\.json does not describe a cluster/],
    [content.replace(/"controllerPort": \d+/, '"controllerPort": 65536'), /cluster\.json does not describe a cluster/],
    [content.replace(/"replicasMax": 1/, '"replicasMax": 0'), /cluster\.json does not describe a cluster/],
    [content.replace(/"nodes": \[([^\]]+)\]/, '"nodes": [$1,$1]'), /cluster\.json does not describe a cluster/],
  ] as const) {
    writeFileSync(path, text)
    await assert.rejects(startCluster({ dataDirectory }), message)
  }
  writeFileSync(path, content)
  await (await startCluster({ dataDirectory })).close()
})

test('a cluster whose port somebody else has taken says so', async context => {
  const dataDirectory = temporaryDirectory(context)
  await madeAndClosed(dataDirectory, { brokers: 1 })
  const { nodes } = JSON.parse(readFileSync(join(dataDirectory, 'cluster.json'), 'utf8'))
  const server = createServer()
  await new Promise<void>(resolve => server.listen(nodes[0].controllerPort, '127.0.0.1', resolve))
  context.after(() => server.close())
  await assert.rejects(
    startCluster({ dataDirectory }),
    /the controller of node 1 is known to the others by its port, which somebody else has now: .*EADDRINUSE/,
  )
})
