import { hasProducerId, isControl, magic } from '#protocol/records/batch.js'
import { baseOffsetAt, lastOffsetAt, leaderEpochAt } from './any-batch.js'
import { formatEpochCheckpoint, readEpochCheckpoint } from './checkpoint.js'
import { type EpochEntry, EpochHistory } from './epoch-history.js'
import { deletedSuffix, epochCheckpointName, offsetName, snapshotSuffix } from './file-names.js'
import { HeaderCursor } from './header-cursor.js'
import type { LogConfig } from './log-config.js'
import type { LogEnvironment } from './log-environment.js'
import { ProducerState } from './producer-state.js'
import type { LogPlace, Segment } from './segment.js'
import { decodeSnapshot, encodeSnapshot } from './snapshot.js'

/** What is read at a time when the state of producers is told from the batches. */
const replayBytes = 65_536
/** How far before a snapshot the last batches of producers are looked for, at least, in bytes. */
const recallBytes = 262_144

export interface LogStateOptions {
  readonly environment: LogEnvironment
  readonly place: LogPlace
  readonly topic: string
  readonly partition: number
  readonly topicId: string | null
  readonly config: LogConfig
  /** Ascending, at least one. */
  readonly segments: Segment[]
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly recoveryPoint: number
  /** Offsets of the snapshot files that there are, ascending. */
  readonly snapshots: number[]
  /** The files are as a clean stop left them. */
  readonly isClean: boolean
}

/**
 * The inside of one log: its segments and what is known of their content. The parts of a log (appending, reading,
 * truncating, retention, compaction, recovery) are functions of it; nothing outside the storage layer sees it.
 */
export class LogState {
  readonly environment: LogEnvironment
  readonly place: LogPlace
  readonly topic: string
  readonly partition: number
  topicId: string | null
  config: LogConfig
  segments: Segment[]
  logStartOffset: number
  logEndOffset: number
  recoveryPoint: number
  /** Bytes of all segments. */
  size = 0
  snapshots: number[]
  isClosed = false
  /** Anything was appended, cut or recovered since it was opened: closing has something to do. */
  isTouched = false
  /** How often it was cut: what was found out about its records before may not be true any more. */
  cuts = 0
  /** `partition.metadata` is on the device. */
  isMetadataDurable = true
  /** When the oldest record that is not on the device was appended, ms since 1970; Infinity if all are. */
  unflushedSinceMs = Infinity
  /** Changes of names in the folder, and how many of them are on the device. */
  #nameChanges = 0
  #nameChangesSynced = 0
  /** What the recovery point file on the device says at most: it must be lowered before the log is cut below it. */
  checkpointedRecoveryPoint: number
  /** Snapshot files written but not synced. */
  unsyncedSnapshots: number[] = []
  #isClean: boolean
  #epochs: EpochHistory | null = null
  #areEpochsDurable = true
  #producers: ProducerState | null = null

  constructor(options: LogStateOptions) {
    this.environment = options.environment
    this.place = options.place
    this.topic = options.topic
    this.partition = options.partition
    this.topicId = options.topicId
    this.config = options.config
    this.segments = options.segments
    this.logStartOffset = options.logStartOffset
    this.logEndOffset = options.logEndOffset
    this.recoveryPoint = options.recoveryPoint
    this.checkpointedRecoveryPoint = options.recoveryPoint
    this.snapshots = options.snapshots
    this.#isClean = options.isClean
    for (const segment of options.segments) this.size += segment.size
  }

  get active(): Segment {
    return this.segments[this.segments.length - 1]!
  }

  /** Names in the folder are not on the device. */
  get areNamesDirty(): boolean {
    return this.#nameChanges !== this.#nameChangesSynced
  }

  /** A file of the folder was made, renamed or removed. */
  namesChanged(): void {
    this.#nameChanges++
  }

  /** Makes the names in the folder durable. */
  async syncNames(): Promise<void> {
    const changes = this.#nameChanges
    await this.inFolder(path => this.environment.disk.syncDirectoryAsync(path))
    this.#nameChangesSynced = Math.max(changes, this.#nameChangesSynced)
  }

  /** Whether the files do not say where the log begins, or might not after a crash: removed segments would be back. */
  get hasOwnStart(): boolean {
    const { logStartOffset, segments, areNamesDirty } = this
    return logStartOffset > segments[0]!.baseOffset || (logStartOffset > 0 && areNamesDirty)
  }

  get name(): string {
    return `${this.topic}-${this.partition}`
  }

  /** Whether the checkpoint files speak of this log: they do not of one that is to replace another. */
  get hasPlainName(): boolean {
    return this.place.path === `${this.environment.path}/${this.name}`
  }

  /** Below it compaction may have left gaps between batches, whatever the policy is now: no damage. */
  get cleanedOffset(): number {
    return this.hasPlainName ? (this.environment.cleanerOffsets.offsets.get(this.name) ?? 0) : 0
  }

