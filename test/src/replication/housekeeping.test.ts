import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Housekeeping } from '#src/replication/housekeeping.js'
import { LogError } from '#storage/log-error.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { VirtualClock } from '../../support/virtual-clock.js'

interface PromiseWithRejection {
  resolve(): void
  reject(error: unknown): void
}

function setting() {
  const clock = new VirtualClock()
  const logger = keepingLogger()
  return { clock, logger, housekeeping: new Housekeeping(clock, logger) }
}

test('a chore is done again and again, at the interval that holds each time; one that is never due is never done', async () => {
  const { clock, housekeeping } = setting()
  const times: number[] = []
  let intervalMs = 100
  housekeeping.add({ name: 'a chore', intervalMs: () => intervalMs, run: () => void times.push(clock.now()) })
  housekeeping.add({ name: 'never', intervalMs: () => Number.POSITIVE_INFINITY, run: () => assert.fail() })
  const start = clock.now()
  await clock.advance(250)
  intervalMs = 1000
  await clock.advance(1300)
  assert.deepEqual(
    times.map(time => time - start),
    [100, 200, 300, 1300],
  )
})

test('a chore that is hurried is done sooner, never later, and not twice while it is being done', async () => {
  const { clock, housekeeping } = setting()
  const times: number[] = []
  const chore = {
    name: 'a chore',
    intervalMs: () => 1000,
    run: () => {
      times.push(clock.now() - start)
      housekeeping.hurry(chore, 0)
    },
  }
  const start = clock.now()
  housekeeping.add(chore)
  await clock.advance(100)
  housekeeping.hurry(chore, 50)
  housekeeping.hurry(chore, 200)
  await clock.advance(1100)
  assert.deepEqual(times, [150, 1150])
  housekeeping.close()
  housekeeping.hurry(chore, 0)
  await clock.advance(2000)
  assert.equal(times.length, 2)
})

test('a chore that waits begins again only when that is over, and what goes wrong meanwhile is told', async () => {
  const { clock, logger, housekeeping } = setting()
  const waiting: PromiseWithRejection[] = []
  const run = () => new Promise<void>((resolve, reject) => void waiting.push({ resolve, reject }))
  housekeeping.add({ name: 'a chore', intervalMs: () => 100, run })
  await clock.advance(1000)
  assert.equal(waiting.length, 1)
  waiting[0]!.resolve()
  await clock.advance(1000)
  assert.equal(waiting.length, 2)
  waiting[1]!.reject(new TypeError('a bug'))
  await clock.advance(1000)
  assert.equal(waiting.length, 3)
  assert.deepEqual(
    logger.lines.map(({ level, message }) => [level, message]),
    [['error', 'a chore failed']],
  )
  housekeeping.close()
  waiting[2]!.resolve()
  await clock.advance(1000)
  assert.equal(waiting.length, 3)
})

test('a long chore is done in slices, and begins again only when it is done', async () => {
  const { clock, housekeeping } = setting()
  let steps = 0
  let slices = 0
  const slowClock = clock.now.bind(clock)
  let extra = 0
  clock.now = () => slowClock() + extra
  housekeeping.add({
    name: 'long',
    intervalMs: () => 1000,
    *run() {
      for (let i = 0; i < 50; i++) {
        steps++
        extra += 1
        yield
      }
    },
  })
  const soon = clock.soon.bind(clock)
  clock.soon = wake => {
    slices++
    soon(wake)
  }
  await clock.advance(1000)
  assert.equal(steps, 50)
  assert.ok(slices >= 5, `${slices} slices`)
})

test('a chore that throws is done again; only what nobody expects is an error in the log', async () => {
  const { clock, housekeeping, logger } = setting()
  let runs = 0
  for (const error of [new LogError('KAFKA_STORAGE_ERROR', 'the disk'), new Error('a bug')]) {
    housekeeping.add({
      name: error.message,
      intervalMs: () => 100,
      run: () => {
        runs++
        throw error
      },
    })
    housekeeping.add({
      name: error.message,
      intervalMs: () => 100,
      // biome-ignore lint/correctness/useYield: it fails before
      *run() {
        runs++
        throw error
      },
    })
  }
  await clock.advance(250)
  assert.equal(runs, 8)
  assert.deepEqual(
    new Set(logger.lines.filter(({ level }) => level === 'error').map(({ message }) => message)),
    new Set(['a bug failed']),
  )
})

test('after close nothing is done', async () => {
  const { clock, housekeeping } = setting()
  housekeeping.add({ name: 'a chore', intervalMs: () => 100, run: () => assert.fail() })
  housekeeping.close()
  await clock.advance(1000)
  assert.equal(clock.timerCount, 0)
})
