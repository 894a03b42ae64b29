import type { PartitionLog } from '#storage/log.js'
import type { LogDirectory } from '#storage/log-directory.js'
import { LogError } from '#storage/log-error.js'
import type { Clock, Logger, Millis } from '../runtime/ports.js'
import { alignCopy, alignLeftCopy } from './copied-log.js'
import type { Partition } from './partition.js'
import { guard } from './replica-placement.js'

/** How much is copied at a time, and how long others wait at most while a copy goes on. */
const CHUNK_BYTES = 1048576
const SECOND_MS = 1000
/** A copy that fails while both directories work is tried again after this, and twice that after each further time. */
const RETRY_MS_MIN: Millis = 1000
const RETRY_MS_MAX: Millis = 60_000

export interface FutureReplicasOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** `replica.alter.log.dirs.io.max.bytes.per.second`; Infinity for no limit. */
  readonly bytesPerSecondMax: () => number
  /** The copy took the place of the log. */
  readonly onPromoted: (partition: Partition, from: LogDirectory) => void
  /**
   * Tells the controller that a replica is (about to be) in a directory, and calls `done` when it knows: a directory
   * that fails takes with it the replicas that the controller believes in it (KIP-858).
   */
  readonly announce: (partition: Partition, directory: LogDirectory, done: () => void) => void
}

/**
 * Moves replicas between log directories (AlterReplicaLogDirs): a copy, `topic-0.<uuid>-future`, is made in the other
 * directory beside the log, which goes on being written; when it has all that the log has, it takes its place.
 * Moves come to an end, whatever fails meanwhile.
 *
 *   log     |============>            goes on
 *   future  |======>                  catches up, a piece at a time, then is the log
 */
export class FutureReplicas {
  readonly #options: FutureReplicasOptions
  readonly #queue: Partition[] = []
  /** Moves that the controller is asked about, and those that it knows of. */
  readonly #announced = new WeakMap<Future, 'asked' | 'known'>()
  /** Copies that had everything once, and were on the device then. */
  readonly #isSynced = new WeakSet<Future>()
  /** How often a copy has failed. */
  readonly #failures = new WeakMap<Future, number>()
  #isRunning = false
  #isClosed = false
  /** The limit counts bytes of the present second. */
  #second: Millis = 0
  #bytesInSecond = 0

  constructor(options: FutureReplicasOptions) {
    this.#options = options
  }

  /** Begins to move a replica, or turns to another directory. Throws LogError if the copy cannot be made. */
  move(partition: Partition, directory: LogDirectory): void {
    if (partition.future?.directory === directory) return
    if (partition.future !== null) this.cancel(partition)
    if (partition.directory === directory) return
    const { topic, index, config } = partition
    const nowMs = this.#options.clock.wallTime()
    const log = directory.create({
      topic: topic.name,
      partition: index,
      topicId: topic.id,
      config,
      nowMs,
      isFuture: true,
    })
    this.resume(partition, directory, log)
  }

  /**
   * Goes on with a copy that was begun, perhaps before a restart. After a crash it may have what the log has lost, and
   * after its directory failed what the log has cut off: that goes before anything is copied. Throws LogError.
   */
  resume(partition: Partition, directory: LogDirectory, log: PartitionLog): void {
    alignLeftCopy(log, partition.log)
    partition.future = { log, directory }
    this.#queue.push(partition)
    this.#run()
  }

