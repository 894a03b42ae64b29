import * as batch from '#protocol/records/batch.js'
import type { MetadataRecord } from '../metadata/record.js'
import { metadataRecordsOf, type OpenedSnapshot } from '../metadata/snapshot-file.js'
import type { CommittedBatch, LeaderAndEpoch, MetadataLogListener } from './metadata-log.js'
import type { RaftLog } from './raft-log.js'
import type { SnapshotStore } from './snapshot-store.js'

const readBytes = 1024 * 1024

interface Reading {
  readonly listener: MetadataLogListener
  /** The offset that it waits for; -1 before it has had anything. */
  next: number
  leader: LeaderAndEpoch | null
}

/**
 * Hands what is committed to the listeners, each batch decoded once:
 *
 *   snapshot (at the start, or when the log begins after what they have) -> batches -> leader
 *
 * What this node appended itself is kept decoded until it is handed out; the rest is read from the log.
 */
export class CommitFeed {
  readonly #log: RaftLog
  readonly #snapshots: SnapshotStore
  /** Checked at the start: needs no second check. */
  #checked: OpenedSnapshot | null
  readonly #readings: Reading[] = []
  readonly #own = new Map<number, CommittedBatch>()
  readonly #onBatch: (batch: CommittedBatch) => void
  #highWatermark = -1
  #leader: LeaderAndEpoch = { leaderId: -1, epoch: 0 }
  /** Only when everything before this offset was handed out may this node be told that it leads; null: it does not. */
  #epochStartOffset: number | null = null
  #announced: LeaderAndEpoch = { leaderId: -1, epoch: 0 }
  #hasCaughtUp = false

  /** `onBatch` is told once of each batch, after the listeners. */
  constructor(
    log: RaftLog,
    snapshots: SnapshotStore,
    newest: OpenedSnapshot | null,
    onBatch: (batch: CommittedBatch) => void,
  ) {
    this.#log = log
    this.#snapshots = snapshots
    this.#checked = newest
    this.#onBatch = onBatch
  }

  /** The leader that all listeners know of. */
  get leader(): LeaderAndEpoch {
    return this.#announced
  }

