import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { loadImageConfig } from '#src/cli/image-config.js'

function load(environment: Readonly<Record<string, string>>) {
  const read = loadImageConfig(environment, [])
  assert.ok(read.ok, read.ok ? '' : read.lines.join('\n'))
  return read.config
}

/** `NAME: value` lines of a part of docker-compose.yml. */
function variablesIn(yaml: string): Readonly<Record<string, string>> {
  const lines = [...yaml.matchAll(/^ +((?:KAFKA|CLUSTER)_\w+): (.*)$/gm)]
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value.replace(/^\$\{\w+:-(.*)\}$/, '$1')]))
}

test('without a variable there is the node of the apache/kafka image, where that keeps its data', () => {
  const { node } = load({ PATH: '/bin' }).loaded.config
  assert.deepEqual([node.nodeId, node.roles], [1, { broker: true, controller: true }])
  assert.deepEqual(node.logDirs, ['/tmp/kraft-combined-logs'])
})

test('one variable puts that node aside, and what is missing is named', () => {
  const read = loadImageConfig({ KAFKA_NODE_ID: '4' }, [])
  assert.ok(!read.ok)
  assert.match(read.lines.join('\n'), /process\.roles: Missing required configuration/)
  assert.match(read.lines.join('\n'), /controller\.listener\.names/)
})

test('a wrong value is shown with its variable', () => {
  const read = loadImageConfig({ KAFKA_NUM_PARTITIONS: 'many' }, [])
  assert.ok(!read.ok)
  assert.match(
    read.lines.join('\n'),
    /^environment variable KAFKA_NUM_PARTITIONS: num\.partitions=many: Invalid value/m,
  )
})

test('the three nodes of docker-compose.yml are one cluster, and no variable of theirs is in vain', () => {
  const [common = '', ...services] = readFileSync('docker-compose.yml', 'utf8')
    .split(/^ {2}node-\d:$/m)
    .slice(0, 4)
  const shared = variablesIn(common)
  const nodes = services.map(service => load({ ...shared, ...variablesIn(service) }))
  assert.deepEqual(
    nodes.map(({ loaded }) => loaded.config.node.nodeId),
    [1, 2, 3],
  )
  for (const { options, loaded } of nodes) {
    const { node } = loaded.config
    assert.deepEqual([...options.warnings, ...loaded.warnings], [])
    assert.match(options.clusterId, /^[\w-]{22}$/)
    assert.deepEqual(node.logDirs, ['/var/lib/kafka/data'])
    const told = node.advertisedListeners.map(({ name, host, port }) => `${name} ${host} ${port}`)
    assert.deepEqual(told, [`INSIDE node-${node.nodeId} 9092`, `OUTSIDE localhost 9${node.nodeId}92`])
    assert.equal(node.interBrokerListenerName, 'INSIDE')
    assert.equal(node.quorumVoters.find(({ nodeId }) => nodeId === node.nodeId)?.host, `node-${node.nodeId}`)
  }
})
