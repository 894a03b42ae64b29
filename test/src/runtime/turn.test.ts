import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Turn } from '#src/runtime/turn.js'

function recorded(): { turn: Turn; log: string[] } {
  const turn = new Turn()
  const log: string[] = []
  // Whatever the order in which they are added.
  for (const stage of ['input', 'wake', 'reply', 'write'] as const) turn.add(stage, () => log.push(stage))
  return { turn, log }
}

test('the stages run in their order at the end of the outermost piece of work, if anyone asked', () => {
  const { turn, log } = recorded()
  turn.enter()
  turn.leave()
  assert.deepEqual(log, [])
  turn.enter()
  turn.enter()
  turn.request()
  turn.leave()
  assert.deepEqual(log, [])
  turn.leave()
  assert.deepEqual(log, ['write', 'reply', 'wake', 'input'])
})

test('a stage that asks for more gets another round', () => {
  const turn = new Turn()
  const log: string[] = []
  turn.add('reply', () => log.push('reply'))
  turn.add('wake', () => {
    if (log.push('wake') < 4) turn.request()
  })
  turn.enter()
  turn.request()
  turn.leave()
  assert.deepEqual(log, ['reply', 'wake', 'reply', 'wake'])
})

test('what asks outside of any piece of work is served very soon, and together', async () => {
  const { turn, log } = recorded()
  turn.request()
  turn.request()
  assert.deepEqual(log, [])
  await Promise.resolve()
  assert.deepEqual(log, ['write', 'reply', 'wake', 'input'])
})

test('every turn has another number', async () => {
  const turn = new Turn()
  const numbers = new Set<number>()
  turn.add('write', () => numbers.add(turn.number))
  turn.enter()
  turn.request()
  turn.leave()
  turn.enter()
  turn.request()
  turn.leave()
  turn.request()
  await Promise.resolve()
  assert.equal(numbers.size, 3)
})
