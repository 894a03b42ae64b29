import { Appender } from './appender.js'
import type { LogConfig } from './log-config.js'
import type { LogState } from './log-state.js'
import type {
  AbortedTransaction,
  ActiveProducer,
  AppendInfo,
  AppendOptions,
  DeletedSegment,
  EpochEnd,
  ReadLocation,
  ReadResult,
  TimestampOffset,
} from './log-types.js'
import { outOfRange, Reader } from './reader.js'
import { deleteOldSegments, moveStart } from './retention.js'
import { Syncer } from './syncer.js'
import { offsetForTime, offsetOfMaxTimestamp } from './time-lookup.js'
import { truncateFullyAndStartAt, truncateTo } from './truncation.js'

/**
 * The log of one partition: Kafka's files, no notion of replicas, leaders, consumers or clocks. High watermark and time
 * are arguments. Methods throw LogError; KAFKA_STORAGE_ERROR means that the directory is offline now.
 *
 * Made by LogDirectory (`create`, `load`, `openMetadataLog`).
 */
export class PartitionLog {
  /** The inside: for the storage layer alone. */
  readonly state: LogState
  readonly #appender: Appender
  readonly #syncer: Syncer
  readonly #reader: Reader

  constructor(state: LogState) {
    this.state = state
    this.#syncer = new Syncer(state)
    this.#appender = new Appender(state, this.#syncer)
    this.#reader = new Reader(state, this.#appender)
  }

  get topic(): string {
    return this.state.topic
  }

  get partition(): number {
    return this.state.partition
  }

  /** Kafka's text form; null for a folder without partition.metadata. */
  get topicId(): string | null {
    return this.state.topicId
  }

  get directoryPath(): string {
    return this.state.place.path
  }

  get config(): LogConfig {
    return this.state.config
  }

  /** The first offset that can be read. */
  get logStartOffset(): number {
    return this.state.logStartOffset
  }

  /** The offset that the next record gets. */
  get logEndOffset(): number {
    return this.state.logEndOffset
  }

  /** Everything below is on the device. */
  get recoveryPoint(): number {
    return this.state.recoveryPoint
  }

  /** So much is not on the device that `flush.messages` wants it there before it counts. */
  get needsSync(): boolean {
    const { logEndOffset, recoveryPoint, config } = this.state
    return logEndOffset > recoveryPoint && logEndOffset - recoveryPoint >= config.flushMessages
  }

  /** Bytes of all segments. */
  get size(): number {
    return this.state.size
  }

  get segmentCount(): number {
    return this.state.segments.length
  }

  /** Where the segment begins that is appended to. */
  get activeBaseOffset(): number {
    return this.state.active.baseOffset
  }

  /** The latest leader epoch that the log knows, -1 if none. */
  get latestEpoch(): number {
    const { state } = this
    // A log that never had a record has no epochs: no file is looked for, which counts where there are thousands.
    if (!state.areEpochsLoaded && state.logEndOffset === 0) return -1
    return state.epochs.latestEpoch
  }

  /** Why no method works any more; null while all is well. */
  get failure(): Error | null {
    return this.state.environment.failure
  }

  get isClosed(): boolean {
    return this.state.isClosed
  }

  /** When `flush.ms` asks for a `sync`, ms since 1970; Infinity when it does not. */
  get nextFlushDueMs(): number {
    return this.state.unflushedSinceMs + this.state.config.flushMs
  }

  /** Bytes that wait for `writeGathered`. */
  get gatheredBytes(): number {
    return this.#appender.bytes
  }

  /**
   * Appends complete, validated batches, `buffer[start, end)`: stages, writes, publishes.
   *
   * As leader ('client', 'coordinator', 'raft') it gives them offsets and the leader epoch, stamped in place, and
   * checks producers: a batch that is there already is answered with `isDuplicate` and not appended again. As
   * follower ('replication') it takes them as they are. Throws LogError; what is refused changes nothing:
   * MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER,
   * INVALID_TXN_STATE, TRANSACTION_COORDINATOR_FENCED, INVALID_RECORD, UNEXPECTED_APPEND_OFFSET, KAFKA_STORAGE_ERROR.
   *
   * The object returned is used again by the next append to this log.
   */
  append(buffer: Buffer, start: number, end: number, options: AppendOptions): AppendInfo {
    const info = this.#appender.stage(buffer, start, end, options)
    this.#appender.write()
    return info
  }

