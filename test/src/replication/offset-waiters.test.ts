import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import { type OffsetWaiter, OffsetWaiters } from '#src/replication/offset-waiters.js'

class TestWaiter implements OffsetWaiter {
  readonly endOffset: number
  isOver = false
  outcome = ''
  readonly #then: () => void

  constructor(endOffset: number, then: () => void = () => {}) {
    this.endOffset = endOffset
    this.#then = then
  }

  onReached(): void {
    this.outcome += 'reached'
    this.#then()
  }

  onLost(code: ErrorCode): void {
    this.outcome += `lost ${code}`
  }
}

test('who waits for records that were sent again does not wait for those that came after them', () => {
  const line = new OffsetWaiters()
  const waiters = [10, 20, 30, 10, 20].map(end => new TestWaiter(end))
  for (const waiter of waiters) line.add(waiter)
  line.advance(10)
  const outcomes = () => waiters.map(({ outcome }) => outcome)
  assert.deepEqual(outcomes(), ['reached', '', '', 'reached', ''])
  line.advance(20)
  assert.deepEqual(outcomes(), ['reached', 'reached', '', 'reached', 'reached'])
})

test('waiters are called in the order of their offsets, and once', () => {
  const line = new OffsetWaiters()
  const waiters = [1, 3, 3, 7].map(end => new TestWaiter(end))
  for (const waiter of waiters) line.add(waiter)
  line.advance(3)
  line.advance(3)
  line.lose(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  assert.deepEqual(
    waiters.map(({ outcome }) => outcome),
    ['reached', 'reached', 'reached', 'lost 6'],
  )
  assert.equal(line.size, 0)
})

test('those who have given up do not pile up while nothing moves', () => {
  const line = new OffsetWaiters()
  const patient = new TestWaiter(1)
  line.add(patient)
  let most = 0
  for (let i = 0; i < 100_000; i++) {
    const waiter = new TestWaiter(i + 2)
    line.add(waiter)
    waiter.isOver = true
    most = Math.max(most, line.size)
  }
  assert.ok(most <= 1025, `${most} were kept`)
  line.advance(1)
  assert.equal(patient.outcome, 'reached')
})

test('all that wait in earnest are kept, however many there are', () => {
  const line = new OffsetWaiters()
  const waiters = Array.from({ length: 5000 }, (_, i) => new TestWaiter(i + 1))
  for (const waiter of waiters) line.add(waiter)
  assert.equal(line.size, 5000)
  for (let end = 700; end <= 5000; end += 700) {
    line.advance(end)
    assert.equal(line.size, 5000 - end)
  }
  line.advance(5000)
  assert.ok(waiters.every(({ outcome }) => outcome === 'reached'))
})

test('a waiter that ends the waiting of all others calls nobody twice', () => {
  const line = new OffsetWaiters()
  const last = new TestWaiter(3)
  const late = new TestWaiter(9)
  const breaking = new TestWaiter(2, () => {
    line.lose(ErrorCode.KAFKA_STORAGE_ERROR)
    line.add(late)
  })
  const first = new TestWaiter(1)
  for (const waiter of [first, breaking, last]) line.add(waiter)
  line.advance(5)
  assert.deepEqual([first.outcome, breaking.outcome, last.outcome, late.outcome], ['reached', 'reached', 'lost 56', ''])
  line.advance(9)
  assert.equal(late.outcome, 'reached')
})
