import {
  cleanerCheckpointName,
  formatPartitionMetadata,
  highWatermarkCheckpointName,
  logStartCheckpointName,
  readPartitionMetadata,
  recoveryPointCheckpointName,
} from './checkpoint.js'
import { CheckpointFile } from './checkpoint-file.js'
import { type CleanShutdown, readCleanShutdown, removeCleanShutdown, writeCleanShutdown } from './clean-shutdown.js'
import type { Disk, Lock } from './disk.js'
import { makeDurableDirectory } from './durable-directory.js'
import { type FolderState, folderName, markedFolderName, parseFolderName, partitionMetadataName } from './file-names.js'
import { PartitionLog } from './log.js'
import type { LogConfig } from './log-config.js'
import { LogEnvironment } from './log-environment.js'
import { LogError } from './log-error.js'
import { loadLog, newSegment, runToEnd } from './log-loader.js'
import { LogState } from './log-state.js'
import type { CreateLogOptions, RecoveryReport } from './log-types.js'
import { type MetaProperties, readMetaProperties, writeMetaProperties } from './meta-properties.js'
import type { Removals } from './removals.js'

export interface LogDirectoryOptions {
  readonly disk: Disk
  /** One of `log.dirs`; made if it is not there. */
  readonly path: string
  /** Called once, when an I/O error takes the directory offline. */
  readonly onFailure?: (directory: LogDirectory, error: Error) => void
  /** Called with a file that could not be understood, and why: what it said is told anew from the records. */
  readonly onRestored?: (path: string, why: string) => void
  /** Records are taken to be in the page cache until this many bytes were appended after them. 1 GiB unless given. */
  readonly recentBytesMax?: number
}

export interface LoadReport {
  readonly logs: number
  /** Of logs that were not as a clean stop leaves them. */
  readonly recoveries: readonly RecoveryReport[]
  /** Folders that belong to no log (`-stray`, names of nothing), left alone. */
  readonly ignored: readonly string[]
  /** What else had to be put right, as sentences. */
  readonly notes: readonly string[]
}

const lockName = '.lock'
const metadataTopic = '__cluster_metadata'
/** Kafka's, for tiered storage. */
const remoteIndexCacheName = 'remote-log-index-cache'
const recentBytesDefault = 1024 * 1024 * 1024
/** Logs that are closed at a time. */
const closingMax = 16

