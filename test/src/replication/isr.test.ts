import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ErrorCode } from '#protocol/errors.js'
import { IsrState } from '#src/replication/isr.js'

const none = (isr: number[], partitionEpoch: number, leaderEpoch = 1) => ({
  errorCode: ErrorCode.NONE,
  leaderEpoch,
  partitionEpoch,
  isr,
})
const failed = (errorCode: number) => ({ errorCode, leaderEpoch: 0, partitionEpoch: 0, isr: [] })

test('an answer commits what the controller says, not what was proposed', () => {
  const isr = new IsrState([1, 2], 1, 5)
  const proposal = isr.propose([1, 2, 3])
  assert.equal(isr.maximalSize, 3)
  assert.equal(isr.has(3), false)
  assert.equal(isr.mayHave(3), true)
  assert.equal(isr.settle(proposal, none([1, 3], 6)), 'committed')
  assert.deepEqual([isr.committed, isr.partitionEpoch, isr.pending], [[1, 3], 6, null])
  assert.equal(isr.mayHave(2), false)
})

test('refusals roll back, leave open, or ask for another try', () => {
  const outcomes = (code: number) => {
    const isr = new IsrState([1, 2], 1, 5)
    const outcome = isr.settle(isr.propose([1]), failed(code))
    return [outcome, isr.pending === null]
  }
  assert.deepEqual(outcomes(ErrorCode.INELIGIBLE_REPLICA), ['rolled back', true])
  assert.deepEqual(outcomes(ErrorCode.OPERATION_NOT_ATTEMPTED), ['rolled back', true])
  for (const code of [
    ErrorCode.FENCED_LEADER_EPOCH,
    ErrorCode.INVALID_UPDATE_VERSION,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.NEW_LEADER_ELECTED,
    ErrorCode.UNKNOWN_TOPIC_ID,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ]) {
    assert.deepEqual(outcomes(code), ['waiting', false])
  }
  assert.deepEqual(outcomes(ErrorCode.NOT_CONTROLLER), ['retry', false])
})

test('the metadata ends what is open, and the answer to that is passed over', () => {
  const isr = new IsrState([1, 2], 1, 5)
  const proposal = isr.propose([1, 2, 3])
  isr.learn([1], 1, 6)
  assert.deepEqual([isr.committed, isr.pending, isr.maximalSize], [[1], null, 1])
  assert.equal(isr.settle(proposal, none([1, 2, 3], 6)), 'superseded')
  assert.deepEqual(isr.committed, [1])
})

test('metadata that repeats what an answer has said does not end a change that builds on it', () => {
  const isr = new IsrState([1], 1, 5)
  isr.settle(isr.propose([1, 2]), none([1, 2], 6))
  const next = isr.propose([1, 2, 3])
  isr.learn([1, 2], 1, 6)
  assert.equal(isr.pending, next)
  assert.equal(isr.mayHave(3), true, 'the controller may have committed it by now')
  isr.learn([1, 2, 3], 1, 7)
  assert.deepEqual([isr.committed, isr.pending], [[1, 2, 3], null])
})

test('an answer of an earlier state or another epoch is not taken', () => {
  const isr = new IsrState([1], 1, 5)
  const proposal = isr.propose([1, 2])
  assert.equal(isr.settle(proposal, none([1, 2], 4)), 'waiting')
  assert.equal(isr.settle(proposal, none([1, 2], 6, 2)), 'waiting')
  assert.throws(() => isr.propose([1]), /under way/)
})
