import * as batch from '#protocol/records/batch.js'
import type { DiskChange, SimDisk } from '../../support/sim-disk.js'
import { Violation } from './history.js'

/** A batch as it lies in the log of a node. */
export interface LoggedBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly crc: number
  /** Where it ends in its file. */
  readonly end: number
}

interface LogFile {
  readonly baseOffset: number
  size: number
  /** Bytes that the device has. */
  synced: number
  readonly batches: LoggedBatch[]
  /** Bytes of a batch that has not come whole. */
  rest: Buffer
}

/** The log of one partition in one directory of a node. */
export class NodeLog {
  readonly files = new Map<number, LogFile>()
  /** Of a copy that took the place of a log: what the device had of that, until it has the new name of the copy, too. */
  syncedEndMax = Infinity

  inOrder(): LogFile[] {
    return [...this.files.values()].sort((left, right) => left.baseOffset - right.baseOffset)
  }

  /** The batch that begins at an offset. */
  find(baseOffset: number): LoggedBatch | undefined {
    let holder: LogFile | undefined
    for (const file of this.files.values()) {
      if (file.baseOffset <= baseOffset && (holder === undefined || file.baseOffset > holder.baseOffset)) holder = file
    }
    return holder?.batches.findLast(found => found.baseOffset === baseOffset)
  }

  /** The last batch that the device has, with all before it. */
  get lastSynced(): LoggedBatch | undefined {
    let last: LoggedBatch | undefined
    for (const file of this.inOrder()) {
      const { batches, synced } = file
      const whole = batches.length === 0 || batches.at(-1)!.end <= synced
      const found = whole ? batches.at(-1) : batches.findLast(each => each.end <= synced)
      if (found !== undefined) last = found
      if (!whole) break
    }
    return last
  }

  /** Batches from the one that begins at an offset on. */
  *batchesFrom(offset: number): Generator<LoggedBatch> {
    const files = this.inOrder()
    for (const [index, file] of files.entries()) {
      const next = files[index + 1]
      if (next !== undefined && next.baseOffset <= offset) continue
      for (const found of file.batches) if (found.baseOffset >= offset) yield found
    }
  }

  /** The offset from which on another log has something else than this one; Infinity when it has not. */
  partsFrom(other: NodeLog): number {
    const epochs = new Map(other.batches().map(({ baseOffset, leaderEpoch }) => [baseOffset, leaderEpoch]))
    const { start, end } = other
    const parted = this.batches().find(
      each => each.baseOffset >= start && each.baseOffset < end && epochs.get(each.baseOffset) !== each.leaderEpoch,
    )
    return parted?.baseOffset ?? Infinity
  }

  /** All batches, in the order of their offsets. */
  batches(): LoggedBatch[] {
    return this.inOrder().flatMap(file => file.batches)
  }

  /** The offset of the first batch; that behind the end if there is none. */
  get start(): number {
    return this.batches()[0]?.baseOffset ?? this.end
  }

  /** The offset behind the last batch. */
  get end(): number {
    let end = 0
    for (const file of this.files.values()) {
      end = Math.max(end, (file.batches.at(-1)?.lastOffset ?? file.baseOffset - 1) + 1)
    }
    return end
  }

  /** The first offset that a loss of power may take. */
  get syncedEnd(): number {
    const files = this.inOrder()
    let end = files[0]?.baseOffset ?? 0
    for (const file of files) {
      for (const { lastOffset, end: at } of file.batches) {
        if (at > file.synced) return Math.min(end, this.syncedEndMax)
        end = lastOffset + 1
      }
    }
    return Math.min(end, this.syncedEndMax)
  }
}

const LOG_FILE = /^(.*)\/(\d{20})\.log$/
const FOLDER = /^(.*)\/([^/]+-\d+)(\.[0-9a-f]+-future)?$/

