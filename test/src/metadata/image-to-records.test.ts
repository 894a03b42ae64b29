import assert from 'node:assert/strict'
import { test } from 'node:test'
import { imageToRecords } from '#src/metadata/image-to-records.js'
import { MetadataState } from '#src/metadata/metadata-state.js'
import type { MetadataRecord } from '#src/metadata/record.js'
import { decodeFrame, encodeFrame } from '#src/metadata/record-frame.js'
import { exampleRecords, exampleTopicId, record } from './examples.js'

function replayed(records: Iterable<MetadataRecord>): MetadataState {
  const state = new MetadataState()
  for (const each of records) state.replay(decodeFrame(encodeFrame(each)))
  return state
}

test('a snapshot has the order of those of Kafka', () => {
  const records = [...imageToRecords(replayed(exampleRecords()))]
  assert.deepEqual(
    records.map(({ type, version }) => `${type} ${version}`),
    [
      'FeatureLevelRecord 0',
      'FeatureLevelRecord 0',
      'RegisterBrokerRecord 4',
      'RegisterControllerRecord 0',
      'TopicRecord 0',
      'PartitionRecord 2',
      'PartitionRecord 2',
      'PartitionRecord 2',
      'ConfigRecord 0',
      'ConfigRecord 0',
      'ConfigRecord 0',
      'ClientQuotaRecord 0',
      'ProducerIdsRecord 0',
      'AccessControlEntryRecord 0',
      'UserScramCredentialRecord 0',
      'DelegationTokenRecord 0',
    ],
  )
  assert.deepEqual(records[0]!.value, { name: 'metadata.version', featureLevel: 33 })
  assert.deepEqual(records[12]!.value, { brokerId: -1, brokerEpoch: -1, nextProducerId: 2000 })
})

test('a snapshot gives the image that it was made of', () => {
  const records = [...imageToRecords(replayed(exampleRecords()))]
  assert.deepEqual([...imageToRecords(replayed(records))], records)
})

test('an empty image needs no records', () => {
  assert.deepEqual([...imageToRecords(new MetadataState())], [])
})

test('what is written was taken down at the call', () => {
  const state = replayed(exampleRecords())
  state.takeDelta()
  const expected = [...imageToRecords(state)]
  const later = imageToRecords(state)[Symbol.iterator]()
  const written = [later.next().value as MetadataRecord]
  state.replay(record('RemoveTopicRecord', { topicId: exampleTopicId }))
  state.replay(record('UnregisterBrokerRecord', { brokerId: 1, brokerEpoch: 5 }))
  for (let next = later.next(); next.done !== true; next = later.next()) written.push(next.value)
  assert.deepEqual(written, expected)
})

/** What each level of metadata.version can express of the example. */
const levels: readonly (readonly [number, readonly string[]])[] = [
  [7, ['RegisterBrokerRecord 1', 'PartitionRecord 0']],
  [8, ['RegisterBrokerRecord 2', 'PartitionRecord 0']],
  [11, ['RegisterBrokerRecord 2', 'PartitionRecord 0', 'UserScramCredentialRecord 0']],
  [14, ['RegisterBrokerRecord 2', 'PartitionRecord 0', 'UserScramCredentialRecord 0', 'DelegationTokenRecord 0']],
  [
    15,
    [
      'RegisterBrokerRecord 2',
      'RegisterControllerRecord 0',
      'PartitionRecord 0',
      'UserScramCredentialRecord 0',
      'DelegationTokenRecord 0',
    ],
  ],
  [
    17,
    [
      'RegisterBrokerRecord 3',
      'RegisterControllerRecord 0',
      'PartitionRecord 1',
      'UserScramCredentialRecord 0',
      'DelegationTokenRecord 0',
    ],
  ],
]

const always = [
  'FeatureLevelRecord 0',
  'TopicRecord 0',
  'ConfigRecord 0',
  'ClientQuotaRecord 0',
  'ProducerIdsRecord 0',
  'AccessControlEntryRecord 0',
]

for (const [level, expected] of levels) {
  test(`at metadata.version ${level} a snapshot has only what that level knows`, () => {
    const state = replayed(exampleRecords())
    state.replay(record('FeatureLevelRecord', { name: 'metadata.version', featureLevel: level }))
    const found = new Set([...imageToRecords(state)].map(({ type, version }) => `${type} ${version}`))
    assert.deepEqual(
      [...found].filter(each => !always.includes(each)),
      expected,
    )
    assert.equal(replayed(imageToRecords(state)).features.metadataVersion, level)
  })
}
