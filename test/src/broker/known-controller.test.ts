import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { knownController } from '#src/broker/known-controller.js'
import { VirtualClock } from '../../support/virtual-clock.js'

let clock: VirtualClock
let leaderId: number
let close: (() => void) | null
let answer: number | null

beforeEach(() => {
  clock = new VirtualClock()
  leaderId = -1
  close = null
  answer = null
})

async function ask(): Promise<void> {
  const onClose = (forget: () => void) => {
    close = forget
    return () => {
      close = null
    }
  }
  void knownController(clock, () => leaderId, onClose).then(id => {
    answer = id
  })
  await clock.settle()
}

test('a controller that is known is named at once', async () => {
  leaderId = 2
  await ask()
  assert.equal(answer, 2)
  assert.equal(clock.timerCount, 0)
})

test('while one is being elected, the answer waits for it', async () => {
  await ask()
  await clock.advance(1500)
  assert.equal(answer, null)
  leaderId = 3
  await clock.advance(20)
  assert.deepEqual([answer, close, clock.timerCount], [3, null, 0])
})

test('when none is elected, the answer says so after ten seconds', async () => {
  await ask()
  await clock.advance(9_999)
  assert.equal(answer, null)
  await clock.advance(1)
  assert.deepEqual([answer, close, clock.timerCount], [-1, null, 0])
})

test('nothing waits on for a connection that is gone', async () => {
  await ask()
  await clock.advance(100)
  close!()
  await clock.settle()
  assert.deepEqual([answer, clock.timerCount], [-1, 0])
})
