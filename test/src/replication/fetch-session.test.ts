import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { FetchPartition } from '#src/replication/fetch-partition.js'
import type { FetchRequestData } from '#src/replication/fetch-request.js'
import { type FetchContext, FetchSessions, withoutRepeats } from '#src/replication/fetch-session.js'
import { SeededRandom } from '../../support/random.js'

function asked(index: number, options: { topic?: string; id?: string; offset?: number } = {}): FetchPartition {
  const partition = new FetchPartition(options.topic ?? 't', options.id ?? ZERO_UUID, index, undefined)
  partition.fetchOffset = options.offset ?? 0
  return partition
}

function request(change: Partial<FetchRequestData>): FetchRequestData {
  return {
    replicaId: -1,
    replicaEpoch: -1,
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1000,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    partitions: [],
    forgotten: [],
    rackId: '',
    ...change,
  }
}

/** Opens a context, gives each of its partitions the result, closes it. */
function run(
  sessions: FetchSessions,
  change: Partial<FetchRequestData>,
  options: { now?: number; result?: (partition: FetchPartition) => void; byId?: boolean } = {},
): { sessionId: number; errorCode: number; named: number[]; read: number[]; context: FetchContext } {
  const now = options.now ?? 0
  const context = sessions.open(request(change), options.byId ?? false, now)
  const partitions = context.kind === 'error' ? [] : [...context.partitions]
  for (const partition of partitions) {
    partition.clearResult()
    partition.highWatermark = 10
    partition.logStartOffset = 0
    options.result?.(partition)
  }
  const read = partitions.map(({ index }) => index)
  const outcome = sessions.close(context, partitions, now)
  return { ...outcome, named: partitions.map(({ index }) => index), read, context }
}

const create = (
  sessions: FetchSessions,
  indexes: number[],
  options: { now?: number; replicaId?: number } = {},
): number =>
  run(
    sessions,
    { sessionEpoch: 0, replicaId: options.replicaId ?? -1, partitions: indexes.map(index => asked(index)) },
    options,
  ).sessionId

test('no session is made for epoch -1, one is for epoch 0, and every partition is named', () => {
  const sessions = new FetchSessions(10, new SeededRandom(1))
  const without = run(sessions, { partitions: [asked(0), asked(1)] })
  assert.deepEqual([without.sessionId, without.errorCode, without.named], [0, 0, [0, 1]])
  const made = run(sessions, { sessionEpoch: 0, partitions: [asked(0), asked(1)] })
  assert.ok(made.sessionId > 0)
  assert.deepEqual(made.named, [0, 1])
  assert.equal(sessions.size, 1)
  assert.equal(sessions.cachedPartitions, 2)
})

test('in a session only what is news is named: records, other offsets, errors and their end', () => {
  const sessions = new FetchSessions(10, new SeededRandom(1))
  const sessionId = create(sessions, [0, 1, 2])
  let epoch = 0
  const next = (result?: (partition: FetchPartition) => void): number[] =>
    run(sessions, { sessionId, sessionEpoch: ++epoch }, result === undefined ? {} : { result }).named
  assert.deepEqual(next(), [])
  assert.deepEqual(
    next(each => {
      if (each.index === 1) each.bytes = 5
    }),
    [1],
  )
  assert.deepEqual(
    next(each => {
      if (each.index === 2) each.highWatermark = 11
    }),
    [2],
  )
  assert.deepEqual(
    next(each => {
      if (each.index === 2) each.highWatermark = 11
    }),
    [],
  )
  assert.deepEqual(
    next(each => {
      if (each.index === 2) each.highWatermark = 11
      if (each.index === 0) each.logStartOffset = 3
    }),
    [0],
  )
  const failing = (each: FetchPartition): void => {
    if (each.index === 2) each.highWatermark = 11
    if (each.index === 0) each.logStartOffset = 3
    if (each.index === 1) each.fail(6)
  }
  assert.deepEqual(next(failing), [1])
  assert.deepEqual(next(failing), [1])
  assert.deepEqual(
    next(each => {
      if (each.index === 2) each.highWatermark = 11
      if (each.index === 0) each.logStartOffset = 3
    }),
    [1],
  )
  assert.deepEqual(
    next(each => {
      failing(each)
      if (each.index === 1) each.clearResult()
      if (each.index === 1) {
        each.highWatermark = 10
        each.logStartOffset = 0
        each.divergingEpoch = 4
      }
    }),
    [1],
  )
})

test('partitions that had records go to the end of the line', () => {
  const sessions = new FetchSessions(10, new SeededRandom(1))
  const sessionId = create(sessions, [0, 1, 2])
  run(
    sessions,
    { sessionId, sessionEpoch: 1 },
    {
      result: each => {
        if (each.index === 0) each.bytes = 5
      },
    },
  )
  assert.deepEqual(run(sessions, { sessionId, sessionEpoch: 2 }).read, [1, 2, 0])
})