/** Takes the lock and reads what the directory says of itself. Throws LogError with file and remedy in the message. */
export function openLogDirectory(options: LogDirectoryOptions): LogDirectory {
  const { disk, path } = options
  let lock: Lock | null
  try {
    if (!disk.exists(path)) makeDurableDirectory(disk, path) // else it was made durable when it was formatted
    lock = disk.lock(`${path}/${lockName}`)
  } catch (error) {
    const text = `${path} cannot be written to (${(error as Error).message}). Mend its rights, or change log.dirs.`
    throw new LogError('KAFKA_STORAGE_ERROR', text, { cause: error })
  }
  if (lock === null) {
    const text = `${path}/${lockName} is locked: another broker, Ottla or Kafka, is using the directory.`
    throw new LogError('KAFKA_STORAGE_ERROR', `${text} Stop it, or change log.dirs.`)
  }
  try {
    return new LogDirectory(options, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

/**
 * One of `log.dirs`: the logs in it, the files that they share, and their common fate. Made by `openLogDirectory`;
 * `load` then opens the partitions.
 */
export class LogDirectory {
  /** As in `log.dirs`. */
  readonly path: string
  /** How admin tools name it. */
  readonly absolutePath: string
  readonly #environment: LogEnvironment
  readonly #disk: Disk
  readonly #lock: Lock
  readonly #logs = new Map<string, PartitionLog>()
  readonly #futures = new Map<string, PartitionLog>()
  readonly #recoveryPoints: CheckpointFile
  readonly #logStarts: CheckpointFile
  readonly #highWatermarks: CheckpointFile
  readonly #cleanerOffsets: CheckpointFile
  #metadataLog: PartitionLog | null = null
  #metaProperties: MetaProperties | null
  /** Names of folders whose log is gone but which the checkpoint files still name: not to be given to another log. */
  readonly #staleNames = new Set<string>()
  #uniqueNames = 0
  /** All logs are open: what a clean stop says of the directory, it says of each of them. */
  #isLoaded = false
  #isClosed = false
  readonly #cleanShutdown: CleanShutdown | null

  constructor(options: LogDirectoryOptions, lock: Lock) {
    this.path = options.path
    this.absolutePath = options.disk.absolute(options.path)
    this.#disk = options.disk
    this.#lock = lock
    const file = (name: string) => new CheckpointFile(options.disk, `${options.path}/${name}`)
    this.#environment = new LogEnvironment({
      disk: options.disk,
      path: options.path,
      recentBytesMax: options.recentBytesMax ?? recentBytesDefault,
      onFailure: error => options.onFailure?.(this, error),
      onRestored: (path, why) => options.onRestored?.(path, why),
      checkpointRecoveryPoints: () => this.#writeRecoveryPoints(),
      cleanerOffsets: (this.#cleanerOffsets = file(cleanerCheckpointName)),
    })
    this.#recoveryPoints = file(recoveryPointCheckpointName)
    this.#logStarts = file(logStartCheckpointName)
    this.#highWatermarks = file(highWatermarkCheckpointName)
    this.#metaProperties = readMetaProperties(options.disk, options.path)
    this.#cleanShutdown = readCleanShutdown(options.disk, options.path)
  }

  get metaProperties(): MetaProperties | null {
    return this.#metaProperties
  }

  /** Why the directory cannot be used any more; null while all is well. */
  get offline(): Error | null {
    return this.#environment.failure
  }

  /** Let go of: nothing of it may be touched any more. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whether the last process stopped cleanly. */
  get wasCleanShutdown(): boolean {
    return this.#cleanShutdown !== null
  }

  /** The broker epoch of the process that stopped cleanly; -1: not known. */
  get lastBrokerEpoch(): number {
    return this.#cleanShutdown?.brokerEpoch ?? -1
  }

  writeMetaProperties(properties: MetaProperties): void {
    this.#guarded('writing meta.properties', () => writeMetaProperties(this.#disk, this.path, properties))
    this.#metaProperties = { ...properties, version: 1 }
  }

  /**
   * Opens all partitions but that of `__cluster_metadata`. A generator that yields between pieces of work (a
   * partition, some MiB of recovery), so that the caller can let others run; it ends with the report. An error of the
   * disk takes the directory offline.
   */
  *load(configOf: (topic: string) => LogConfig, nowMs: number): Generator<void, LoadReport, void> {
    const recoveries: RecoveryReport[] = []
    const ignored: string[] = []
    const notes: string[] = []
    try {
      removeCleanShutdown(this.#disk, this.path)
      const files = [this.#recoveryPoints, this.#logStarts, this.#highWatermarks, this.#cleanerOffsets]
      for (const file of files) file.load(notes)
      for (const { name, isDirectory } of this.#disk.list(this.path)) {
        if (!isDirectory || name === remoteIndexCacheName) continue
        const folder = parseFolderName(name)
        if (folder?.state === 'delete') this.removals.add(`${this.path}/${name}`, nowMs, true)
        else if (folder === null || folder.state === 'stray') ignored.push(name)
        else if (folder.topic !== metadataTopic || folder.state !== null) {
          const options = { ...folder, name, config: configOf(folder.topic), nowMs, isClean: this.wasCleanShutdown }
          const recovery = yield* this.#loadOne(options)
          if (recovery !== null) recoveries.push(recovery)
        }
      }
      // A process that was killed may have left lines of logs that it had deleted.
      const named = files.flatMap(file => [...file.offsets.keys()])
      for (const name of named) if (!this.#logs.has(name)) this.#staleNames.add(name)
      this.#isLoaded = true
    } catch (error) {
      throw this.#environment.fail(`loading ${this.path}`, error)
    }
    return { logs: this.#logs.size + this.#futures.size, recoveries, ignored, notes }
  }

  get(topic: string, partition: number): PartitionLog | undefined {
    return this.#logs.get(folderName(topic, partition))
  }

  /** The copy that is to replace the log of another directory. */
  getFuture(topic: string, partition: number): PartitionLog | undefined {
    return this.#futures.get(folderName(topic, partition))
  }

  /** Without futures and `__cluster_metadata`. */
  logs(): IterableIterator<PartitionLog> {
    return this.#logs.values()
  }

  futureLogs(): IterableIterator<PartitionLog> {
    return this.#futures.values()
  }

  /**
   * Makes the log of a partition, or returns the one that is there. INCONSISTENT_TOPIC_ID if that belongs to another
   * topic of the same name.
   */
  create(options: CreateLogOptions): PartitionLog {
    const { topic, partition, topicId, isFuture = false } = options
    const logs = isFuture ? this.#futures : this.#logs
    const plain = folderName(topic, partition)
    const known = logs.get(plain)
    if (known !== undefined) return this.#named(known, topicId)
    const name = isFuture ? this.#freeName(topic, partition, 'future', options.nowMs) : plain
    const log = this.#guarded(`creating ${name}`, () => {
      if (this.#staleNames.has(name)) this.#forgetStaleNames()
      if (this.#disk.exists(`${this.path}/${name}`)) return this.#reopen(name, options)
      return this.#make(`${this.path}/${name}`, options)
    })
    logs.set(plain, this.#named(log, topicId))
    return log
  }

  /**
   * Opens (or makes) the log of `__cluster_metadata`, of which every batch is checked, as Kafka does. Throws LogError
   * when batches are bad that cannot come of a crash: without them, partitions would be taken for nobody's.
   */
  openMetadataLog(options: CreateLogOptions): { readonly log: PartitionLog; readonly recovery: RecoveryReport | null } {
    const name = folderName(options.topic, options.partition)
    const path = `${this.path}/${name}`
    const opened = this.#guarded(`opening ${path}`, () => {
      if (!this.#disk.exists(path)) return { log: this.#make(path, options), recovery: null }
      const steps = loadLog({
        ...options,
        environment: this.#environment,
        path,
        topicId: readPartitionMetadata(this.#disk, `${path}/${partitionMetadataName}`) ?? options.topicId,
        isClean: false,
        logStartOffset: 0,
        recoveryPoint: 0,
        isWhole: this.wasCleanShutdown,
      })
      const { state, recovery } = runToEnd(steps)
      return { log: new PartitionLog(state), recovery }
    })
    this.#metadataLog = opened.log
    return opened
  }

  /** Renames the folder to `-delete`, to be removed `file.delete.delay.ms` later; the name is free at once. */
  deleteLog(log: PartitionLog, nowMs: number): void {
    const to = this.#retire(log, 'delete', nowMs)
    const appendedBytes = log.state.segments.reduce((sum, segment) => sum + segment.appendedBytes, 0)
    this.removals.add(to, nowMs + log.config.fileDeleteDelayMs, true, appendedBytes)
  }

  /** Renames the folder to `-stray` and forgets the log: nobody knows whose it is. */
  markStray(log: PartitionLog, nowMs: number): void {
    this.#retire(log, 'stray', nowMs)
  }

  /** The future log takes the plain name; the log that has it here is deleted. */
  promoteFuture(log: PartitionLog, nowMs: number): void {
    const name = folderName(log.topic, log.partition)
    const old = this.#logs.get(name)
    if (old !== undefined) this.deleteLog(old, nowMs)
    this.#guarded(`renaming ${log.directoryPath}`, () => {
      if (this.#staleNames.has(name)) this.#forgetStaleNames()
      this.#rename(log, name)
    })
    this.#futures.delete(name)
    this.#logs.set(name, log)
  }

  /** Files and folders whose delay is not over yet. */
  get removals(): Removals {
    return this.#environment.removals
  }

  /** High watermarks as they were last written, by `topic-partition`. */
  get checkpointedHighWatermarks(): ReadonlyMap<string, number> {
    return this.#highWatermarks.offsets
  }

  /** First offsets that compaction has not seen, by `topic-partition`. */
  get cleanerOffsets(): ReadonlyMap<string, number> {
    return this.#cleanerOffsets.offsets
  }

  /** Writes recovery points and log start offsets. */
  checkpoint(): void {
    this.#guarded('writing checkpoints', () => {
      this.#writeRecoveryPoints()
      const moved = [...this.#logs.values()].filter(log => log.state.hasOwnStart)
      this.#logStarts.write(moved.map(log => lineOf(log, log.logStartOffset)))
      if (this.#staleNames.size > 0) this.#forgetStaleNames()
    })
  }

  /** null: nobody has asked for the log yet, and what the file says of it stays. Resolves when they are durable. */
  checkpointHighWatermarks(highWatermarkOf: (log: PartitionLog) => number | null): Promise<void> {
    const linesNow = () =>
      [...this.#logs].flatMap(([name, log]) => {
        const offset = highWatermarkOf(log) ?? this.#highWatermarks.offsets.get(name)
        return offset === undefined ? [] : [lineOf(log, offset)]
      })
    return this.#environment.guardedAsync('writing high watermarks', () => this.#highWatermarks.writeAsync(linesNow))
  }

  /** Notes how far compaction has come with a log. */
  checkpointCleanerOffset(log: PartitionLog, offset: number): void {
    const lines = [...this.#logs.values()].flatMap(other => {
      const known = other === log ? offset : this.#cleanerOffsets.offsets.get(folderName(other.topic, other.partition))
      return known === undefined ? [] : [lineOf(other, known)]
    })
    this.#guarded('writing cleaner offsets', () => this.#cleanerOffsets.write(lines))
  }

  space(): { totalBytes: number; usableBytes: number } {
    return this.#guarded('asking for space', () => this.#disk.space(this.path))
  }

  /**
   * Flushes and closes all logs, writes checkpoints and, last, the clean-shutdown marker with the broker's epoch (-1:
   * not known); lets the lock go. An offline directory is just let go of. A directory whose logs were not all opened,
   * because the node was stopped before it had heard of the cluster, stays as the process before left it: checked by
   * the next one if that process crashed.
   */
  async close(brokerEpoch: number, highWatermarkOf: (log: PartitionLog) => number | null): Promise<void> {
    if (this.#isClosed) return
    try {
      if (this.offline !== null) return
      await this.#closeLogs()
      if (!this.#isLoaded) return
      this.checkpoint()
      await this.checkpointHighWatermarks(highWatermarkOf)
      this.#guarded('writing the clean-shutdown marker', () => writeCleanShutdown(this.#disk, this.path, brokerEpoch))
    } finally {
      this.abandon()
    }
  }

  /** Lets go of everything as it is, as a crash would. */
  abandon(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const log of this.#all()) log.release()
    this.#lock.release()
  }

  *#all(): Generator<PartitionLog, void, void> {
    yield* this.#logs.values()
    yield* this.#futures.values()
    if (this.#metadataLog !== null) yield this.#metadataLog
  }

  async #closeLogs(): Promise<void> {
    const all = this.#all()
    const worker = async () => {
      for (const log of all) await log.close()
    }
    await Promise.all(Array.from({ length: closingMax }, worker))
    await this.#environment.syncNames()
  }

  #guarded<T>(action: string, run: () => T): T {
    return this.#environment.guarded(action, run)
  }

  *#loadOne(options: LoadOneOptions): Generator<void, RecoveryReport | null, void> {
    const { topic, partition, config, nowMs, isClean, name } = options
    const plain = folderName(topic, partition)
    const path = `${this.path}/${name}`
    const { state, recovery } = yield* loadLog({
      environment: this.#environment,
      path,
      topic,
      partition,
      topicId: readPartitionMetadata(this.#disk, `${path}/${partitionMetadataName}`),
      config,
      nowMs,
      isClean,
      // The checkpoint files speak of the log that has the plain name.
      logStartOffset: name === plain ? (this.#logStarts.offsets.get(plain) ?? 0) : 0,
      recoveryPoint: name === plain ? (this.#recoveryPoints.offsets.get(plain) ?? 0) : 0,
    })
    const logs = name === plain ? this.#logs : this.#futures
    logs.set(plain, new PartitionLog(state))
    yield
    return recovery
  }

  /** A folder that is there though no log of it is open. */
  #reopen(name: string, options: CreateLogOptions): PartitionLog {
    runToEnd(this.#loadOne({ ...options, name, isClean: false }))
    return this.#logs.get(name)!
  }

  /** A log whose folder does not say whose it is gets its id now: its records were never anybody else's. */
  #named(log: PartitionLog, topicId: string): PartitionLog {
    if (log.topicId === null) this.#guarded('writing a topic id', () => this.#writeTopicId(log.state, topicId))
    if (log.topicId === topicId) return log
    const text = `${log.directoryPath} belongs to topic id ${log.topicId}, not to ${topicId}`
    throw new LogError('INCONSISTENT_TOPIC_ID', text)
  }

  #make(path: string, options: CreateLogOptions): PartitionLog {
    this.#disk.makeDirectory(path)
    const place = { path }
    const state = new LogState({
      environment: this.#environment,
      place,
      topic: options.topic,
      partition: options.partition,
      topicId: options.topicId,
      config: options.config,
      segments: [newSegment(this.#environment, place, 0, options.nowMs)],
      logStartOffset: 0,
      logEndOffset: 0,
      recoveryPoint: 0,
      snapshots: [],
      isClean: false,
    })
    this.#writeTopicId(state, options.topicId)
    this.#environment.namesChanged()
    return new PartitionLog(state)
  }

  /** Readable at once, durable before any record counts as flushed: see `formatPartitionMetadata`. */
  #writeTopicId(state: LogState, topicId: string): void {
    this.#disk.writeFile(state.pathOf(partitionMetadataName), formatPartitionMetadata(topicId))
    state.topicId = topicId
    state.isMetadataDurable = false
    state.namesChanged()
  }

  #retire(log: PartitionLog, folderState: FolderState, nowMs: number): string {
    const name = folderName(log.topic, log.partition)
    const to = this.#freeName(log.topic, log.partition, folderState, nowMs)
    log.release()
    this.#guarded(`renaming ${log.directoryPath}`, () => this.#rename(log, to))
    if (this.#logs.get(name) === log) {
      this.#logs.delete(name)
      this.#staleNames.add(name)
    } else this.#futures.delete(name)
    return `${this.path}/${to}`
  }

  #rename(log: PartitionLog, name: string): void {
    const { place, segments } = log.state
    const from = place.path
    const to = `${this.path}/${name}`
    // Handles know their old path: they are let go of, and come back by the new one.
    for (const segment of segments) segment.close()
    this.#disk.rename(from, to)
    place.path = to
    this.removals.follow(from, to)
    this.#environment.namesChanged()
  }

  #freeName(topic: string, partition: number, folderState: FolderState, nowMs: number): string {
    for (;;) {
      const time = Math.floor(nowMs).toString(16).padStart(16, '0')
      const unique = time + (this.#uniqueNames++).toString(16).padStart(16, '0')
      const name = markedFolderName(topic, partition, unique, folderState)
      if (!this.#disk.exists(`${this.path}/${name}`)) return name
    }
  }

  #writeRecoveryPoints(): void {
    const logs = [...this.#logs.values()]
    this.#recoveryPoints.write(logs.map(log => lineOf(log, log.recoveryPoint)))
    for (const log of logs) log.state.checkpointedRecoveryPoint = log.recoveryPoint
  }

  /** Before a name is used again, the checkpoint files must not say anything of the log that had it before. */
  #forgetStaleNames(): void {
    this.#writeRecoveryPoints()
    for (const file of [this.#logStarts, this.#highWatermarks, this.#cleanerOffsets]) file.removeAll(this.#staleNames)
    this.#staleNames.clear()
  }
}

interface LoadOneOptions {
  readonly topic: string
  readonly partition: number
  readonly name: string
  readonly config: LogConfig
  readonly nowMs: number
  readonly isClean: boolean
}

function lineOf(log: PartitionLog, offset: number) {
  return { topic: log.topic, partition: log.partition, offset }
}
