import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Endpoint } from '#src/config/listeners.js'
import { clientMessage } from '#src/config/problem.js'
import { embeddedProfile, singleNodeProfile } from '#src/config/profiles.js'
import { brokerConfigFrom } from '#src/config/start.js'
import { recorded } from './recorded.js'

const BASE: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.quorum.voters': '1@localhost:9093',
  listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
  'controller.listener.names': 'CONTROLLER',
}

type RecordedEndpoint = readonly [name: string, host: string | null, port: number]

interface RecordedStart {
  readonly set: Readonly<Record<string, string>>
  readonly unset?: readonly string[]
  readonly err?: string
  readonly ok?: {
    readonly listeners: readonly RecordedEndpoint[]
    readonly advertised: readonly RecordedEndpoint[]
    readonly controllers: readonly RecordedEndpoint[]
    readonly interBroker: string
    readonly logDirs: readonly string[]
    readonly metadataLogDir: string
    readonly rollMs: number
    readonly retentionMs: number
    readonly jitterMs: number
    readonly flushMs: string
  }
}

function startWith(set: Readonly<Record<string, string>>, unset: readonly string[] = []) {
  const properties = new Map([...Object.entries(BASE), ...Object.entries(set)])
  for (const name of unset) properties.delete(name)
  return brokerConfigFrom({ properties })
}

function short(endpoints: readonly Endpoint[]): readonly RecordedEndpoint[] {
  return endpoints.map(({ name, host, port }) => [name, host, port])
}

test('a node starts, or refuses to, as Kafka does', () => {
  for (const line of recorded<RecordedStart>('start.jsonl')) {
    const start = startWith(line.set, line.unset)
    const what = JSON.stringify([line.set, line.unset])
    if (line.ok === undefined) {
      assert.ok(!start.ok, what)
      // Kafka stops at the first problem; here all of them are told.
      assert.ok(start.problems.map(clientMessage).includes(line.err ?? ''), `${what}: ${start.lines.join('\n')}`)
      continue
    }
    assert.ok(start.ok, `${what}: ${start.ok ? '' : start.lines.join('\n')}`)
    const { config } = start
    const answer = {
      listeners: short(config.node.listeners),
      advertised: short(config.node.advertisedListeners),
      controllers: short(config.node.advertisedControllerListeners),
      interBroker: config.node.interBrokerListenerName,
      logDirs: config.node.logDirs,
      metadataLogDir: config.node.metadataLogDir,
      rollMs: config.logRollMs,
      retentionMs: config.logRetentionMs,
      jitterMs: config.logRollJitterMs,
      flushMs:
        config.logFlushIntervalMs === Number.POSITIVE_INFINITY
          ? '9223372036854775807'
          : String(config.logFlushIntervalMs),
    }
    assert.deepEqual(answer, line.ok, what)
  }
})

test('every problem is told at once, each with its place, its value and what is allowed', () => {
  const start = brokerConfigFrom({
    properties: new Map(
      Object.entries({
        ...BASE,
        'num.partitions': '0',
        'log.roll.ms': '-1',
        'compression.type': 'zip',
        'node.id': '1',
      }),
    ),
    origins: new Map([
      ['num.partitions', 'server.properties:12'],
      ['compression.type', '--override'],
    ]),
  })
  assert.ok(!start.ok)
  assert.deepEqual(start.lines, [
    'server.properties:12: num.partitions=0: Invalid value 0 for configuration num.partitions: ' +
      'Value must be at least 1',
    '--override: compression.type=zip: Invalid value zip for configuration compression.type: ' +
      'String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer',
    'log.roll.ms=-1: log.roll.ms must be greater than or equal to 1',
  ])
})

test('a password does not appear in messages', () => {
  const start = startWith({ 'listener.name.plaintext.ssl.key.password': 'hush', 'num.partitions': '0' })
  assert.ok(!start.ok)
  assert.ok(!start.lines.join('\n').includes('hush'))
})

test('a listener that cannot be served is refused', () => {
  const start = startWith({
    listeners: 'SECURE://:9092,CONTROLLER://:9093',
    'listener.security.protocol.map': 'SECURE:SSL,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'SECURE',
  })
  assert.ok(!start.ok)
  assert.deepEqual(start.lines, [
    'listeners=SECURE://:9092: listener SECURE speaks SSL, which this broker does not serve yet; it serves PLAINTEXT',
  ])
})

test('ports out of range are refused', () => {
  for (const port of ['65536', '-1']) {
    const start = startWith({ listeners: `PLAINTEXT://:${port},CONTROLLER://:9093` })
    assert.ok(!start.ok)
    assert.match(start.lines.join('\n'), /not between 0 and 65535/)
  }
})

test('a file must say who the node is', () => {
  const start = brokerConfigFrom({ properties: new Map([['num.partitions', '3']]) })
  assert.ok(!start.ok)
  assert.deepEqual(
    start.problems.map(({ option }) => option),
    ['process.roles', 'node.id', 'controller.listener.names'],
  )
})

test('without a file a single node starts, and nobody is warned about what nobody set', () => {
  const start = brokerConfigFrom({ properties: new Map(), profile: singleNodeProfile })
  assert.ok(start.ok)
  assert.deepEqual(start.warnings, [])
  assert.deepEqual(short(start.config.node.brokerListeners), [['PLAINTEXT', null, 9092]])
  assert.deepEqual(short(start.config.node.advertisedListeners), [['PLAINTEXT', 'localhost', 9092]])
  assert.deepEqual(short(start.config.node.controllerListeners), [['CONTROLLER', null, 9093]])
  assert.equal(start.config.get('offsets.topic.replication.factor'), 1)
  assert.equal(start.config.get('offsets.topic.num.partitions'), 50)
})

test('the older name of node.id counts over a profile, too', () => {
  const profile = { ...embeddedProfile, 'controller.quorum.voters': '5@127.0.0.1:0' }
  const start = brokerConfigFrom({ properties: new Map([['broker.id', '5']]), profile })
  assert.ok(start.ok)
  assert.equal(start.config.node.nodeId, 5)
})

test('a broker inside a test takes free ports and waits for nobody', () => {
  const start = brokerConfigFrom({ properties: new Map([['num.partitions', '3']]), profile: embeddedProfile })
  assert.ok(start.ok)
  assert.deepEqual(short(start.config.node.listeners), [
    ['PLAINTEXT', '127.0.0.1', 0],
    ['CONTROLLER', '127.0.0.1', 0],
  ])
  assert.equal(start.config.get('group.initial.rebalance.delay.ms'), 0)
  assert.equal(start.config.get('num.partitions'), 3)
})
