import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimClock, SimProcess } from './process.js'
import { Scheduler } from './scheduler.js'

const machine = { rate: 1, zero: 0, wallZero: 0 }

test('a process that waits for a device is not woken before the time that it has seen', () => {
  const scheduler = new Scheduler()
  const process = new SimProcess('n1', () => {})
  const clock = new SimClock(scheduler, process, machine)
  process.busyUntil = 100
  assert.equal(clock.now(), 100)
  process.busyUntil = 500
  process.wake(20)
  assert.equal(clock.now(), 100)
})

test('a process that was stopped goes on at once', () => {
  const scheduler = new Scheduler()
  const process = new SimProcess('n1', () => {})
  const clock = new SimClock(scheduler, process, machine)
  process.busyUntil = 500
  process.wake(20)
  assert.equal(process.busyUntil, 20)
  assert.equal(clock.now(), 20)
})

test('what waited for a stopped process happens when it goes on, before what comes later', async () => {
  const scheduler = new Scheduler()
  const process = new SimProcess('n1', () => {})
  const happened: string[] = []
  process.busyUntil = 1000
  scheduler.at(10, process, 'data', () => happened.push(`old at ${scheduler.now}`))
  scheduler.at(50, null, 'heal', () => {
    process.wake(scheduler.now)
    scheduler.hurry(process)
  })
  scheduler.at(60, process, 'data', () => happened.push(`new at ${scheduler.now}`))
  await scheduler.run(() => happened.length === 2)
  assert.deepEqual(happened, ['old at 50', 'new at 60'])
})
