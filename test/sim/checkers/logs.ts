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

/** The log of one partition on one node. */
export class NodeLog {
  readonly files = new Map<number, LogFile>()

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
    const { end } = other
    const parted = this.batches().find(
      each => each.baseOffset < end && epochs.get(each.baseOffset) !== each.leaderEpoch,
    )
    return parted?.baseOffset ?? Infinity
  }

  /** All batches, in the order of their offsets. */
  batches(): LoggedBatch[] {
    return this.inOrder().flatMap(file => file.batches)
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
    let end = 0
    for (const file of this.inOrder()) {
      for (const { lastOffset, end: at } of file.batches) {
        if (at > file.synced) return end
        end = lastOffset + 1
      }
    }
    return end
  }
}

const LOG_FILE = /\/([^/]+)\/(\d{20})\.log$/
const PARTITION = /^(.+)-\d+$/

export interface LogEvents {
  /** A node has written a batch. */
  written(nodeId: number, partition: string, found: LoggedBatch, bytes: Buffer, position: number): void
  /** A node has cut these batches off its log. */
  cutOff(nodeId: number, partition: string, batches: readonly LoggedBatch[]): void
  /** The device of a node has more of a log. */
  synced(nodeId: number, partition: string): void
}

/**
 * Watches the files of all nodes.
 *
 * Log matching: two batches with the same base offset and leader epoch are the same, on whatever nodes they lie and
 * whenever they were written.
 * One leader an epoch: what is new in an epoch of a partition always comes to light on the same node.
 */
export class LogWatcher {
  events: LogEvents = { written: () => {}, cutOff: () => {}, synced: () => {} }
  readonly #nodes = new Map<number, Map<string, NodeLog>>()
  /** By partition and base offset, one for each epoch. */
  readonly #seen = new Map<string, Map<number, LoggedBatch[]>>()
  /** Where the first batch of an epoch was written, by partition and epoch. */
  readonly #leaders = new Map<string, number>()

  partitionsOf(nodeId: number): ReadonlyMap<string, NodeLog> {
    let found = this.#nodes.get(nodeId)
    if (found === undefined) this.#nodes.set(nodeId, (found = new Map()))
    return found
  }

  log(nodeId: number, partition: string): NodeLog | undefined {
    return this.#nodes.get(nodeId)?.get(partition)
  }

  changed(nodeId: number, disk: SimDisk, change: DiskChange): void {
    if (change.kind === 'rename') return this.#renamed(nodeId, disk, change.path, change.to)
    if (change.kind === 'remove') return this.#removed(nodeId, change.path)
    const place = placeOf(change.path)
    if (place === null) return
    const file = this.#file(nodeId, place.partition, place.baseOffset)
    if (change.kind === 'sync') {
      file.synced = Math.max(file.synced, Math.min(change.size, file.size))
      this.events.synced(nodeId, place.partition)
    } else if (change.kind === 'truncate') {
      file.size = change.size
      file.synced = Math.min(file.synced, change.size)
      file.rest = Buffer.alloc(0)
      const cut: LoggedBatch[] = []
      while (file.batches.length > 0 && file.batches.at(-1)!.end > change.size) cut.push(file.batches.pop()!)
      if (cut.length > 0) this.events.cutOff(nodeId, place.partition, cut)
    } else if (change.position === file.size) {
      this.#append(nodeId, place.partition, file, change.bytes)
    }
  }

  /** Looks at all files of a disk anew. */
  rescan(nodeId: number, disk: SimDisk): void {
    this.#nodes.set(nodeId, new Map())
    if (disk.exists('/data')) this.#scanFolder(nodeId, disk, '/data')
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
    const log = this.#log(nodeId, place.partition)
    log.files.delete(place.baseOffset)
    const file = this.#file(nodeId, place.partition, place.baseOffset)
    const bytes = disk.readFile(path)
    // Compaction takes records out of batches.
    this.#append(nodeId, place.partition, file, bytes, !place.partition.startsWith('__consumer_offsets'))
    file.synced = file.size
  }

  #log(nodeId: number, partition: string): NodeLog {
    const logs = this.partitionsOf(nodeId) as Map<string, NodeLog>
    let log = logs.get(partition)
    if (log === undefined) logs.set(partition, (log = new NodeLog()))
    return log
  }

  #file(nodeId: number, partition: string, baseOffset: number): LogFile {
    const { files } = this.#log(nodeId, partition)
    let file = files.get(baseOffset)
    if (file === undefined) {
      file = { baseOffset, size: 0, synced: 0, batches: [], rest: Buffer.alloc(0) }
      files.set(baseOffset, file)
    }
    return file
  }

  #append(nodeId: number, partition: string, file: LogFile, bytes: Buffer, matches = true): void {
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
      this.events.written(nodeId, partition, found, all, at)
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
    this.#removed(nodeId, from)
    if (placeOf(to) !== null) this.#scanFile(nodeId, disk, to)
    else if (disk.exists(to) && disk.fileSize(to) < 0 && partitionOf(to) !== null) this.#scanFolder(nodeId, disk, to)
  }

  #removed(nodeId: number, path: string): void {
    const place = placeOf(path)
    if (place !== null) {
      this.log(nodeId, place.partition)?.files.delete(place.baseOffset)
      return
    }
    const partition = partitionOf(path)
    if (partition !== null) (this.partitionsOf(nodeId) as Map<string, NodeLog>).delete(partition)
  }
}

function placeOf(path: string): { partition: string; baseOffset: number } | null {
  const match = LOG_FILE.exec(path)
  if (match === null || !PARTITION.test(match[1]!)) return null
  return { partition: match[1]!, baseOffset: Number(match[2]) }
}

function partitionOf(path: string): string | null {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return PARTITION.test(name) ? name : null
}
