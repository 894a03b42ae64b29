import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topicConfigOf } from '#src/config/topic-config.js'
import { defaultLogConfig, type LogConfig } from '#storage/log-config.js'
import { RECORDED_PROPERTIES, started } from './recorded.js'

const NONE = new Map<string, string>()

test("a topic without options has Kafka's defaults", () => {
  const config = topicConfigOf(started(RECORDED_PROPERTIES), NONE)
  const names = Object.keys(defaultLogConfig) as (keyof LogConfig)[]
  assert.deepEqual(Object.fromEntries(names.map(name => [name, config[name]])), defaultLogConfig)
  assert.equal(config.minInsyncReplicas, 1)
  assert.equal(config.localRetentionMs, -2)
})

test("the broker's options are the defaults of its topics", () => {
  const broker = started({
    ...RECORDED_PROPERTIES,
    'log.retention.minutes': '2',
    'log.roll.hours': '1',
    'log.flush.scheduler.interval.ms': '9',
    'log.segment.bytes': '2097152',
    'log.cleanup.policy': 'compact',
  })
  const config = topicConfigOf(broker, NONE)
  assert.equal(config.retentionMs, 120_000)
  assert.equal(config.segmentMs, 3_600_000)
  assert.equal(config.flushMs, 9)
  assert.equal(config.segmentBytes, 2_097_152)
  assert.deepEqual(config.cleanupPolicy, { delete: false, compact: true })
})

test("a topic's own options come first", () => {
  const overrides = new Map([
    ['retention.ms', '-1'],
    ['cleanup.policy', 'compact, delete'],
    ['compression.type', 'zstd'],
    ['internal.segment.bytes', '100'],
    ['flush.messages', '1'],
    ['min.cleanable.dirty.ratio', '.25'],
  ])
  const config = topicConfigOf(started(RECORDED_PROPERTIES), overrides)
  assert.equal(config.retentionMs, -1)
  assert.deepEqual(config.cleanupPolicy, { delete: true, compact: true })
  assert.equal(config.compressionType, 'zstd')
  assert.equal(config.segmentBytes, 100)
  assert.equal(config.flushMessages, 1)
  assert.equal(config.minCleanableDirtyRatio, 0.25)
})

test('options of another version that came with the data do no harm', () => {
  const overrides = new Map([
    ['made.up', 'x'],
    ['retention.ms', 'never'],
  ])
  assert.equal(topicConfigOf(started(RECORDED_PROPERTIES), overrides).retentionMs, 604_800_000)
})

test('the configuration of a topic cannot be changed by whoever holds it', () => {
  const config = topicConfigOf(started(RECORDED_PROPERTIES), NONE)
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.cleanupPolicy))
})
