import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Parkable, ParkingPlace } from '#src/runtime/parked.js'
import { SeededRandom, testSeed } from '../../support/random.js'
import { VirtualClock } from '../../support/virtual-clock.js'

function waiter(deadline: number, log: string[], name = String(deadline)): Parkable {
  return { deadline, parkedAt: -1, onDeadline: () => log.push(name) }
}

test('those whose time is up are told in the order of their deadlines, with one timer for all', async () => {
  const clock = new VirtualClock()
  const place = new ParkingPlace(clock, 10)
  const log: string[] = []
  for (const after of [50, 10, 30, 20, 40]) place.park(waiter(clock.now() + after, log, `after ${after}`))
  assert.equal(clock.timerCount, 1)
  await clock.advance(35)
  assert.deepEqual(log, ['after 10', 'after 20', 'after 30'])
  assert.equal(place.size, 2)
  await clock.advance(100)
  assert.equal(log.length, 5)
  assert.equal(clock.timerCount, 0)
})

test('one that left is not told', async () => {
  const clock = new VirtualClock()
  const place = new ParkingPlace(clock, 10)
  const log: string[] = []
  const leaver = waiter(clock.now() + 10, log)
  place.park(leaver)
  place.park(waiter(clock.now() + 20, log, 'stays'))
  assert.equal(place.leave(leaver), true)
  assert.equal(place.leave(leaver), false)
  await clock.advance(100)
  assert.deepEqual(log, ['stays'])
})

test('a full place takes nobody, and nobody parks twice', () => {
  const place = new ParkingPlace(new VirtualClock(), 1)
  const first = waiter(5000, [])
  assert.equal(place.park(first), true)
  assert.throws(() => place.park(first), /parked already/)
  assert.equal(place.isFull, true)
  assert.equal(place.park(waiter(5000, [])), false)
})

test('one that parks again at once with a deadline that has passed does not hold up the loop', async () => {
  const clock = new VirtualClock()
  const place = new ParkingPlace(clock, 10)
  let times = 0
  const again: Parkable = {
    deadline: clock.now() + 10,
    parkedAt: -1,
    onDeadline: () => {
      if (++times < 3) place.park(again)
    },
  }
  place.park(again)
  await clock.advance(20)
  assert.equal(times, 3)
})

test('a closed place forgets who was parked', async () => {
  const clock = new VirtualClock()
  const place = new ParkingPlace(clock, 10)
  const log: string[] = []
  place.park(waiter(clock.now() + 10, log))
  place.close()
  await clock.advance(100)
  assert.deepEqual(log, [])
})

test('random parking and leaving agrees with a sorted list', async () => {
  const seed = testSeed()
  const random = new SeededRandom(seed)
  const clock = new VirtualClock()
  const place = new ParkingPlace(clock, 1000)
  const parked = new Set<Parkable>()
  const told: Parkable[] = []
  for (let step = 0; step < 300; step++) {
    if (random.below(3) > 0 || parked.size === 0) {
      const one: Parkable = {
        deadline: clock.now() + 1 + random.below(50),
        parkedAt: -1,
        onDeadline: () => told.push(one),
      }
      parked.add(one)
      place.park(one)
    } else {
      const one = random.pick([...parked])
      assert.equal(place.leave(one), true, `seed ${seed}`)
      parked.delete(one)
    }
    if (random.below(10) === 0) {
      await clock.advance(random.below(20))
      const due = [...parked].filter(one => one.deadline <= clock.now())
      assert.deepEqual(new Set(told.splice(0)), new Set(due), `seed ${seed}`)
      for (const one of due) parked.delete(one)
    }
    assert.equal(place.size, parked.size, `seed ${seed}`)
  }
})
