import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchPositions, lastOffset, recordsCount } from '#protocol/records/batch.js'
import { buildBatch } from '#protocol/records/build.js'
import { produceTo, type ReplicaSetting, replicaSetting } from '../handlers/replica-support.js'

function keyed(key: string, value: string): Buffer {
  return Buffer.from(
    buildBatch({ records: [{ timestamp: 1_700_000_000_000, key: Buffer.from(key), value: Buffer.from(value) }] }),
  )
}

/** How many records a reader of the whole log finds. */
function recordsOf({ broker }: ReplicaSetting, topic: string): number {
  const { log } = broker.replicas.partitionOf(topic, 0)
  let count = 0
  for (let offset = log.logStartOffset; offset < log.logEndOffset; ) {
    const read = log.read(offset, 10_000_000, log.logEndOffset, true)
    if (read === null) break
    for (const position of batchPositions(read.buffer)) {
      count += recordsCount(read.buffer, position)
      offset = lastOffset(read.buffer, position) + 1
    }
  }
  return count
}

const COMPACTED = { cleanupPolicy: { delete: false, compact: true }, segmentBytes: 1000, minCleanableDirtyRatio: 0.1 }

test('logs that are dirty enough are compacted in the background, others are not', async () => {
  const setting = await replicaSetting()
  const { broker, client, clock } = setting
  broker.createTopic('compacted', 1, { config: COMPACTED })
  broker.createTopic('plain', 1, { config: { segmentBytes: 1000 } })
  broker.replicas.startHousekeeping()
  for (let i = 0; i < 60; i++) {
    for (const topic of ['compacted', 'plain']) produceTo(client, keyed(`key ${i % 3}`, `value ${i}`), { topic })
  }
  assert.equal(recordsOf(setting, 'compacted'), 60)
  await clock.advance(60_000)
  assert.ok(recordsOf(setting, 'compacted') < 25, `${recordsOf(setting, 'compacted')} records are left`)
  assert.equal(recordsOf(setting, 'plain'), 60)
  assert.equal(produceTo(client, keyed('key', 'later'), { topic: 'compacted' }).baseOffset, 60)
  await broker.close()
})

test('compaction can be switched off, and does not go beyond the high watermark', async () => {
  const off = await replicaSetting({ config: { cleanerEnabled: false } })
  off.broker.createTopic('t', 1, { config: COMPACTED })
  const led = await replicaSetting()
  led.broker.createTopic('t', 1, { config: COMPACTED, replicas: [1, 2], isr: [1, 2] })
  for (const setting of [off, led]) {
    const { broker, client, clock } = setting
    broker.replicas.startHousekeeping()
    for (let i = 0; i < 60; i++) produceTo(client, keyed('key', `value ${i}`), { acks: 1 })
    await clock.advance(60_000)
    assert.equal(recordsOf(setting, 't'), 60)
  }
})
