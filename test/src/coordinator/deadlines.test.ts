import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alarm, Deadlines } from '#src/coordinator/deadlines.js'
import { SeededRandom, testSeed } from '../../support/random.js'

test('alarms go off in the order of their times', () => {
  const deadlines = new Deadlines<string>()
  const [a, b, c] = [alarm('a'), alarm('b'), alarm('c')]
  deadlines.set(a, 30)
  deadlines.set(b, 10)
  deadlines.set(c, 20)
  assert.equal(deadlines.next, 10)
  assert.equal(deadlines.takeDue(9), null)
  assert.equal(deadlines.takeDue(25), 'b')
  assert.equal(deadlines.takeDue(25), 'c')
  assert.equal(deadlines.takeDue(25), null)
  assert.equal(deadlines.next, 30)
})

test('an alarm can be moved both ways, cleared, and set again', () => {
  const deadlines = new Deadlines<string>()
  const a = alarm('a')
  deadlines.set(a, 10)
  deadlines.set(a, 50)
  assert.equal(deadlines.takeDue(49), null)
  assert.equal(deadlines.next, 50)
  deadlines.set(a, 20)
  assert.equal(deadlines.next, 20)
  deadlines.clear(a)
  deadlines.clear(a)
  assert.equal(deadlines.next, Infinity)
  deadlines.set(a, 20)
  assert.equal(deadlines.takeDue(20), 'a')
  assert.equal(deadlines.takeDue(100), null)
  assert.equal(deadlines.size, 0)
})

test('random alarms go off as a plain list says', () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  const deadlines = new Deadlines<number>()
  const alarms = Array.from({ length: 200 }, (_, index) => alarm(index))
  const expected = new Map<number, number>()
  let now = 0
  for (let step = 0; step < 20_000; step++) {
    const one = random.pick(alarms)
    switch (random.below(5)) {
      case 0:
        deadlines.clear(one)
        expected.delete(one.due)
        break
      case 1: {
        now += random.below(20)
        const due = [...expected].filter(([, at]) => at <= now)
        const taken: number[] = []
        for (let each = deadlines.takeDue(now); each !== null; each = deadlines.takeDue(now)) taken.push(each)
        const times = taken.map(each => expected.get(each)!)
        assert.deepEqual(
          taken.toSorted((a, b) => a - b),
          due.map(([each]) => each).toSorted((a, b) => a - b),
          `SEED=${seed}`,
        )
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
          `SEED=${seed}`,
        )
        for (const each of taken) expected.delete(each)
        break
      }
      default: {
        const at = now + random.below(random.below(4) === 0 ? 10 : 1000)
        deadlines.set(one, at)
        expected.set(one.due, at)
      }
    }
    assert.equal(deadlines.size, expected.size)
    assert.equal(deadlines.next, Math.min(Infinity, ...expected.values()), `SEED=${seed}`)
  }
})