  /** It ends, or begins anew, at `offset`: no round of compaction has seen what will come there. */
  noteCut(offset: number): void {
    this.cuts++
    if (this.hasPlainName) this.environment.cleanerOffsets.lower(this.name, offset)
  }

  pathOf(name: string): string {
    return `${this.place.path}/${name}`
  }

  /** The index of the segment that holds `offset` or the gap that it lies in; -1 before the first one. */
  segmentIndexOf(offset: number): number {
    let low = 0
    let high = this.segments.length
    if (high > 0 && this.segments[high - 1]!.baseOffset <= offset) return high - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.segments[middle]!.baseOffset <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  get epochs(): EpochHistory {
    return (this.#epochs ??= this.environment.guarded(`reading ${this.place.path}`, () => this.#loadEpochs()))
  }

  /** The epochs before the end of the log is known, also those that may lie behind it. */
  epochsAsTold(): readonly EpochEntry[] {
    this.#epochs ??= this.environment.guarded(`reading ${this.place.path}`, () => this.#loadEpochs(Infinity))
    return this.#epochs.entries()
  }

  #loadEpochs(endOffset = this.logEndOffset): EpochHistory {
    const path = this.pathOf(epochCheckpointName)
    let history: EpochHistory
    try {
      history = new EpochHistory(readEpochCheckpoint(this.environment.disk, path))
      history.truncateEnd(endOffset)
      history.truncateStart(this.logStartOffset)
    } catch (error) {
      if ((error as { code?: unknown }).code !== undefined) throw error
      history = this.#epochsFromBatches()
      this.environment.onRestored(path, (error as Error).message)
    }
    return history
  }

  get areEpochsLoaded(): boolean {
    return this.#epochs !== null
  }

  /** The file is malformed: every batch says in which epoch it was written. */
  #epochsFromBatches(): EpochHistory {
    const history = new EpochHistory()
    const cursor = new HeaderCursor(Buffer.allocUnsafeSlow(replayBytes))
    for (const segment of this.segments) {
      cursor.start(segment.file, 0, segment.size)
      while (cursor.next()) {
        const epoch = leaderEpochAt(cursor.buffer, cursor.at)
        if (epoch <= history.latestEpoch) continue
        history.assign(epoch, Math.max(this.logStartOffset, baseOffsetAt(cursor.buffer, cursor.at)))
      }
    }
    return history
  }

  /** Writes the epochs for a reader after a crash of this process, not of the machine. They stay dirty until synced. */
  writeEpochs(): void {
    const content = formatEpochCheckpoint(this.epochs.epochs, this.epochs.startOffsets)
    this.environment.disk.writeFile(this.pathOf(epochCheckpointName), content)
    this.#areEpochsDurable = false
  }

  get areEpochsDurable(): boolean {
    return this.#epochs === null || (!this.#epochs.isDirty && this.#areEpochsDurable)
  }

  /** Makes the epochs durable. */
  async syncEpochs(): Promise<void> {
    const history = this.#epochs
    if (history === null || this.areEpochsDurable) return
    const entries = history.entries()
    const content = formatEpochCheckpoint(history.epochs, history.startOffsets)
    await this.inFolder(path => this.environment.disk.replaceFileAsync(`${path}/${epochCheckpointName}`, content))
    history.markStored(entries)
    this.#areEpochsDurable = true
  }

  /** Does something in the folder, and does it again if the folder was renamed meanwhile. */
  async inFolder(run: (path: string) => Promise<void>): Promise<void> {
    const path = this.place.path
    try {
      await run(path)
    } catch (error) {
      if (this.place.path === path) throw error
      await run(this.place.path)
    }
  }

