import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AskingPace, BusyPoll } from '#src/runtime/node/busy-poll.js'

test('a request is expected at once from who asked at once eight times, and not any more from who was slow once', () => {
  const pace = new AskingPace()
  let now = 5
  const round = (ms: number): boolean => {
    const isLikely = pace.answered(now)
    assert.equal(pace.isExpecting, true)
    now += ms
    pace.asked(now)
    assert.equal(pace.isExpecting, false)
    return isLikely
  }
  const rounds = Array.from({ length: 10 }, () => round(0.125))
  assert.deepEqual(rounds, [...new Array<boolean>(8).fill(false), true, true])
  assert.equal(round(2), true)
  assert.equal(round(0.125), false)
})

test('the loop looks at its sockets for a moment after the last answer, in one line of immediates, and then rests', () => {
  let now = 0
  const tasks: (() => void)[] = []
  const poll = new BusyPoll(
    () => now,
    task => tasks.push(task),
  )
  const look = (ms: number): void => {
    now += ms
    tasks.shift()!()
  }
  poll.extend(now)
  look(0.1)
  poll.extend(now)
  assert.equal(tasks.length, 1)
  look(0.1)
  assert.equal(tasks.length, 1)
  look(0.1)
  assert.equal(tasks.length, 0)
  poll.extend(now)
  assert.equal(tasks.length, 1)
})
