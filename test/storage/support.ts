import * as batch from '#protocol/records/batch.js'
import { type BatchHeaderOptions, buildBatch } from '#protocol/records/build.js'
import { buildEndTransactionMarker } from '#protocol/records/control.js'
import { readRecords, type StoredRecord } from '#protocol/records/reader.js'
import type { PartitionLog } from '#storage/log.js'
import { defaultLogConfig, type LogConfig } from '#storage/log-config.js'
import { type LoadReport, type LogDirectory, openLogDirectory } from '#storage/log-directory.js'
import type { AppendInfo, AppendOptions } from '#storage/log-types.js'
import { SimDisk } from '../support/sim-disk.js'

export const topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
export const startMs = 1_700_000_000_000

export function configOf(changes: Partial<LogConfig> = {}): LogConfig {
  return { ...defaultLogConfig, ...changes }
}

export interface Rig {
  readonly disk: SimDisk
  readonly directory: LogDirectory
  readonly log: PartitionLog
  readonly report: LoadReport
  readonly failures: Error[]
  /** Files that were told anew. */
  readonly restored: string[]
}

/** A log directory on a simulated disk, loaded, with the log `events-0`. */
export function rig(changes: Partial<LogConfig> = {}, disk = new SimDisk(), nowMs = startMs): Rig {
  const failures: Error[] = []
  const restored: string[] = []
  const directory = openLogDirectory({
    disk,
    path: '/data',
    onFailure: (_, error) => failures.push(error),
    onRestored: path => restored.push(path),
  })
  const config = configOf(changes)
  const report = load(directory, config, nowMs)
  const log = directory.create({ topic: 'events', partition: 0, topicId, config, nowMs })
  return { disk, directory, log, report, failures, restored }
}

export function load(directory: LogDirectory, config: LogConfig, nowMs = startMs): LoadReport {
  const steps = directory.load(() => config, nowMs)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** The clean stop of a rig, and its next start. */
export async function restarted(old: Rig, changes: Partial<LogConfig> = {}, nowMs = startMs): Promise<Rig> {
  await old.directory.close(7, log => log.logEndOffset)
  return rig(changes, old.disk, nowMs)
}

export interface BatchSpec extends BatchHeaderOptions {
  /** null is a tombstone. */
  readonly values?: readonly (string | null)[]
  readonly keys?: readonly (string | null)[]
  readonly timestamp?: number
}

/** A batch as a producer sends it. */
export function batchOf(spec: BatchSpec = {}): Buffer {
  const { values = ['value'], keys = [], timestamp = startMs, ...header } = spec
  const records = values.map((value, index) => {
    const key = keys[index] ?? null
    const bytes = (text: string | null) => (text === null ? null : Buffer.from(text))
    return { timestamp, key: bytes(key), value: bytes(value) }
  })
  return buildBatch({ ...header, records })
}

export function append(log: PartitionLog, buffer: Buffer, options: Partial<AppendOptions> = {}): AppendInfo {
  return { ...log.append(buffer, 0, buffer.length, { leaderEpoch: 0, nowMs: startMs, origin: 'client', ...options }) }
}

/** Appends a batch with these values, and returns its base offset. */
export function put(log: PartitionLog, values: readonly string[], spec: BatchSpec = {}, leaderEpoch = 0): number {
  return append(log, batchOf({ ...spec, values }), { leaderEpoch }).baseOffset
}

export interface MarkerOptions {
  readonly producerEpoch?: number
  readonly coordinatorEpoch?: number
  readonly transactionVersion?: number
  readonly leaderEpoch?: number
}

/** Ends a transaction. */
export function marker(
  log: PartitionLog,
  type: 'ABORT' | 'COMMIT',
  producerId: number,
  options: MarkerOptions = {},
): AppendInfo {
  const { producerEpoch = 0, coordinatorEpoch = 0, transactionVersion = 0, leaderEpoch = 0 } = options
  const buffer = buildEndTransactionMarker({ type, producerId, producerEpoch, coordinatorEpoch, timestamp: startMs })
  return append(log, buffer, { origin: 'coordinator', transactionVersion, leaderEpoch })
}

/** All records from `from` on, read batch by batch as a consumer does. Control batches are left out. */
export function records(log: PartitionLog, from = log.logStartOffset, to = log.logEndOffset): StoredRecord[] {
  const found: StoredRecord[] = []
  let offset = from
  while (offset < to) {
    const result = log.read(offset, 1 << 20, to, true)
    if (result === null) break
    const { buffer } = result
    let next = offset
    for (const position of batch.batchPositions(buffer)) {
      next = batch.lastOffset(buffer, position) + 1
      if (batch.isControl(buffer, position)) continue
      for (const record of readRecords(buffer, position)) if (record.offset >= offset) found.push(record)
    }
    if (next === offset) throw new Error(`no batch at offset ${offset}`)
    offset = next
  }
  return found
}

export function values(log: PartitionLog, from = log.logStartOffset): string[] {
  return records(log, from).map(record => String(record.value))
}

export function names(disk: SimDisk, path: string): string[] {
  return disk.list(path).map(entry => entry.name)
}
