import assert from 'node:assert/strict'
import * as batch from '#protocol/records/batch.js'
import { readControlMarker } from '#protocol/records/control.js'
import { HeaderCursor } from '#storage/header-cursor.js'
import type { PartitionLog } from '#storage/log.js'
import { ProducerState } from '#storage/producer-state.js'

export interface CheckOptions {
  /** Batches follow one another without gaps: no compaction. Default true. */
  readonly isContiguous?: boolean
}

/**
 * Reads all files of a log and holds them against each other: batches, indexes, epochs, producers, aborted
 * transactions.
 */
export function checkLog(log: PartitionLog, options: CheckOptions = {}): void {
  const { isContiguous = true } = options
  const { state } = log
  assert.ok(state.segments.length > 0, 'a log has a segment')
  let next = state.segments[0]!.baseOffset
  let size = 0
  const producers = new ProducerState(0)
  const aborted: object[] = []
  state.segments.forEach((segment, index) => {
    if (index > 0) {
      assert.ok(segment.baseOffset >= next, 'segments ascend')
      if (isContiguous) assert.equal(segment.baseOffset, next, 'segments follow one another')
    }
    const ends = new Map<number, number>()
    const times: number[] = []
    let maxTimestamp = -1
    const cursor = new HeaderCursor(Buffer.alloc(4096))
    cursor.start(segment.file, 0, segment.size)
    while (cursor.next()) {
      const bytes = segment.file.read(cursor.position, cursor.size)
      assert.ok(batch.hasValidCrc(bytes, 0), `the batch at ${cursor.position} of ${segment.baseOffset} is whole`)
      const first = batch.baseOffset(bytes, 0)
      const last = batch.lastOffset(bytes, 0)
      assert.ok(first >= next, 'offsets ascend')
      if (isContiguous) assert.equal(first, Math.max(next, segment.baseOffset), 'offsets follow one another')
      ends.set(cursor.position, last)
      maxTimestamp = Math.max(maxTimestamp, batch.maxTimestamp(bytes, 0))
      times.push(last, maxTimestamp)
      if (first >= log.logStartOffset && batch.partitionLeaderEpoch(bytes, 0) >= 0) {
        assert.equal(log.epochOf(first), batch.partitionLeaderEpoch(bytes, 0), `the epoch of offset ${first}`)
      }
      if (batch.hasProducerId(bytes, 0)) {
        const ended = producers.apply(bytes, 0)
        if (readControlMarker(bytes, 0)?.type === 'ABORT' && ended !== null) {
          const { isAborted: _, lastStableOffset: _unused, ...transaction } = ended
          aborted.push(transaction)
        }
      }
      next = last + 1
    }
    assert.equal(cursor.isDamaged, false, `segment ${segment.baseOffset} ends with a whole batch`)
    assert.equal(segment.file.size, segment.size)
    size += segment.size
    checkIndexes(segment, ends, times, maxTimestamp)
  })
  if (isContiguous) assert.equal(log.logEndOffset, next, 'the log ends where its last batch ends')
  assert.ok(log.logEndOffset >= next)
  assert.equal(log.size, size)
  assert.ok(log.recoveryPoint <= log.logEndOffset)
  assert.ok(log.logStartOffset <= log.logEndOffset)
  assert.ok(log.latestEpoch >= log.epochOf(log.logEndOffset - 1))
  const found = log.abortedTransactions(0, log.logEndOffset).map(({ lastStableOffset: _, ...one }) => one)
  // Compaction removes what was aborted, and lets the marker outlive it.
  if (isContiguous) assert.deepEqual(found, aborted, 'aborted transactions are those whose markers are there')
  checkProducers(log, producers)
}

type Segment = PartitionLog['state']['segments'][number]

function checkIndexes(segment: Segment, ends: Map<number, number>, times: readonly number[], maxTimestamp: number) {
  const { offsetIndex, timeIndex } = segment
  let lastPosition = 0
  for (let slot = 0; slot < offsetIndex.count; slot++) {
    const position = offsetIndex.positionAt(slot)
    assert.ok(position > lastPosition, 'positions of index entries ascend')
    lastPosition = position
    assert.equal(ends.get(position), offsetIndex.offsetAt(slot), `index entry ${slot} of ${segment.baseOffset}`)
  }
  let lastTime = -1
  for (let slot = 0; slot < timeIndex.count; slot++) {
    const timestamp = timeIndex.timestampAt(slot)
    const offset = timeIndex.offsetAt(slot)
    assert.ok(timestamp > lastTime, 'times of index entries ascend')
    lastTime = timestamp
    const at = times.findIndex((value, index) => index % 2 === 0 && value === offset)
    assert.equal(times[at + 1], timestamp, `time index entry ${slot} of ${segment.baseOffset}`)
  }
  assert.equal(segment.maxTimestamp, maxTimestamp, `the greatest timestamp of ${segment.baseOffset}`)
}

/** The log knows at least what its batches say; it may know of producers whose batches are gone. */
function checkProducers(log: PartitionLog, expected: ProducerState): void {
  for (const entry of expected.entries()) {
    const known = log.state.producers.get(entry.producerId)
    if (known === undefined && entry.lastOffset < log.logStartOffset) continue
    assert.ok(known !== undefined, `producer ${entry.producerId} is known`)
    assert.equal(known.epoch, entry.epoch)
    assert.equal(known.lastSequence, entry.lastSequence)
    assert.equal(known.lastOffset, entry.lastOffset)
    assert.equal(known.transactionStart, entry.transactionStart)
    assert.equal(known.coordinatorEpoch, entry.coordinatorEpoch)
  }
}