test('partitions are added, changed and forgotten', () => {
  const sessions = new FetchSessions(10, new SeededRandom(1))
  const sessionId = create(sessions, [0, 1])
  const changed = run(sessions, {
    sessionId,
    sessionEpoch: 1,
    partitions: [asked(1, { offset: 77 }), asked(5)],
    forgotten: [{ topicName: 't', topicId: ZERO_UUID, index: 0 }],
  })
  assert.deepEqual(changed.read, [1, 5])
  assert.deepEqual(changed.named, [5], 'a new one is named')
  assert.ok(changed.context.kind === 'incremental')
  assert.equal([...changed.context.session.partitions.values()][0]!.fetchOffset, 77)
  assert.equal(sessions.cachedPartitions, 2)
  const emptied = run(sessions, {
    sessionId,
    sessionEpoch: 2,
    forgotten: [1, 5].map(index => ({ topicName: 't', topicId: ZERO_UUID, index })),
  })
  assert.equal(emptied.sessionId, 0)
  assert.equal(sessions.size, 0)
  assert.equal(sessions.cachedPartitions, 0)
})

test('unknown sessions, wrong epochs and a change between names and ids are errors for the whole request', () => {
  const sessions = new FetchSessions(10, new SeededRandom(1))
  const sessionId = create(sessions, [0])
  assert.equal(
    run(sessions, { sessionId: sessionId + 1, sessionEpoch: 1 }).errorCode,
    ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
  )
  assert.equal(run(sessions, { sessionId, sessionEpoch: 2 }).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH)
  assert.equal(
    run(sessions, { sessionId, sessionEpoch: 1 }, { byId: true }).errorCode,
    ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
  )
  assert.equal(run(sessions, { sessionId, sessionEpoch: 1 }).errorCode, 0)
  assert.equal(run(sessions, { sessionId, sessionEpoch: 1 }).errorCode, ErrorCode.INVALID_FETCH_SESSION_EPOCH)
})

test('a session ends with its final epoch, and with a new full request', () => {
  const sessions = new FetchSessions(10, new SeededRandom(1))
  run(sessions, { sessionId: create(sessions, [0]), sessionEpoch: -1 })
  assert.equal(sessions.size, 0)
  const first = create(sessions, [0])
  const second = run(sessions, { sessionId: first, sessionEpoch: 0, partitions: [asked(0)] }).sessionId
  assert.notEqual(second, first)
  assert.equal(sessions.size, 1)
})

test('after the highest epoch comes 1', () => {
  const sessions = new FetchSessions(10, new SeededRandom(1))
  const sessionId = create(sessions, [0])
  const context = sessions.open(request({ sessionId, sessionEpoch: 1 }), false, 0)
  assert.ok(context.kind === 'incremental')
  context.session.epoch = 0x7fffffff
  assert.equal(run(sessions, { sessionId, sessionEpoch: 0x7fffffff }).errorCode, 0)
  assert.equal(run(sessions, { sessionId, sessionEpoch: 1 }).errorCode, 0)
})

test('when the places are taken, one that was not used for two minutes goes, else a newcomer gets none', () => {
  const sessions = new FetchSessions(2, new SeededRandom(1))
  const first = create(sessions, [0, 1], { now: 0 })
  create(sessions, [0, 1], { now: 0 })
  assert.equal(create(sessions, [0], { now: 1000 }), 0)
  assert.equal(run(sessions, { sessionId: first, sessionEpoch: 1 }, { now: 100_000 }).errorCode, 0)
  assert.ok(create(sessions, [0], { now: 120_001 }) > 0, 'the second one was not used')
  assert.equal(run(sessions, { sessionId: first, sessionEpoch: 2 }, { now: 120_002 }).errorCode, 0)
  assert.equal(sessions.size, 2)
  assert.equal(sessions.evictions, 1)
})

test('a larger newcomer takes the place of a smaller session that is old, a follower that of a consumer', () => {
  const sessions = new FetchSessions(1, new SeededRandom(1))
  const small = create(sessions, [0, 1], { now: 0 })
  assert.equal(run(sessions, { sessionId: small, sessionEpoch: 1 }, { now: 119_000 }).errorCode, 0)
  assert.equal(create(sessions, [0, 1], { now: 121_000 }), 0, 'not larger')
  assert.ok(create(sessions, [0, 1, 2], { now: 121_000 }) > 0)
  assert.equal(create(sessions, [0, 1, 2, 3], { now: 122_000 }), 0, 'the other one is not old')
  assert.ok(create(sessions, [0], { now: 122_000, replicaId: 3 }) > 0, 'followers come first')
  assert.equal(create(sessions, [0, 1, 2, 3, 4], { now: 241_000 }), 0, 'consumers do not push out followers')
})

test('of a partition that is named twice the last one counts, in the place of the first', () => {
  for (const others of [0, 20]) {
    const rest = Array.from({ length: others }, (_, i) => asked(100 + i))
    const kept = withoutRepeats([
      asked(1, { offset: 1 }),
      asked(2),
      asked(1, { offset: 9 }),
      asked(1, { topic: 'u' }),
      ...rest,
    ])
    assert.deepEqual(
      kept.slice(0, 3).map(({ index, topicName, fetchOffset }) => [index, topicName, fetchOffset]),
      [
        [1, 't', 9],
        [2, 't', 0],
        [1, 'u', 0],
      ],
    )
    assert.equal(kept.length, 3 + others)
  }
})
