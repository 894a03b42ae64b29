import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atPatiently } from '#src/runtime/pause.js'
import type { Clock } from '#src/runtime/ports.js'

/** The loop of a process that can be held up: its timer goes off, then what came in meanwhile has its turns. */
function setting(deadline: number) {
  let now = 0
  let goOff = () => {}
  const turns: (() => void)[] = []
  const clock: Clock = {
    now: () => now,
    wallTime: () => now,
    at: (_, wake) => {
      goOff = wake
      return { cancel: () => {} }
    },
    soon: wake => void turns.push(wake),
  }
  const events: string[] = []
  const timer = atPatiently(clock, deadline, () => events.push('deadline'))
  const turn = () => {
    for (const wake of turns.splice(0)) wake()
  }
  const goOffAt = (time: number) => {
    now = time
    goOff()
  }
  return { events, timer, goOffAt, turn }
}

test('a deadline that comes in time, or a little late, is kept at once', () => {
  for (const late of [0, 50]) {
    const { events, goOffAt } = setting(1000)
    goOffAt(1000 + late)
    assert.deepEqual(events, ['deadline'])
  }
})

test('after the process was held up, what came meanwhile goes first', () => {
  const { events, goOffAt, turn } = setting(1000)
  goOffAt(4000)
  events.push('read')
  turn()
  events.push('answered')
  turn()
  assert.deepEqual(events, ['read', 'answered', 'deadline'])
})

test('and may make the deadline void', () => {
  const { events, timer, goOffAt, turn } = setting(1000)
  goOffAt(4000)
  timer.cancel()
  turn()
  turn()
  assert.deepEqual(events, [])
})
