import { AbortedIndex } from './aborted-index.js'
import { baseOffsetAt, lastOffsetAt, maxTimestampAt } from './any-batch.js'
import type { Disk, File } from './disk.js'
import { isMissing } from './disk-error.js'
import { indexSuffix, logSuffix, offsetName, timeIndexSuffix, txnIndexSuffix } from './file-names.js'
import { HeaderCursor } from './header-cursor.js'
import type { IndexHome } from './index-file.js'
import type { LogEnvironment } from './log-environment.js'
import type { AbortedTransaction } from './log-types.js'
import { OffsetIndex } from './offset-index.js'
import type { PageCache } from './page-cache.js'
import { TimeIndex } from './time-index.js'

/** The folder of a partition, which may be renamed. */
export interface LogPlace {
  path: string
}

export interface SegmentOptions {
  readonly environment: LogEnvironment
  readonly place: LogPlace
  readonly baseOffset: number
  /** Bytes in the segment file. */
  readonly size: number
  /** When it was made or opened, ms since 1970: what a segment without timestamps is rolled by. */
  readonly createdMs: number
  readonly hasAbortedIndex: boolean
  readonly suffix?: string
}

/** Where a batch is. */
export interface FoundBatch {
  position: number
  size: number
  baseOffset: number
}

/** Largest offset that an index can hold, counted from the base offset. */
const relativeOffsetMax = 0x7fff_ffff
/** For an index that is made anew where the topic's options are not at hand. */
const defaultIndexIntervalBytes = 4096
/** What is read at a time for that. */
const rebuildBytes = 65_536

/**
 * One segment: a file of batches with its indexes. Nothing is opened or read before it is needed: a segment at rest
 * is this object alone.
 */
export class Segment implements IndexHome {
  readonly baseOffset: number
  size: number
  /** Bytes of the file that are on the device. */
  syncedSize: number
  readonly createdMs: number
  /**
   * Counter of the directory's appended bytes when this segment was last appended to; -Infinity: not by this process.
   */
  appendMark = -Infinity
  /** Bytes that this process has appended, whether or not they were cut off since. */
  appendedBytes = 0
  /** Removed from the log: what still reads it may find its file gone. */
  isRemoved = false
  readonly #environment: LogEnvironment
  readonly #place: LogPlace
  #suffix: string
  #file: File | null = null
  #offsetIndex: OffsetIndex | null = null
  #timeIndex: TimeIndex | null = null
  #abortedIndex: AbortedIndex | null = null
  #hasAbortedIndex: boolean
  #bytesSinceIndexEntry = 0
  #truncations = 0
  /** It was cut (perhaps, see `distrust`), and what the device has may still be longer. */
  #isCutLoose = false
  /** NaN: not looked up yet. */
  #maxTimestamp = Number.NaN
  #maxTimestampOffset = -1
  #firstTimestamp = Number.NaN

  constructor(options: SegmentOptions) {
    this.#environment = options.environment
    this.#place = options.place
    this.baseOffset = options.baseOffset
    this.size = options.size
    this.syncedSize = options.size
    this.createdMs = options.createdMs
    this.#hasAbortedIndex = options.hasAbortedIndex
    this.#suffix = options.suffix ?? ''
  }

  get disk(): Disk {
    return this.#environment.disk
  }

  get pages(): PageCache {
    return this.#environment.pages
  }