  /**
   * As `append`, but the bytes are written, and their records readable, only by `writeGathered`: they must stay in
   * `buffer` until then. What is gathered may be written earlier, when a new segment begins or when it becomes much.
   */
  appendGathered(buffer: Buffer, start: number, end: number, options: AppendOptions): AppendInfo {
    return this.#appender.stage(buffer, start, end, options)
  }

  /**
   * Writes what was gathered with one system call and moves the end of the log. If that fails, everything gathered is
   * undone and the directory is offline.
   */
  writeGathered(): void {
    this.#appender.write()
  }

  /**
   * Finds the slice for a fetch: from the batch that holds `offset`, up to `maxOffset` (exclusive; whole batches) and
   * `maxBytes`, which may cut the last batch; `minOneBatch` makes room for the first batch whatever its size. False
   * when there is nothing. Throws OFFSET_OUT_OF_RANGE outside [logStartOffset, logEndOffset].
   */
  locate(offset: number, maxBytes: number, maxOffset: number, minOneBatch: boolean, into: ReadLocation): boolean {
    return this.#reader.locate(offset, maxBytes, maxOffset, minOneBatch, into)
  }

  /** Reads what was located into `target` from `at` on; returns how many bytes there were. For recent records. */
  readInto(location: ReadLocation, target: Buffer, at: number): number {
    return this.#reader.readInto(location, target, at)
  }

  /** The same off the event loop: for records that may have left the page cache. */
  readIntoAsync(location: ReadLocation, target: Buffer, at: number): Promise<number> {
    return this.#reader.readIntoAsync(location, target, at)
  }

  /** As `locate` and `readInto` with a buffer of its own; null when there is nothing. */
  read(offset: number, maxBytes: number, maxOffset: number, minOneBatch: boolean): ReadResult | null {
    return this.#reader.read(offset, maxBytes, maxOffset, minOneBatch)
  }

  readAsync(offset: number, maxBytes: number, maxOffset: number, minOneBatch: boolean): Promise<ReadResult | null> {
    return this.#reader.readAsync(offset, maxBytes, maxOffset, minOneBatch)
  }

  /**
   * Resolves when everything appended before the call is on the device. Calls that wait together share one fdatasync.
   */
  sync(): Promise<void> {
    this.#appender.write()
    return this.#syncer.sync()
  }

  /** See Syncer.syncRest. */
  syncRest(): boolean {
    this.#appender.write()
    return this.#syncer.syncRest()
  }

  /**
   * Notes that this log is led in `epoch` from the end of the log on; without effect for an epoch that is not newer. It
   * becomes durable with the first batch of the epoch.
   */
  assignEpoch(epoch: number): void {
    this.#appender.write()
    if (epoch > this.state.epochs.latestEpoch) this.state.epochs.assign(epoch, this.state.logEndOffset)
  }

  /** The end of the largest epoch that is not above `epoch`; both -1 if the log knows none or only earlier ones. */
  endOffsetOf(epoch: number): EpochEnd {
    return this.state.epochs.endOf(epoch, this.state.logEndOffset)
  }

  /** The epoch of the record at `offset`, -1 if not known. */
  epochOf(offset: number): number {
    return this.state.epochs.epochOf(offset)
  }