  /** What is known of the producers, up to the end of the log. */
  get producers(): ProducerState {
    if (this.#producers !== null) return this.#producers
    const load = () => this.loadProducers(this.logEndOffset)
    return (this.#producers = this.environment.guarded(`reading ${this.place.path}`, load))
  }

  get areProducersLoaded(): boolean {
    return this.#producers !== null
  }

  set producers(state: ProducerState) {
    this.#producers = state
  }

  /** What is in memory may be wrong: it is told anew from the files when it is needed. */
  forgetProducers(): void {
    this.#producers = null
    this.#isClean = false
  }

  /**
   * The process before this one was killed: what it wrote last may be in the page cache only, be it contents or
   * names. The next sync makes all of it durable.
   */
  distrust(): void {
    this.namesChanged()
    this.environment.namesChanged()
    this.isMetadataDurable = this.topicId === null
    this.unsyncedSnapshots = [...this.snapshots]
    this.#areEpochsDurable = false
  }

  /** The state at `endOffset`: from the newest snapshot that is not above it, and the batches from there on. */
  loadProducers(endOffset: number): ProducerState {
    const state = this.#loadSnapshot(endOffset)
    if (state !== null) {
      this.#recallBatches(state)
      return this.#replay(state, endOffset)
    }
    // A clean stop leaves a snapshot; without one there is a log of before producers had state.
    if (this.#isClean) return new ProducerState(endOffset)
    return this.#replay(new ProducerState(this.logStartOffset), endOffset)
  }

  #loadSnapshot(endOffset: number): ProducerState | null {
    for (let index = this.snapshots.length - 1; index >= 0; index--) {
      const offset = this.snapshots[index]!
      if (offset > endOffset) continue
      const path = this.snapshotPath(offset)
      const state = decodeSnapshot(this.environment.disk.readFile(path), offset)
      if (state !== null) return state
      this.environment.disk.remove(path)
      this.snapshots.splice(index, 1)
    }
    return null
  }

  #replay(state: ProducerState, endOffset: number): ProducerState {
    if (state.endOffset >= endOffset) return state
    const cursor = new HeaderCursor(Buffer.allocUnsafeSlow(replayBytes))
    const first = Math.max(0, this.segmentIndexOf(state.endOffset))
    for (const segment of this.segments.slice(first)) {
      if (segment.baseOffset >= endOffset) break
      const position = segment.baseOffset < state.endOffset ? segment.offsetIndex.lookup(state.endOffset) : 0
      cursor.start(segment.file, position, segment.size)
      while (cursor.next()) {
        const { buffer, at } = cursor
        if (lastOffsetAt(buffer, at) < state.endOffset) continue
        if (lastOffsetAt(buffer, at) >= endOffset) break
        if (magic(buffer, at) !== 2 || !hasProducerId(buffer, at)) continue
        if (isControl(buffer, at)) state.apply(segment.file.read(cursor.position, cursor.size), 0)
        else state.apply(buffer, at)
      }
    }
    state.endOffset = endOffset
    return state
  }

  /**
   * Tells the last batches of the producers in a snapshot from the log before it. What was sent but not acknowledged
   * when a node stopped in order is sent again when it is back, and snapshots know one batch of a producer only.
   */
  #recallBatches(state: ProducerState): void {
    const end = state.endOffset
    const segment = this.segments[this.segmentIndexOf(end - 1)]
    if (state.count === 0 || segment === undefined || end <= segment.baseOffset) return
    const known = new ProducerState(segment.baseOffset)
    const { offsetIndex } = segment
    const endPosition = offsetIndex.lookup(end)
    let position = endPosition
    for (let back = 64; endPosition - position < recallBytes && position > 0; back *= 4) {
      position = back < end - segment.baseOffset ? offsetIndex.lookup(end - back) : 0
    }
    const cursor = new HeaderCursor(Buffer.allocUnsafeSlow(replayBytes))
    cursor.start(segment.file, position, segment.size)
    while (cursor.next()) {
      const { buffer, at } = cursor
      if (lastOffsetAt(buffer, at) >= end) break
      if (magic(buffer, at) === 2 && hasProducerId(buffer, at) && !isControl(buffer, at)) known.apply(buffer, at)
    }
    state.adoptBatches(known)
  }

  snapshotPath(offset: number): string {
    return this.pathOf(offsetName(offset) + snapshotSuffix)
  }

  /**
   * Writes what is known of the producers at the end of the log as the snapshot of `offset`, unless there is one
   * already. Not yet durable.
   */
  takeSnapshot(offset: number): void {
    const last = this.snapshots[this.snapshots.length - 1] ?? this.logStartOffset
    if (offset <= last) return
    const state = this.producers
    this.environment.disk.writeFile(this.snapshotPath(offset), encodeSnapshot(state))
    this.snapshots.push(offset)
    this.unsyncedSnapshots.push(offset)
    this.namesChanged()
  }

  /** Removes the snapshots for which `isObsolete` holds; true if there were any. */
  removeSnapshots(isObsolete: (offset: number) => boolean): boolean {
    return this.#dropSnapshots(isObsolete, path => this.environment.disk.remove(path))
  }

  /**
   * The same for those from which nothing will be read again: renamed now, removed `file.delete.delay.ms` later. A
   * disk may take milliseconds to let go of a file, and this is done while records are written.
   */
  discardSnapshots(isObsolete: (offset: number) => boolean, nowMs: number): boolean {
    const { disk, removals } = this.environment
    return this.#dropSnapshots(isObsolete, path => {
      // Somebody may have removed it.
      if (!disk.exists(path)) return
      disk.rename(path, path + deletedSuffix)
      removals.add(path + deletedSuffix, nowMs + this.config.fileDeleteDelayMs, false)
    })
  }

  #dropSnapshots(isObsolete: (offset: number) => boolean, drop: (path: string) => void): boolean {
    const obsolete = this.snapshots.filter(isObsolete)
    if (obsolete.length === 0) return false
    for (const offset of obsolete) drop(this.snapshotPath(offset))
    this.snapshots = this.snapshots.filter(offset => !isObsolete(offset))
    this.unsyncedSnapshots = this.unsyncedSnapshots.filter(offset => !isObsolete(offset))
    this.namesChanged()
    return true
  }
}
