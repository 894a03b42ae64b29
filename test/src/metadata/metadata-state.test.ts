import assert from 'node:assert/strict'
import { test } from 'node:test'
import { METADATA_RECORDS } from '#protocol/internal/metadata-records.js'
import { imageToRecords } from '#src/metadata/image-to-records.js'
import { MetadataState } from '#src/metadata/metadata-state.js'
import type { MetadataRecord, MetadataRecordType, MetadataRecordValues } from '#src/metadata/record.js'
import { exampleRecords, record } from './examples.js'

const topicId = 'AAAAAAAAAAAAAAAAAAAABA'

function replayed(records: readonly MetadataRecord[]): MetadataState {
  const state = new MetadataState()
  for (const each of records) state.replay(each)
  return state
}

test('every record type of the metadata log is understood', () => {
  const used = new Set(exampleRecords().map(each => each.type))
  assert.deepEqual(
    METADATA_RECORDS.map(schema => schema.name).filter(name => !used.has(name as MetadataRecordType)),
    [],
  )
  const state = replayed(exampleRecords())
  assert.equal(state.topics.partition('t', 1)!.leader, 2)
  assert.deepEqual(
    [...state.topics.all()].map(topic => topic.name),
    ['t'],
  )
  assert.deepEqual([...state.cluster.brokers.keys()], [1])
  assert.deepEqual([...state.cluster.controllers.keys()], [1])
  assert.equal(state.configs.of(2, 't').get('retention.ms'), '5')
  assert.deepEqual(
    [...state.clientQuotas.all()].map(entry => [...entry.quotas]),
    [[['producer_byte_rate', 10]]],
  )
  assert.equal(state.producerIds.nextProducerId, 2000)
  assert.equal(state.acls.entries.size, 1)
  assert.deepEqual([...state.scram.users(1).keys()], ['u'])
  assert.deepEqual([...state.delegationTokens.tokens.keys()], ['kept'])
})

test('an unknown record stops the replay', () => {
  const unknown = { type: 'FutureRecord', version: 0, value: {} } as unknown as MetadataRecord
  assert.throws(() => new MetadataState().replay(unknown), {
    message: "metadata record of unknown type 'FutureRecord'",
  })
})

/** Records that do not fit what is there. */
const misfits: readonly (readonly [MetadataRecord, RegExp])[] = [
  [record('RemoveTopicRecord', { topicId }), /not there/],
  [record('ClearElrRecord', { topicName: 'nope' }), /not there/],
  [record('UnregisterBrokerRecord', { brokerId: 9, brokerEpoch: 1 }), /broker 9, which is not registered/],
  [record('FenceBrokerRecord', { id: 9, epoch: 1 }), /broker 9, which is not registered/],
  [record('UnregisterControllerRecord', { controllerId: 9 }), /controller 9, which is not registered/],
  [record('RemoveAccessControlEntryRecord', { id: topicId }), /not there/],
  [record('RemoveUserScramCredentialRecord', { name: 'x', mechanism: 1 }), /not there/],
  [record('RemoveDelegationTokenRecord', { tokenId: 'x' }), /not there/],
  [record('ConfigRecord', { resourceType: 3, resourceName: '', name: 'a', value: 'b' }), /unknown type 3/],
  [record('FeatureLevelRecord', { name: 'metadata.version', featureLevel: 6 }), /older than 7/],
  [record('EndTransactionRecord', {}), /has not begun/],
  [record('AbortTransactionRecord', { reason: null }), /has not begun/],
]

for (const [misfit, message] of misfits) {
  test(`${misfit.type} ${JSON.stringify(misfit.value)} that does not fit stops the replay`, () => {
    assert.throws(() => new MetadataState().replay(misfit), message)
  })
}

test('an old epoch of a broker does not change its registration', () => {
  const state = replayed(exampleRecords())
  const change = { brokerId: 1, brokerEpoch: 4, fenced: 1, inControlledShutdown: 0, logDirs: [], cordonedLogDirs: null }
  assert.throws(
    () => state.replay(record('BrokerRegistrationChangeRecord', change, 3)),
    /has epoch 4, the broker has 5/,
  )
})

test('a transaction shows when it ends, or never', () => {
  const state = new MetadataState()
  const name = (text: string) =>
    record('TopicRecord', { name: text, topicId: Buffer.from(text.padEnd(16)).toString('base64url') })
  state.replay(record('BeginTransactionRecord', { name: null }))
  state.replay(name('a'))
  assert.deepEqual([state.inTransaction, state.topics.topicCount], [true, 0])
  assert.throws(() => state.replay(record('BeginTransactionRecord', { name: null })), /within another/)
  state.replay(record('EndTransactionRecord', {}))
  assert.deepEqual([state.inTransaction, state.topics.topicCount], [false, 1])
  state.replay(record('BeginTransactionRecord', { name: null }))
  state.replay(name('b'))
  state.replay(record('AbortTransactionRecord', { reason: null }))
  assert.deepEqual(state.topics.sortedNames(), ['a'])
})

