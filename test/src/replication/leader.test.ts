import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LeaderState } from '#src/replication/leader.js'

const fetch = (fetchOffset: number, logStartOffset = 0) => ({ fetchOffset, logStartOffset, brokerEpoch: 7 })

function leader(replicas: number[], isr: number[], minInsyncReplicas = 1): LeaderState {
  return new LeaderState({ nodeId: 1, replicas, isr, minInsyncReplicas, lagMsMax: 30_000 })
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
  state.update([1, 2, 3], [1, 2], 30)
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
  assert.equal(state.follower(2)!.caughtUpAt, -Infinity)
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
  state.update([1, 3], [1], 100)
  assert.equal(state.follower(2), undefined)
  assert.equal(state.follower(3)!.logEndOffset, -1)
  assert.throws(() => state.onFollowerFetch(2, fetch(1), 10, 0), /not a follower/)
})
