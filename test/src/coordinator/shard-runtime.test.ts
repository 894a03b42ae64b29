import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ErrorCode, errorName } from '#protocol/errors.js'
import { producerId, recordsCount } from '#protocol/records/batch.js'
import { buildBatch } from '#protocol/records/build.js'
import { loadCompression } from '#protocol/records/compression.js'
import { buildEndTransactionMarker } from '#protocol/records/control.js'
import type { ShardKind } from '#src/coordinator/shard.js'
import {
  batchBytes,
  type RecordOrigin,
  type ShardEffect,
  type ShardEvent,
  type ShardMachine,
  type ShardRecord,
} from '#src/coordinator/shard-machine.js'
import { ShardRuntime } from '#src/coordinator/shard-runtime.js'
import type { Millis } from '#src/runtime/ports.js'
import { type LogLine, MemoryLog, memoryLogger, VirtualClock } from './support.js'

/** Keeps texts in order: put adds some, get tells all, wait is answered when it is due. */
type Command =
  | { readonly put: readonly string[]; readonly atomic?: boolean }
  | { readonly get: true }
  | { readonly refuse: ErrorCode }
  | { readonly wait: Millis }

type Effect = ShardEffect<string, ShardRecord>

class Notebook implements ShardMachine<Command, string, ShardRecord> {
  readonly notes: string[] = []
  readonly origins: RecordOrigin[] = []
  isClosed = false
  #waiting: { readonly at: Millis; readonly ticket: number }[] = []