/** A folder of a log: the one that has the name of its partition, or a copy that is to take its place. */
interface FolderPlace {
  readonly directory: string
  readonly partition: string
  readonly isFuture: boolean
}

interface FilePlace extends FolderPlace {
  readonly baseOffset: number
}

/** The logs of a node by partition, then by directory. */
type HeldLogs = Map<string, Map<string, NodeLog>>

interface NodeLogs {
  readonly logs: HeldLogs
  /** Copies that are to replace a log (AlterReplicaLogDirs). */
  readonly futures: HeldLogs
}

export interface LogEvents {
  /** A node has written a batch. */
  written(nodeId: number, partition: string, found: LoggedBatch, bytes: Buffer, position: number): void
  /** A node has cut these batches off its log. */
  cutOff(nodeId: number, partition: string, batches: readonly LoggedBatch[]): void
  /** The device of a node has more of a log. */
  synced(nodeId: number, partition: string): void
  /** The copy of a log in another directory has taken its place. */
  promoted(): void
}

/**
 * Watches the files of all nodes.
 *
 * Log matching: two batches with the same base offset and leader epoch are the same, on whatever nodes they lie and
 * whenever they were written.
 * One leader an epoch: what is new in an epoch of a partition always comes to light on the same node.
 */
export class LogWatcher {
  events: LogEvents = { written: () => {}, cutOff: () => {}, synced: () => {}, promoted: () => {} }
  /** In which directory the controller knows a replica: told by who knows the metadata. */
  directoryOf: (nodeId: number, partition: string) => string = () => ''
  readonly #nodes = new Map<number, NodeLogs>()
  /** Batches of compacted partitions as they were found in files: what compaction has left of them, too. */
  readonly #thinned = new Set<string>()
  /** By partition and base offset, one for each epoch. */
  readonly #seen = new Map<string, Map<number, LoggedBatch[]>>()
  /** Where the first batch of an epoch was written, by partition and epoch. */
  readonly #leaders = new Map<string, number>()

  /**
   * The log of a partition on a node. Where a move between directories has left two it is the one in the directory that
   * the controller knows; so is a copy, where there is nothing else any more.
   */
  log(nodeId: number, partition: string): NodeLog | undefined {
    const { logs, futures } = this.#of(nodeId)
    const held = logs.get(partition)
    if (held !== undefined && held.size === 1) return held.values().next().value
    if (held !== undefined && held.size > 1) {
      const assigned = held.get(this.directoryOf(nodeId, partition))
      return assigned ?? held.get([...held.keys()].sort()[0]!)
    }
    return futures.get(partition)?.get(this.directoryOf(nodeId, partition))
  }

  /** The log of each partition on a node. */
  *partitionsOf(nodeId: number): Generator<readonly [string, NodeLog]> {
    const { logs, futures } = this.#of(nodeId)
    for (const partition of new Set([...logs.keys(), ...futures.keys()])) {
      const log = this.log(nodeId, partition)
      if (log !== undefined) yield [partition, log]
    }
  }

