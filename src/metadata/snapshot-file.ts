/**
 * Snapshots of the metadata log (KIP-630): `<end offset, 20 digits>-<epoch, 10 digits>.checkpoint` beside its segments.
 * They are batches as in a log, with offsets of their own that begin at 0:
 *
 *   [control: header, kraft.version, voters] [records] [records] ... [control: footer]
 *
 * `.checkpoint.part` is one that is being written, `.checkpoint.deleted` one that is about to go.
 */
import { encodeMessage, messageCodec } from '#protocol/codec.js'
import {
  KRaftVersionRecord,
  SnapshotFooterRecord,
  SnapshotHeaderRecord,
  VotersRecord,
} from '#protocol/internal/raft-records.js'
import { Reader } from '#protocol/reader.js'
import * as batch from '#protocol/records/batch.js'
import { buildBatch } from '#protocol/records/build.js'
import { buildControlBatch, type ControlRecord, controlTypeOf } from '#protocol/records/control.js'
import { readRecords } from '#protocol/records/reader.js'
import type { Disk, File } from '#storage/disk.js'
import type { SnapshotId } from '../raft/metadata-log.js'
import {
  kraftVersionToRecord,
  type QuorumChange,
  type VoterSet,
  votersFromRecord,
  votersToRecord,
} from '../raft/voters.js'
import type { MetadataRecord } from './record.js'
import { decodeFrame, encodeFrame } from './record-frame.js'

/** A data batch is closed when it has grown to so many bytes. */
const batchBytesMin = 1024 * 1024
/** The largest batch that is believed when reading: Kafka writes up to 8 MiB of records, plus its overhead. */
const batchBytesMax = 64 * 1024 * 1024
/** How much is read at a time. */
const readBytes = 1024 * 1024
const deletedSuffix = '.deleted'
const partSuffix = '.part'
const suffix = '.checkpoint'

/** A snapshot file that cannot be read whole; the message names the file and what is wrong with it. */
export class SnapshotDamagedError extends Error {
  override readonly name = 'SnapshotDamagedError'
}

export type SnapshotFileState = 'complete' | 'partial' | 'deleted'

export function snapshotFileName(id: SnapshotId, state: SnapshotFileState = 'complete'): string {
  const name = `${String(id.endOffset).padStart(20, '0')}-${String(id.epoch).padStart(10, '0')}${suffix}`
  return state === 'complete' ? name : name + (state === 'partial' ? partSuffix : deletedSuffix)
}

/**
 * What a file name says; null for a file that is no snapshot. Kafka's partial files have a random part before the
 * suffix.
 */
export function parseSnapshotFileName(
  name: string,
): { readonly id: SnapshotId; readonly state: SnapshotFileState } | null {
  const match = /^(\d{20})-(\d{10})(-?\d+)?\.checkpoint(\.part|\.deleted)?$/.exec(name)
  if (match === null) return null
  const state = match[4] === partSuffix ? 'partial' : match[4] === deletedSuffix ? 'deleted' : 'complete'
  if (state === 'complete' && match[3] !== undefined) return null
  return { id: { endOffset: Number(match[1]), epoch: Number(match[2]) }, state }
}

/** Newer first: by epoch, then by end offset. */
export function compareSnapshots(a: SnapshotId, b: SnapshotId): number {
  return a.epoch - b.epoch || a.endOffset - b.endOffset
}

export function sameSnapshot(a: SnapshotId, b: SnapshotId): boolean {
  return a.epoch === b.epoch && a.endOffset === b.endOffset
}

export interface SnapshotContent {
  readonly id: SnapshotId
  /** Time of the newest record that it holds, ms since 1970. */
  readonly lastContainedLogTimestamp: number
  readonly kraftVersion: number
  /** Written with kraft.version 1 only; null for none. */
  readonly voters: VoterSet | null
}

/** Writes a snapshot to a `.part` file piece by piece; `finish` puts it in its place. */
export class SnapshotWriter {
  readonly id: SnapshotId
  readonly #disk: Disk
  readonly #directory: string
  readonly #partPath: string
  readonly #nowMs: () => number
  readonly #file: File
  #nextOffset: number
  #frames: Buffer[] = []
  #frameBytes = 0
  #isClosed = false