  get file(): File {
    return (this.#file ??= this.disk.open(this.pathOf(logSuffix)))
  }

  get offsetIndex(): OffsetIndex {
    return (this.#offsetIndex ??= new OffsetIndex(this, this.baseOffset))
  }

  get timeIndex(): TimeIndex {
    return (this.#timeIndex ??= new TimeIndex(this, this.baseOffset))
  }

  pathOf(suffix: string): string {
    return `${this.#place.path}/${offsetName(this.baseOffset)}${suffix}${this.#suffix}`
  }

  /** Makes the files of a new segment, empty whatever was there before. */
  createFiles(): void {
    this.#file = this.disk.open(this.pathOf(logSuffix), { create: true })
    if (this.#file.size > 0) this.#file.truncate(0)
    this.offsetIndex.file.truncate(0)
    this.timeIndex.file.truncate(0)
    this.offsetIndex.file.flush()
    this.timeIndex.file.flush()
    this.#maxTimestamp = -1
  }

  /** Whether a batch that ends at `lastOffset` can be told apart by this segment's indexes. */
  canHold(lastOffset: number): boolean {
    return lastOffset - this.baseOffset <= relativeOffsetMax
  }

  /** How often it was cut: bytes that were read from it before may be others now. */
  get truncations(): number {
    return this.#truncations
  }

  /** The greatest timestamp of its batches, -1 if they have none. */
  get maxTimestamp(): number {
    if (Number.isNaN(this.#maxTimestamp)) this.#loadMaxTimestamp()
    return this.#maxTimestamp
  }

  /** The last offset of the first batch that has the greatest timestamp. */
  get maxTimestampOffset(): number {
    if (Number.isNaN(this.#maxTimestamp)) this.#loadMaxTimestamp()
    return this.#maxTimestampOffset
  }

  /** What retention by time goes by: the greatest timestamp, or when the file was last written. */
  get largestTimestamp(): number {
    const timestamp = this.maxTimestamp
    return timestamp >= 0 ? timestamp : this.disk.modifiedTime(this.pathOf(logSuffix))
  }

  /** The timestamp of the first batch, -1 if it has none or there is no batch. */
  get firstTimestamp(): number {
    if (!Number.isNaN(this.#firstTimestamp)) return this.#firstTimestamp
    if (this.size === 0) return -1
    const cursor = this.#cursorAt(0)
    return (this.#firstTimestamp = cursor.next() ? maxTimestampAt(cursor.buffer, cursor.at) : -1)
  }

  /**
   * Keeps the indexes for a batch that is about to lie at `position`: one entry for each `intervalBytes` of batches.
   * Call for every batch in order.
   */
  noteBatch(position: number, size: number, lastOffset: number, timestamp: number, intervalBytes: number): void {
    if (Number.isNaN(this.#maxTimestamp)) this.#loadMaxTimestamp()
    if (position === 0) this.#firstTimestamp = timestamp
    if (timestamp > this.#maxTimestamp) {
      this.#maxTimestamp = timestamp
      this.#maxTimestampOffset = lastOffset
    }
    if (this.#bytesSinceIndexEntry > intervalBytes) {
      this.offsetIndex.append(lastOffset, position)
      this.timeIndex.maybeAppend(this.#maxTimestamp, this.#maxTimestampOffset)
      this.#bytesSinceIndexEntry = 0
    }
    this.#bytesSinceIndexEntry += size
  }

  /**
   * Finds the first batch that ends at `offset` or after it; false if there is none. What is found is kept in `into`.
   * Throws CORRUPT damage as an Error if the file does not hold whole batches there.
   */
  find(offset: number, into: FoundBatch): boolean {
    if (this.size === 0) return false
    const cursor = this.#cursorNear(offset)
    while (cursor.next()) {
      if (lastOffsetAt(cursor.buffer, cursor.at) < offset) continue
      into.position = cursor.position
      into.size = cursor.size
      into.baseOffset = baseOffsetAt(cursor.buffer, cursor.at)
      return true
    }
    if (cursor.isDamaged) throw this.damaged(cursor.position)
    return false
  }

  /** The offset after the last batch; the base offset if there is none. Reads from the last index entry on. */
  readNextOffset(): number {
    if (this.size === 0) return this.baseOffset
    const cursor = this.#cursorNear(Infinity)
    let next = this.baseOffset
    while (cursor.next()) next = lastOffsetAt(cursor.buffer, cursor.at) + 1
    if (cursor.isDamaged) throw this.damaged(cursor.position)
    return next
  }

  /**
   * A walk that begins at or before the batch that holds `offset`: where the index says, if a batch is there that
   * ends as the index says. If not, the index is damaged and is made anew. A small file is walked from its beginning.
   */
  #cursorNear(offset: number): HeaderCursor {
    if (this.size <= this.#environment.scratch.length) return this.#cursorAt(0)
    const slot = this.offsetIndex.slotOf(offset)
    if (slot < 0) return this.#cursorAt(0)
    const indexedOffset = this.offsetIndex.offsetAt(slot)
    const position = this.offsetIndex.positionAt(slot)
    const cursor = this.#cursorAt(position)
    if (position >= 0 && cursor.next() && lastOffsetAt(cursor.buffer, cursor.at) === indexedOffset) {
      cursor.start(this.file, position, this.size)
      return cursor
    }
    this.rebuildIndexes(defaultIndexIntervalBytes)
    return this.#cursorAt(this.offsetIndex.lookup(offset))
  }

  /**
   * Makes the offset and time indexes anew from the headers of the batches; returns where they end: the size of the
   * file, or where no whole batch begins.
   */
  rebuildIndexes(intervalBytes: number): number {
    this.offsetIndex.file.truncate(0)
    this.timeIndex.file.truncate(0)
    this.setTimestamps(-1, this.baseOffset, 0)
    const cursor = new HeaderCursor(Buffer.allocUnsafeSlow(rebuildBytes))
    cursor.start(this.file, 0, this.size)
    while (cursor.next()) {
      const { buffer, at } = cursor
      this.noteBatch(cursor.position, cursor.size, lastOffsetAt(buffer, at), maxTimestampAt(buffer, at), intervalBytes)
    }
    return cursor.position
  }

  /** A walk over the batches from `position` to the end, with the buffer that all synchronous walks share. */
  #cursorAt(position: number): HeaderCursor {
    const cursor = this.#environment.cursor
    cursor.start(this.file, position, this.size)
    return cursor
  }

  damaged(position: number): Error {
    return new Error(`${this.pathOf(logSuffix)} has no whole batch at byte ${position}`)
  }

  /** Cuts off the batches from `position` on, which begin at `offset` or hold it. */
  truncate(position: number, offset: number): void {
    this.offsetIndex.truncateTo(offset)
    this.timeIndex.truncateTo(offset)
    if (this.#hasAbortedIndex) this.aborted.truncateTo(offset)
    if (position < this.file.size) this.file.truncate(position)
    this.size = position
    // That it is shorter is not on the device either.
    this.syncedSize = Math.min(this.syncedSize, position - 1)
    this.#isCutLoose = true
    this.#truncations++
    this.#bytesSinceIndexEntry = 0
    this.#maxTimestamp = Number.NaN
    if (position === 0) this.#firstTimestamp = Number.NaN
    this.#rescanMaxTimestamp()
  }

  get isCutLoose(): boolean {
    return this.#isCutLoose
  }

  /** Makes it durable at once, if it was cut, that the batches end where they do. */
  syncCut(): void {
    if (this.#isCutLoose) this.syncNow()
  }

  /** Makes the batches durable at once. */
  syncNow(): void {
    this.file.syncNow()
    this.#isCutLoose = false
    this.syncedSize = this.size
  }

  /** Forgets index entries of batches that were announced by `noteBatch` but never came: those from `offset` on. */
  forgetFrom(offset: number): void {
    this.offsetIndex.truncateTo(offset)
    this.timeIndex.truncateTo(offset)
    this.#bytesSinceIndexEntry = 0
    this.#maxTimestamp = Number.NaN
    if (this.size === 0) this.#firstTimestamp = Number.NaN
  }

  /** What recovery found out by reading all batches. */
  setTimestamps(maxTimestamp: number, maxTimestampOffset: number, bytesSinceIndexEntry: number): void {
    this.#maxTimestamp = maxTimestamp
    this.#maxTimestampOffset = maxTimestampOffset
    this.#bytesSinceIndexEntry = bytesSinceIndexEntry
  }

  get aborted(): AbortedIndex {
    this.#hasAbortedIndex = true
    return (this.#abortedIndex ??= new AbortedIndex(this, this.baseOffset))
  }

  get hasAbortedIndex(): boolean {
    return this.#hasAbortedIndex
  }

  /** As AbortedIndex.collect; false where there is no index. */
  collectAborted(from: number, to: number, found: AbortedTransaction[]): boolean {
    return this.#hasAbortedIndex && this.aborted.collect(from, to, found)
  }

  /** Nothing more will be appended: the greatest timestamp is noted, the indexes are written out. */
  seal(): void {
    if (this.size > 0 && this.maxTimestamp >= 0)
      this.timeIndex.maybeAppend(this.#maxTimestamp, this.#maxTimestampOffset)
    this.offsetIndex.file.flush()
    this.timeIndex.file.flush()
  }

  /** Nothing of it is known to be on the device, nor that it was cut: a process that was killed wrote it. */
  distrust(): void {
    this.syncedSize = -1
    this.#isCutLoose = true
    if (this.size === 0) return
    this.offsetIndex.file.distrust()
    this.timeIndex.file.distrust()
    if (this.#hasAbortedIndex) this.aborted.distrust()
  }

  /** Makes the batches durable; with `withIndexes` what was written of the indexes, too. */
  async sync(withIndexes: boolean): Promise<void> {
    if (this.isRemoved) return
    const size = this.size
    const truncations = this.#truncations
    try {
      // Functions, so that one that throws at once leaves no promise of another that nobody waits for.
      const runs: (() => Promise<void>)[] = []
      if (this.syncedSize < size) runs.push(() => this.file.sync())
      if (this.#abortedIndex !== null) runs.push(() => this.aborted.sync())
      if (withIndexes && this.#offsetIndex !== null) runs.push(() => this.offsetIndex.file.sync())
      if (withIndexes && this.#timeIndex !== null) runs.push(() => this.timeIndex.file.sync())
      await Promise.all(runs.map(async run => run()))
    } catch (error) {
      // Its files may go while this waits: then nothing needs them.
      if (this.isRemoved) return
      throw error
    }
    // What was cut off meanwhile, and what came in its place, is another matter.
    if (truncations !== this.#truncations) return
    this.#isCutLoose = false
    this.syncedSize = Math.max(this.syncedSize, size)
  }

  /** Renames the files to another suffix ('.deleted' and the like); readers that have them keep them. */
  changeSuffix(suffix: string): void {
    const target = (kind: string) => `${this.#place.path}/${offsetName(this.baseOffset)}${kind}${suffix}`
    const move = (kind: string, rename: (to: string) => void) => {
      try {
        rename(target(kind))
      } catch (error) {
        if (!isMissing(error) || kind === logSuffix) throw error
      }
    }
    move(logSuffix, to => this.file.rename(to))
    move(indexSuffix, to => this.offsetIndex.file.rename(to))
    move(timeIndexSuffix, to => this.timeIndex.file.rename(to))
    if (this.#hasAbortedIndex) move(txnIndexSuffix, to => this.aborted.rename(to))
    this.#suffix = suffix
  }

  /** Paths of the files that there are. */
  paths(): string[] {
    const kinds = [logSuffix, indexSuffix, timeIndexSuffix]
    if (this.#hasAbortedIndex) kinds.push(txnIndexSuffix)
    return kinds.map(kind => this.pathOf(kind))
  }

  /**
   * Removes the files at once, the batches first: indexes that a crash leaves behind belong to nothing and go at the
   * next start.
   */
  removeFiles(): void {
    this.isRemoved = true
    this.#environment.bytesRemoved += this.appendedBytes
    const paths = this.paths()
    this.close()
    for (const path of paths) this.disk.remove(path)
  }

  /** Lets go of descriptors and memory, but not of index entries that are not in their files yet. */
  rest(): void {
    this.#file?.close()
    this.#file = null
    if (this.#offsetIndex?.file.isAtRest === false || this.#timeIndex?.file.isAtRest === false) return
    this.close()
  }

  /** Lets go of all descriptors and of what is kept in memory; it comes back when it is needed. */
  close(): void {
    this.#file?.close()
    this.#file = null
    this.#offsetIndex?.file.close()
    this.#offsetIndex = null
    this.#timeIndex?.file.close()
    this.#timeIndex = null
    this.#abortedIndex?.close()
    this.#abortedIndex = null
  }

  /** The last entry of the time index: the segment was sealed when it was last closed. */
  #loadMaxTimestamp(): void {
    const count = this.timeIndex.count
    this.#maxTimestamp = count === 0 ? -1 : this.timeIndex.timestampAt(count - 1)
    this.#maxTimestampOffset = count === 0 ? this.baseOffset : this.timeIndex.offsetAt(count - 1)
  }

  /** After a truncation the time index may end before the last batches do: those are looked at. */
  #rescanMaxTimestamp(): void {
    this.#loadMaxTimestamp()
    if (this.size === 0) return
    const cursor = this.#cursorAt(this.offsetIndex.lookup(this.#maxTimestampOffset))
    while (cursor.next()) {
      const timestamp = maxTimestampAt(cursor.buffer, cursor.at)
      if (timestamp <= this.#maxTimestamp) continue
      this.#maxTimestamp = timestamp
      this.#maxTimestampOffset = lastOffsetAt(cursor.buffer, cursor.at)
    }
  }
}
