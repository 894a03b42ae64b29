import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GroupHistory, PartitionHistory, type SentRecord, Violation } from './history.js'

function sent(history: PartitionHistory, value: string, number: number, isIdempotent = true): SentRecord {
  const record = { value, writer: 'w', number, isIdempotent, isSentOnce: !isIdempotent, isAcknowledged: false }
  history.willSend(record)
  return record
}

function partition(): PartitionHistory {
  const history = new PartitionHistory('topic', 0)
  for (let number = 0; number < 4; number++) sent(history, `w-${number}`, number)
  return history
}

const whole = new Map([0, 1, 2, 3].map(offset => [offset, `w-${offset}`]))

test('a partition as it should be passes', () => {
  const history = partition()
  history.seen(0, 'w-0')
  history.acknowledged(history.sent.get('w-1')!, 1, true, 0)
  history.checkAll(whole, 0)
})

test('a lost record is found', () => {
  const history = partition()
  history.acknowledged(history.sent.get('w-3')!, 3, true, 0)
  assert.throws(() => history.checkAll(new Map([...whole].slice(0, 3)), 0), Violation)
})

test('a doubled record is found', () => {
  assert.throws(() => partition().checkAll(new Map([...whole, [4, 'w-1']]), 0), /twice/)
})

test('records out of order are found', () => {
  const turned = new Map([
    [0, 'w-1'],
    [1, 'w-0'],
  ])
  assert.throws(() => partition().checkAll(turned, 0), /after/)
})

test('a record that nobody sent is found', () => {
  assert.throws(() => partition().seen(0, 'x-0'), /nobody sent/)
})

test('an offset whose record changes is found', () => {
  const history = partition()
  history.seen(0, 'w-0')
  assert.throws(() => history.seen(0, 'w-1'), /where w-0 was before/)
})

test('after a disaster the end may be lost, but nothing before it', () => {
  const history = partition()
  for (const [offset, value] of whole) history.seen(offset, value)
  history.weaken(2, 5)
  history.checkAll(new Map([...whole].slice(0, 2)), 0)
  assert.throws(() => history.checkAll(new Map([...whole].slice(0, 1)), 0), /promised at 1/)
})

test('an acknowledgement from before a disaster promises nothing after it', () => {
  const history = partition()
  history.weaken(0, 5)
  history.acknowledged(history.sent.get('w-0')!, 0, true, 0)
  history.checkAll(new Map(), 0)
})

test('who led before a disaster, and has not heard of it, is told from the leader that it brought', () => {
  const history = partition()
  assert.equal(history.isOutdated(4), false)
  history.weaken(2, 5)
  assert.equal(history.isOutdated(4), true)
  assert.equal(history.isOutdated(5), false)
})

test('a committed offset that goes back is found', () => {
  const group = new GroupHistory('group')
  group.willCommit('topic-0', 7)
  group.committed('topic-0', 7, 0)
  const floor = group.floor('topic-0')
  group.fetched('topic-0', 7, floor)
  assert.throws(() => group.fetched('topic-0', 6, floor), /had committed 7/)
  assert.throws(() => group.fetched('topic-0', 8, floor), /more than anybody committed/)
})

test('a smaller offset that a member commits itself, having lost its place, may come about without an answer', () => {
  const group = new GroupHistory('group')
  group.willCommit('topic-0', 7)
  group.committed('topic-0', 7, 0)
  const floor = group.floor('topic-0')
  group.willCommit('topic-0', 3)
  group.fetched('topic-0', 3, floor)
  assert.throws(() => group.fetched('topic-0', 4, floor), /had committed 7/)
})
