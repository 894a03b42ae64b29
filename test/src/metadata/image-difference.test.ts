import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isEmptyDelta } from '#src/metadata/delta.js'
import { imageDifference } from '#src/metadata/image-difference.js'
import { imageToRecords } from '#src/metadata/image-to-records.js'
import { MetadataState } from '#src/metadata/metadata-state.js'
import type { MetadataRecord } from '#src/metadata/record.js'
import { exampleRecords, exampleTopicId, record } from './examples.js'

function replayed(...parts: readonly Iterable<MetadataRecord>[]): MetadataState {
  const state = new MetadataState()
  for (const records of parts) for (const each of records) state.replay(each)
  state.takeDelta()
  return state
}

test('images that show the same do not differ, whatever made them', () => {
  const before = replayed(exampleRecords())
  const after = replayed(imageToRecords(before))
  assert.ok(isEmptyDelta(imageDifference(before, after)))
})

test('from nothing, everything is new', () => {
  const delta = imageDifference(new MetadataState(), replayed(exampleRecords()))
  assert.deepEqual(
    [...delta.topics.values()].map(({ name, before, partitions }) => [name, before, partitions]),
    [['t', null, [0, 1, 2]]],
  )
  assert.deepEqual([[...delta.brokers.keys()], [...delta.controllers.keys()]], [[1], [1]])
  assert.deepEqual(delta.configs, [
    { type: 2, name: 't' },
    { type: 4, name: '' },
  ])
  assert.deepEqual(
    [...delta.features],
    [
      ['metadata.version', 33],
      ['group.version', 1],
    ],
  )
  const { clientQuotasChanged, producerIdsChanged, aclsChanged, scramChanged, delegationTokensChanged } = delta
  assert.deepEqual(
    [clientQuotasChanged, producerIdsChanged, aclsChanged, scramChanged, delegationTokensChanged],
    [true, true, true, true, true],
  )
  assert.equal(delta.fromSnapshot, true)
})

test('to nothing, everything is gone', () => {
  const delta = imageDifference(replayed(exampleRecords()), new MetadataState())
  assert.deepEqual(
    [...delta.topics.values()].map(({ name, after }) => [name, after]),
    [['t', null]],
  )
  assert.equal(delta.brokers.get(1)!.after, null)
  assert.equal(delta.features.get('group.version'), 0)
})

test('only partitions that changed are named', () => {
  const change = {
    partitionId: 2,
    topicId: exampleTopicId,
    isr: [1, 2],
    leader: -2,
    replicas: null,
    removingReplicas: null,
    addingReplicas: null,
    leaderRecoveryState: -1,
    directories: null,
    eligibleLeaderReplicas: null,
    lastKnownElr: null,
  }
  const before = replayed(exampleRecords())
  const after = replayed(exampleRecords(), [record('PartitionChangeRecord', change, 2)])
  const delta = imageDifference(before, after)
  assert.deepEqual(
    [...delta.topics.values()].map(({ partitions }) => partitions),
    [[2]],
  )
  assert.deepEqual([delta.brokers.size, delta.configs.length], [0, 0])
})