  /** Everything below was handed to all listeners. */
  get deliveredOffset(): number {
    return Math.min(this.#highWatermark, ...this.#readings.map(reading => reading.next))
  }

  register(listener: MetadataLogListener): void {
    this.#readings.push({ listener, next: -1, leader: null })
    this.advance(this.#highWatermark)
    if (this.#hasCaughtUp) listener.onCaughtUp?.()
  }

  /** The leader has said what is committed: once all of it has been handed out, the listeners are told so. */
  noteLeaderHighWatermark(offset: number): void {
    if (this.#hasCaughtUp || this.deliveredOffset < offset) return
    this.#hasCaughtUp = true
    for (const { listener } of this.#readings) listener.onCaughtUp?.()
  }

  /** Keeps what this node has appended, until it is committed and handed out. */
  remember(appended: CommittedBatch): void {
    this.#own.set(appended.baseOffset, appended)
  }

  /** The log was cut back: what was appended from `endOffset` on never came to be. */
  truncated(endOffset: number): void {
    for (const baseOffset of this.#own.keys()) if (baseOffset >= endOffset) this.#own.delete(baseOffset)
  }

  setLeader(leader: LeaderAndEpoch, epochStartOffset: number | null): void {
    this.#leader = leader
    this.#epochStartOffset = epochStartOffset
    this.#tellLeader()
  }

  /** Hands out what lies below the high watermark (-1: not known; then only the snapshot). */
  advance(highWatermark: number): void {
    this.#highWatermark = Math.max(this.#highWatermark, highWatermark)
    for (const reading of this.#readings) this.#catchUpBySnapshot(reading)
    while (this.#deliverNext()) {
      // Goes on until everybody has everything.
    }
    if (this.#own.size > 0) this.#forgetDelivered()
    this.#tellLeader()
  }

  #catchUpBySnapshot(reading: Reading): void {
    const { latest } = this.#snapshots
    const isNew = reading.next === -1
    if (!isNew && reading.next >= this.#log.logStartOffset) return
    if (latest === null || latest.endOffset === 0) {
      if (isNew) reading.next = this.#log.logStartOffset
      return
    }
    const isChecked = this.#checked !== null && this.#checked.id.endOffset === latest.endOffset
    const snapshot = isChecked ? this.#checked! : this.#snapshots.open(latest)
    this.#checked = null
    const { id, lastContainedLogTimestamp } = snapshot
    reading.listener.onSnapshot({ id, lastContainedLogTimestamp, batches: snapshot.batches() })
    reading.next = id.endOffset
  }

  /** Hands out one batch, or a read's worth of them, to those who are furthest behind; false when nobody is. */
  #deliverNext(): boolean {
    let next = Infinity
    for (const reading of this.#readings) next = Math.min(next, reading.next)
    if (next >= this.#highWatermark) return false
    const own = this.#own.get(next)
    if (own !== undefined) {
      this.#hand(own, next, own.lastOffset + 1)
      return true
    }
    const found = this.#log.read(next, readBytes, this.#highWatermark, true)
    if (found === null) throw new Error(`${this.#log.directoryPath}: nothing to read at committed offset ${next}`)
    const { buffer } = found
    const before = next
    for (const position of batch.batchPositions(buffer)) {
      const baseOffset = batch.baseOffset(buffer, position)
      const lastOffset = batch.lastOffset(buffer, position)
      if (lastOffset >= this.#highWatermark || this.#own.has(baseOffset)) break
      this.#hand(this.#decode(buffer, position), baseOffset, lastOffset + 1)
      next = lastOffset + 1
    }
    if (next === before && !this.#own.has(next)) {
      throw new Error(`${this.#log.directoryPath}: no whole batch at committed offset ${next}`)
    }
    return true
  }

  #hand(committed: CommittedBatch | null, from: number, to: number): void {
    for (const reading of this.#readings) {
      if (reading.next !== from) continue
      reading.next = to
      if (committed !== null) reading.listener.onCommitted(committed)
      else reading.listener.onControlBatch?.(to - 1)
    }
    if (committed !== null) this.#onBatch(committed)
  }

  #forgetDelivered(): void {
    const delivered = this.deliveredOffset
    for (const [baseOffset, { lastOffset }] of this.#own) {
      if (lastOffset >= delivered) break
      this.#own.delete(baseOffset)
    }
  }

  #tellLeader(): void {
    const leader = this.#leader
    const threshold = this.#epochStartOffset
    if (threshold !== null && this.#highWatermark <= threshold) return
    let isToldToAll = true
    for (const reading of this.#readings) {
      const known = reading.leader
      if (known !== null && known.leaderId === leader.leaderId && known.epoch === leader.epoch) continue
      // That nobody leads is news only for those who think that somebody does.
      if (leader.leaderId === -1 && (known === null || known.leaderId === -1)) continue
      if (threshold !== null && reading.next <= threshold) {
        isToldToAll = false
        continue
      }
      reading.leader = leader
      reading.listener.onLeaderChange(leader)
    }
    if (isToldToAll) this.#announced = leader
  }

  /** The batch at `position`; null for a control batch. */
  #decode(buffer: Buffer, position: number): CommittedBatch | null {
    if (batch.isControl(buffer, position)) return null
    const baseOffset = batch.baseOffset(buffer, position)
    let records: MetadataRecord[]
    try {
      records = metadataRecordsOf(buffer, position)
    } catch (error) {
      throw new Error(
        `${this.#log.directoryPath}: the records at offset ${baseOffset} cannot be read: ${(error as Error).message}. If a ` +
          'newer version wrote them, start that version.',
        { cause: error },
      )
    }
    return {
      baseOffset,
      lastOffset: batch.lastOffset(buffer, position),
      epoch: batch.partitionLeaderEpoch(buffer, position),
      appendTimestamp: batch.maxTimestamp(buffer, position),
      sizeInBytes: batch.sizeInBytes(buffer, position),
      records,
    }
  }
}
