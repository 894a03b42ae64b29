import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryBudget } from '#src/runtime/memory-budget.js'

test('what is there can be had, and no more', () => {
  const budget = new MemoryBudget(100)
  assert.equal(budget.tryTake(60), true)
  assert.equal(budget.tryTake(60), false)
  assert.equal(budget.left, 40)
  budget.take(60)
  assert.equal(budget.left, 0)
  budget.give(120)
  assert.equal(budget.used, 0)
  assert.throws(() => budget.give(1), /more memory was given back/)
})

test('those who wait are called in order, one by one, each when there is what it waits for', () => {
  const budget = new MemoryBudget(100)
  budget.take(100)
  const log: string[] = []
  const waiter = (name: string, bytes: number) => ({
    bytes,
    onMemory: () => {
      log.push(name)
      assert.equal(budget.tryTake(bytes), true)
      budget.pass()
    },
  })
  const [a, b, c, d] = [waiter('a', 30), waiter('b', 70), waiter('c', 10), waiter('d', 10)] as const
  for (const each of [a, b, c, d]) budget.wait(each, each.bytes)
  budget.forget(c)
  assert.equal(budget.isShort, true)
  budget.give(60)
  assert.deepEqual(log, ['a'])
  assert.equal(budget.isShort, true, 'the next one wants much, and nobody passes it by')
  budget.give(30)
  assert.deepEqual(log, ['a'])
  budget.give(10)
  assert.deepEqual(log, ['a', 'b'])
  budget.give(70)
  assert.deepEqual(log, ['a', 'b', 'd'])
  assert.equal(budget.isShort, false)
})

test('consumers get three quarters of it, and come after all others', () => {
  const budget = new MemoryBudget(100)
  const log: string[] = []
  const waiter = (name: string) => ({ onMemory: () => void log.push(name) })
  assert.equal(budget.leftForConsumers, 75)
  budget.take(100)
  const [first, second, gone, other] = [waiter('first'), waiter('second'), waiter('gone'), waiter('other')] as const
  for (const each of [gone, first, second]) budget.waitAsConsumer(each)
  budget.wait(other, 10)
  budget.forget(gone)
  budget.give(20)
  assert.deepEqual(log, ['other'])
  assert.equal(budget.isShort, true, 'consumers wait')
  budget.pass()
  assert.deepEqual(log, ['other'])
  budget.give(10)
  assert.deepEqual(log, ['other', 'first'])
  assert.deepEqual([budget.isShort, budget.isWaiting(first), budget.isWaiting(second)], [false, false, true])
  budget.pass()
  assert.deepEqual(log, ['other', 'first', 'second'])
})

test('nobody waits for what will never be there', () => {
  assert.throws(() => new MemoryBudget(100).wait({ onMemory: () => {} }, 101), RangeError)
})
