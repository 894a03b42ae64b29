import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changeWarnings, startWarnings } from '#src/config/warnings.js'

function warningsFor(
  properties: Readonly<Record<string, string>>,
  origins: readonly (readonly [string, string])[] = [],
) {
  return startWarnings(new Map(Object.entries(properties)), new Map(origins))
}

test('an option without effect is named once, with its place', () => {
  const properties = { 'num.network.threads': '5', 'num.partitions': '5' }
  assert.deepEqual(warningsFor(properties, [['num.network.threads', 'server.properties:7']]), [
    'server.properties:7: option num.network.threads has no effect yet',
  ])
})

test('an option without effect that is left at its default is not worth a line', () => {
  assert.deepEqual(warningsFor({ 'num.network.threads': ' 3', 'log.cleaner.enable': 'TRUE' }), [])
})

test('an unknown option is named, and one that Kafka has removed with what became of it', () => {
  assert.deepEqual(warningsFor({ 'num.partition': '5', 'zookeeper.connect': 'localhost:2181' }), [
    'option num.partition is not known and is ignored',
    'option zookeeper.connect no longer exists and is ignored: there is no ZooKeeper any more',
  ])
})

test('an option that acts in part is named where it asks for the other part', () => {
  assert.deepEqual(warningsFor({ 'group.coordinator.rebalance.protocols': 'classic,consumer' }), [
    'option group.coordinator.rebalance.protocols acts only in part yet: classic only',
  ])
  assert.deepEqual(warningsFor({ 'group.coordinator.rebalance.protocols': 'classic' }), [])
})

test("a listener's option without effect is named even with the whole broker's default", () => {
  assert.deepEqual(warningsFor({ 'listener.name.plaintext.num.network.threads': '3' }), [
    'option listener.name.plaintext.num.network.threads has no effect yet',
  ])
})

test('an option that only exists dynamically is ignored in properties', () => {
  assert.deepEqual(warningsFor({ 'leader.replication.throttled.rate': '5' }), [
    'option leader.replication.throttled.rate can only be set dynamically and is ignored here',
  ])
})

test('a dynamic change that has no effect is named, a deletion is not', () => {
  const changes = [
    { name: 'preallocate', value: 'true' },
    { name: 'delete.retention.ms', value: null },
    { name: 'retention.ms', value: '5' },
  ]
  assert.deepEqual(changeWarnings('topic', changes), ['option preallocate has no effect yet'])
})