  /**
   * Goes on with a copy in one of the directories that was begun before a restart. Others are of moves that were turned
   * elsewhere: a directory that failed meanwhile still has its copy, and a crash may bring one back that was deleted.
   */
  resumeIn(directories: readonly LogDirectory[], partition: Partition): void {
    for (const directory of directories) {
      const log = directory.getFuture(partition.topic.name, partition.index)
      if (log === undefined) continue
      if (directory === partition.directory || log.topicId !== partition.topic.id || partition.future !== null) {
        guard(() => directory.deleteLog(log, this.#options.clock.wallTime()))
      } else guard(() => this.resume(partition, directory, log))
    }
  }

  /** Gives up a copy. */
  cancel(partition: Partition): void {
    const { future } = partition
    if (future === null) return
    partition.future = null
    // The controller may believe that it has come to pass.
    if (this.#announced.has(future)) this.#options.announce(partition, partition.directory, () => {})
    if (future.directory.offline === null) future.directory.deleteLog(future.log, this.#options.clock.wallTime())
  }

  /**
   * A directory has failed. As in Kafka, a copy in it is given up, and the log goes on without; a copy of a log in it
   * stays as it is until the next start, and the controller decides then which of the two is the replica.
   */
  onDirectoryFailure(partition: Partition, failed: LogDirectory): void {
    const { future, directory } = partition
    if (future === null || (future.directory !== failed && directory !== failed)) return
    const fields = { partition: partition.name, from: directory.path, to: future.directory.path, failed: failed.path }
    if (future.directory === failed) {
      this.#options.logger.error(fields, 'a replica is not moved, for the other directory has failed: it stays')
      this.cancel(partition)
      return
    }
    this.#options.logger.error(fields, 'a replica is not moved any further, for its own directory has failed')
    // The controller may believe that it has come to pass, and would leave the replica in the ISR.
    if (this.#announced.has(future)) this.#options.announce(partition, directory, () => {})
  }

  close(): void {
    this.#isClosed = true
  }

  #run(): void {
    if (this.#isRunning || this.#isClosed) return
    this.#isRunning = true
    this.#options.clock.soon(() => this.#step())
  }

  /** One piece of the first in line. */
  #step(): void {
    if (this.#isClosed) return
    const partition = this.#queue[0]
    if (partition === undefined) {
      this.#isRunning = false
      return
    }
    const { future } = partition
    let isDone = true
    try {
      isDone = this.#advance(partition)
    } catch (error) {
      if (!(error instanceof LogError)) throw error
      this.#onFailure(partition, future, error)
    }
    if (isDone) this.#queue.shift()
    this.#next()
  }

  /**
   * A directory that failed has ended the move already (`onDirectoryFailure`), or it was turned back meanwhile. What is
   * left are logs that cannot be copied as they are: Kafka, too, says so and tries again, for as long as it takes.
   */
  #onFailure(partition: Partition, future: Future | null, error: unknown): void {
    if (future === null || partition.future !== future || partition.isGone || partition.isOffline) return
    if (this.#isClosed) return
    const { logger, clock } = this.#options
    const failures = this.#failures.get(future) ?? 0
    this.#failures.set(future, failures + 1)
    const retryMs = Math.min(RETRY_MS_MIN * 2 ** failures, RETRY_MS_MAX)
    const { name, directory } = partition
    const fields = { err: error, partition: name, from: directory.path, to: future.directory.path, retryMs }
    logger.error(fields, 'a replica could not be moved: it is tried again')
    clock.at(clock.now() + retryMs, () => {
      if (partition.future === future && !this.#isClosed) this.#again(partition)
    })
  }

  #next(): void {
    const { clock, bytesPerSecondMax } = this.#options
    const now = clock.now()
    if (now - this.#second >= SECOND_MS) {
      this.#second = now
      this.#bytesInSecond = 0
    }
    if (this.#bytesInSecond < bytesPerSecondMax()) clock.soon(() => this.#step())
    else clock.at(this.#second + SECOND_MS, () => this.#step())
  }

  /** Copies a piece. Whether that was the last one, or there is nobody any more to copy for. */
  #advance(partition: Partition): boolean {
    const { future } = partition
    if (future === null || partition.isGone || partition.isOffline || future.directory.offline !== null) return true
    const { log } = partition
    log.writeGathered()
    alignCopy(future.log, log)
    if (future.log.logEndOffset < log.logEndOffset) this.#copy(log, future.log)
    if (future.log.logEndOffset < log.logEndOffset) return false
    if (this.#isSynced.has(future)) this.#settle(partition, future)
    else this.#sync(partition, future)
    return true
  }

  #copy(from: PartitionLog, to: PartitionLog): void {
    const read = from.read(to.logEndOffset, CHUNK_BYTES, from.logEndOffset, true)
    if (read === null) throw new LogError('CORRUPT_MESSAGE', `${from.directoryPath} has nothing at ${to.logEndOffset}`)
    // The log may start within a batch; a copy that has nothing yet starts with the batch.
    if (read.firstBatchOffset < to.logEndOffset) to.truncateFullyAndStartAt(read.firstBatchOffset)
    const end = wholeBatches(read.buffer)
    const options = { leaderEpoch: EVERY_EPOCH, nowMs: this.#options.clock.wallTime(), origin: 'replication' } as const
    to.append(read.buffer, 0, end, options)
    this.#bytesInSecond += end
  }

  /**
   * The copy has everything: once it is on the device, it may take the place of the log. What is added meanwhile is
   * copied and need not be on the device, else a log that is always written to would never move; where
   * `flush.messages` says so, it is brought there at once in the end.
   */
  #sync(partition: Partition, future: Future): void {
    future.log.sync().then(
      () => {
        if (partition.future !== future || this.#isClosed) return
        this.#isSynced.add(future)
        try {
          if (!this.#advance(partition)) this.#again(partition)
        } catch (error) {
          if (!(error instanceof LogError)) throw error
          this.#onFailure(partition, future, error)
        }
      },
      error => this.#onFailure(partition, future, error),
    )
  }

  /** It has all: the controller is told, and then, when it has all again, it is the log. */
  #settle(partition: Partition, future: Future): void {
    const state = this.#announced.get(future)
    if (state === 'known') {
      // Acknowledged as records that are on the device.
      if (future.log.needsSync && !future.log.syncRest()) this.#sync(partition, future)
      else this.#promote(partition, future)
    }
    if (state !== undefined) return
    this.#announced.set(future, 'asked')
    this.#options.announce(partition, future.directory, () => {
      this.#announced.set(future, 'known')
      if (partition.future === future && !this.#isClosed) this.#again(partition)
    })
  }

  #again(partition: Partition): void {
    this.#queue.push(partition)
    this.#run()
  }

  #promote(partition: Partition, future: Future): void {
    const { log: old, directory: from } = partition
    const nowMs = this.#options.clock.wallTime()
    if (future.log.logStartOffset < old.logStartOffset) future.log.advanceStart(old.logStartOffset)
    future.directory.promoteFuture(future.log, nowMs)
    partition.replaceLog(future.log, future.directory)
    this.#options.onPromoted(partition, from)
    // It has moved, also where the old log cannot be taken away any more.
    guard(() => from.deleteLog(old, nowMs))
  }
}

type Future = NonNullable<Partition['future']>

/** Batches of any epoch are copied. */
const EVERY_EPOCH = 0x7fffffff

/** The bytes of the whole batches at the beginning of `buffer`. */
function wholeBatches(buffer: Buffer): number {
  let at = 0
  while (at + 12 <= buffer.length) {
    const size = buffer.readInt32BE(at + 8) + 12
    if (at + size > buffer.length) break
    at += size
  }
  return at
}
