import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusals } from '#src/raft/refusals.js'
import { replicaKey, voterSet } from '#src/raft/voters.js'

const votersOf = (...ids: readonly number[]) =>
  voterSet(ids.map(id => ({ key: replicaKey(id), endpoints: [], minKRaftVersion: 0, maxKRaftVersion: 1 })))

test('the majority is gone when too few voters are left to agree on anything', () => {
  for (const [count, gone] of [
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 3],
  ] as const) {
    const voters = votersOf(...Array.from({ length: count }, (_, i) => i + 1))
    const refusals = new Refusals()
    for (let id = 1; id <= gone; id++) {
      assert.equal(refusals.isMajorityGone(voters), false, `${id - 1} of ${count}`)
      refusals.called(id, true)
    }
    assert.equal(refusals.isMajorityGone(voters), true, `${gone} of ${count}`)
  }
  assert.equal(new Refusals().isMajorityGone(votersOf()), false)
})

test('a voter that answers, or calls, is there again', () => {
  const voters = votersOf(1, 2, 3)
  const refusals = new Refusals()
  const both = (): void => {
    refusals.called(2, true)
    refusals.called(3, true)
    assert.equal(refusals.isMajorityGone(voters), true)
  }
  both()
  refusals.called(3, false)
  assert.equal(refusals.isMajorityGone(voters), false)
  both()
  const fetch = { epoch: 1, fetchOffset: 0, lastFetchedEpoch: 0, highWatermark: 0, waitMsMax: 0, bytesMax: 1 }
  refusals.heard({ api: 'fetch', replica: replicaKey(2), ...fetch })
  assert.equal(refusals.isMajorityGone(voters), false)
  both()
  refusals.heard({ api: 'beginQuorumEpoch', voter: null, leaderId: 3, epoch: 1, leaderEndpoints: [] })
  assert.equal(refusals.isMajorityGone(voters), false)
})

test('a leader that ends its epoch and a bootstrap server that refuses say nothing of who is there', () => {
  const voters = votersOf(1, 2, 3)
  const refusals = new Refusals()
  refusals.called(2, true)
  refusals.called(-2, true)
  refusals.called(-3, true)
  assert.equal(refusals.isMajorityGone(voters), false)
  refusals.called(3, true)
  refusals.heard({ api: 'endQuorumEpoch', leaderId: 3, epoch: 1, preferredCandidates: [], leaderEndpoints: [] })
  assert.equal(refusals.isMajorityGone(voters), true)
})
