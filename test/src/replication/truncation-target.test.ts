import assert from 'node:assert/strict'
import { test } from 'node:test'
import { truncationTarget } from '#src/replication/truncation-target.js'

/** A log of these epochs, [epoch, first offset], that ends at `logEndOffset`. */
function log(epochs: [number, number][], logEndOffset: number, highWatermark = 0) {
  return {
    logEndOffset,
    highWatermark,
    endOffsetOf: (epoch: number) => {
      const at = epochs.findLastIndex(([each]) => each <= epoch)
      if (at === -1 || epoch > epochs.at(-1)![0]) return { epoch: -1, endOffset: -1 }
      return { epoch: epochs[at]![0], endOffset: epochs[at + 1]?.[1] ?? logEndOffset }
    },
  }
}

test('both know the epoch: the shorter end of it', () => {
  const own = log([[1, 0], [2, 50]], 70) // biome-ignore format: as in the drawing
  assert.equal(truncationTarget(own, { epoch: 1, endOffset: 40 }), 40)
  assert.equal(truncationTarget(own, { epoch: 1, endOffset: 60 }), 50)
  assert.equal(truncationTarget(own, { epoch: 2, endOffset: 60 }), 60)
})

test('this log has only an earlier epoch: to the end of that, to be compared again', () => {
  const own = log([[1, 0], [5, 20]], 50) // biome-ignore format: as in the drawing
  assert.equal(truncationTarget(own, { epoch: 4, endOffset: 40 }), 20)
})

test('this log has nothing that early: to where the leader is then', () => {
  assert.equal(truncationTarget(log([[5, 20]], 50), { epoch: 3, endOffset: 30 }), 30)
  assert.equal(truncationTarget(log([[5, 20]], 50), { epoch: 3, endOffset: 80 }), 50)
})

test('a leader that knows nothing: to what is committed', () => {
  assert.equal(truncationTarget(log([[1, 0]], 50, 30), { epoch: -1, endOffset: -1 }), 30)
  assert.equal(truncationTarget(log([[1, 0]], 50, 30), { epoch: -1, endOffset: 45 }), 45)
})
