import { LogError } from '#storage/log-error.js'
import type { Logger } from '../runtime/ports.js'
import type { Chore, Housekeeping } from './housekeeping.js'
import type { Partition } from './partition.js'
import type { ReplicaManager } from './replica-manager.js'
import type { ReplicationConfig } from './replication-config.js'

/** How often `flush.ms` is looked at, and whether the wall clock has jumped to where files are to be removed. */
const SECOND_MS = 1000
/** Files whose time has come are removed at most so much later, all together. */
const REMOVAL_MS = 50

/** What the replicas of a broker need now and then. */
export function addChores(
  housekeeping: Housekeeping,
  replicas: ReplicaManager,
  options: { readonly config: ReplicationConfig; readonly logger: Logger },
): void {
  const { config, logger } = options
  housekeeping.add({
    name: 'the removal of old segments',
    intervalMs: () => config.retentionCheckMs,
    run: () => removeOldSegments(replicas, logger),
  })
  housekeeping.add({
    name: 'the checkpoint of recovery points',
    intervalMs: () => config.checkpointMs,
    run: () => {
      for (const directory of replicas.directories) if (directory.offline === null) directory.checkpoint()
    },
  })
  housekeeping.add({
    name: 'the checkpoint of high watermarks',
    intervalMs: () => config.highWatermarkCheckpointMs,
    run: () => replicas.checkpointHighWatermarks(),
  })
  housekeeping.add({
    name: 'the check of in-sync replicas',
    intervalMs: () => config.replicaLagMsMax / 2,
    run: () => checkInSync(replicas),
  })
  housekeeping.add({
    name: 'the expiry of producers',
    intervalMs: () => config.producerExpirationCheckMs,
    run: () => expireProducers(replicas, config),
  })
  housekeeping.add({
    name: 'the flushing of logs',
    intervalMs: () => SECOND_MS,
    run: () => flushDue(replicas),
  })
  addRemoval(housekeeping, replicas, logger)
}

/** Deleted files hold memory and room on the disk: they go when their delay is over, not at some later look. */
function addRemoval(housekeeping: Housekeeping, replicas: ReplicaManager, logger: Logger): void {
  const { directories } = replicas
  const inMs = (dueMs: number) => Math.min(Math.max(dueMs - replicas.wallTime(), REMOVAL_MS), SECOND_MS)
  const removal: Chore = {
    name: 'the removal of deleted files',
    intervalMs: () =>
      inMs(Math.min(...directories.map(({ offline, removals }) => (offline === null ? removals.nextDueMs : Infinity)))),
    run: () => {
      const now = replicas.wallTime()
      for (const directory of directories) {
        if (directory.offline !== null || directory.removals.nextDueMs > now) continue
        directory.removals.removeDue(now).catch(error => {
          // A directory that failed has said so.
          if (error instanceof LogError && error.code === 'KAFKA_STORAGE_ERROR') return
          logger.error({ err: error, directory: directory.path }, 'deleted files could not be removed')
        })
      }
    },
  }
  housekeeping.add(removal)
  for (const { removals } of directories) removals.onAdded = dueMs => housekeeping.hurry(removal, inMs(dueMs))
}

function* removeOldSegments(replicas: ReplicaManager, logger: Logger): Generator<void, void, void> {
  for (const partition of live(replicas)) {
    const removed = partition.log.deleteOldSegments(replicas.wallTime(), partition.highWatermark)
    if (removed.length > 0) {
      replicas.onLogStartMoved(partition)
      const bytes = removed.reduce((sum, segment) => sum + segment.bytes, 0)
      const { logStartOffset } = partition.log
      logger.debug(
        { partition: partition.name, segments: removed.length, bytes, logStartOffset },
        'removed old segments',
      )
    }
    yield
  }
}

/** Looks for replicas that are not in sync any more. */
export function* checkInSync(replicas: ReplicaManager): Generator<void, void, void> {
  const isrs = replicas.cluster?.isrs
  if (isrs === undefined) return
  for (const partition of [...replicas.partitions()]) {
    if (!partition.isLeader) continue
    isrs.maybeShrink(partition)
    yield
  }
}

function* expireProducers(replicas: ReplicaManager, config: ReplicationConfig): Generator<void, void, void> {
  for (const partition of live(replicas)) {
    partition.log.expireProducers(replicas.wallTime(), config.producerExpirationMs)
    yield
  }
}

/** Every second: those that have no `flush.ms`, which may be ten thousand, cost no more than a look. */
function* flushDue(replicas: ReplicaManager): Generator<void, void, void> {
  const timed: Partition[] = []
  for (const partition of replicas.partitions()) if (partition.config.flushMs !== Infinity) timed.push(partition)
  for (const partition of timed) {
    if (partition.isGone || partition.isOffline) continue
    const { log } = partition
    if (log.nextFlushDueMs <= replicas.wallTime()) {
      log.sync().catch(error => replicas.onSyncFailure(partition, log, error))
    }
    yield
  }
}

/** The replicas of this moment, as long as they are here and online. */
function* live(replicas: ReplicaManager): Generator<Partition, void, void> {
  for (const partition of [...replicas.partitions()]) {
    if (!partition.isGone && !partition.isOffline) yield partition
  }
}
