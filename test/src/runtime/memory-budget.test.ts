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

test('nobody waits for what will never be there', () => {
  assert.throws(() => new MemoryBudget(100).wait({ onMemory: () => {} }, 101), RangeError)
})
