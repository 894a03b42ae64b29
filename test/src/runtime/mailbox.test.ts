import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Mailbox } from '#src/runtime/mailbox.js'
import { VirtualClock } from '../../support/virtual-clock.js'

test('what is posted in one turn comes together, in order', async () => {
  const clock = new VirtualClock()
  const delivered: (readonly number[])[] = []
  const box = new Mailbox<number>(clock, 10, messages => delivered.push([...messages]))
  box.post(1)
  box.post(2)
  await clock.settle()
  box.post(3)
  await clock.settle()
  assert.deepEqual(delivered, [[1, 2], [3]])
})

test('a full or closed box says so', async () => {
  const clock = new VirtualClock()
  const box = new Mailbox<number>(clock, 2, () => {})
  assert.equal(box.post(1), true)
  assert.equal(box.post(2), true)
  assert.equal(box.post(3), false)
  assert.deepEqual(box.close(), [1, 2])
  assert.equal(box.post(4), false)
  await clock.settle()
  assert.equal(box.length, 0)
})

test('what is posted during a delivery comes in the next one', async () => {
  const clock = new VirtualClock()
  const delivered: (readonly number[])[] = []
  const box: Mailbox<number> = new Mailbox(clock, 10, messages => {
    delivered.push([...messages])
    if (messages[0] === 1) box.post(2)
  })
  box.post(1)
  await clock.settle()
  assert.deepEqual(delivered, [[1], [2]])
})
