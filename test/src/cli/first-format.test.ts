import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { clusterIdOfVoters, formatNewNode } from '#src/cli/first-format.js'
import { loadConfig } from '#src/cli/load-config.js'
import { readMetaProperties } from '#storage/meta-properties.js'
import { nodeDisk } from '#storage/node-disk.js'

const files = [1, 2, 3].map(node => `config/broker-${node}.properties`)

function configOf(file: string, override: Readonly<Record<string, string>> = {}) {
  const loaded = loadConfig(file, { override })
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.lines.join('\n'))
  return loaded
}

function temporaryDirectory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'ottla-test-'))
  context.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('nodes with the same voters come to the same cluster, in whatever order they are written', () => {
  const voters = configOf(files[0]!).config.node.quorumVoters
  const id = clusterIdOfVoters(voters)
  assert.match(id, /^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
  assert.equal(clusterIdOfVoters([...voters].reverse()), id)
  assert.notEqual(clusterIdOfVoters(voters.slice(1)), id)
  const bytes = Buffer.from(id, 'base64url')
  assert.deepEqual([bytes.length, bytes[6]! >> 4, bytes[8]! >> 6], [16, 4, 2], 'a uuid of version 4')
})

test('a node that never ran is formatted once, and keeps the cluster that it belongs to', context => {
  const data = temporaryDirectory(context)
  const { config } = configOf(files[1]!, { 'log.dirs': `${data}/one,${data}/two` })
  const first = formatNewNode(config, 'eS0PFeKVQqyUm5wZqnI2Ug')
  assert.equal(first.clusterIdThere, null)
  assert.equal(first.lines.length, 3)
  for (const name of ['one', 'two']) {
    const properties = readMetaProperties(nodeDisk(), join(data, name))
    assert.deepEqual([properties?.clusterId, properties?.nodeId], ['eS0PFeKVQqyUm5wZqnI2Ug', 2])
  }
  const second = formatNewNode(config, '5L6g3nShT-eMCtK--X86sw')
  assert.deepEqual(second, { lines: [], clusterIdThere: 'eS0PFeKVQqyUm5wZqnI2Ug' })
})

test('a controller without voters is not formatted by itself', context => {
  const data = temporaryDirectory(context)
  const override = {
    'log.dirs': data,
    'controller.quorum.voters': '',
    'controller.quorum.bootstrap.servers': 'localhost:9193',
  }
  const { config } = configOf(files[0]!, override)
  assert.throws(() => formatNewNode(config, 'eS0PFeKVQqyUm5wZqnI2Ug'), /KAFKA_CONTROLLER_QUORUM_VOTERS.*--standalone/)
})

test('the three files of config make one cluster on one machine', () => {
  const loaded = files.map(file => configOf(file))
  assert.deepEqual(
    loaded.flatMap(({ warnings }) => warnings),
    [],
  )
  const configs = loaded.map(({ config }) => config)
  assert.deepEqual(
    configs.map(({ node }) => node.nodeId),
    [1, 2, 3],
  )
  const ports = configs.flatMap(({ node }) => node.listeners.map(({ port }) => port))
  assert.equal(new Set(ports).size, 6)
  const ids = new Set(configs.map(({ node }) => clusterIdOfVoters(node.quorumVoters)))
  assert.equal(ids.size, 1)
  for (const { node } of configs) {
    const voter = node.quorumVoters.find(({ nodeId }) => nodeId === node.nodeId)
    assert.equal(voter?.port, node.controllerListeners[0]?.port)
    assert.equal(node.advertisedListeners[0]?.port, node.brokerListeners[0]?.port)
  }
  assert.equal(new Set(configs.flatMap(({ node }) => node.logDirs)).size, 3)
})