  #of(nodeId: number): NodeLogs {
    let found = this.#nodes.get(nodeId)
    if (found === undefined) this.#nodes.set(nodeId, (found = { logs: new Map(), futures: new Map() }))
    return found
  }

  changed(nodeId: number, disk: SimDisk, change: DiskChange): void {
    if (change.kind === 'rename') return this.#renamed(nodeId, disk, change.path, change.to)
    if (change.kind === 'remove') return this.#removed(nodeId, change.path)
    if (change.kind === 'sync folder') return this.#namesSynced(nodeId, change.path)
    const place = placeOf(change.path)
    if (place === null) return
    const { partition, isFuture } = place
    // What is under way when a folder gets another name ends under the old one.
    if (change.kind === 'sync' && this.#fileIfAny(nodeId, place) === undefined) return
    const file = this.#file(nodeId, place)
    if (change.kind === 'create') return
    if (change.kind === 'sync') {
      file.synced = Math.max(file.synced, Math.min(change.size, file.size))
      if (!isFuture) this.events.synced(nodeId, partition)
    } else if (change.kind === 'truncate') {
      file.size = change.size
      file.synced = Math.min(file.synced, change.size)
      file.rest = Buffer.alloc(0)
      const cut: LoggedBatch[] = []
      while (file.batches.length > 0 && file.batches.at(-1)!.end > change.size) cut.push(file.batches.pop()!)
      if (cut.length > 0 && !isFuture) this.events.cutOff(nodeId, partition, cut)
    } else if (change.position === file.size) {
      this.#append(nodeId, place, file, change.bytes, !(isFuture && isCompacted(partition)))
    }
  }

  /** Looks at all files of a disk anew. */
  rescan(nodeId: number, disk: SimDisk, directories: readonly string[]): void {
    this.#nodes.delete(nodeId)
    for (const path of directories) if (disk.exists(path)) this.#scanFolder(nodeId, disk, path)
  }

  #scanFolder(nodeId: number, disk: SimDisk, folder: string): void {
    for (const { name, isDirectory } of disk.list(folder)) {
      const path = `${folder}/${name}`
      if (isDirectory) this.#scanFolder(nodeId, disk, path)
      else this.#scanFile(nodeId, disk, path)
    }
  }

  #scanFile(nodeId: number, disk: SimDisk, path: string): void {
    const place = placeOf(path)
    if (place === null) return
    const log = this.#log(nodeId, place)
    log.files.delete(place.baseOffset)
    const file = this.#file(nodeId, place)
    const bytes = disk.readFile(path)
    // Compaction takes records out of batches.
    this.#append(nodeId, place, file, bytes, !isCompacted(place.partition))
    file.synced = file.size
  }

  #held(nodeId: number, { partition, isFuture }: FolderPlace): Map<string, NodeLog> {
    const { logs, futures } = this.#of(nodeId)
    const all = isFuture ? futures : logs
    let held = all.get(partition)
    if (held === undefined) all.set(partition, (held = new Map()))
    return held
  }

  #log(nodeId: number, place: FolderPlace): NodeLog {
    const held = this.#held(nodeId, place)
    let log = held.get(place.directory)
    if (log === undefined) held.set(place.directory, (log = new NodeLog()))
    return log
  }

  #fileIfAny(nodeId: number, place: FilePlace): LogFile | undefined {
    return this.#held(nodeId, place).get(place.directory)?.files.get(place.baseOffset)
  }

  #file(nodeId: number, place: FilePlace): LogFile {
    const { baseOffset } = place
    const { files } = this.#log(nodeId, place)
    let file = files.get(baseOffset)
    if (file === undefined) {
      file = { baseOffset, size: 0, synced: 0, batches: [], rest: Buffer.alloc(0) }
      files.set(baseOffset, file)
    }
    return file
  }

  #append(nodeId: number, place: FilePlace, file: LogFile, bytes: Buffer, matches: boolean): void {
    const { partition, isFuture } = place
    const start = file.size - file.rest.length
    const all = file.rest.length === 0 ? bytes : Buffer.concat([file.rest, bytes])
    file.size += bytes.length
    let at = 0
    while (at + batch.batchHeaderBytes <= all.length) {
      const size = batch.sizeInBytes(all, at)
      if (size < batch.batchHeaderBytes || at + size > all.length) break
      if (batch.storedCrc(all, at) !== batch.computedCrc(all, at)) break
      const found = {
        baseOffset: batch.baseOffset(all, at),
        lastOffset: batch.lastOffset(all, at),
        leaderEpoch: batch.partitionLeaderEpoch(all, at),
        crc: batch.storedCrc(all, at),
        end: start + at + size,
      }
      file.batches.push(found)
      if (matches) this.#match(nodeId, partition, found)
      else this.#thinned.add(thinnedKey(partition, found))
      if (!isFuture) this.events.written(nodeId, partition, found, all, at)
      at += size
    }
    file.rest = Buffer.from(all.subarray(at))
  }

  #match(nodeId: number, partition: string, found: LoggedBatch): void {
    let offsets = this.#seen.get(partition)
    if (offsets === undefined) this.#seen.set(partition, (offsets = new Map()))
    const known = offsets.get(found.baseOffset)
    const same = known?.find(other => other.leaderEpoch === found.leaderEpoch)
    if (same === undefined) {
      if (known === undefined) offsets.set(found.baseOffset, [found])
      else known.push(found)
      this.#expectLeader(nodeId, partition, found)
    } else if (this.#thinned.has(thinnedKey(partition, found))) {
      // From a leader that has compacted it.
    } else if (same.crc !== found.crc || same.lastOffset !== found.lastOffset) {
      throw new Violation(
        `log matching: node ${nodeId} has in ${partition} at ${found.baseOffset} another batch of epoch ` +
          `${found.leaderEpoch} than was written before`,
      )
    }
  }

  #expectLeader(nodeId: number, partition: string, { leaderEpoch, baseOffset }: LoggedBatch): void {
    const key = `${partition} ${leaderEpoch}`
    const leader = this.#leaders.get(key)
    if (leader === undefined) this.#leaders.set(key, nodeId)
    else if (leader !== nodeId) {
      const text = `node ${nodeId} writes at ${baseOffset} of ${partition} in epoch ${leaderEpoch}, which ${leader} leads`
      throw new Violation(`one leader an epoch: ${text}`)
    }
  }

  #renamed(nodeId: number, disk: SimDisk, from: string, to: string): void {
    const before = folderOf(from)
    const after = folderOf(to)
    if (before?.isFuture === true && after?.isFuture === false) return this.#promoted(nodeId, before, after)
    this.#removed(nodeId, from)
    if (placeOf(to) !== null) this.#scanFile(nodeId, disk, to)
    else if (after !== null && disk.exists(to) && disk.fileSize(to) < 0) this.#scanFolder(nodeId, disk, to)
  }

  /** A copy takes the place of its log: where its name is not on the device, a loss of power brings the old log back. */
  #promoted(nodeId: number, before: FolderPlace, after: FolderPlace): void {
    const copies = this.#held(nodeId, before)
    const log = copies.get(before.directory) ?? new NodeLog()
    const old = this.log(nodeId, after.partition)
    copies.delete(before.directory)
    if (old !== undefined && old !== log) log.syncedEndMax = old.syncedEnd
    this.#held(nodeId, after).set(after.directory, log)
    this.events.promoted()
  }

  #namesSynced(nodeId: number, directory: string): void {
    for (const held of this.#of(nodeId).logs.values()) {
      const log = held.get(directory)
      if (log !== undefined) log.syncedEndMax = Infinity
    }
  }

  #removed(nodeId: number, path: string): void {
    const place = placeOf(path)
    if (place !== null) {
      this.#held(nodeId, place).get(place.directory)?.files.delete(place.baseOffset)
      return
    }
    const folder = folderOf(path)
    if (folder !== null) this.#held(nodeId, folder).delete(folder.directory)
  }
}

function thinnedKey(partition: string, { baseOffset, leaderEpoch, crc }: LoggedBatch): string {
  return `${partition} ${baseOffset} ${leaderEpoch} ${crc}`
}

function isCompacted(partition: string): boolean {
  return partition.startsWith('__consumer_offsets')
}

function placeOf(path: string): FilePlace | null {
  const match = LOG_FILE.exec(path)
  const folder = match === null ? null : folderOf(match[1]!)
  return folder === null ? null : { ...folder, baseOffset: Number(match![2]) }
}

function folderOf(path: string): FolderPlace | null {
  const match = FOLDER.exec(path)
  if (match === null) return null
  return { directory: match[1]!, partition: match[2]!, isFuture: match[3] !== undefined }
}
