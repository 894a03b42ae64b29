import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expectOneLeader, expectOneVote, expectRising } from '#src/raft/invariants.js'
import { replicaKey } from '#src/raft/voters.js'

const known = { config: { nodeId: 1 }, epoch: 4, leaderId: 2 }
const endpoints = [{ name: 'CONTROLLER', host: 'node2', port: 9093 }]

test('an epoch that goes back is a bug', () => {
  expectRising(known, 4)
  assert.throws(() => expectRising(known, 3), /epochs only rise: 4 -> 3/)
  assert.throws(() => expectOneLeader(known, 3, 2, endpoints), /epochs only rise/)
})

test('a second leader in an epoch is a bug', () => {
  expectOneLeader(known, 4, 2, endpoints)
  expectOneLeader(known, 5, 3, endpoints)
  expectOneLeader({ ...known, leaderId: -1 }, 4, 3, endpoints)
  assert.throws(() => expectOneLeader(known, 4, 3, endpoints), /one leader an epoch: 2 leads epoch 4, not 3/)
})

test('a second vote in an epoch is a bug', () => {
  const role = { name: 'unattached', leaderId: -1, voted: replicaKey(2, 'a'), electionDeadline: 0 } as const
  expectOneVote(role, 4, replicaKey(2, 'a'))
  expectOneVote({ ...role, voted: null }, 4, replicaKey(3, 'b'))
  assert.throws(
    () => expectOneVote(role, 4, replicaKey(3, 'b')),
    /one vote an epoch: that of epoch 4 is for 2, not for 3/,
  )
})
