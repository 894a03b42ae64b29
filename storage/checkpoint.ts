import type { Disk } from './disk.js'
import { isMissing } from './disk-error.js'

/*
 * The small text files beside the logs. Numbers are decimal, lines end with \n:
 *
 *   0                       version
 *   2                       lines that follow
 *   topic 0 42              of a checkpoint of offsets: topic, partition, offset
 *   other 3 0               (of leader-epoch-checkpoint: epoch, start offset)
 */

export const recoveryPointCheckpointName = 'recovery-point-offset-checkpoint'
export const logStartCheckpointName = 'log-start-offset-checkpoint'
export const highWatermarkCheckpointName = 'replication-offset-checkpoint'
export const cleanerCheckpointName = 'cleaner-offset-checkpoint'

const version = 0

/** Lines of numbers and names after a version and a count. Throws with the path and the line that is wrong. */
function parseLines(path: string, text: string, columns: number): string[][] {
  const lines = text.split('\n')
  if (lines[0]?.trim() !== String(version)) {
    throw new Error(`${path}, line 1: expected version ${version}, found '${lines[0]?.slice(0, 40)}'`)
  }
  const count = Number(lines[1])
  if (!/^\s*\d+\s*$/.test(lines[1] ?? '')) throw new Error(`${path}, line 2: '${lines[1]?.slice(0, 40)}' is no count`)
  // Without the last line break a number may have been cut short.
  if (lines.pop() !== '') throw new Error(`${path}: the last line is cut`)
  const rows: string[][] = []
  for (let index = 2; index < lines.length; index++) {
    const line = lines[index]!.trim()
    const row = line.split(/\s+/)
    const numbers = columns === 3 ? row.slice(1) : row
    if (row.length !== columns || !numbers.every(number => /^-?\d{1,19}$/.test(number))) {
      throw new Error(`${path}, line ${index + 1}: '${line.slice(0, 80)}' is malformed`)
    }
    rows.push(row)
  }
  if (rows.length !== count) throw new Error(`${path}: ${count} lines promised, ${rows.length} found`)
  return rows
}

function formatLines(lines: readonly string[]): Buffer {
  return Buffer.from(`${version}\n${lines.length}\n${lines.map(line => `${line}\n`).join('')}`)
}

/** Offsets by `topic-partition`. A missing file has none; a malformed one throws an Error that names file and line. */
export function readOffsetCheckpoint(disk: Disk, path: string): Map<string, number> {
  const offsets = new Map<string, number>()
  if (!disk.exists(path)) return offsets
  for (const [topic, partition, offset] of parseLines(path, disk.readFile(path).toString('utf8'), 3)) {
    offsets.set(`${topic}-${Number(partition)}`, Number(offset))
  }
  return offsets
}

/** A line of a checkpoint of offsets. */
export interface CheckpointLine {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** The content of a checkpoint of offsets. */
export function formatOffsetCheckpoint(lines: readonly CheckpointLine[]): Buffer {
  return formatLines(lines.map(line => `${line.topic} ${line.partition} ${line.offset}`))
}

/** Epochs and their start offsets, ascending. A missing file has none; a malformed one throws. */
export function readEpochCheckpoint(disk: Disk, path: string): [epoch: number, startOffset: number][] {
  if (!disk.exists(path)) return []
  const rows = parseLines(path, disk.readFile(path).toString('utf8'), 2)
  return rows.map(([epoch, startOffset]): [number, number] => [Number(epoch), Number(startOffset)])
}

export function formatEpochCheckpoint(epochs: readonly number[], startOffsets: readonly number[]): Buffer {
  return formatLines(epochs.map((epoch, index) => `${epoch} ${startOffsets[index]}`))
}

/** The topic id in a `partition.metadata`; null if the file is missing, empty or does not say. */
export function readPartitionMetadata(disk: Disk, path: string): string | null {
  let text: string
  try {
    text = disk.readFile(path).toString('utf8')
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
  return /^topic_id: *([A-Za-z0-9_-]{22})\s*$/m.exec(text)?.[1] ?? null
}

/**
 * The content of a `partition.metadata`, which says whose a folder is. The first append to the log begins to bring it
 * to the device, off the event loop, and no record counts as flushed before it is there. Kafka waits for it before the
 * first append, which would hold up everyone else here, and takes a folder without it for a stray. So a machine that
 * fails within these milliseconds may leave a log that has records, none of them flushed, and does not say whose it is:
 * one with no file, an empty one or a part of one. Its records are kept all the same where the cluster relies on them
 * (`setStraysAside`); elsewhere it is set aside, and the replica takes from its leader what it had.
 */
export function formatPartitionMetadata(topicId: string): Buffer {
  return Buffer.from(`version: 0\ntopic_id: ${topicId}`)
}
