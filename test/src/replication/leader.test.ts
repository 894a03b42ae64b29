import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import type { BrokerView } from '#src/replication/broker-view.js'
import { LeaderState } from '#src/replication/leader.js'

const fetch = (fetchOffset: number, logStartOffset = 0) => ({ fetchOffset, logStartOffset, brokerEpoch: 7 })

/** Brokers 2 and up are alive in their seventh life, unless the test says otherwise. */
function brokersBut(...fenced: number[]): BrokerView {
  return { liveEpochOf: id => (fenced.includes(id) ? -1 : 7), isActive: id => !fenced.includes(id) }
}

let partitionEpoch = 0
const image = (replicas: number[], isr: number[], leaderEpoch = 0) => ({
  replicas,
  isr,
  leaderEpoch,
  partitionEpoch: partitionEpoch++,
})

function leader(replicas: number[], isr: number[], minInsyncReplicas = 1, brokers = brokersBut()): LeaderState {
  const options = { nodeId: 1, minInsyncReplicas, lagMsMax: 30_000, brokers, now: 0 }
  return new LeaderState({ ...options, image: image(replicas, isr) })
}

test('alone, what is in the log is committed', () => {
  const state = leader([1], [1])
  assert.equal(state.isAlone, true)
  assert.equal(state.highWatermark(0, 17, 0), 17)
  assert.equal(state.lowWatermark(3), 3)
})

test('the high watermark is the least end of those in sync, and never goes back', () => {
  const state = leader([1, 2, 3], [1, 2, 3])
  assert.equal(state.highWatermark(0, 100, 0), 0, 'nobody has fetched')
  state.onFollowerFetch(2, fetch(80), 100, 10)
  assert.equal(state.highWatermark(0, 100, 10), 0)
  state.onFollowerFetch(3, fetch(60), 100, 10)
  assert.equal(state.highWatermark(0, 100, 10), 60)
  state.onFollowerFetch(3, fetch(40), 100, 20)
  assert.equal(state.highWatermark(60, 100, 20), 60)
  state.update(image([1, 2, 3], [1, 2]), 30)
  assert.equal(state.highWatermark(60, 100, 40_000), 80, 'who is not in sync and far behind does not count')
})

test('a replica out of sync that has caught up is waited for', () => {
  const state = leader([1, 2], [1])
  assert.equal(state.highWatermark(0, 100, 0), 100, 'it has never fetched')
  state.onFollowerFetch(2, fetch(100), 100, 10)
  assert.equal(state.highWatermark(100, 120, 20), 100)
  state.onFollowerFetch(2, fetch(120), 130, 20)
  assert.equal(state.highWatermark(100, 130, 20), 120)
})

test('a follower counts as caught up as of the fetch before, if it has what the leader had then', () => {
  const state = leader([1, 2], [1, 2])
  state.onFollowerFetch(2, fetch(50), 100, 1000)
  assert.equal(state.follower(2)!.caughtUpAt, 0, 'who is in sync was so when this began')
  state.onFollowerFetch(2, fetch(100), 150, 2000)
  assert.equal(state.follower(2)!.caughtUpAt, 1000)
  state.onFollowerFetch(2, fetch(150), 150, 3000)
  assert.equal(state.follower(2)!.caughtUpAt, 3000)
})

test('nothing is committed while fewer are in sync than there must be, but never more than there are replicas', () => {
  const state = leader([1, 2], [1], 2)
  assert.equal(state.isUnderMinInsync, true)
  assert.equal(state.highWatermark(5, 100, 0), 5)
  assert.equal(leader([1], [1], 3).isUnderMinInsync, false)
  state.minInsyncReplicas = 1
  assert.equal(state.highWatermark(5, 100, 0), 100)
})

test('followers come and go with the replicas', () => {
  const state = leader([1, 2], [1, 2])
  state.onFollowerFetch(2, fetch(10, 4), 10, 0)
  assert.equal(state.lowWatermark(6), 4)
  state.update(image([1, 3], [1]), 100)
  assert.equal(state.follower(2), undefined)
  assert.equal(state.follower(3)!.logEndOffset, -1)
  assert.throws(() => state.onFollowerFetch(2, fetch(1), 10, 0), /not a follower/)
})

