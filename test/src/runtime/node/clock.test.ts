import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNodeClock } from '#src/runtime/node/clock.js'

test('a wake-up never comes before its deadline, and a cancelled one never comes', async () => {
  const clock = createNodeClock()
  const deadline = clock.now() + 5.5
  let cancelledCame = false
  const cancelled = clock.at(clock.now() + 1, () => {
    cancelledCame = true
  })
  cancelled.cancel()
  const keepsAlive = setInterval(() => {}, 1000)
  const cameAt = await new Promise<number>(resolve => clock.at(deadline, () => resolve(clock.now())))
  clearInterval(keepsAlive)
  assert.ok(cameAt >= deadline, `${cameAt} is before ${deadline}`)
  assert.equal(cancelledCame, false)
})

test('a deadline that is far away or never does not go off at once', async () => {
  const clock = createNodeClock()
  const far = clock.at(clock.now() + 1e12, () => assert.fail('far'))
  const never = clock.at(Infinity, () => assert.fail('never'))
  await new Promise(resolve => setImmediate(resolve))
  far.cancel()
  never.cancel()
  assert.throws(() => clock.at(Number.NaN, () => {}), RangeError)
})

test('soon comes after what waits now, in the order of the callers', async () => {
  const clock = createNodeClock()
  const log: string[] = []
  clock.soon(() => log.push('first'))
  clock.soon(() => log.push('second'))
  queueMicrotask(() => log.push('microtask'))
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(log, ['microtask', 'first', 'second'])
})

test('the time of day is in whole milliseconds', () => {
  const now = createNodeClock().wallTime()
  assert.ok(Number.isInteger(now))
  assert.ok(now > 1_600_000_000_000)
})
