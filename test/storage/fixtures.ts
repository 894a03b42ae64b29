import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { LogConfig } from '#storage/log-config.js'
import { SimDisk } from '../support/sim-disk.js'
import { configOf } from './support.js'

const fixtures = new URL('../../../test/storage/fixtures/', import.meta.url)

/**
 * Directories that Apache Kafka 4.4 wrote: `clean` after a stop in order, `unclean` as they lay there while it ran.
 * The topics: codecs (five batches of ten records, one of each codec), segments (100 records in small segments),
 * started (30 records, DeleteRecords before 17), plain (default options: index files of 10 MiB), empty, compacted
 * (120 records of seven keys, compacted up to 114), transactions (two producers, six transactions each of which the
 * second and fifth were aborted, the last left open).
 */
export function kafkaDirectory(which: 'clean' | 'unclean'): SimDisk {
  return unpacked('kafka-directories.tar.gz', which)
}

/**
 * Two topics that Apache Kafka 4.4 compacted, as they were before and after its first round and its second one: mixed
 * (CreateTime) and appendtime (LogAppendTime), with plain and idempotent batches, transactions that were committed,
 * aborted, empty, and interleaved, tombstones and headers.
 */
export function compactionDirectory(which: 'before-first' | 'after-first' | 'before-second' | 'after-second'): SimDisk {
  return unpacked('kafka-compaction.tar.gz', which)
}

/** What a folder of an archive holds, as `/data` of a simulated disk. */
function unpacked(archive: string, folder: string): SimDisk {
  const disk = new SimDisk()
  disk.makeDirectory('/data')
  for (const entry of untar(gunzipSync(readFileSync(new URL(archive, fixtures))))) {
    const name = entry.name.replace(/^\.\//, '')
    if (!name.startsWith(`${folder}/`)) continue
    const path = `/data/${name.slice(folder.length + 1)}`.replace(/\/$/, '')
    if (entry.content === null) {
      disk.makeDirectory(path)
      continue
    }
    disk.makeDirectory(path.slice(0, path.lastIndexOf('/')))
    disk.open(path, { create: true }).append([entry.content])
  }
  return disk
}

/** The options with which Kafka wrote the topics. */
export function kafkaConfig(topic: string): LogConfig {
  const small = { segmentIndexBytes: 4096 }
  switch (topic) {
    case 'segments':
      return configOf({ ...small, segmentBytes: 3000, indexIntervalBytes: 300 })
    case 'transactions':
      return configOf({ ...small, segmentBytes: 2000, indexIntervalBytes: 300 })
    case 'compacted': {
      const cleanupPolicy = { delete: false, compact: true }
      return configOf({ ...small, segmentBytes: 2000, indexIntervalBytes: 300, cleanupPolicy, deleteRetentionMs: 100 })
    }
    case 'started':
      return configOf({ ...small, segmentBytes: 2000 })
    case 'plain':
      return configOf()
    default:
      return configOf(small)
  }
}

/** The entries of a tar archive: name, and content unless it is a folder. */
function untar(archive: Buffer): { name: string; content: Buffer | null }[] {
  const entries: { name: string; content: Buffer | null }[] = []
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0; ) {
    const text = (start: number, length: number) =>
      archive.toString('utf8', at + start, at + start + length).replace(/\0.*$/, '')
    const size = Number.parseInt(text(124, 12), 8)
    const isFolder = text(156, 1) === '5'
    const content = isFolder ? null : archive.subarray(at + 512, at + 512 + size)
    entries.push({ name: text(0, 100), content })
    at += 512 + Math.ceil(size / 512) * 512
  }
  return entries
}
