import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ControllerOutbox } from '#src/replication/controller-outbox.js'

const item = (partition: number, what = '') => ({ topicId: 't', partition, what })

test('one request is under way at a time, and what came meanwhile goes with the next one', () => {
  const outbox = new ControllerOutbox<ReturnType<typeof item>>(2)
  assert.equal(outbox.take(), null)
  for (const each of [item(0), item(1), item(2)]) outbox.add(each)
  assert.deepEqual(outbox.take(), [item(0), item(1)])
  assert.equal(outbox.take(), null)
  assert.deepEqual(outbox.over(), [item(0), item(1)])
  for (const each of [item(0), item(1)]) outbox.remove(each)
  assert.deepEqual(outbox.take(), [item(2)])
})

test('what is not settled is sent again, after the pause', () => {
  const outbox = new ControllerOutbox<ReturnType<typeof item>>(10)
  outbox.add(item(0))
  outbox.take()
  outbox.over()
  outbox.retryAt(50)
  assert.deepEqual([outbox.take(), outbox.deadline, outbox.size], [null, 50, 1])
  outbox.tick(49)
  assert.equal(outbox.take(), null)
  outbox.tick(50)
  assert.deepEqual([outbox.take(), outbox.deadline], [[item(0)], Infinity])
})

test('a newer item of a partition takes the place of an older one, at the end of the line', () => {
  const outbox = new ControllerOutbox<ReturnType<typeof item>>(10)
  outbox.add(item(0, 'old'))
  outbox.add(item(1))
  outbox.add(item(0, 'new'))
  assert.deepEqual(outbox.waitingOf(item(0)), item(0, 'new'))
  assert.deepEqual(outbox.take(), [item(1), item(0, 'new')])
})
