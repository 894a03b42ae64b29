import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EpochHistory } from '#storage/epoch-history.js'

test('an epoch begins once; what contradicts a new one goes', () => {
  const history = new EpochHistory()
  assert.equal(history.assign(3, 40), true)
  assert.equal(history.assign(3, 50), false)
  assert.equal(history.assign(5, 80), true)
  assert.equal(history.assign(4, 70), true)
  assert.deepEqual(history.entries(), [
    [3, 40],
    [4, 70],
  ])
  assert.equal(history.assign(4, 60), true)
  assert.deepEqual(history.entries(), [
    [3, 40],
    [4, 60],
  ])
  history.assign(9, 40)
  assert.deepEqual(history.entries(), [[9, 40]])
})

test('the end of an epoch is the beginning of the next one', () => {
  const history = new EpochHistory([
    [2, 10],
    [4, 30],
    [7, 50],
  ])
  for (const [epoch, found, endOffset] of [
    [-1, -1, -1],
    [0, 0, 10],
    [1, 1, 10],
    [2, 2, 30],
    [3, 2, 30],
    [5, 4, 50],
    [6, 4, 50],
    [7, 7, 99],
    [8, -1, -1],
  ] as const) {
    assert.deepEqual(history.endOf(epoch, 99), { epoch: found, endOffset }, `epoch ${epoch}`)
  }
  assert.deepEqual(new EpochHistory().endOf(0, 5), { epoch: -1, endOffset: -1 })
})

test('the epoch of a record', () => {
  const history = new EpochHistory([
    [2, 10],
    [4, 30],
  ])
  assert.deepEqual(
    [9, 10, 29, 30, 99].map(offset => history.epochOf(offset)),
    [-1, 2, 2, 4, 4],
  )
})

test('histories are cut at both ends', () => {
  const history = new EpochHistory([
    [2, 10],
    [4, 30],
    [7, 50],
  ])
  assert.equal(history.isDirty, false)
  assert.equal(history.truncateEnd(51), false)
  assert.equal(history.truncateEnd(50), true)
  assert.equal(history.isDirty, true)
  history.truncateStart(5)
  history.truncateStart(35)
  assert.deepEqual(history.entries(), [[4, 35]])
  history.truncateStart(35)
  history.markStored(history.entries())
  assert.equal(history.isDirty, false)
  history.clear()
  assert.deepEqual([history.latestEpoch, history.count, history.isDirty], [-1, 0, true])
})