test('bytes of a record are copied, also while a transaction is open', () => {
  for (const isOpen of [false, true]) {
    const state = new MetadataState()
    const bytes = Buffer.from('salt')
    if (isOpen) state.replay(record('BeginTransactionRecord', { name: null }))
    const value = { name: 'u', mechanism: 1, salt: bytes, storedKey: bytes, serverKey: bytes, iterations: 4096 }
    state.replay(record('UserScramCredentialRecord', value))
    bytes.fill(0)
    if (isOpen) state.replay(record('EndTransactionRecord', {}))
    assert.equal(Buffer.from(state.scram.credential(1, 'u')!.salt).toString(), 'salt')
  }
})

test('a step tells what it changed, and entries that were handed out stay what they were', () => {
  const state = replayed(exampleRecords())
  const first = state.takeDelta()
  assert.deepEqual(
    [...first.topics.values()].map(({ name, before, partitions }) => [name, before, partitions]),
    [['t', null, [0, 1, 2]]],
  )
  assert.deepEqual(first.configs, [
    { type: 2, name: 't' },
    { type: 4, name: '' },
    { type: 2, name: 'gone' },
  ])
  const before = state.topics.byName('t')!
  const text = JSON.stringify(before)
  const change: Omit<MetadataRecordValues['PartitionChangeRecord'], 'partitionId' | 'topicId'> = {
    isr: null,
    leader: 1,
    replicas: null,
    removingReplicas: null,
    addingReplicas: null,
    leaderRecoveryState: -1,
    directories: null,
    eligibleLeaderReplicas: null,
    lastKnownElr: null,
  }
  state.replay(record('PartitionChangeRecord', { partitionId: 1, topicId: before.id, ...change }, 2))
  state.replay(record('ConfigRecord', { resourceType: 2, resourceName: 't', name: 'retention.ms', value: null }))
  const second = state.takeDelta()
  const after = state.topics.byName('t')!
  const [changed] = second.topics.values()
  assert.deepEqual([changed!.before, changed!.after, changed!.partitions], [before, after, [1]])
  assert.equal(JSON.stringify(before), text)
  assert.equal(before.partitions[0], after.partitions[0])
  assert.deepEqual([after.partitions[1]!.leader, after.partitions[1]!.leaderEpoch], [1, 9])
  assert.deepEqual(second.configs, [{ type: 2, name: 't' }])
  assert.deepEqual(state.takeDelta().topics.size, 0)
})

test('a topic that comes and goes within a step is nothing', () => {
  const state = new MetadataState()
  state.replay(record('TopicRecord', { name: 't', topicId }))
  state.replay(record('RemoveTopicRecord', { topicId }))
  assert.equal(state.takeDelta().topics.size, 0)
})

test('a topic that is deleted and made again within a step stands twice', () => {
  const state = new MetadataState()
  state.replay(record('TopicRecord', { name: 't', topicId }))
  state.takeDelta()
  state.replay(record('RemoveTopicRecord', { topicId }))
  state.replay(record('TopicRecord', { name: 't', topicId: 'AAAAAAAAAAAAAAAAAAAABB' }))
  const changes = [...state.takeDelta().topics.values()]
  assert.deepEqual(
    changes.map(({ id, before, after }) => [id, before !== null, after !== null]),
    [
      [topicId, true, false],
      ['AAAAAAAAAAAAAAAAAAAABB', false, true],
    ],
  )
})

test('the change number moves with what anyone could see, and with nothing else', () => {
  const state = new MetadataState()
  state.replay(record('NoOpRecord', {}))
  state.takeDelta()
  assert.equal(state.changeNumber, 0)
  state.replay(record('TopicRecord', { name: 't', topicId }))
  state.takeDelta()
  assert.equal(state.changeNumber, 1)
})

test('records that come out of order are a bug', () => {
  const state = new MetadataState()
  state.setPosition(7, 3)
  assert.throws(() => state.setPosition(6, 3), /replay is the same everywhere/)
  assert.throws(() => state.setPosition(8, 2), /replay is the same everywhere/)
})

test('a copy goes its own way', () => {
  const state = replayed(exampleRecords())
  state.setPosition(7, 3)
  state.takeDelta()
  const copy = state.copy()
  assert.deepEqual([...imageToRecords(copy)], [...imageToRecords(state)])
  assert.deepEqual([copy.offset, copy.epoch], [7, 3])
  copy.replay(record('RemoveTopicRecord', { topicId: state.topics.byName('t')!.id }))
  assert.deepEqual([copy.topics.topicCount, state.topics.topicCount], [0, 1])
  assert.equal(state.configs.of(2, 't').size, 2)
})

test('names that differ by dots and underscores are found', () => {
  const state = new MetadataState()
  for (const [i, name] of ['a.b', 'plain', 'x_y'].entries()) {
    state.replay(record('TopicRecord', { name, topicId: `AAAAAAAAAAAAAAAAAAAAB${'ABC'[i]}` }))
  }
  const found = ['a_b', 'a.b', 'plain', 'x.y', 'x_y', 'none'].map(name => state.topics.collidingName(name))
  assert.deepEqual(found, ['a.b', undefined, undefined, 'x_y', undefined, undefined])
  assert.equal(state.copy().topics.collidingName('a_b'), 'a.b')
})