test('records count for those that may be in sync: more than are when one is added, and still all when one is dropped', () => {
  const state = leader([1, 2, 3], [1, 2])
  state.onFollowerFetch(2, fetch(100), 100, 10)
  state.onFollowerFetch(3, fetch(100), 100, 10)
  assert.deepEqual(state.expand(3, 100, 0)?.isr, [1, 2, 3])
  assert.equal(state.expand(3, 100, 0), null, 'one change at a time')
  state.onFollowerFetch(2, fetch(150), 150, 20)
  assert.equal(state.highWatermark(100, 150, 50_000), 100, 'it may be in sync by now')
  const shrinking = leader([1, 2, 3], [1, 2, 3])
  shrinking.onFollowerFetch(2, fetch(100), 100, 29_000)
  assert.equal(shrinking.shrink(100, 29_500), null)
  const proposal = shrinking.shrink(100, 31_000)!
  assert.deepEqual(proposal.isr, [1, 2])
  assert.equal(shrinking.highWatermark(0, 100, 31_000), 0)
  const answer = { errorCode: ErrorCode.NONE, leaderEpoch: 0, partitionEpoch: proposal.partitionEpoch + 1, isr: [1, 2] }
  assert.equal(shrinking.isr.settle(proposal, answer), 'committed')
  assert.equal(shrinking.highWatermark(0, 100, 31_000), 100)
})

test('who joins has what is committed and what this leader began with, is alive, and in the life in which it fetched', () => {
  const state = leader([1, 2], [1])
  assert.equal(state.expand(2, 0, 0), null, 'it has not fetched')
  state.onFollowerFetch(2, fetch(50), 100, 10)
  assert.equal(state.expand(2, 51, 0), null)
  assert.equal(state.expand(2, 50, 51), null)
  assert.notEqual(state.expand(2, 50, 50), null)
  const fenced = leader([1, 2], [1], 1, brokersBut(2))
  fenced.onFollowerFetch(2, fetch(50), 100, 10)
  assert.equal(fenced.expand(2, 50, 50), null)
  const older = leader([1, 2], [1])
  older.onFollowerFetch(2, { ...fetch(50), brokerEpoch: 6 }, 100, 10)
  assert.equal(older.expand(2, 50, 50), null)
  assert.equal(older.isFromThePast(2, 6), true)
  assert.equal(older.isFromThePast(2, -1), false, 'an old version does not say')
})

test('a leader that is elected again knows what its followers have, and gives them time', () => {
  const state = leader([1, 2, 3], [1, 2])
  state.onFollowerFetch(2, fetch(100), 100, 10)
  state.onFollowerFetch(3, fetch(100), 100, 10)
  state.renew(image([1, 2, 3], [1, 2], 1), 100, 40_000)
  assert.equal(state.highWatermark(90, 100, 40_000), 100)
  assert.equal(state.shrink(120, 60_000), null)
  assert.equal(state.follower(3)!.caughtUpAt, -Infinity)
})

test('a leader that was another meanwhile, in an epoch that it has not seen, does not know what its followers have', () => {
  const state = leader([1, 2, 3], [1, 2])
  state.onFollowerFetch(2, fetch(100), 100, 10)
  state.renew(image([1, 2, 3], [1, 2], 2), 100, 40_000)
  assert.deepEqual([state.highWatermark(90, 100, 40_000), state.follower(2)!.logEndOffset], [90, -1])
  assert.equal(state.shrink(120, 60_000), null)
  state.onFollowerFetch(2, fetch(100), 100, 40_010)
  assert.equal(state.highWatermark(90, 100, 40_010), 100)
})

test('a broker that is gone does not hold up the deletion of records', () => {
  const state = leader([1, 2, 3], [1, 2, 3], 1, brokersBut(3))
  state.onFollowerFetch(2, fetch(10, 5), 10, 0)
  assert.equal(state.lowWatermark(6), 5)
})
