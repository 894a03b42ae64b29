/** What the folder of the metadata log says when a node starts. */
import * as batch from '#protocol/records/batch.js'
import type { Disk } from '#storage/disk.js'
import { type OpenedSnapshot, SnapshotDamagedError } from '../metadata/snapshot-file.js'
import type { Logger } from '../runtime/ports.js'
import { MetadataStartError, readQuorumState } from './quorum-state.js'
import type { RaftLog } from './raft-log.js'
import type { RaftStart } from './raft-types.js'
import { SnapshotStore } from './snapshot-store.js'
import type { QuorumChange } from './voters.js'
import { quorumChangesOf } from './wire-calls.js'

const readBytes = 1024 * 1024

export interface Recovered {
  readonly snapshots: SnapshotStore
  /** The newest snapshot, checked; null when there is none but the one of the formatting, or none at all. */
  readonly newest: OpenedSnapshot | null
  readonly start: RaftStart
}

/**
 * Brings snapshots, log and quorum-state together:
 *
 *   - a snapshot that was not finished is removed, a damaged one set aside;
 *   - the log goes on after the newest snapshot if it ends before it (a crash while one was installed);
 *   - control records of snapshot and log tell who votes.
 *
 * Throws MetadataStartError, which names the file and the remedy, when what is left does not hold together.
 */
export function recoverMetadata(disk: Disk, log: RaftLog, logger: Logger): Recovered {
  const directory = log.directoryPath
  const snapshots = new SnapshotStore(disk, directory)
  dropCovered(snapshots, log)
  const damaged: string[] = []
  checkBootstrap(snapshots, log)
  const newest = snapshots.openNewest(message => {
    damaged.push(message)
    logger.error({ directory }, `damaged snapshot set aside as .damaged: ${message}`)
  })
  if (log.logStartOffset > 0 && (newest === null || newest.id.endOffset < log.logStartOffset)) {
    const why = damaged.length > 0 ? ` (${damaged.join('; ')})` : ''
    throw new MetadataStartError(
      `${directory}: the metadata log begins at offset ${log.logStartOffset} and no whole snapshot leads up to it${why}. ` +
        'Restore the .checkpoint file from a backup; if other controllers have the metadata, remove this folder and let ' +
        'the node fetch it from them.',
    )
  }
  if (newest !== null && newest.id.endOffset > 0 && isBeyond(newest, log)) {
    const { endOffset } = newest.id
    logger.warn({ directory, endOffset }, `the metadata log ends before its snapshot and goes on at ${endOffset}`)
    log.truncateFullyAndStartAt(endOffset)
    // The oldest snapshot stands for where the log begins.
    dropCovered(snapshots, log)
  }
  const election = readQuorumState(disk, directory)
  const changes = [
    ...(newest?.changes ?? []),
    ...changesInLog(log, Math.max(log.logStartOffset, newest?.id.endOffset ?? 0)),
  ]
  return {
    snapshots,
    newest: newest !== null && newest.id.endOffset > 0 ? newest : null,
    start: { election, endOffset: log.logEndOffset, lastEpoch: lastEpochOf(log, newest), changes },
  }
}

/** Snapshots that end before the log begins are of no use, once there is one that reaches it. */
function dropCovered(snapshots: SnapshotStore, log: RaftLog): void {
  const first = snapshots.all.find(snapshot => snapshot.id.endOffset >= log.logStartOffset)
  if (first !== undefined) snapshots.removeDeleted(snapshots.forgetBefore(first.id))
}

/** With an empty log, the snapshot 0-0 is all there is: nothing can stand in for it. */
function checkBootstrap(snapshots: SnapshotStore, log: RaftLog): void {
  const { latest } = snapshots
  if (latest === null || latest.endOffset > 0 || log.logEndOffset > 0) return
  try {
    snapshots.open(latest)
  } catch (error) {
    if (!(error instanceof SnapshotDamagedError)) throw error
    throw new MetadataStartError(
      `${error.message}. It holds the records that the metadata log begins with, and the log is empty: format the ` +
        'directory anew.',
    )
  }
}

/** Whether the snapshot holds what the log has not: only one that a leader sent does. */
function isBeyond(snapshot: OpenedSnapshot, log: RaftLog): boolean {
  const { epoch, endOffset } = snapshot.id
  const isInPlace = log.logStartOffset === log.logEndOffset && log.logEndOffset === endOffset
  if (isInPlace) return false
  return epoch > log.latestEpoch || (epoch === log.latestEpoch && endOffset > log.logEndOffset)
}

function lastEpochOf(log: RaftLog, newest: OpenedSnapshot | null): number {
  if (log.logEndOffset > log.logStartOffset) return Math.max(0, log.epochOf(log.logEndOffset - 1))
  return newest !== null && newest.id.endOffset === log.logEndOffset ? newest.id.epoch : 0
}

function changesInLog(log: RaftLog, from: number): QuorumChange[] {
  const changes: QuorumChange[] = []
  let offset = from
  while (offset < log.logEndOffset) {
    const found = log.read(offset, readBytes, log.logEndOffset, true)
    if (found === null) break
    const before = offset
    for (const position of batch.batchPositions(found.buffer)) {
      changes.push(...quorumChangesOf(found.buffer, position))
      offset = batch.lastOffset(found.buffer, position) + 1
    }
    if (offset === before)
      throw new MetadataStartError(`${log.directoryPath}: the log cannot be read at offset ${offset}`)
  }
  return changes
}
