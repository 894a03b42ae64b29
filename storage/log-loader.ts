import {
  cleanedSuffix,
  deletedSuffix,
  indexSuffix,
  logSuffix,
  offsetName,
  offsetOfName,
  snapshotSuffix,
  swapSuffix,
  timeIndexSuffix,
  txnIndexSuffix,
} from './file-names.js'
import type { LogConfig } from './log-config.js'
import type { LogEnvironment } from './log-environment.js'
import { LogState } from './log-state.js'
import type { RecoveryReport } from './log-types.js'
import { Recovery } from './recovery.js'
import { type LogPlace, Segment } from './segment.js'

export interface LoadLogOptions {
  readonly environment: LogEnvironment
  /** The folder; made if it is not there. */
  readonly path: string
  readonly topic: string
  readonly partition: number
  readonly topicId: string | null
  readonly config: LogConfig
  /** The last process that had the directory stopped cleanly. */
  readonly isClean: boolean
  /** From the checkpoint files, 0 if they do not say. */
  readonly logStartOffset: number
  readonly recoveryPoint: number
  readonly nowMs: number
  /**
   * Everything in it was on the device, so that only its end can be torn: throws LogError, and leaves the files, when
   * batches lie behind the first bad one. Otherwise they are cut off with it.
   */
  readonly isWhole?: boolean
}

export interface LoadedLog {
  readonly state: LogState
  /** null when there was nothing to recover. */
  readonly recovery: RecoveryReport | null
}

/** What a folder has for one base offset. */
interface SegmentFiles {
  hasLog: boolean
  hasIndex: boolean
  hasTimeIndex: boolean
  hasAbortedIndex: boolean
}

interface FolderContent {
  readonly segments: Map<number, SegmentFiles>
  readonly snapshots: number[]
  /** Names of files that an interrupted operation left. */
  readonly leftovers: string[]
}

/**
 * Opens one log. After a clean stop that reads next to nothing: the names, the sizes, the end of the last segment.
 * After a crash the batches beyond the recovery point are checked (see Recovery). Yields between pieces of work.
 */
export function* loadLog(options: LoadLogOptions): Generator<void, LoadedLog, void> {
  const { environment, isClean } = options
  const place: LogPlace = { path: options.path }
  let content = listFolder(environment, options.path)
  const notes: string[] = []
  if (content.leftovers.length > 0) {
    removeLeftovers(environment, place, content, notes)
    content = listFolder(environment, options.path)
  }
  removeOrphans(environment, options.path, content)
  const segments = openSegments(options, place, content)
  if (segments.length === 0) segments.push(newSegment(environment, place, options.logStartOffset, options.nowMs))
  const missing = isClean ? rebuildMissingIndexes(options.config, segments, content, notes) : []
  const state = new LogState({
    environment,
    place,
    topic: options.topic,
    partition: options.partition,
    topicId: options.topicId,
    config: options.config,
    segments,
    logStartOffset: Math.max(options.logStartOffset, segments[0]!.baseOffset),
    logEndOffset: 0,
    recoveryPoint: options.recoveryPoint,
    snapshots: content.snapshots.sort((left, right) => left - right),
    isClean,
  })
  const recovery = yield* settle(state, options, notes, missing)
  removeStraySnapshots(state)
  for (const segment of state.segments) segment.rest()
  return { state, recovery }
}

/** Finds the end of the log, by recovery if need be. */
function* settle(
  state: LogState,
  options: LoadLogOptions,
  notes: string[],
  missing: readonly Segment[],
): Generator<void, RecoveryReport | null, void> {
  let from = options.isClean ? Infinity : options.recoveryPoint
  for (const segment of state.segments) {
    if (options.isClean && segment.hasAbortedIndex && !segment.aborted.isSound()) {
      notes.push(`${segment.pathOf(txnIndexSuffix)} is damaged`)
      from = Math.min(from, segment.baseOffset)
    }
  }
  if (from === Infinity) {
    try {
      state.logEndOffset = state.active.readNextOffset()
    } catch (error) {
      if ((error as { code?: unknown }).code !== undefined) throw error
      notes.push((error as Error).message)
      from = state.active.baseOffset
    }
  }
  let report: RecoveryReport | null = null
  if (from !== Infinity) {
    report = yield* new Recovery(state, from, notes, options.isWhole ?? false).run()
  } else {
    state.recoveryPoint = state.logEndOffset
    state.checkpointedRecoveryPoint = options.recoveryPoint
    if (notes.length > 0 || missing.length > 0) report = emptyReport(state, notes)
  }
  if (state.logEndOffset < options.logStartOffset) {
    startAnew(state, options)
    notes.push(`The log ended below its start offset ${options.logStartOffset}: it is empty now`)
    report ??= emptyReport(state, notes)
  }
  return report
}

