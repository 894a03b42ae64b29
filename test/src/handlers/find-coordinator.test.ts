import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode, errorName } from '#protocol/errors.js'
import { FindCoordinator } from '#protocol/messages/find-coordinator.js'
import { type CoordinatorLocator, findCoordinator } from '#src/handlers/find-coordinator.js'
import { GroupWorld } from './group-support.js'

function locator(overrides: Partial<CoordinatorLocator> = {}): CoordinatorLocator & { readonly ensured: string[] } {
  const ensured: string[] = []
  return {
    ensured,
    topicOf: keyType => (keyType === 0 ? '__consumer_offsets' : null),
    ensureInternalTopic: async name => void ensured.push(name),
    partitionCountOf: () => 50,
    leaderOf: (_topic, partition, listenerName) => ({ nodeId: partition, host: listenerName, port: 9092 }),
    ...overrides,
  }
}

async function find(version: number, request: object, coordinators: CoordinatorLocator = locator()) {
  return new GroupWorld().ask(FindCoordinator, findCoordinator, version, request as never, { coordinators })
}

test('the coordinator of a group is the leader of the partition that its name hashes to', async () => {
  const answer = await find(0, { key: 'hello' })
  assert.deepEqual([answer.errorCode, answer.nodeId, answer.host, answer.port], [0, 22, 'PLAINTEXT', 9092])
  const worded = await find(2, { key: 'hello', keyType: 0 })
  assert.deepEqual([worded.errorCode, worded.errorMessage, worded.nodeId], [0, 'NONE', 22])
})

test('from version 4 on several are found at once', async () => {
  const coordinators = locator()
  const answer = await find(4, { keyType: 0, coordinatorKeys: ['hello', '', 'hello'] }, coordinators)
  assert.deepEqual(
    answer.coordinators.map(each => [each.key, each.nodeId, each.errorCode, each.errorMessage]),
    [
      ['hello', 22, 0, ''],
      ['', 0, 0, ''],
      ['hello', 22, 0, ''],
    ],
  )
  assert.deepEqual(coordinators.ensured, ['__consumer_offsets'])
  const none = locator()
  assert.deepEqual((await find(6, { keyType: 0, coordinatorKeys: [] }, none)).coordinators, [])
  assert.deepEqual(none.ensured, [], 'nobody has asked for the topic')
})

test('the answer waits for the topic to be made', async () => {
  let made: () => void = () => {}
  const coordinators = locator({ ensureInternalTopic: () => new Promise(resolve => (made = resolve)) })
  const world = new GroupWorld()
  const sent = world.send(FindCoordinator, findCoordinator, 3, { key: 'hello' }, { coordinators })
  await world.clock.settle()
  assert(!sent.isAnswered)
  made()
  await world.clock.settle()
  assert.equal(sent.answer?.errorCode, ErrorCode.NONE)
})

test('without topic or leader it is COORDINATOR_NOT_AVAILABLE, and clients ask again', async () => {
  const failing = locator({
    ensureInternalTopic: () => Promise.reject(new ApiError(ErrorCode.INVALID_REPLICATION_FACTOR)),
    partitionCountOf: () => 0,
  })
  const leaderless = locator({ leaderOf: () => null })
  for (const coordinators of [failing, leaderless]) {
    const answer = await find(1, { key: 'hello' }, coordinators)
    assert.deepEqual(
      [errorName(answer.errorCode), answer.errorMessage, answer.nodeId, answer.host, answer.port],
      ['COORDINATOR_NOT_AVAILABLE', 'The coordinator is not available.', -1, '', -1],
    )
    const batch = await find(4, { keyType: 0, coordinatorKeys: ['hello'] }, coordinators)
    assert.deepEqual([batch.coordinators[0]!.errorCode, batch.coordinators[0]!.errorMessage], [15, ''])
  }
})

test('keys of a type that nobody coordinates here are INVALID_REQUEST, with a reason', async () => {
  const transaction = await find(2, { key: 't', keyType: 1 })
  assert.deepEqual(
    [transaction.errorCode, transaction.errorMessage],
    [42, 'This broker does not coordinate transactions.'],
  )
  const batch = await find(4, { keyType: 1, coordinatorKeys: ['t'] })
  assert.equal(batch.coordinators[0]!.errorMessage, 'This broker does not coordinate transactions.')
  const share = await find(6, { keyType: 2, coordinatorKeys: ['g:AAAAAAAAAAAAAAAAAAAAAQ:0'] })
  assert.equal(share.coordinators[0]!.errorMessage, 'This broker does not coordinate share groups.')
  const early = await find(5, { keyType: 2, coordinatorKeys: ['g'] })
  assert.deepEqual([early.coordinators[0]!.errorCode, early.coordinators[0]!.errorMessage], [42, ''])
  const unknown = await find(4, { keyType: 9, coordinatorKeys: ['g'] })
  assert.match(unknown.coordinators[0]!.errorMessage!, /^This most likely occurs because of a request being malformed/)
})

test('a coordinator of transactions is found when there is one', async () => {
  const coordinators = locator({ topicOf: keyType => (keyType === 1 ? '__transaction_state' : null) })
  const answer = await find(3, { key: 'hello', keyType: 1 }, coordinators)
  assert.deepEqual([answer.errorCode, answer.nodeId], [0, 22])
  assert.deepEqual(coordinators.ensured, ['__transaction_state'])
})
