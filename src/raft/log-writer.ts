import { strict as assert } from 'node:assert'
import { encodeMessage } from '#protocol/codec.js'
import { KRaftVersionRecord, LeaderChangeMessage, VotersRecord } from '#protocol/internal/raft-records.js'
import { buildBatch } from '#protocol/records/build.js'
import { buildControlBatch, type ControlRecord as WireControlRecord } from '#protocol/records/control.js'
import type { Clock } from '../runtime/ports.js'
import type { GatheredBatch } from './append-buffer.js'
import type { CommitFeed } from './commit-feed.js'
import type { RaftLog } from './raft-log.js'
import type { ControlRecord, RaftEffect } from './raft-types.js'
import { kraftVersionToRecord, votersToRecord } from './voters.js'
import type { FetchedRecords } from './wire-calls.js'

type Effect<T extends RaftEffect['type']> = Extract<RaftEffect, { readonly type: T }>

/** Does in the log what the machine wants done. Throws LogError when the log cannot; then the node cannot go on. */
export class LogWriter {
  readonly #log: RaftLog
  readonly #feed: CommitFeed
  readonly #clock: Clock

  constructor(log: RaftLog, feed: CommitFeed, clock: Clock) {
    this.#log = log
    this.#feed = feed
    this.#clock = clock
  }

  append({ baseOffset, epoch, recordCount, handle }: Effect<'append'>): void {
    const { records, frames } = handle as GatheredBatch
    assert(records.length === recordCount)
    const appendTimestamp = this.#clock.wallTime()
    const bytes = buildBatch({
      baseOffset,
      partitionLeaderEpoch: epoch,
      records: frames.map(value => ({ timestamp: appendTimestamp, key: null, value })),
    })
    this.#write(bytes, baseOffset, epoch)
    const lastOffset = baseOffset + recordCount - 1
    this.#feed.remember({ baseOffset, lastOffset, epoch, appendTimestamp, sizeInBytes: bytes.length, records })
  }

  appendControl({ baseOffset, epoch, records }: Effect<'appendControl'>): void {
    const options = { baseOffset, partitionLeaderEpoch: epoch }
    this.#write(buildControlBatch(records.map(encodeControl), this.#clock.wallTime(), options), baseOffset, epoch)
  }

  #write(bytes: Buffer, baseOffset: number, leaderEpoch: number): void {
    const options = { leaderEpoch, nowMs: this.#clock.wallTime(), origin: 'raft' as const }
    const info = this.#log.append(bytes, 0, bytes.length, options)
    assert(info.baseOffset === baseOffset, `the log gave offset ${info.baseOffset} instead of ${baseOffset}`)
  }

  /** `epoch`: the one that this node is in. */
  appendFetched({ handle, batchCount, endOffset }: Effect<'appendFetched'>, epoch: number): void {
    const { buffer, ends } = handle as FetchedRecords
    const options = { leaderEpoch: epoch, nowMs: this.#clock.wallTime(), origin: 'replication' as const }
    this.#log.append(buffer, 0, ends[batchCount - 1]!, options)
    this.#expectEnd(endOffset)
  }

  truncate({ endOffset }: Effect<'truncate'>): void {
    this.#log.truncateTo(endOffset)
    this.#expectEnd(endOffset)
    this.#feed.truncated(endOffset)
  }

  #expectEnd(endOffset: number): void {
    const { logEndOffset, directoryPath } = this.#log
    assert(logEndOffset === endOffset, `${directoryPath} ends at ${logEndOffset} instead of ${endOffset}`)
  }
}

function encodeControl(record: ControlRecord): WireControlRecord {
  switch (record.type) {
    case 'leaderChange': {
      const voters = record.voters.map(voterId => ({ voterId }))
      const grantingVoters = record.granting.map(voterId => ({ voterId }))
      const value = { version: 0, leaderId: record.leaderId, voters, grantingVoters }
      return { type: 'LEADER_CHANGE', value: encodeMessage(LeaderChangeMessage, 0, value) }
    }
    case 'kraftVersion': {
      const value = encodeMessage(KRaftVersionRecord, 0, kraftVersionToRecord(record.kraftVersion))
      return { type: 'KRAFT_VERSION', value }
    }
    case 'voters':
      return { type: 'KRAFT_VOTERS', value: encodeMessage(VotersRecord, 0, votersToRecord(record.voters)) }
  }
}