  get deadline(): Millis {
    return Math.min(Infinity, ...this.#waiting.map(({ at }) => at))
  }

  step(event: ShardEvent<Command>, now: Millis): readonly Effect[] {
    if (event.type === 'loaded')
      return [{ type: 'log', level: 'info', fields: {}, message: `loaded ${this.notes.length}` }]
    if (event.type === 'tick') {
      const due = this.#waiting.filter(({ at }) => at <= now)
      this.#waiting = this.#waiting.filter(({ at }) => at > now)
      return due.map(({ ticket }) => ({ type: 'reply', ticket, reply: `waited until ${now}` }))
    }
    const { ticket, command } = event
    if ('get' in command) return [{ type: 'reply', ticket, reply: this.notes.join(' ') }]
    if ('refuse' in command) return [{ type: 'refuse', ticket, error: command.refuse }]
    if ('wait' in command) {
      this.#waiting.push({ at: now + command.wait, ticket })
      return []
    }
    const records = command.put.map(note => ({ key: Buffer.from(note), value: null }))
    return [
      { type: 'append', records, atomic: command.atomic ?? true },
      { type: 'reply', ticket, reply: `${this.notes.length} before` },
    ]
  }

  replay(record: ShardRecord, origin: RecordOrigin): void {
    this.notes.push(Buffer.from(record.key).toString())
    this.origins.push(origin)
  }

  replayMarker(producer: number, isCommitted: boolean): void {
    this.notes.push(`${isCommitted ? 'commit' : 'abort'}:${producer}`)
  }

  close(): void {
    this.isClosed = true
  }
}

function setUp(overrides: Partial<ShardKind<Command, string, ShardRecord>> = {}) {
  const clock = new VirtualClock()
  const lines: LogLine[] = []
  const machines: Notebook[] = []
  const runtime = new ShardRuntime<Command, string, ShardRecord>(
    {
      topic: 'notes',
      createMachine: () => {
        const machine = new Notebook()
        machines.push(machine)
        return machine
      },
      decode: (key, value) => {
        const text = Buffer.from(key ?? []).toString()
        if (text === 'unknown') return null
        if (text === 'damaged') throw new Error('it is damaged')
        return { key: Buffer.from(key!), value }
      },
      commitTimeoutMs: 5000,
      loadBytesMax: 1000,
      compression: 'none',
      ticketsMax: 100,
      ...overrides,
    },
    clock,
    memoryLogger(lines),
  )
  return { clock, lines, machines, runtime }
}

/** What a promise has come to so far. */
function watch(promise: Promise<string>): { readonly outcome: string } {
  const watched = { outcome: 'waiting' }
  promise.then(
    reply => void (watched.outcome = reply),
    error => void (watched.outcome = error instanceof ApiError ? errorName(error.code) : String(error)),
  )
  return watched
}

function batchOf(...notes: string[]): Buffer {
  return buildBatch({ records: notes.map(note => ({ timestamp: 1, key: Buffer.from(note), value: null })) })
}

test('an empty partition serves at once, and nobody else’s does', async () => {
  const { clock, runtime } = setUp()
  runtime.lead(3, new MemoryLog())
  assert.deepEqual([...runtime.states()], [[3, 'active']])
  const put = watch(runtime.submit(3, { put: ['a'] }))
  const other = watch(runtime.submit(4, { get: true }))
  await clock.settle()
  assert.equal(put.outcome, '0 before')
  assert.equal(other.outcome, 'NOT_COORDINATOR')
})

test('what comes in one turn is written as one batch, in order, and replayed at once', async () => {
  const { clock, machines, runtime } = setUp()
  const log = new MemoryLog()
  runtime.lead(0, log)
  const first = watch(runtime.submit(0, { put: ['a', 'b'] }))
  const second = watch(runtime.submit(0, { put: ['c'] }))
  const read = watch(runtime.submit(0, { get: true }))
  await clock.settle()
  assert.deepEqual([first.outcome, second.outcome, read.outcome], ['0 before', '2 before', 'a b c'])
  assert.equal(log.appends, 1)
  assert.equal(recordsCount(log.batches[0]!, 0), 3)
  assert.equal(producerId(log.batches[0]!, 0), -1)
  const origins = [0, 1, 2].map(offset => ({ offset, producerId: -1 }))
  assert.deepEqual(machines[0]!.origins, origins, 'records know their offsets before they are written')
})

test('answers wait until what they depend on is committed, reads too', async () => {
  const { clock, runtime } = setUp()
  const log = new MemoryLog(false)
  runtime.lead(0, log)
  const before = watch(runtime.submit(0, { get: true }))
  await clock.settle()
  assert.equal(before.outcome, '', 'nothing has been written yet')
  const first = watch(runtime.submit(0, { put: ['a'] }))
  await clock.settle()
  const second = watch(runtime.submit(0, { put: ['b'] }))
  const read = watch(runtime.submit(0, { get: true }))
  const refusal = watch(runtime.submit(0, { refuse: ErrorCode.UNKNOWN_MEMBER_ID }))
  await clock.settle()
  assert.deepEqual(
    [first, second, read, refusal].map(each => each.outcome),
    ['waiting', 'waiting', 'waiting', 'waiting'],
  )
  log.commit(1)
  await clock.settle()
  assert.deepEqual([first.outcome, second.outcome, read.outcome], ['0 before', 'waiting', 'waiting'])
  log.commit(2)
  await clock.settle()
  assert.deepEqual([second.outcome, read.outcome, refusal.outcome], ['1 before', 'a b', 'UNKNOWN_MEMBER_ID'])
})

test('an answer that waits too long for its commit is given up, and the state stays', async () => {
  const { clock, runtime } = setUp({ commitTimeoutMs: 5000 })
  const log = new MemoryLog(false)
  runtime.lead(0, log)
  const put = watch(runtime.submit(0, { put: ['a'] }))
  await clock.advance(3000)
  const read = watch(runtime.submit(0, { get: true }))
  await clock.advance(1999)
  assert.equal(put.outcome, 'waiting')
  await clock.advance(1)
  assert.deepEqual([put.outcome, read.outcome], ['REQUEST_TIMED_OUT', 'waiting'])
  log.commit()
  await clock.settle()
  assert.equal(read.outcome, 'a')
  assert.equal(clock.timers, 0)
})

test('when an append fails, what waits is refused, and the state is what the log says', async () => {
  const { clock, machines, runtime, lines } = setUp()
  const log = new MemoryLog()
  runtime.lead(0, log)
  const first = watch(runtime.submit(0, { put: ['a'] }))
  const parked = watch(runtime.submit(0, { wait: 60_000 }))
  await clock.settle()
  assert.equal(first.outcome, '0 before')
  log.failure = ErrorCode.NOT_ENOUGH_REPLICAS
  const lost = watch(runtime.submit(0, { put: ['b'] }))
  await clock.settle()
  assert.deepEqual([lost.outcome, parked.outcome], ['NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS'])
  assert(machines[0]!.isClosed)
  assert.deepEqual([...runtime.states().values()], ['loading'])
  const early = watch(runtime.submit(0, { get: true }))
  await clock.advance(100)
  assert.equal(early.outcome, 'COORDINATOR_LOAD_IN_PROGRESS')
  const read = watch(runtime.submit(0, { get: true }))
  await clock.settle()
  assert.equal(read.outcome, 'a', 'b was never written')
  assert(lines.some(({ level, message }) => level === 'warn' && message.includes('NOT_ENOUGH_REPLICAS')))
})

test('a partition that fails over and over is loaded ever more rarely, until it works', async () => {
  const { clock, machines, runtime } = setUp()
  const log = new MemoryLog()
  runtime.lead(0, log)
  for (let round = 0; round < 12; round++) {
    log.failure = ErrorCode.KAFKA_STORAGE_ERROR
    const lost = watch(runtime.submit(0, { put: ['x'] }))
    await clock.settle()
    assert.equal(lost.outcome, 'KAFKA_STORAGE_ERROR')
    await clock.advance(Math.min(100 * 2 ** round, 10_000))
    assert.deepEqual([...runtime.states().values()], ['active'], `round ${round}`)
  }
  assert.equal(machines.length, 13)
  const put = watch(runtime.submit(0, { put: ['y'] }))
  await clock.settle()
  assert.equal(put.outcome, '0 before')
})

test('somebody else’s record in the log makes the shard load anew', async () => {
  const { clock, runtime } = setUp()
  const log = new MemoryLog()
  runtime.lead(0, log)
  log.append(batchOf('stranger'))
  const lost = watch(runtime.submit(0, { put: ['mine'] }))
  await clock.settle()
  assert.equal(lost.outcome, 'NOT_COORDINATOR')
  await clock.advance(100)
  const read = watch(runtime.submit(0, { get: true }))
  await clock.settle()
  assert.equal(read.outcome, 'stranger mine', 'what was written is there, though its writer was not told')
})

test('batches are as large as the log takes; what is atomic is not divided', async () => {
  const { clock, runtime } = setUp()
  const log = new MemoryLog()
  log.batchBytesMax = 100
  runtime.lead(0, log)
  const three = ['aaaaaaaa', 'bbbbbbbb', 'cccccccc']
  assert(batchBytes(three.map(key => ({ key: Buffer.from(key), value: null }))) > 100)
  void runtime.submit(0, { put: three, atomic: false })
  await clock.settle()
  assert.deepEqual(
    log.batches.map(batch => recordsCount(batch, 0)),
    [2, 1],
  )
  assert(log.batches.every(batch => batch.length <= 100))
  void runtime.submit(0, { put: ['dddddddd'] })
  void runtime.submit(0, { put: ['eeeeeeee', 'ffffffff'] })
  await clock.settle()
  assert.deepEqual(
    log.batches.map(batch => recordsCount(batch, 0)),
    [2, 1, 1, 2],
  )
})

test('the size of a batch is known before it is built', () => {
  for (const length of [0, 1, 63, 64, 200, 8191, 8192, 70_000]) {
    for (const count of [1, 2, 65, 70]) {
      const records = Array.from({ length: count }, (_, index) => ({
        timestamp: 5,
        key: Buffer.alloc(length),
        value: index % 2 === 0 ? null : Buffer.alloc(length),
      }))
      assert.equal(batchBytes(records), buildBatch({ records }).length)
    }
  }
})

test('a log is replayed from start to end, batch by batch, with its transactions', async () => {
  const { clock, machines, runtime } = setUp({ loadBytesMax: 150 })
  const log = new MemoryLog()
  log.append(batchOf('a', 'b'))
  log.append(buildBatch({ records: [{ timestamp: 1, key: Buffer.from('z'), value: null }], compression: 'gzip' }))
  const inTransaction = { producerId: 9, producerEpoch: 0, isTransactional: true, baseSequence: 0 }
  log.append(buildBatch({ records: [{ timestamp: 1, key: Buffer.from('t'), value: null }], ...inTransaction }))
  const marker = { coordinatorEpoch: 0, producerId: 9, producerEpoch: 0, timestamp: 1 }
  log.append(buildEndTransactionMarker({ type: 'COMMIT', ...marker }))
  log.append(buildEndTransactionMarker({ type: 'ABORT', ...marker }))
  runtime.lead(0, log)
  assert.deepEqual([...runtime.states().values()], ['loading'])
  const early = watch(runtime.submit(0, { get: true }))
  const patient = watch(runtime.submitWhenLoaded(0, { get: true }))
  await clock.settle()
  assert.equal(early.outcome, 'COORDINATOR_LOAD_IN_PROGRESS')
  assert.equal(patient.outcome, 'a b z t commit:9 abort:9')
  assert(log.reads > 2, 'in several reads')
  assert.deepEqual(
    machines[0]!.origins.map(({ offset }) => offset),
    [0, 1, 2, 3],
  )
  assert.deepEqual(
    machines[0]!.origins.map(each => each.producerId),
    [-1, -1, -1, 9],
  )
})

test('records of unknown types are passed over with one line; they stay in the log', async () => {
  const { clock, runtime, lines } = setUp()
  const log = new MemoryLog()
  log.append(batchOf('a', 'unknown', 'b', 'unknown'))
  runtime.lead(0, log)
  await clock.settle()
  const read = watch(runtime.submit(0, { get: true }))
  await clock.settle()
  assert.equal(read.outcome, 'a b')
  assert.equal(lines.filter(({ level }) => level === 'warn').length, 1)
})

test('a damaged record makes the partition unusable, and says where it is', async () => {
  const { clock, runtime, lines } = setUp()
  const log = new MemoryLog()
  log.append(batchOf('a', 'b'))
  log.append(batchOf('c', 'damaged', 'd'))
  runtime.lead(0, log)
  const patient = watch(runtime.submitWhenLoaded(0, { get: true }))
  await clock.settle()
  assert.deepEqual([...runtime.states().values()], ['failed'])
  const read = watch(runtime.submit(0, { get: true }))
  await clock.advance(100_000)
  assert.deepEqual([read.outcome, patient.outcome], ['NOT_COORDINATOR', 'NOT_COORDINATOR'])
  const [line] = lines.filter(({ level }) => level === 'error')
  assert.match(line!.message, /the record at offset 3 cannot be replayed: it is damaged/)
})

test('a read that fails is tried again', async () => {
  const { clock, runtime } = setUp()
  const log = new MemoryLog()
  log.append(batchOf('a'))
  log.readFailure = new Error('EIO')
  runtime.lead(0, log)
  await clock.settle()
  assert.deepEqual([...runtime.states().values()], ['loading'])
  await clock.advance(100)
  const read = watch(runtime.submit(0, { get: true }))
  await clock.settle()
  assert.equal(read.outcome, 'a')
})

test('what is uncommitted when the log is loaded is not told before it is committed', async () => {
  const { clock, runtime } = setUp()
  const log = new MemoryLog(false)
  log.append(batchOf('a'))
  runtime.lead(0, log)
  await clock.settle()
  const read = watch(runtime.submit(0, { get: true }))
  await clock.settle()
  assert.equal(read.outcome, 'waiting')
  log.commit()
  await clock.settle()
  assert.equal(read.outcome, 'a')
})

test('when leadership goes, what waits is refused; when it comes back, the log is loaded again', async () => {
  const { clock, machines, runtime } = setUp()
  const log = new MemoryLog(false)
  runtime.lead(0, log)
  const parked = watch(runtime.submit(0, { wait: 60_000 }))
  const put = watch(runtime.submit(0, { put: ['a'] }))
  await clock.settle()
  const late = watch(runtime.submit(0, { get: true }))
  runtime.resign(0)
  await clock.settle()
  assert.deepEqual(
    [parked, put, late].map(each => each.outcome),
    Array(3).fill('NOT_COORDINATOR'),
  )
  assert.equal(clock.timers, 0, 'no timer is left')
  assert(machines[0]!.isClosed)
  log.commit()
  runtime.lead(0, log)
  await clock.settle()
  const read = watch(runtime.submit(0, { get: true }))
  await clock.settle()
  assert.equal(read.outcome, 'a')
})

test('leadership that goes during a load ends it', async () => {
  const { clock, machines, runtime } = setUp()
  const log = new MemoryLog()
  log.append(batchOf('a'))
  runtime.lead(0, log)
  const patient = watch(runtime.submitWhenLoaded(0, { get: true }))
  runtime.resign(0)
  await clock.settle()
  assert.equal(patient.outcome, 'NOT_COORDINATOR')
  assert.equal(runtime.states().size, 0)
  assert.deepEqual(machines[0]!.notes, [])
})

test('being told again that one leads changes nothing; another log is another shard', async () => {
  const { clock, machines, runtime } = setUp()
  const log = new MemoryLog()
  runtime.lead(0, log)
  runtime.lead(0, log)
  assert.equal(machines.length, 1)
  runtime.lead(0, new MemoryLog())
  assert.equal(machines.length, 2)
  await clock.settle()
})

test('a machine is woken at its deadline', async () => {
  const { clock, runtime } = setUp()
  runtime.lead(0, new MemoryLog())
  const late = watch(runtime.submit(0, { wait: 500 }))
  await clock.advance(100)
  const soon = watch(runtime.submit(0, { wait: 50 }))
  await clock.advance(49)
  assert.equal(soon.outcome, 'waiting')
  await clock.advance(1)
  assert.deepEqual([soon.outcome, late.outcome], ['waited until 150', 'waiting'])
  await clock.advance(350)
  assert.equal(late.outcome, 'waited until 500')
  assert.equal(clock.timers, 0)
})

test('so many may wait, and no more', async () => {
  const { clock, runtime } = setUp({ ticketsMax: 2 })
  runtime.lead(0, new MemoryLog())
  const waiting = [1, 2, 3].map(() => watch(runtime.submit(0, { wait: 10 })))
  await clock.settle()
  assert.deepEqual(
    waiting.map(each => each.outcome),
    ['waiting', 'waiting', 'COORDINATOR_NOT_AVAILABLE'],
  )
  await clock.advance(10)
  assert.equal(watch(runtime.submit(0, { get: true })).outcome, 'waiting')
  await clock.settle()
})

test('a few partitions are loaded at a time, and all in the end', async () => {
  const { clock, runtime } = setUp()
  const logs = Array.from({ length: 7 }, () => {
    const log = new MemoryLog()
    log.append(batchOf('a'))
    return log
  })
  for (const [partition, log] of logs.entries()) runtime.lead(partition, log)
  assert.deepEqual(logs.map(log => log.reads).filter(reads => reads > 0).length, 0)
  await clock.settle()
  assert.deepEqual(new Set(runtime.states().values()), new Set(['active']))
  runtime.close()
  assert.equal(runtime.states().size, 0)
})

test('batches can be compressed', async () => {
  // Loading the codec takes as long as it takes.
  await loadCompression('zstd')
  const { clock, runtime } = setUp({ compression: 'zstd' })
  const log = new MemoryLog()
  runtime.lead(0, log)
  void runtime.submit(0, { put: ['a'.repeat(1000)] })
  await clock.settle()
  assert(log.batches[0]!.length < 200)
  const copy = log.copy()
  runtime.lead(1, copy)
  const read = watch(runtime.submitWhenLoaded(1, { get: true }))
  await clock.settle()
  assert.equal(read.outcome, 'a'.repeat(1000))
})