  /** `nowMs`: the time that batches get, ms since 1970. An old `.part` of the same name is replaced. */
  constructor(disk: Disk, directory: string, content: SnapshotContent, nowMs: () => number) {
    this.id = content.id
    this.#disk = disk
    this.#directory = directory
    this.#nowMs = nowMs
    this.#partPath = `${directory}/${snapshotFileName(content.id, 'partial')}`
    disk.remove(this.#partPath)
    this.#file = disk.open(this.#partPath, { create: true })
    const control: ControlRecord[] = [
      { type: 'SNAPSHOT_HEADER', value: encodeMessage(SnapshotHeaderRecord, 0, headerOf(content)) },
    ]
    if (content.kraftVersion > 0) {
      const version = kraftVersionToRecord(content.kraftVersion)
      control.push({ type: 'KRAFT_VERSION', value: encodeMessage(KRaftVersionRecord, 0, version) })
      if (content.voters !== null) {
        control.push({ type: 'KRAFT_VOTERS', value: encodeMessage(VotersRecord, 0, votersToRecord(content.voters)) })
      }
    }
    this.#nextOffset = 0
    this.#writeControl(control)
  }

  append(record: MetadataRecord): void {
    const frame = encodeFrame(record)
    this.#frames.push(frame)
    this.#frameBytes += frame.length
    if (this.#frameBytes >= batchBytesMin) this.#flush()
  }

  /** Writes what is left and the footer; then the snapshot is durable and has its name. */
  async finish(): Promise<void> {
    this.#end()
    await this.#file.sync()
    this.#publish()
  }

  /** The same on the event loop, for a node that cannot go on before. */
  finishNow(): void {
    this.#end()
    this.#file.syncNow()
    this.#publish()
  }

  /** Gives it up. */
  discard(): void {
    this.#close()
    this.#disk.remove(this.#partPath)
  }

  #close(): void {
    if (!this.#isClosed) this.#file.close()
    this.#isClosed = true
  }

  #end(): void {
    this.#flush()
    this.#writeControl([{ type: 'SNAPSHOT_FOOTER', value: encodeMessage(SnapshotFooterRecord, 0, { version: 0 }) }])
  }

  #publish(): void {
    this.#close()
    this.#disk.rename(this.#partPath, `${this.#directory}/${snapshotFileName(this.id)}`)
    this.#disk.syncDirectory(this.#directory)
  }

  #writeControl(records: readonly ControlRecord[]): void {
    const options = { baseOffset: this.#nextOffset, partitionLeaderEpoch: this.id.epoch }
    this.#file.append([buildControlBatch(records, this.#nowMs(), options)])
    this.#nextOffset += records.length
  }

