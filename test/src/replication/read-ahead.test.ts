import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchPositions, lastOffset } from '#protocol/records/batch.js'
import { ReadAhead } from '#src/replication/read-ahead.js'
import type { PartitionLog } from '#storage/log.js'
import type { LogConfig } from '#storage/log-config.js'
import { LogError } from '#storage/log-error.js'
import { readLocation } from '#storage/reader.js'
import { put, type Rig, rig } from '../../storage/support.js'
import { SeededRandom, testSeed } from '../../support/random.js'
import { VirtualClock } from '../../support/virtual-clock.js'

/** A consumer that is read ahead for. */
class Consumer {
  readonly rig: Rig
  readonly clock = new VirtualClock()
  /** What nobody expected. */
  readonly bugs: unknown[] = []
  readonly ahead = new ReadAhead(this.clock, error => this.bugs.push(error))
  /** Positions of the log that were read. */
  readonly reads: number[] = []
  /** What reading throws. */
  failure: Error | null = null
  readonly #log: PartitionLog

  constructor(config: Partial<LogConfig> = {}) {
    this.rig = rig(config)
    const { log } = this.rig
    this.#log = Object.create(log, {
      readInto: {
        value: (...args: Parameters<PartitionLog['readInto']>) => {
          this.reads.push(args[0].position)
          if (this.failure !== null) throw this.failure
          return log.readInto(...args)
        },
      },
    })
  }

  /** Fetches as a consumer does: at most `maxBytes`, the last batch may be cut. What is answered must be in the log. */
  fetch(offset: number, maxBytes: number): { wasAhead: boolean; next: number } {
    const { log } = this.rig
    const location = readLocation()
    if (!log.locate(offset, maxBytes, log.logEndOffset, true, location)) return { wasAhead: false, next: offset }
    const buffer = Buffer.alloc(location.length + 7)
    const wasAhead = this.ahead.take(location, buffer, 7)
    if (!wasAhead) this.#log.readInto(location, buffer, 7)
    const answer = buffer.subarray(7)
    assert.deepEqual(answer, log.read(offset, maxBytes, log.logEndOffset, true)!.buffer)
    this.ahead.follow(this.#log, location, buffer, 7)
    return { wasAhead, next: Math.max(offset, ...[...batchPositions(answer)].map(at => lastOffset(answer, at) + 1)) }
  }

  /** Reads on from `offset`, `count` times; returns which of the answers were read ahead. */
  async run(offset: number, maxBytes: number, count: number): Promise<boolean[]> {
    const found: boolean[] = []
    for (let next = offset; found.length < count; ) {
      const result = this.fetch(next, maxBytes)
      await this.clock.settle()
      found.push(result.wasAhead)
      next = result.next
    }
    return found
  }
}

const fill = (consumer: Consumer, count: number): void => {
  for (let i = 0; i < count; i++) put(consumer.rig.log, [`value ${i}`])
}

test('what follows is read once the answer is out, from the batch on that was cut, and copied when it is asked for', async () => {
  const consumer = new Consumer()
  fill(consumer, 100)
  assert.deepEqual(await consumer.run(0, 500, 6), [false, true, true, true, true, true])
  assert.equal(consumer.reads.length, 7)
  assert.deepEqual(new Set(consumer.reads).size, 7, 'nothing is read twice')
})

test('what is asked for anew, from elsewhere, or more than before is read', async () => {
  const consumer = new Consumer()
  fill(consumer, 100)
  const { next } = consumer.fetch(0, 500)
  await consumer.clock.settle()
  assert.equal(consumer.fetch(0, 500).wasAhead, false)
  await consumer.clock.settle()
  assert.equal(consumer.fetch(50, 500).wasAhead, false)
  await consumer.clock.settle()
  consumer.fetch(0, 500)
  await consumer.clock.settle()
  assert.equal(consumer.fetch(next, 600).wasAhead, false)
})

test('nothing is read before the answer is out, nor more than 128 KiB, nor beyond the end', async () => {
  const consumer = new Consumer()
  fill(consumer, 3000)
  const { next } = consumer.fetch(0, 500)
  assert.equal(consumer.fetch(next, 500).wasAhead, false)
  assert.equal(consumer.reads.length, 2)
  await consumer.clock.settle()
  assert.equal(consumer.reads.length, 3)
  assert.deepEqual(await consumer.run(0, 131_073, 1), [false])
  assert.equal(consumer.reads.length, 4)
  assert.deepEqual(await consumer.run(2999, 500, 2), [false, false])
  assert.equal(consumer.reads.length, 5)
})

