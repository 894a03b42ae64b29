import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inSlices } from '#src/runtime/slices.js'
import { VirtualClock } from '../../support/virtual-clock.js'

/** A clock on which every piece of work takes `ms`. */
function setting(ms: number) {
  const clock = new VirtualClock()
  const passing = clock.now.bind(clock)
  let spent = 0
  clock.now = () => passing() + spent
  const done: string[] = []
  function* work(pieces: number) {
    for (let i = 0; i < pieces; i++) {
      spent += ms
      done.push(`${i}`)
      yield
    }
  }
  return { clock, done, work }
}

test('what is quick is done at once, without a promise', () => {
  const { clock, done, work } = setting(0.1)
  assert.equal(inSlices(work(20), { clock, sliceMs: 10, isOver: () => false }), undefined)
  assert.equal(done.length, 20)
})

test('what takes long lets others have their turn', async () => {
  const { clock, done, work } = setting(4)
  const ended = inSlices(work(7), { clock, sliceMs: 10, isOver: () => false })
  clock.soon(() => done.push('other'))
  await clock.settle()
  await ended
  assert.deepEqual(done, ['0', '1', '2', '3', '4', '5', 'other', '6'])
})

test('what is over is broken off before the next slice', async () => {
  const { clock, done, work } = setting(10)
  let isOver = false
  const ended = inSlices(work(5), { clock, sliceMs: 10, isOver: () => isOver })
  isOver = true
  await clock.settle()
  await ended
  assert.deepEqual(done, ['0'])
})

test('what the work throws rejects the promise, or is thrown in the first slice', async () => {
  const { clock } = setting(0)
  function* fails(slices: number) {
    for (let i = 0; i < slices; i++) {
      const passing = clock.now.bind(clock)
      clock.now = () => passing() + 10
      yield
    }
    throw new Error('broken')
  }
  assert.throws(() => inSlices(fails(0), { clock, sliceMs: 10, isOver: () => false }), /broken/)
  const ended = inSlices(fails(2), { clock, sliceMs: 10, isOver: () => false })
  assert.notEqual(ended, undefined)
  const rejected = assert.rejects(ended as Promise<void>, /broken/)
  await clock.settle()
  await rejected
})
