import type { LogDirectory } from '#storage/log-directory.js'
import { LogError } from '#storage/log-error.js'
import { DirectoryId } from '../metadata/directory-id.js'
import type { MetadataImage } from '../metadata/image.js'
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
        if (topic?.id === log.topicId && partition?.replicas.includes(nodeId) === true) continue
        logger.warn({ folder: log.directoryPath }, 'a partition that the metadata does not place here was set aside')
        guard(() => directory.markStray(log, clock.wallTime()))
      }
    }
  }

  /**
   * Where the log is; else where the metadata wants it; else the directory with the fewest. Null if that is offline.
   * Throws LogError.
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
