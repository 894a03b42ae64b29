import * as batch from '#protocol/records/batch.js'
import type { Disk } from '#storage/disk.js'
import { compareSnapshots, SnapshotWriter } from '../metadata/snapshot-file.js'
import type { Clock, Logger, Millis, Timer } from '../runtime/ports.js'
import type { CommittedBatch, SnapshotImage, SnapshotSource } from './metadata-log.js'
import type { RaftLog } from './raft-log.js'
import type { SnapshotStore } from './snapshot-store.js'
import type { VoterSet } from './voters.js'

/** How many records go into a snapshot before others have their turn. */
const recordsPerTurn = 2000

export interface SnapshotLimits {
  /** `metadata.log.max.record.bytes.between.snapshots`. */
  readonly recordBytesBetween: number
  /** `metadata.log.max.snapshot.interval.ms`; 0 for never. */
  readonly intervalMs: Millis
  /** `metadata.max.retention.bytes` of log and snapshots together; negative for no limit. */
  readonly retentionBytes: number
  /** `metadata.max.retention.ms`; negative for no limit. */
  readonly retentionMs: Millis
  /** How long files that are to go stay, under another name. */
  readonly deleteDelayMs: Millis
}

export interface SnapshotterOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
  readonly log: RaftLog
  readonly snapshots: SnapshotStore
  readonly limits: SnapshotLimits
  /** What a snapshot that ends at this offset has to say about the quorum. */
  readonly quorumAt: (endOffset: number) => { readonly kraftVersion: number; readonly voters: VoterSet | null }
  /** Everything below is committed. */
  readonly highWatermark: () => number
  /** Old snapshots went, and the log below the oldest one that is left. */
  readonly onCleaned: () => void
}

/** Writes snapshots when enough has been committed or enough time has passed, and removes old ones. */
export class Snapshotter {
  readonly #options: SnapshotterOptions
  #source: SnapshotSource | null = null
  #countedOffset: number
  #bytesSince = 0
  #lastTime: Millis
  #timer: Timer | null = null
  #writing: Promise<void> | null = null
  #isClosed = false

  constructor(options: SnapshotterOptions) {
    this.#options = options
    this.#countedOffset = (options.snapshots.latest?.endOffset ?? 0) - 1
    this.#lastTime = options.clock.now()
  }

  /** From now on snapshots are taken of this. */
  setSource(source: SnapshotSource): void {
    this.#source = source
    this.#arm()
  }

  /** Counts a committed batch; each once, whoever else gets it later. */
  noteCommitted(committed: CommittedBatch): void {
    if (committed.lastOffset <= this.#countedOffset) return
    this.#countedOffset = committed.lastOffset
    this.#bytesSince += committed.sizeInBytes
    if (this.#bytesSince >= this.#options.limits.recordBytesBetween) this.#begin('size')
  }

  /** A leader sent a newer one. */
  noteInstalled(endOffset: number): void {
    this.#countedOffset = Math.max(this.#countedOffset, endOffset - 1)
    this.#bytesSince = 0
  }

  /** Takes a snapshot now, whatever the limits say. Resolves when it is in place or turned out to be impossible. */
  async take(): Promise<void> {
    this.#begin('request')
    await this.#writing
  }

  /** Stops; a snapshot that is being written is given up. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    await this.#writing
  }

  #arm(): void {
    const { limits, clock } = this.#options
    this.#timer?.cancel()
    this.#timer = null
    if (limits.intervalMs <= 0 || this.#source === null || this.#isClosed) return
    this.#timer = clock.at(this.#lastTime + limits.intervalMs, () => {
      this.#timer = null
      if (this.#bytesSince > 0) this.#begin('time')
      this.#lastTime = clock.now()
      this.#arm()
    })
  }

  #begin(reason: 'size' | 'time' | 'request'): void {
    if (this.#writing !== null || this.#source === null || this.#isClosed) return
    // After what goes on now: listeners are about to hear of the batch that made it due.
    this.#writing = this.#write(this.#source, reason)
      .catch((error: unknown) => {
        const directory = this.#options.log.directoryPath
        this.#options.logger.error(
          { directory, error: String(error) },
          'a snapshot of the metadata could not be written',
        )
      })
      .finally(() => {
        this.#writing = null
      })
  }

  async #write(source: SnapshotSource, reason: string): Promise<void> {
    const { clock, disk, log, snapshots, logger } = this.#options
    await this.#turn()
    const image = source()
    if (image === null || this.#isClosed || !this.#isWorthIt(image)) return
    const id = { endOffset: image.offset + 1, epoch: image.epoch }
    const began = clock.now()
    const content = {
      id,
      lastContainedLogTimestamp: this.#timestampAt(image.offset),
      ...this.#options.quorumAt(id.endOffset),
    }
    const writer = new SnapshotWriter(disk, log.directoryPath, content, () => clock.wallTime())
    this.#bytesSince = 0
    this.#lastTime = began
    try {
      let count = 0
      for (const record of image.records) {
        writer.append(record)
        if (++count % recordsPerTurn === 0) {
          await this.#turn()
          if (this.#isClosed) return writer.discard()
        }
      }
      await writer.finish()
      snapshots.add(id)
      // A leader's has taken the place of the log meanwhile: one of before must not stand for where the log begins.
      const isLate = id.endOffset < log.logStartOffset
      if (isLate) snapshots.removeDeleted(snapshots.forgetBefore(snapshots.latest!))
      const tookMs = Math.round(clock.now() - began)
      const end = isLate ? ', dropped: a leader has sent a newer one' : ''
      logger.info({ ...id, records: count, reason, tookMs }, `snapshot of the metadata at offset ${id.endOffset}${end}`)
    } catch (error) {
      writer.discard()
      throw error
    }
    this.#arm()
    this.clean()
  }

  /** Only what is committed, and more than the newest snapshot has. */
  #isWorthIt(image: SnapshotImage): boolean {
    const { latest } = this.#options.snapshots
    const id = { endOffset: image.offset + 1, epoch: image.epoch }
    if (id.endOffset <= 0 || id.endOffset > this.#options.highWatermark()) return false
    return latest === null || (compareSnapshots(id, latest) > 0 && id.endOffset > latest.endOffset)
  }

  #timestampAt(offset: number): number {
    const found = this.#options.log.read(offset, 1, this.#options.log.logEndOffset, true)
    if (found === null) throw new Error(`nothing to read at offset ${offset}`)
    return batch.maxTimestamp(found.buffer, 0)
  }

  #turn(): Promise<void> {
    return new Promise(resolve => this.#options.clock.soon(resolve))
  }

  /** Removes snapshots beyond what is to be kept, and the log below the oldest that stays. */
  clean(): void {
    const { clock, log, snapshots, limits, logger } = this.#options
    const oldest = snapshots.oldestToKeep(log.size, limits.retentionBytes, limits.retentionMs, clock.wallTime())
    if (oldest === null || !log.advanceStart(oldest.endOffset)) return
    log.deleteOldSegments(clock.wallTime(), this.#options.highWatermark())
    const paths = snapshots.forgetBefore(oldest)
    logger.info({ ...oldest, removed: paths.length }, `the metadata log begins at offset ${oldest.endOffset} now`)
    clock.at(clock.now() + limits.deleteDelayMs, () => {
      if (this.#isClosed) return
      try {
        snapshots.removeDeleted(paths)
      } catch (error) {
        logger.warn({ paths, error: String(error) }, 'old snapshots could not be removed')
      }
    })
    this.#options.onCleaned()
  }
}