test('what was cut off and written anew is not taken for what was read before', async () => {
  const consumer = new Consumer()
  const { log } = consumer.rig
  for (let i = 0; i < 10; i++) put(log, ['old'])
  const { next } = consumer.fetch(0, 200)
  await consumer.clock.settle()
  log.truncateTo(next)
  for (let i = next; i < 10; i++) put(log, ['new'], {}, 1)
  assert.equal(consumer.fetch(next, 200).wasAhead, false)
})

test('several consumers that take turns are soon not read ahead for, and now and then it is tried again', async () => {
  const consumer = new Consumer()
  fill(consumer, 2000)
  let left = 0
  let right = 1000
  for (let round = 0; round < 3; round++) {
    left = consumer.fetch(left, 500).next
    await consumer.clock.settle()
    right = consumer.fetch(right, 500).next
    await consumer.clock.settle()
  }
  const before = consumer.reads.length
  const found = await consumer.run(0, 300, 70)
  assert.equal(found.indexOf(true), 64)
  assert.deepEqual([before, consumer.reads.length - before], [6 + 4, 64 + 7])
})

test('a disk that fails when nobody has asked is heard of by who asks', async () => {
  const consumer = new Consumer()
  fill(consumer, 100)
  const { next } = consumer.fetch(0, 500)
  consumer.failure = new LogError('KAFKA_STORAGE_ERROR', 'The log directory is offline')
  await consumer.clock.settle()
  assert.equal(consumer.reads.length, 2)
  assert.throws(() => consumer.fetch(next, 500), consumer.failure)
  assert.deepEqual(consumer.bugs, [])
})

test('a bug in reading ahead is told, and ends nothing', async () => {
  const consumer = new Consumer()
  fill(consumer, 100)
  const { next } = consumer.fetch(0, 500)
  consumer.failure = new RangeError('a bug')
  await consumer.clock.settle()
  assert.deepEqual(consumer.bugs, [consumer.failure])
  consumer.failure = null
  assert.equal(consumer.fetch(next, 500).wasAhead, false)
})

test('the files of a log that was closed, and of a segment that was removed, are not opened again', async () => {
  const closed = new Consumer()
  fill(closed, 100)
  closed.fetch(0, 500)
  closed.rig.log.release()
  await closed.clock.settle()
  assert.equal(closed.reads.length, 1)
  const removed = new Consumer({ segmentBytes: 2000 })
  fill(removed, 100)
  removed.fetch(0, 500)
  removed.rig.log.truncateFullyAndStartAt(0)
  await removed.clock.settle()
  assert.equal(removed.reads.length, 1)
})

test('whatever happens to a log, what was read ahead is what is there', async t => {
  const random = new SeededRandom(testSeed())
  t.diagnostic(`seed ${random.seed}`)
  let hits = 0
  for (let round = 0; round < 40; round++) {
    const consumer = new Consumer({ segmentBytes: 2000 })
    const { log } = consumer.rig
    let offset = 0
    for (let step = 0; step < 150; step++) {
      const what = random.below(20)
      if (what < 6) put(log, [`${step} ${'x'.repeat(random.below(60))}`], {}, Math.max(0, log.latestEpoch))
      else if (what === 6) {
        log.truncateTo(Math.max(log.logStartOffset, log.logEndOffset - random.below(4)))
        log.assignEpoch(log.latestEpoch + 1)
      } else if (what === 7 && step % 5 === 0) log.truncateFullyAndStartAt(log.logEndOffset)
      else if (what === 8) await consumer.clock.settle()
      else {
        if (offset < log.logStartOffset || offset > log.logEndOffset) offset = log.logStartOffset
        const { wasAhead, next } = consumer.fetch(offset, 100 + random.below(2) * 100)
        if (wasAhead) hits++
        offset = next
        await consumer.clock.settle()
      }
    }
  }
  assert.ok(hits > 100, `${hits} were read ahead`)
})