  #flush(): void {
    if (this.#frames.length === 0) return
    const timestamp = this.#nowMs()
    const records = this.#frames.map(value => ({ timestamp, key: null, value }))
    const options = { baseOffset: this.#nextOffset, partitionLeaderEpoch: this.id.epoch }
    this.#file.append([buildBatch({ ...options, records })])
    this.#nextOffset += records.length
    this.#frames = []
    this.#frameBytes = 0
  }
}

function headerOf(content: SnapshotContent): { version: number; lastContainedLogTimestamp: number } {
  return { version: 0, lastContainedLogTimestamp: content.lastContainedLogTimestamp }
}

/** A snapshot that has been checked from the first byte to the last. */
export interface OpenedSnapshot extends SnapshotContent {
  readonly path: string
  readonly sizeInBytes: number
  /** The voters and kraft.version in it, as they stand in the log that it replaces. */
  readonly changes: readonly QuorumChange[]
  /** The records, batch by batch; reads the file anew. Throws ProtocolError for a record that is not known here. */
  readonly batches: () => Iterable<readonly MetadataRecord[]>
}

/**
 * Opens the snapshot and checks every batch of it: checksums, header first, footer last. Throws SnapshotDamagedError if
 * it is not whole; errors of the operating system pass through.
 */
export function openSnapshot(
  disk: Disk,
  directory: string,
  id: SnapshotId,
  fileName = snapshotFileName(id),
): OpenedSnapshot {
  const path = `${directory}/${fileName}`
  const damaged = (what: string): SnapshotDamagedError => new SnapshotDamagedError(`${path}: ${what}`)
  let header: { readonly lastContainedLogTimestamp: number } | null = null
  let kraftVersion = 0
  let voters: VoterSet | null = null
  let sizeInBytes = 0
  let hasFooter = false
  try {
    for (const { buffer, position, size } of batchesOf(disk, path)) {
      if (!batch.hasValidCrc(buffer, position))
        throw damaged(`the checksum of the batch at byte ${sizeInBytes} is wrong`)
      if (hasFooter) throw damaged(`there is a batch after the footer, at byte ${sizeInBytes}`)
      sizeInBytes += size
      if (!batch.isControl(buffer, position)) {
        if (header === null) throw damaged('it does not begin with a header')
        continue
      }
      for (const { type, value } of controlRecordsOf(buffer, position)) {
        if (type === 'SNAPSHOT_HEADER') header = messageCodec(SnapshotHeaderRecord, 0).read(new Reader(value))
        else if (type === 'KRAFT_VERSION')
          kraftVersion = messageCodec(KRaftVersionRecord, 0).read(new Reader(value)).kRaftVersion
        else if (type === 'KRAFT_VOTERS')
          voters = votersFromRecord(messageCodec(VotersRecord, 0).read(new Reader(value)))
        else if (type === 'SNAPSHOT_FOOTER') hasFooter = true
        if (header === null) throw damaged('it does not begin with a header')
      }
    }
  } catch (error) {
    if (error instanceof SnapshotDamagedError || (error as NodeJS.ErrnoException).code !== undefined) throw error
    throw damaged((error as Error).message)
  }
  if (header === null) throw damaged('it is empty')
  if (!hasFooter) throw damaged('its footer is missing: it was not written to the end')
  const { lastContainedLogTimestamp } = header
  const offset = id.endOffset - 1
  const change = voters === null ? { offset, kraftVersion } : { offset, kraftVersion, voters }
  return {
    id,
    path,
    sizeInBytes,
    lastContainedLogTimestamp,
    kraftVersion,
    voters,
    changes: kraftVersion > 0 ? [change] : [],
    batches: () => recordsOf(disk, path),
  }
}

/** The time of the newest record in a snapshot, ms since 1970, from its header alone; null if it cannot be read. */
export function readSnapshotTimestamp(disk: Disk, path: string): number | null {
  try {
    for (const { buffer, position } of batchesOf(disk, path)) {
      for (const { type, value } of controlRecordsOf(buffer, position)) {
        if (type !== 'SNAPSHOT_HEADER') return null
        return messageCodec(SnapshotHeaderRecord, 0).read(new Reader(value)).lastContainedLogTimestamp
      }
      return null
    }
  } catch {
    // A damaged one has no time; what becomes of it is decided where it is opened.
  }
  return null
}

function* recordsOf(disk: Disk, path: string): Generator<readonly MetadataRecord[], void, void> {
  for (const { buffer, position } of batchesOf(disk, path)) {
    if (!batch.isControl(buffer, position)) yield metadataRecordsOf(buffer, position)
  }
}

/** The metadata records of the data batch at `position`; bytes in them are views of the buffer. */
export function metadataRecordsOf(buffer: Buffer, position: number): MetadataRecord[] {
  const records: MetadataRecord[] = []
  for (const { value, offset } of readRecords(buffer, position)) {
    if (value === null) throw new Error(`the metadata record at offset ${offset} has no value`)
    records.push(decodeFrame(asBuffer(value)))
  }
  return records
}

/** The control records of the batch at `position`, those of later versions left out. */
export function controlRecordsOf(
  buffer: Buffer,
  position: number,
): { readonly type: string; readonly value: Buffer; readonly offset: number }[] {
  const records: { type: string; value: Buffer; offset: number }[] = []
  for (const { key, value, offset } of readRecords(buffer, position)) {
    const type = controlTypeOf(key)
    if (type !== 'UNKNOWN' && value !== null) records.push({ type, value: asBuffer(value), offset })
  }
  return records
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

interface BatchAt {
  readonly buffer: Buffer
  readonly position: number
  readonly size: number
}

/** The batches of a file, first to last; each buffer stays as it is. Throws where no batch is or one is cut. */
function* batchesOf(disk: Disk, path: string): Generator<BatchAt, void, void> {
  const file = disk.open(path, { readOnly: true })
  try {
    let at = 0
    let wanted = readBytes
    while (at < file.size) {
      const buffer = file.read(at, wanted)
      let position = 0
      for (;;) {
        const size = batch.batchSizeAt(buffer, position, buffer.length)
        if (size === 0) break
        yield { buffer, position, size }
        position += size
      }
      at += position
      const isCut = position === 0
      if (isCut && at + buffer.length >= file.size) throw new Error(`it ends within the batch at byte ${at}`)
      wanted = isCut ? Math.max(readBytes, batch.sizeInBytes(buffer, 0)) : readBytes
      if (wanted > batchBytesMax) throw new Error(`the batch at byte ${at} says that it has ${wanted} bytes`)
      if (isCut && wanted <= buffer.length) throw new Error(`the batch at byte ${at} cannot be read`)
    }
  } finally {
    file.close()
  }
}
