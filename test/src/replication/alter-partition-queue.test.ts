import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import {
  type AlterPartitionEffect,
  AlterPartitionQueue,
  type IsrChange,
} from '#src/replication/alter-partition-queue.js'

const change = (partition: number, isr: number[] = [1, 2], partitionEpoch = 4): IsrChange => ({
  topicId: 'topic',
  partition,
  leaderEpoch: 3,
  partitionEpoch,
  isr: isr.map(brokerId => ({ brokerId, brokerEpoch: brokerId * 10 })),
})

/** What an effect says, in short. */
function shortOf(effect: AlterPartitionEffect): unknown {
  switch (effect.type) {
    case 'send':
      return ['send', effect.request.topics.flatMap(({ partitions }) => partitions.map(each => each.partitionIndex))]
    case 'settle':
      return ['settle', effect.change.partition, effect.answer.errorCode]
    case 'report':
      return ['report', effect.errorCode]
    case 'missing':
      return ['missing', effect.change.partition]
  }
}

const answer = (codes: Record<number, number>, errorCode = 0) => ({
  throttleTimeMs: 0,
  errorCode,
  topics: [
    {
      topicId: 'topic',
      partitions: Object.entries(codes).map(([partition, code]) => ({
        partitionIndex: Number(partition),
        errorCode: code,
        leaderId: 1,
        leaderEpoch: 3,
        isr: [1, 2],
        leaderRecoveryState: 0,
        partitionEpoch: 5,
      })),
    },
  ],
})

test('one request at a time takes what has come together', () => {
  const queue = new AlterPartitionQueue()
  const step = (...[event]: Parameters<AlterPartitionQueue['step']> extends [infer E, number] ? [E] : never) =>
    queue.step(event, 0).map(shortOf)
  assert.deepEqual(step({ type: 'submit', change: change(0) }), [['send', [0]]])
  assert.deepEqual(step({ type: 'submit', change: change(1) }), [])
  assert.deepEqual(step({ type: 'submit', change: change(2) }), [])
  assert.deepEqual(step({ type: 'answer', response: answer({ 0: 0 }) }), [
    ['settle', 0, ErrorCode.NONE],
    ['send', [1, 2]],
  ])
  const codes = { 1: ErrorCode.INVALID_UPDATE_VERSION, 2: 0 }
  assert.deepEqual(step({ type: 'answer', response: answer(codes) }), [
    ['settle', 1, ErrorCode.INVALID_UPDATE_VERSION],
    ['settle', 2, ErrorCode.NONE],
  ])
  assert.equal(queue.size, 0)
})

test('a second change of a partition whose first is not answered is not attempted', () => {
  const queue = new AlterPartitionQueue()
  queue.step({ type: 'submit', change: change(0) }, 0)
  const second = queue.step({ type: 'submit', change: change(0, [1]) }, 0)
  assert.deepEqual(second.map(shortOf), [['settle', 0, ErrorCode.OPERATION_NOT_ATTEMPTED]])
})

test('what was refused as a whole, failed or left out of the answer is sent again, after 50 ms and then more', () => {
  const queue = new AlterPartitionQueue()
  queue.step({ type: 'submit', change: change(0) }, 0)
  const refused = { type: 'answer', response: answer({}, ErrorCode.STALE_BROKER_EPOCH) } as const
  assert.deepEqual(queue.step(refused, 0).map(shortOf), [['report', ErrorCode.STALE_BROKER_EPOCH]])
  assert.equal(queue.deadline, 50)
  assert.deepEqual(queue.step({ type: 'submit', change: change(1) }, 20), [], 'it waits with the first')
  assert.deepEqual(queue.step({ type: 'tick' }, 50).map(shortOf), [['send', [0, 1]]])
  assert.deepEqual(queue.step({ type: 'failure' }, 60), [])
  assert.equal(queue.deadline, 160, 'after 100 ms')
  assert.deepEqual(queue.step({ type: 'tick' }, 160).map(shortOf), [['send', [0, 1]]])
  const partial = queue.step({ type: 'answer', response: answer({ 1: 0 }) }, 170).map(shortOf)
  assert.deepEqual(partial, [
    ['missing', 0],
    ['settle', 1, 0],
  ])
  assert.equal(queue.deadline, 370, 'after 200 ms')
  assert.deepEqual(queue.step({ type: 'tick' }, 370).map(shortOf), [['send', [0]]])
  for (let failures = 0, now = 400; failures < 10; failures++, now = queue.deadline) {
    queue.step({ type: 'failure' }, now)
    assert.ok(queue.deadline <= now + 1000)
    queue.step({ type: 'tick' }, queue.deadline)
  }
  queue.step({ type: 'answer', response: answer({ 0: 0 }) }, 20_000)
  queue.step({ type: 'submit', change: change(2) }, 20_000)
  queue.step({ type: 'failure' }, 20_000)
  assert.equal(queue.deadline, 20_050, 'an answer makes the pause short again')
})

test('members go with their epochs, the leader as recovered', () => {
  const queue = new AlterPartitionQueue()
  const [effect] = queue.step({ type: 'submit', change: change(0) }, 0)
  assert.ok(effect?.type === 'send')
  const partition = effect.request.topics[0]!.partitions[0]!
  assert.deepEqual(partition.newIsr, [1, 2])
  assert.deepEqual(partition.newIsrWithEpochs, [
    { brokerId: 1, brokerEpoch: 10 },
    { brokerId: 2, brokerEpoch: 20 },
  ])
  assert.equal(partition.leaderRecoveryState, 0)
})
