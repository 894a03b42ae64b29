import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ReplicaChoice, rackAwareSelector, selectorOf } from '#src/replication/replica-selector.js'

const choice = (brokerId: number, rack: string | null, logEndOffset = 10, sinceCaughtUpMs = 0): ReplicaChoice => ({
  brokerId,
  rack,
  logEndOffset,
  sinceCaughtUpMs,
})

test('the leader if it is in the rack, else who has most there, else who was caught up last, else the leader', () => {
  const leader = choice(1, 'a')
  const pick = (rackId: string, ...others: ReplicaChoice[]) =>
    rackAwareSelector(rackId, leader, [leader, ...others])?.brokerId
  assert.equal(pick('a', choice(2, 'a', 99)), 1)
  assert.equal(pick('b', choice(2, 'b', 9), choice(3, 'b', 10)), 3)
  assert.equal(pick('b', choice(2, 'b', 9, 3), choice(3, 'b', 9, 5)), 2)
  assert.equal(pick('c', choice(2, 'b')), 1)
  assert.equal(pick('', choice(2, '')), 1)
})

test('selectors go by the names of classes', () => {
  assert.equal(selectorOf(null), null)
  assert.equal(selectorOf('org.apache.kafka.common.replica.RackAwareReplicaSelector'), rackAwareSelector)
})