  /** Cuts the log so that it ends at `offset`, at the batch that holds it; see truncation.ts. */
  truncateTo(offset: number): void {
    truncateTo(this.state, this.#appender, this.#syncer, offset)
  }

  /** Removes all records; the log goes on at `offset`. */
  truncateFullyAndStartAt(offset: number, logStartOffset?: number): void {
    truncateFullyAndStartAt(this.state, this.#appender, this.#syncer, offset, logStartOffset)
  }

  /**
   * Raises the log start offset (DeleteRecords, a leader's start); returns whether it moved. OFFSET_OUT_OF_RANGE
   * above the end of the log; that it is not above the high watermark is the caller's to see to.
   */
  advanceStart(offset: number): boolean {
    if (offset > this.state.logEndOffset) throw outOfRange(this.state, offset)
    if (offset <= this.state.logStartOffset) return false
    moveStart(this.state, offset)
    return true
  }

  /** Applies retention; returns what was removed. Removed files are gone `file.delete.delay.ms` later. */
  deleteOldSegments(nowMs: number, highWatermark: number): readonly DeletedSegment[] {
    this.#appender.write()
    return deleteOldSegments(this.state, this.#appender, nowMs, highWatermark)
  }

  /** Begins a new segment at the end of the log, if the present one has any batch. */
  roll(nowMs: number): void {
    this.#appender.roll(nowMs)
  }

  /**
   * The first record from the log start on whose timestamp is at least `timestamp`; null if there is none, or it is not
   * below `maxOffset`. CORRUPT_MESSAGE if the batch cannot be read.
   */
  offsetForTime(timestamp: number, maxOffset: number): Promise<TimestampOffset | null> {
    return offsetForTime(this.state, timestamp, maxOffset)
  }

  /** The first record with the greatest timestamp of the log; null if the log is empty. */
  offsetOfMaxTimestamp(): Promise<TimestampOffset | null> {
    return offsetOfMaxTimestamp(this.state)
  }

  /** Below this everything is decided: the high watermark, or the first record of the earliest open transaction. */
  lastStableOffset(highWatermark: number): number {
    const unstable = this.state.producers.firstUnstableOffset(highWatermark)
    return Math.min(highWatermark, Math.max(unstable, this.state.logStartOffset))
  }

  /** An offset that nothing of what was located just now reaches; not far behind it, but the index is sparse. */
  offsetBehind(location: ReadLocation): number {
    return this.#reader.offsetBehind(location)
  }

  /** Transactions that were aborted and have records in [from, to). */
  abortedTransactions(from: number, to: number): readonly AbortedTransaction[] {
    const { segments, environment } = this.state
    const found: AbortedTransaction[] = []
    environment.guarded('reading aborted transactions', () => {
      for (let index = Math.max(0, this.state.segmentIndexOf(from)); index < segments.length; index++) {
        if (segments[index]!.collectAborted(from, to, found)) break
      }
    })
    return found
  }

  activeProducers(): readonly ActiveProducer[] {
    return this.state.producers.activeProducers()
  }

  /** Whether this producer has a transaction open here (for the verification of KIP-890). */
  hasOpenTransaction(producerId: number, producerEpoch: number): boolean {
    return this.state.producers.hasOpenTransaction(producerId, producerEpoch)
  }

  /** Forgets producers that have been silent for `expirationMs` or longer; returns how many. */
  expireProducers(nowMs: number, expirationMs: number): number {
    // A log whose producers nobody asked for keeps them in its snapshot.
    return this.state.areProducersLoaded ? this.state.producers.expire(nowMs, expirationMs) : 0
  }

  /** Takes effect at once: the next append, the next retention. */
  updateConfig(config: LogConfig): void {
    this.state.config = config
  }

  /** Clean: everything flushed, indexes trimmed, a snapshot of producers at the end. Nothing works afterwards. */
  async close(): Promise<void> {
    const { state } = this
    if (state.isClosed) return
    this.#appender.write()
    if (state.isTouched || state.environment.failure !== null) {
      state.environment.guarded(`closing ${state.place.path}`, () => {
        state.active.seal()
        state.takeSnapshot(state.logEndOffset)
      })
      await this.#syncer.sync()
      await this.#syncActive()
    } else {
      // Nothing was appended, but its folder and its topic id may not be on the device: a clean start will trust them.
      await this.#syncer.sync()
    }
    this.release()
  }

  /** Lets go of files and memory as they are. */
  release(): void {
    this.state.isClosed = true
    for (const segment of this.state.segments) segment.close()
  }

  /** Epochs without batches and the indexes of the active segment: nothing that a running log has to wait for. */
  async #syncActive(): Promise<void> {
    const { state } = this
    try {
      await state.syncEpochs()
      await state.active.sync(true)
    } catch (error) {
      throw state.environment.fail(`closing ${state.place.path}`, error)
    }
  }
}