function emptyReport(state: LogState, notes: readonly string[]): RecoveryReport {
  const { topic, partition, logEndOffset } = state
  return { topic, partition, logEndOffset, scannedSegments: 0, scannedBytes: 0, truncated: null, notes }
}

function listFolder(environment: LogEnvironment, path: string): FolderContent {
  const content: FolderContent = { segments: new Map(), snapshots: [], leftovers: [] }
  for (const { name, isDirectory } of environment.disk.list(path)) {
    const offset = offsetOfName(name)
    if (isDirectory) continue
    if (offset < 0) {
      if (name.endsWith('.tmp')) content.leftovers.push(name)
      continue
    }
    const kind = name.slice(20)
    if (kind === snapshotSuffix) content.snapshots.push(offset)
    else if (kind === logSuffix) filesOf(content, offset).hasLog = true
    else if (kind === indexSuffix) filesOf(content, offset).hasIndex = true
    else if (kind === timeIndexSuffix) filesOf(content, offset).hasTimeIndex = true
    else if (kind === txnIndexSuffix) filesOf(content, offset).hasAbortedIndex = true
    else if (isLeftover(kind)) content.leftovers.push(name)
  }
  return content
}

/** Not the snapshots of the metadata log, `<offset>-<epoch>.checkpoint`: they have an owner of their own. */
function isLeftover(kind: string): boolean {
  if (kind.startsWith('-')) return false
  return (
    kind.endsWith(deletedSuffix) || kind.endsWith(cleanedSuffix) || kind.endsWith(swapSuffix) || kind.endsWith('.tmp')
  )
}

function filesOf(content: FolderContent, offset: number): SegmentFiles {
  let files = content.segments.get(offset)
  if (files === undefined) {
    files = { hasLog: false, hasIndex: false, hasTimeIndex: false, hasAbortedIndex: false }
    content.segments.set(offset, files)
  }
  return files
}

/**
 * Ends what was interrupted. Compaction writes `.cleaned` files (not finished: they go), renames them `.swap`
 * (finished: they take the place of the segments whose offsets they hold), renames the old ones `.deleted`, and the
 * new ones to their plain names. A `.swap` at or after a `.cleaned` belongs to a set that is not finished.
 */
function removeLeftovers(environment: LogEnvironment, place: LogPlace, content: FolderContent, notes: string[]): void {
  const { disk } = environment
  const cleaned = content.leftovers.filter(name => name.endsWith(cleanedSuffix))
  const firstCleaned = Math.min(...cleaned.map(offsetOfName), Infinity)
  const swaps = content.leftovers.filter(name => name.endsWith(swapSuffix) && offsetOfName(name) < firstCleaned)
  for (const name of content.leftovers) if (!swaps.includes(name)) disk.remove(`${place.path}/${name}`)
  if (swaps.length === 0) return
  let from = Infinity
  let to = -1
  for (const name of swaps.filter(candidate => candidate.endsWith(logSuffix + swapSuffix))) {
    const baseOffset = offsetOfName(name)
    const size = Math.max(0, disk.fileSize(`${place.path}/${name}`))
    const hasAbortedIndex = swaps.includes(`${offsetName(baseOffset)}${txnIndexSuffix}${swapSuffix}`)
    const options = { environment, place, baseOffset, size, createdMs: 0, hasAbortedIndex, suffix: swapSuffix }
    const segment = new Segment(options)
    from = Math.min(from, baseOffset)
    to = Math.max(to, segment.readNextOffset())
    segment.close()
  }
  for (const { name } of disk.list(place.path)) {
    const offset = offsetOfName(name)
    if (!name.endsWith(swapSuffix) && offset >= from && offset < to) disk.remove(`${place.path}/${name}`)
  }
  for (const name of swaps) {
    disk.rename(`${place.path}/${name}`, `${place.path}/${name.slice(0, -swapSuffix.length)}`)
  }
  disk.syncDirectory(place.path)
  notes.push(`An interrupted compaction was completed: ${swaps.join(', ')}`)
}

