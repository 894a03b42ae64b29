/**
 * Every I/O of every way of writing fails once, or is the last one before a crash; then the directory is opened
 * again.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PartitionLog } from '#storage/log.js'
import type { LogConfig } from '#storage/log-config.js'
import { LogError } from '#storage/log-error.js'
import { type Fault, SimDisk } from '../support/sim-disk.js'
import { checkLog } from './check.js'
import { append, batchOf, marker, type Rig, records, rig, startMs } from './support.js'

const config: Partial<LogConfig> = {
  segmentBytes: 700,
  indexIntervalBytes: 100,
  segmentIndexBytes: 4096,
  retentionMs: -1,
  fileDeleteDelayMs: 10,
}

/** What a log must and may hold. */
class Model {
  /** Every value that was ever appended at an offset. */
  readonly history: Set<string>[] = []
  /** The value that is there now, as far as the process knew. */
  current: string[] = []
  /** Everything below was acknowledged as being on the device. */
  synced = 0
  /** The log may begin here at the latest. */
  start = 0

  note(offset: number, value: string): void {
    ;(this.history[offset] ??= new Set()).add(value)
    this.current[offset] = value
  }

  cut(offset: number): void {
    this.synced = Math.min(this.synced, offset)
    this.current.length = Math.min(this.current.length, offset)
  }
}

class Driver {
  rig: Rig
  readonly model = new Model()
  /** Of the leader; it never goes back. */
  #epoch = 0
  #values = 0
  #sequences = new Map<number, number>()

  constructor(disk: SimDisk) {
    this.rig = rig(config, disk)
  }

  get log(): PartitionLog {
    return this.rig.log
  }

