/** Random operations on a log and on a plain array beside it. A failing run names its seed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as batch from '#protocol/records/batch.js'
import { type CompressionType, loadCompression } from '#protocol/records/compression.js'
import { readRecords } from '#protocol/records/reader.js'
import type { LogConfig } from '#storage/log-config.js'
import { SeededRandom } from '../support/random.js'
import { SimDisk } from '../support/sim-disk.js'
import { checkLog } from './check.js'
import { append, batchOf, type Rig, records, rig, startMs } from './support.js'

await loadCompression('zstd')

const seeds = Number(process.env.STORAGE_SEEDS ?? 12)
const operations = 150

interface Entry {
  readonly value: string
  readonly timestamp: number
  /** Of its batch. */
  readonly base: number
  readonly epoch: number
}

class Pair {
  readonly random: SeededRandom
  readonly config: Partial<LogConfig>
  now: Rig
  /** By offset; holes below `start` only. */
  entries: Entry[] = []
  start = 0
  end = 0
  synced = 0
  epoch = 0
  #values = 0
  #sequence = 0
  #timeMs = startMs

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    this.config = {
      segmentBytes: this.random.pick([400, 1000, 5000]),
      indexIntervalBytes: this.random.pick([0, 100, 400, 4096]),
      segmentIndexBytes: this.random.pick([64, 4096]),
      segmentMs: this.random.pick([1000, 1e9]),
      fileDeleteDelayMs: this.random.pick([0, 1000]),
      retentionMs: -1,
    }
    this.now = rig(this.config, new SimDisk())
  }

  #batch(): { buffer: Buffer; values: string[]; timestamp: number } {
    const { random } = this
    const values = Array.from(
      { length: 1 + random.below(4) },
      () => `v${this.#values++}${'.'.repeat(random.below(60))}`,
    )
    // Mostly ascending.
    const timestamp = this.#timeMs + random.below(300) - 50
    this.#timeMs += random.below(100)
    const compression = random.pick<CompressionType>(['none', 'none', 'none', 'gzip', 'lz4', 'snappy', 'zstd'])
    const isIdempotent = random.below(3) === 0
    const producer = isIdempotent ? { producerId: 1, producerEpoch: 0, baseSequence: this.#sequence } : {}
    if (isIdempotent) this.#sequence += values.length
    return { buffer: batchOf({ values, timestamp, compression, ...producer }), values, timestamp }
  }

  #note(values: readonly string[], timestamp: number): void {
    const base = this.end
    for (const value of values) this.entries[this.end++] = { value, timestamp, base, epoch: this.epoch }
  }

  append(): void {
    if (this.random.below(10) === 0) this.epoch++
    const { buffer, values, timestamp } = this.#batch()
    const info = append(this.now.log, buffer, { leaderEpoch: this.epoch, nowMs: this.#timeMs })
    assert.equal(info.baseOffset, this.end)
    this.#note(values, timestamp)
    if (batch.hasProducerId(buffer, 0) && this.random.below(2) === 0) {
      const again = append(this.now.log, buffer, { leaderEpoch: this.epoch })
      assert.deepEqual(
        [again.isDuplicate, again.baseOffset, again.lastOffset],
        [true, info.baseOffset, info.lastOffset],
      )
    }
  }

  gather(): void {
    const all = Array.from({ length: 1 + this.random.below(5) }, () => this.#batch())
    const options = { leaderEpoch: this.epoch, nowMs: this.#timeMs, origin: 'client' } as const
    for (const { buffer } of all) this.now.log.appendGathered(buffer, 0, buffer.length, options)
    this.now.log.writeGathered()
    for (const { values, timestamp } of all) this.#note(values, timestamp)
  }

  read(): void {
    const { log } = this.now
    const from = this.start + this.random.below(this.end - this.start + 1)
    const limit = this.random.below(3) === 0 ? this.start + this.random.below(this.end - this.start + 1) : this.end
    const maxBytes = this.random.pick([0, 1, 100, 700, 100_000])
    const minOneBatch = this.random.below(2) === 0
    // A limit within a batch leaves the batch out.
    const bound = limit < this.end ? (this.entries[limit]?.base ?? limit) : limit
    const result = log.read(from, maxBytes, limit, minOneBatch)
    if (from >= bound || (maxBytes === 0 && !minOneBatch)) {
      if (from >= bound) assert.equal(result, null, `nothing from ${from} below ${limit}`)
      return
    }
    assert.ok(result !== null, `something from ${from} below ${limit}`)
    assert.equal(result.firstBatchOffset, this.entries[from]!.base)
    let offset = result.firstBatchOffset
    let wholeBatches = 0
    for (const position of batch.batchPositions(result.buffer)) {
      assert.equal(batch.baseOffset(result.buffer, position), offset)
      for (const record of readRecords(result.buffer, position)) {
        assert.equal(record.offset, offset)
        assert.equal(String(record.value), this.entries[offset]!.value)
        assert.equal(record.timestamp, this.entries[offset]!.timestamp)
        offset++
      }
      wholeBatches++
    }
    assert.ok(offset <= bound)
    if (minOneBatch) assert.ok(wholeBatches >= 1)
    if (maxBytes === 100_000) assert.ok(offset === bound || offset === this.#segmentEnd(from, bound))
    if (wholeBatches > 1 || !minOneBatch) assert.ok(result.buffer.length <= maxBytes)
  }

  #segmentEnd(from: number, bound: number): number {
    const bases = this.now.log.state.segments.map(segment => segment.baseOffset)
    return Math.min(bound, ...bases.filter(base => base > from))
  }

  async byTime(): Promise<void> {
    if (this.end === this.start) return
    const timestamp = this.#timeMs - this.random.below(3000)
    const expected = this.entries.findIndex((entry, offset) => offset >= this.start && entry.timestamp >= timestamp)
    const found = await this.now.log.offsetForTime(timestamp, this.end)
    assert.equal(found?.offset ?? -1, expected, `the first offset at ${timestamp} or later`)
    if (found !== null) assert.equal(found.leaderEpoch, this.entries[expected]!.epoch)
  }

  async sync(): Promise<void> {
    const end = this.end
    await this.now.log.sync()
    assert.ok(this.now.log.recoveryPoint >= end)
    this.synced = end
  }

  truncate(): void {
    const offset = this.start + this.random.below(this.end - this.start + 1)
    this.#cut(offset < this.end ? this.entries[offset]!.base : offset)
    this.now.log.truncateTo(this.end)
    this.#afterCut()
  }

  #cut(offset: number): void {
    this.end = offset
    this.entries.length = Math.min(this.entries.length, offset)
    this.start = Math.min(this.start, offset)
    this.synced = Math.min(this.synced, offset)
  }

  /** A producer goes on where the log knows it to be. */
  #afterCut(): void {
    const [producer] = this.now.log.activeProducers()
    this.#sequence = producer === undefined ? 0 : producer.lastSequence + 1
    this.epoch++
  }

  advanceStart(): void {
    const offset = this.start + this.random.below(this.end - this.start + 1)
    assert.equal(this.now.log.advanceStart(offset), offset > this.start)
    this.start = offset
  }

  async retain(): Promise<void> {
    const { log, directory } = this.now
    const retentionBytes = this.random.below(2000)
    log.updateConfig({ ...log.config, retentionBytes })
    const deleted = log.deleteOldSegments(this.#timeMs, this.end)
    log.updateConfig({ ...log.config, retentionBytes: -1 })
    if (deleted.length > 0) {
      assert.ok(log.logStartOffset >= this.start)
      this.start = log.logStartOffset
    }
    assert.ok(log.size <= retentionBytes + log.config.segmentBytes + 1000)
    await directory.removals.removeDue(this.#timeMs)
  }

  async reopen(): Promise<void> {
    await this.now.directory.close(1, log => log.logEndOffset)
    this.now = rig(this.config, this.now.disk, this.#timeMs)
    assert.deepEqual(this.now.report.recoveries, [])
    this.synced = this.end
    this.#sequenceFromLog()
  }

  kill(): void {
    // The log start offset is written now and then.
    this.now.directory.checkpoint()
    this.now = rig(this.config, this.now.disk.killed(), this.#timeMs)
    this.#sequenceFromLog()
  }

  crash(): void {
    this.now.directory.checkpoint()
    this.now = rig(this.config, this.now.disk.crashed(this.random.below(1e9)), this.#timeMs)
    const { log } = this.now
    assert.ok(log.logEndOffset >= this.synced, `what was synced is there: ${log.logEndOffset} of ${this.synced}`)
    // What was cut off without a sync may be back; replication would cut it off again where it differs.
    let common = log.logStartOffset
    for (const { offset, value } of records(log)) {
      if (offset >= this.end || this.entries[offset]!.value !== String(value)) break
      common = offset + 1
    }
    assert.ok(common >= Math.max(this.synced, Math.min(log.logStartOffset, this.end)), 'what was synced is as it was')
    log.truncateTo(log.read(common, 1, log.logEndOffset, true)?.firstBatchOffset ?? common)
    this.#cut(log.logEndOffset)
    assert.ok(log.logStartOffset <= this.start)
    // Segments that were removed without a sync may be back.
    this.start = log.logStartOffset
    this.#afterCut()
  }

  #sequenceFromLog(): void {
    const [producer] = this.now.log.activeProducers()
    this.#sequence = producer === undefined ? 0 : producer.lastSequence + 1
  }

  check(): void {
    const { log } = this.now
    assert.deepEqual([log.logStartOffset, log.logEndOffset], [this.start, this.end])
    checkLog(log)
  }
}

/** What is done, and how often of a hundred times. */
const steps: readonly (readonly [weight: number, name: string, run: (pair: Pair) => void | Promise<void>])[] = [
  [30, 'append', pair => pair.append()],
  [15, 'gather', pair => pair.gather()],
  [20, 'read', pair => pair.read()],
  [7, 'byTime', pair => pair.byTime()],
  [5, 'sync', pair => pair.sync()],
  [3, 'roll', pair => pair.now.log.roll(startMs)],
  [4, 'truncate', pair => pair.truncate()],
  [3, 'advanceStart', pair => pair.advanceStart()],
  [3, 'retain', pair => pair.retain()],
  [4, 'reopen', pair => pair.reopen()],
  [3, 'kill', pair => pair.kill()],
  [3, 'crash', pair => pair.crash()],
]
const deck = steps.flatMap(step => Array.from({ length: step[0] }, () => step))

test(`a log and a plain array stay the same through ${operations} random operations`, async () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const pair = new Pair(seed)
    let at = ''
    try {
      for (let index = 0; index < operations; index++) {
        const [weight, name, run] = pair.random.pick(deck)
        at = name
        await run(pair)
        if (index % 10 === 0 || weight < 5) pair.check()
      }
      pair.check()
    } catch (error) {
      throw new Error(`seed ${seed}, ${at}: ${(error as Error).message}`, { cause: error })
    }
  }
})
