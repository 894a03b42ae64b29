import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { startBroker } from '#src/testing/start-broker.js'
import { startCluster } from '#src/testing/start-cluster.js'

function temporaryDirectory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  context.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('a directory without directory.id, as Kafka left it before 3.7, gets one', async context => {
  const dataDirectory = temporaryDirectory(context)
  const path = join(dataDirectory, 'meta.properties')
  const first = await startBroker({ dataDirectory })
  await first.close()
  const withId = readFileSync(path, 'utf8')
  writeFileSync(path, withId.replace(/directory\.id=.*\n/, ''))
  const second = await startBroker({ dataDirectory })
  await second.close()
  assert.equal(second.clusterId, first.clusterId)
  assert.match(readFileSync(path, 'utf8'), /^directory\.id=[A-Za-z0-9_-]{22}$/m)
})

test('a directory.id that is reserved is told, instead of a registration that can never succeed', async context => {
  const dataDirectory = temporaryDirectory(context)
  const path = join(dataDirectory, 'meta.properties')
  await (await startBroker({ dataDirectory })).close()
  const reserved = 'AAAAAAAAAAAAAAAAAAAAAQ'
  writeFileSync(path, readFileSync(path, 'utf8').replace(/(?<=directory\.id=).*/, reserved))
  await assert.rejects(startBroker({ dataDirectory }), new RegExp(`directory\\.id ${reserved} is one that no`))
})

test('a broker whose meta.properties was lost does not become another cluster', async context => {
  const dataDirectory = temporaryDirectory(context)
  await (await startBroker({ dataDirectory })).close()
  rmSync(join(dataDirectory, 'meta.properties'))
  await assert.rejects(startBroker({ dataDirectory }), /has logs .* and no meta\.properties/)
  assert.ok(!readdirSync(dataDirectory).includes('meta.properties'))
})

test('options that are no strings are told by name', async () => {
  const options = { 'num.partitions': 3 } as unknown as Record<string, string>
  const refusal = { name: 'TypeError', message: /num\.partitions is the number 3; allowed are strings, as '3'/ }
  await assert.rejects(startBroker({ options }), refusal)
  await assert.rejects(startCluster({ brokers: 1, options }), refusal)
})

test('limits on connections of single hosts name them, or their addresses in any form', async () => {
  const overrides = 'localhost:2, 0:0:0:0:0:0:0:1:5'
  await using broker = await startBroker({ options: { 'max.connections.per.ip.overrides': overrides } })
  const sockets: Socket[] = []
  for (let i = 0; i < 3; i++) {
    const socket = connect(broker.port, '127.0.0.1')
    socket.on('error', () => {})
    sockets.push(socket)
    await once(socket, 'connect')
  }
  await once(sockets[2]!, 'close')
  assert.deepEqual(
    sockets.map(({ closed }) => closed),
    [false, false, true],
  )
  for (const socket of sockets) socket.destroy()
})

test('a host that cannot be found ends the start with a message', async () => {
  const options = { 'max.connections.per.ip.overrides': '127.0.0.1:5,nobody.invalid:3' }
  await assert.rejects(startBroker({ options }), /^Error: max\.connections\.per\.ip\.overrides: nobody\.invalid: /)
})

test('nothing of a cluster that is closed starts again', async context => {
  const cluster = await startCluster({ brokers: 1, dataDirectory: temporaryDirectory(context) })
  await cluster.close()
  await assert.rejects(cluster.addNode(), /the cluster is closed/)
  const [node] = cluster.nodes
  await assert.rejects(node!.start(), /the cluster is closed/)
  assert.throws(() => node!.replaceDisk(), /the cluster is closed/)
  assert.ok(readdirSync(node!.directory).includes('__cluster_metadata-0'), 'it keeps its data')
})

test('a cluster is not begun where data lies of which nobody knows what it is of', async context => {
  const dataDirectory = temporaryDirectory(context)
  await (await startCluster({ brokers: 1, dataDirectory })).close()
  rmSync(join(dataDirectory, 'cluster.json'))
  await assert.rejects(
    startCluster({ brokers: 1, dataDirectory }),
    /^Error: dataDirectory: .*node-1 has data, and nothing beside it says of which cluster/,
  )
})