  #note(count: number, write: (values: string[]) => number): void {
    const values = Array.from({ length: count }, () => `value ${this.#values++} ${'x'.repeat(20)}`)
    // Whether or not it is acknowledged, it may be there.
    values.forEach((value, index) => {
      ;(this.model.history[this.log.logEndOffset + index] ??= new Set()).add(value)
    })
    const base = write(values)
    for (const [index, value] of values.entries()) this.model.note(base + index, value)
  }

  plain(count: number, leaderEpoch = this.#epoch): void {
    this.#epoch = leaderEpoch
    this.#note(count, values => append(this.log, batchOf({ values }), { leaderEpoch }).baseOffset)
  }

  idempotent(producerId: number, count: number, isTransactional = false): void {
    const baseSequence = this.#sequences.get(producerId) ?? 0
    const spec = { producerId, producerEpoch: 0, baseSequence, isTransactional }
    this.#note(count, values => append(this.log, batchOf({ ...spec, values }), { leaderEpoch: this.#epoch }).baseOffset)
    this.#sequences.set(producerId, baseSequence + count)
  }

  end(type: 'ABORT' | 'COMMIT', producerId: number): void {
    this.#note(1, () => marker(this.log, type, producerId, { leaderEpoch: this.#epoch }).baseOffset)
  }

  gathered(...counts: number[]): void {
    const start = this.log.logEndOffset
    let at = start
    const all: string[] = []
    for (const count of counts) {
      const values = Array.from({ length: count }, () => `value ${this.#values++} ${'g'.repeat(30)}`)
      values.forEach((value, index) => {
        ;(this.model.history[at + index] ??= new Set()).add(value)
      })
      at += count
      all.push(...values)
      const buffer = batchOf({ values })
      this.log.appendGathered(buffer, 0, buffer.length, { leaderEpoch: this.#epoch, nowMs: startMs, origin: 'client' })
    }
    this.log.writeGathered()
    for (const [index, value] of all.entries()) this.model.note(start + index, value)
  }

  async sync(): Promise<void> {
    const end = this.log.logEndOffset
    await this.log.sync()
    this.model.synced = end
  }

  truncate(offset: number): void {
    this.model.cut(offset)
    this.log.truncateTo(offset)
    this.#sequences.clear()
    for (const producer of this.log.activeProducers()) {
      this.#sequences.set(producer.producerId, producer.lastSequence + 1)
    }
  }

  retain(highWatermark: number, retentionBytes: number): void {
    this.log.updateConfig({ ...this.log.config, retentionBytes })
    this.model.start = highWatermark
    this.log.deleteOldSegments(startMs, highWatermark)
    this.log.updateConfig({ ...this.log.config, retentionBytes: -1 })
  }

  async restart(): Promise<void> {
    const end = this.log.logEndOffset
    await this.rig.directory.close(3, log => log.logEndOffset)
    this.model.synced = end
    this.rig = rig(config, this.rig.disk)
  }
}

/** Drives every way of writing; short, for it is run once for each of its I/Os. */
async function story(driver: Driver): Promise<void> {
  driver.plain(2)
  driver.idempotent(1, 3)
  await driver.sync()
  driver.gathered(1, 2, 1)
  driver.idempotent(2, 2, true)
  driver.end('ABORT', 2)
  driver.plain(3, 1)
  driver.plain(2, 2)
  driver.rig.directory.checkpoint()
  await driver.sync()
  driver.idempotent(2, 2, true)
  driver.plain(1, 2)
  driver.end('COMMIT', 2)
  driver.rig.directory.checkpoint()
  driver.truncate(driver.log.logEndOffset - 6)
  driver.plain(4, 3)
  await driver.sync()
  await driver.rig.directory.checkpointHighWatermarks(log => log.logEndOffset)
  driver.truncate(driver.log.logEndOffset - 4)
  driver.plain(3, 4)
  driver.log.roll(startMs)
  driver.retain(9, 900)
  await driver.rig.directory.removals.removeDue(startMs + 100)
  driver.model.start = Math.max(driver.model.start, 12)
  driver.log.advanceStart(12)
  driver.rig.directory.checkpoint()
  await driver.restart()
  driver.idempotent(1, 2)
  driver.gathered(2, 2)
  const options = { topic: 'other', partition: 0, topicId: 'AAAAAAAAAAAAAAAAAAAABA', config: driver.log.config }
  const other = driver.rig.directory.create({ ...options, nowMs: startMs })
  append(other, batchOf({ values: ['of another log'] }))
  await other.sync()
  driver.rig.directory.checkpoint()
  driver.rig.directory.deleteLog(other, startMs)
  driver.rig.directory.create({ ...options, topicId: 'AAAAAAAAAAAAAAAAAAAABQ', nowMs: startMs })
  await driver.rig.directory.removals.removeDue(startMs + 100)
  driver.model.cut(0)
  driver.model.start = driver.log.logEndOffset
  driver.log.truncateFullyAndStartAt(driver.log.logEndOffset)
  driver.plain(2, 5)
  await driver.restart()
}

/** Runs the story until it ends or the disk fails it. */
async function run(disk: SimDisk): Promise<{ model: Model; isFinished: boolean; rig: Rig | null }> {
  let driver: Driver | null = null
  const ioCount = disk.ioCount
  try {
    driver = new Driver(disk)
    await story(driver)
    return { model: driver.model, isFinished: true, rig: driver.rig }
  } catch (error) {
    // The only thing that may be thrown is that the directory is offline.
    if (!(error instanceof LogError) || error.code !== 'KAFKA_STORAGE_ERROR') throw error
    assert.ok(disk.ioCount > ioCount)
    return { model: driver?.model ?? new Model(), isFinished: false, rig: driver?.rig ?? null }
  }
}

function checkAgainst(model: Model, log: PartitionLog): void {
  checkLog(log)
  const found = records(log)
  assert.ok(log.logStartOffset <= Math.max(model.start, model.synced), `begins at ${log.logStartOffset}`)
  assert.ok(log.logEndOffset >= Math.min(model.synced, model.current.length), `ends at ${log.logEndOffset}`)
  for (const record of found) {
    const value = String(record.value)
    assert.ok(model.history[record.offset]?.has(value), `'${value}' was never appended at ${record.offset}`)
    if (record.offset < model.synced) assert.equal(value, model.current[record.offset], `offset ${record.offset}`)
  }
}

async function reopen(disk: SimDisk, model: Model): Promise<void> {
  let now = rig(config, disk)
  checkAgainst(model, now.log)
  const before = records(now.log).length
  append(now.log, batchOf({ values: ['after', 'all'] }), { leaderEpoch: 9 })
  checkLog(now.log)
  await now.directory.close(4, log => log.logEndOffset)
  now = rig(config, disk)
  assert.deepEqual(now.report.recoveries, [], 'a clean stop needs no recovery')
  checkLog(now.log)
  assert.equal(records(now.log).length, before + 2)
  now.directory.abandon()
}

/** More of them find more: `STORAGE_SEEDS=50 node --test dist/test/storage/faults.test.js`. */
const seeds = Number(process.env.STORAGE_SEEDS ?? 1)

const faults: readonly Fault[] = ['crash', 'EIO', 'ENOSPC']
const restarts = {
  'the process is killed': (disk: SimDisk) => disk.killed(),
  'the machine crashes': (disk: SimDisk, seed: number) => disk.crashed(seed),
}

for (const fault of faults) {
  for (const [what, restart] of Object.entries(restarts)) {
    test(`${fault} at I/O 1, 2, 3 …, then ${what}: what was synced is there, nothing is torn`, async () => {
      for (let seed = 1; seed <= seeds; seed++) {
        for (let number = 1; ; number++) {
          const disk = new SimDisk()
          disk.failAt(number, fault, number * 1000 + seed)
          const { model, isFinished, rig: left } = await run(disk)
          try {
            if (!isFinished && left?.log.isClosed === false && !disk.isDead) checkOffline(left)
            if (isFinished) assert.deepEqual(left?.failures, [])
            await reopen(restart(disk, number * 31 + seed), model)
          } catch (error) {
            const at = `I/O ${number} (${disk.trace[number - 1]}), seed ${seed}`
            throw new Error(`${at}: ${(error as Error).message}`, { cause: error })
          }
          if (isFinished) {
            assert.ok(number > 100, `only ${number} I/Os`)
            break
          }
        }
      }
    })
  }
}

/** After an error the directory takes nothing more and says why. */
function checkOffline({ directory, log, failures }: Rig): void {
  assert.equal(failures.length, 1)
  assert.equal(directory.offline, failures[0])
  const end = log.logEndOffset
  assert.throws(() => append(log, batchOf()), { name: 'LogError', code: 'KAFKA_STORAGE_ERROR' })
  assert.equal(log.logEndOffset, end)
}

test('a crash of the machine at any moment of an undisturbed story leaves what was synced', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const disk = new SimDisk()
    disk.failAt(seed * 5, 'crash')
    const { model } = await run(disk)
    for (let variant = 0; variant < 5; variant++) {
      const now = disk.crashed(seed * 100 + variant)
      try {
        await reopen(now, model)
      } catch (error) {
        throw new Error(`seed ${seed}, variant ${variant}: ${(error as Error).message}`, { cause: error })
      }
    }
  }
})

test('a read-only directory says so when it is opened', () => {
  const disk = new SimDisk()
  const first = rig(config, disk)
  append(first.log, batchOf())
  const next = disk.killed()
  next.isReadOnly = true
  assert.throws(
    () => rig(config, next),
    (error: unknown) => {
      assert.ok(error instanceof LogError)
      assert.match(error.message, /\/data/)
      assert.match(error.message, /EROFS/)
      return true
    },
  )
})