/** Indexes without batches. */
function removeOrphans(environment: LogEnvironment, path: string, content: FolderContent): void {
  for (const [offset, files] of content.segments) {
    if (files.hasLog) continue
    content.segments.delete(offset)
    for (const suffix of [indexSuffix, timeIndexSuffix, txnIndexSuffix]) {
      environment.disk.remove(`${path}/${offsetName(offset)}${suffix}`)
    }
  }
}

function openSegments(options: LoadLogOptions, place: LogPlace, content: FolderContent): Segment[] {
  const { environment, nowMs: createdMs } = options
  return [...content.segments]
    .sort((left, right) => left[0] - right[0])
    .map(([baseOffset, { hasAbortedIndex, hasIndex, hasTimeIndex }]) => {
      const size = Math.max(0, environment.disk.fileSize(`${place.path}/${offsetName(baseOffset)}${logSuffix}`))
      const segment = new Segment({ environment, place, baseOffset, size, createdMs, hasAbortedIndex })
      // Kafka takes a segment without index for one to be recovered.
      if (size === 0 && !(hasIndex && hasTimeIndex)) segment.seal()
      return segment
    })
}

/** A segment with fresh, empty files. */
export function newSegment(environment: LogEnvironment, place: LogPlace, baseOffset: number, nowMs: number): Segment {
  const segment = new Segment({ environment, place, baseOffset, size: 0, createdMs: nowMs, hasAbortedIndex: false })
  segment.createFiles()
  return segment
}

function rebuildMissingIndexes(
  config: LogConfig,
  segments: readonly Segment[],
  content: FolderContent,
  notes: string[],
): Segment[] {
  return segments.filter(segment => {
    const files = content.segments.get(segment.baseOffset)
    if (files === undefined || segment.size === 0 || (files.hasIndex && files.hasTimeIndex)) return false
    const end = segment.rebuildIndexes(config.indexIntervalBytes)
    segment.seal()
    notes.push(`The indexes of ${segment.pathOf(logSuffix)} were missing and were made anew`)
    if (end < segment.size) notes.push(segment.damaged(end).message)
    return true
  })
}

/** Batches below the start of the log are nobody's: the files were tampered with, or the checkpoint is another's. */
function startAnew(state: LogState, options: LoadLogOptions): void {
  state.noteCut(options.logStartOffset)
  for (const segment of state.segments) segment.removeFiles()
  state.removeSnapshots(() => true)
  state.segments = [newSegment(options.environment, state.place, options.logStartOffset, options.nowMs)]
  state.size = 0
  state.logStartOffset = options.logStartOffset
  state.logEndOffset = options.logStartOffset
  state.recoveryPoint = options.logStartOffset
  // Durably: offsets below the start must not be given again.
  options.environment.disk.syncDirectory(state.place.path)
  state.forgetProducers()
  state.epochs.clear()
}

/** Snapshots that belong to no segment, but for the newest of all: a clean stop made it. */
function removeStraySnapshots(state: LogState): void {
  if (state.snapshots.length === 0) return
  const bases = new Set(state.segments.map(segment => segment.baseOffset))
  const newest = state.snapshots[state.snapshots.length - 1]!
  const isStray = (offset: number) =>
    offset > state.logEndOffset || (!bases.has(offset) && (offset < newest || offset < state.active.baseOffset))
  state.removeSnapshots(isStray)
}

/** Does at once what could be done in pieces. */
export function runToEnd<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
