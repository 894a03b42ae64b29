import type { PartitionLog } from '#storage/log.js'
import type { LogDirectory } from '#storage/log-directory.js'
import { LogError } from '#storage/log-error.js'
import { DirectoryId } from '../metadata/directory-id.js'
import type { MetadataImage, PartitionImage } from '../metadata/image.js'
import type { Clock, Logger } from '../runtime/ports.js'

export interface PlacementParts {
  readonly nodeId: number
  readonly directories: readonly LogDirectory[]
  readonly clock: Clock
  readonly logger: Logger
}

export interface PlacedReplica {
  readonly topic: string
  readonly topicId: string
  readonly index: number
  /** The directory that the metadata names. */
  readonly assigned: string
  /** The cluster counts on what this broker had of it when it was started. */
  readonly isExpected: boolean
}

/** In which log directory a replica is, or is to be. */
export class ReplicaPlacement {
  readonly #parts: PlacementParts
  readonly #counts = new Map<LogDirectory, number>()

  constructor(parts: PlacementParts) {
    this.#parts = parts
  }

  online(): LogDirectory[] {
    return this.#parts.directories.filter(directory => directory.offline === null)
  }

  /** How many replicas are in a directory. */
  countOf(directory: LogDirectory): number {
    return this.#counts.get(directory) ?? 0
  }

  count(directory: LogDirectory, change: number): void {
    this.#counts.set(directory, this.countOf(directory) + change)
  }

  /** Logs that the metadata knows nothing of, or gives to others: they are left on the disk under another name. */
  setStraysAside(image: MetadataImage): void {
    const { nodeId, logger, clock } = this.#parts
    for (const directory of this.online()) {
      for (const log of [...directory.logs()]) {
        const topic = image.topics.byName(log.topic)
        const partition = topic?.partitions[log.partition]
        const isPlacedHere = partition?.replicas.includes(nodeId) === true
        if (isPlacedHere && topic?.id === log.topicId) continue
        if (isPlacedHere && log.topicId === null && this.#isMissed(log, partition)) {
          const fields = { folder: log.directoryPath, topicId: topic!.id, logEndOffset: log.logEndOffset }
          logger.warn(fields, 'a partition has lost its topic id: it gets that of the metadata, and keeps its records')
          continue
        }
        logger.warn({ folder: log.directoryPath }, 'a partition that the metadata does not place here was set aside')
        guard(() => directory.markStray(log, clock.wallTime()))
      }
      for (const copy of [...directory.futureLogs()]) {
        const topic = image.topics.byName(copy.topic)
        if (topic?.id === copy.topicId && topic.partitions[copy.partition]?.replicas.includes(nodeId) === true) continue
        logger.warn({ folder: copy.directoryPath }, 'a copy of a partition that is not here any more was set aside')
        guard(() => directory.markStray(copy, clock.wallTime()))
      }
    }
  }

  /**
   * Whether a log that does not say whose it is counts as the replica that the metadata places here. The machine may
   * have failed before its id was on the device (`formatPartitionMetadata`), or the file was damaged. Kafka sets such
   * a log aside, as no record is in a log of its making before the id is. Here the cluster may rely on the records:
   *
   *   in sync, or one that may be elected     nobody else need have them: they stay
   *   no records                              nothing can be wrong with them
   *   anything else                           a leader has them all, and more: set aside, and fetched anew
   *
   * They could be those of a topic of before with the same name only if it was deleted and made again while this broker
   * was down. But a broker that is down, once the controller has noticed, is in no new ISR, and comes into one only by
   * fetching into a log that has its id.
   */
  #isMissed(log: PartitionLog, partition: PartitionImage): boolean {
    if (log.logEndOffset === 0) return true
    return this.isReliedOn(partition) && log.latestEpoch <= partition.leaderEpoch
  }

  /** Whether the replica here is in sync, or may be elected. */
  isReliedOn({ isr, elr, lastKnownElr }: PartitionImage): boolean {
    const { nodeId } = this.#parts
    return isr.includes(nodeId) || elr.includes(nodeId) || lastKnownElr.includes(nodeId)
  }

  /**
   * Where the log is; else where the metadata wants it; else the directory with the fewest. Null if that is offline, or
   * the log may be in one that is: nobody is to take an empty one for it. Throws LogError.
   */
  directoryFor(replica: PlacedReplica): LogDirectory | null {
    const { topic, index, assigned } = replica
    const online = this.online()
    const holders = online.filter(directory => directory.get(topic, index) !== undefined)
    if (holders.length > 0) return this.#onlyHolder(holders, replica)
    const wanted = this.#parts.directories.find(({ metaProperties }) => metaProperties?.directoryId === assigned)
    if (wanted !== undefined) {
      if (wanted.offline !== null) return null
      this.#takeFuture(wanted, replica)
      return wanted
    }
    if (assigned === DirectoryId.LOST) return null
    if (replica.isExpected && online.length < this.#parts.directories.length) return null
    let best: LogDirectory | null = null
    for (const directory of online) {
      if (best === null || this.countOf(directory) < this.countOf(best)) best = directory
    }
    return best
  }

  /** The controller has taken a move for done, and the old directory is gone: the copy is the log. */
  #takeFuture(directory: LogDirectory, { topic, topicId, index }: PlacedReplica): void {
    const future = directory.getFuture(topic, index)
    if (future?.topicId === topicId) directory.promoteFuture(future, this.#parts.clock.wallTime())
  }

  /**
   * A move between directories that was broken off at its end leaves two logs: the one that the metadata names is kept.
   */
  #onlyHolder(holders: readonly LogDirectory[], { topic, index, assigned }: PlacedReplica): LogDirectory {
    const { logger, clock } = this.#parts
    const kept = holders.find(({ metaProperties }) => metaProperties?.directoryId === assigned) ?? holders[0]!
    for (const directory of holders) {
      if (directory === kept) continue
      const log = directory.get(topic, index)!
      logger.warn({ folder: log.directoryPath }, 'a second log of the same partition was set aside')
      guard(() => directory.markStray(log, clock.wallTime()))
    }
    return kept
  }
}

/** A directory that fails is offline then, and has said so. */
export function guard(run: () => void): void {
  try {
    run()
  } catch (error) {
    if (!(error instanceof LogError)) throw error
  }
}
