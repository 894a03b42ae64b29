import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as batch from '#protocol/records/batch.js'
import { buildBatch } from '#protocol/records/build.js'
import {
  buildControlBatch,
  buildEndTransactionMarker,
  controlKey,
  controlRecordTypes,
  controlTypeOf,
  coordinatorEpochOf,
  endTransactionMarkerValue,
  readControlMarker,
} from '#protocol/records/control.js'

test('a transaction marker is the 78 bytes that Kafka writes', () => {
  const marker = buildEndTransactionMarker({
    type: 'COMMIT',
    coordinatorEpoch: 40,
    producerId: 123_456_789,
    producerEpoch: 2,
    timestamp: 1_700_000_000_000,
    baseOffset: 77,
    partitionLeaderEpoch: 5,
  })
  const expected =
    '000000000000004d000000420000000502373ef7af0030000000000000018bcfe568000000018bcfe5680000000000075bcd150002' +
    'ffffffff000000012000000008000000010c00000000002800'
  assert.equal(marker.toString('hex'), expected)
  const read = readControlMarker(marker, 0)
  assert.equal(read?.type, 'COMMIT')
  assert.equal(coordinatorEpochOf(read!.value), 40)
})

test('every type of control record has its number in the key', () => {
  for (const [code, type] of controlRecordTypes.entries()) {
    assert.equal(controlKey(type).toString('hex'), `0000000${code}`)
    assert.equal(controlTypeOf(controlKey(type)), type)
  }
  assert.equal(controlTypeOf(Buffer.from('00000063', 'hex')), 'UNKNOWN', 'types of a later Kafka')
  assert.equal(controlTypeOf(Buffer.from('00070001ffff', 'hex')), 'COMMIT', 'keys of a later version')
})

test('keys and values that cannot be those of control records are refused', () => {
  assert.throws(() => controlTypeOf(Buffer.from('0000', 'hex')), /at least 4 bytes, but found only 2/)
  assert.throws(() => controlTypeOf(null), /at least 4 bytes/)
  assert.throws(() => controlTypeOf(Buffer.from('ffff0001', 'hex')), /Invalid version found for control record: -1/)
  assert.throws(() => coordinatorEpochOf(null), /too short/)
  assert.throws(() => coordinatorEpochOf(Buffer.from('ffff00000000', 'hex')), /end transaction marker: -1/)
  assert.equal(coordinatorEpochOf(endTransactionMarkerValue(-1)), -1)
})

test('a control batch of the quorum holds several records and no producer', () => {
  const bytes = buildControlBatch(
    [
      { type: 'SNAPSHOT_HEADER', value: Buffer.from('0000', 'hex') },
      { type: 'KRAFT_VERSION', value: Buffer.from('00000001', 'hex') },
    ],
    1_700_000_000_000,
    { baseOffset: 0, partitionLeaderEpoch: 3 },
  )
  assert.equal(batch.isControl(bytes, 0), true)
  assert.equal(batch.isTransactional(bytes, 0), false)
  assert.equal(batch.producerId(bytes, 0), -1)
  assert.equal(batch.recordsCount(bytes, 0), 2)
  assert.equal(readControlMarker(bytes, 0)?.type, 'SNAPSHOT_HEADER')
})

test('a batch without a marker has none', () => {
  assert.equal(readControlMarker(buildBatch({ records: [] }), 0), null)
  assert.equal(readControlMarker(buildBatch({ records: [], isControl: true }), 0), null)
})
