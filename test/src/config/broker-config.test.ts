import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RECORDED_PROPERTIES, started } from './recorded.js'

test('values have the types of their options', () => {
  const broker = started({ ...RECORDED_PROPERTIES, 'num.partitions': ' 3 ', 'log.dirs': '/a, /b' })
  const partitions: number = broker.get('num.partitions')
  const dirs: readonly string[] | null = broker.get('log.dirs')
  const creates: boolean = broker.get('auto.create.topics.enable')
  assert.deepEqual([partitions, dirs, creates], [3, ['/a', '/b'], true])
  assert.equal(broker.get('log.flush.interval.messages'), Number.POSITIVE_INFINITY)
  assert.equal(broker.get('broker.rack'), null)
  assert.equal(broker.get('broker.id'), 1)
})

test("this broker's dynamic options beat the cluster's, and those the properties", () => {
  const broker = started({ ...RECORDED_PROPERTIES, 'message.max.bytes': '1000' })
  const cluster = new Map([['message.max.bytes', '2000']])
  const own = new Map([['message.max.bytes', '3000']])
  const maxBytes = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>) =>
    broker.withDynamic(a, b).config.get('message.max.bytes')
  assert.equal(maxBytes(new Map(), new Map()), 1000)
  assert.equal(maxBytes(cluster, new Map()), 2000)
  assert.equal(maxBytes(cluster, own), 3000)
  assert.equal(broker.get('message.max.bytes'), 1000)
})

test('a dynamic value in one unit beats a static one in another', () => {
  const broker = started({ ...RECORDED_PROPERTIES, 'log.retention.ms': '5', 'log.roll.hours': '2' })
  assert.equal(broker.logRetentionMs, 5)
  assert.equal(broker.logRollMs, 7_200_000)
  const { config } = broker.withDynamic(new Map([['log.roll.ms', '9']]), new Map())
  assert.equal(config.logRollMs, 9)
  assert.equal(config.get('log.roll.hours'), 168)
})

test("a listener's option holds for that listener alone", () => {
  const broker = started({
    ...RECORDED_PROPERTIES,
    'max.connections': '10',
    'listener.name.plaintext.max.connections': '5',
  })
  assert.equal(broker.getForListener('PLAINTEXT', 'max.connections'), 5)
  assert.equal(broker.getForListener('CONTROLLER', 'max.connections'), 10)
  const { config } = broker.withDynamic(new Map(), new Map([['listener.name.plaintext.max.connections', '6']]))
  assert.equal(config.getForListener('PLAINTEXT', 'max.connections'), 6)
})

test('dynamic options that cannot be used are left out and named', () => {
  const cluster = new Map([
    ['message.max.bytes', 'many'],
    ['num.partitions', '5'],
    ['listeners', 'PLAINTEXT://:1'],
    ['ssl.keystore.location', '/x'],
    ['log.retention.ms', '7'],
    ['made.up', 'kept'],
  ])
  const applied = started(RECORDED_PROPERTIES).withDynamic(cluster, new Map())
  assert.deepEqual(applied.ignored, [
    'num.partitions is ignored: it cannot change while the broker runs',
    'ssl.keystore.location is ignored: it needs the prefix of a listener',
    'listeners is ignored: it cannot be the same for the whole cluster',
    'message.max.bytes is ignored: Invalid value many for configuration message.max.bytes: Not a number of type INT',
  ])
  assert.deepEqual([...applied.config.clusterConfig.keys()], ['log.retention.ms', 'made.up'])
  assert.equal(applied.config.logRetentionMs, 7)
})

test('dynamic options that do not fit together are not applied', () => {
  const broker = started(RECORDED_PROPERTIES)
  const applied = broker.withDynamic(new Map([['log.retention.ms', '0']]), new Map())
  assert.equal(applied.config, broker)
  assert.match(applied.ignored.join(), /not applied: requirement failed: log.retention.ms must be unlimited/)
})
