import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { Clock, Logger } from '../runtime/ports.js'
import { Shard, type ShardKind, type ShardState } from './shard.js'
import type { ShardLog } from './shard-log.js'
import type { ShardRecord } from './shard-machine.js'

/** Partitions that are loaded at the same time: each holds a read buffer. */
const LOADS_AT_ONCE_MAX = 2

/**
 * All shards of one kind that this broker leads, by partition: the group coordinator is one such set, the transaction
 * coordinator another. Leadership comes and goes by `lead` and `resign`.
 */
export class ShardRuntime<Command, Reply, Rec extends ShardRecord> {
  readonly #kind: ShardKind<Command, Reply, Rec>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #shards = new Map<number, Shard<Command, Reply, Rec>>()
  readonly #loadsWaiting: (() => Promise<void>)[] = []
  #loadsRunning = 0

  constructor(kind: ShardKind<Command, Reply, Rec>, clock: Clock, logger: Logger) {
    this.#kind = kind
    this.#clock = clock
    this.#logger = logger
  }

  /**
   * This broker leads the partition from now on: its log is replayed, and then commands are taken. An empty log is
   * ready when this returns. Nothing happens if the shard of this log is there already, unless loading it has failed.
   */
  lead(partition: number, log: ShardLog): void {
    const shard = this.#shards.get(partition)
    if (shard !== undefined && shard.log === log && shard.state !== 'failed') return
    shard?.close()
    const queueLoad = (load: () => Promise<void>) => this.#queueLoad(load)
    const ports = { clock: this.#clock, logger: this.#logger, queueLoad }
    this.#shards.set(partition, new Shard(partition, log, this.#kind, ports))
  }

  /** This broker no longer leads the partition: what waits is answered with NOT_COORDINATOR. */
  resign(partition: number): void {
    this.#shards.get(partition)?.close()
    this.#shards.delete(partition)
  }

  /** Hands a command to the shard of a partition. Rejects with ApiError; NOT_COORDINATOR if it is not here. */
  submit(partition: number, command: Command): Promise<Reply> {
    const shard = this.#shards.get(partition)
    if (shard === undefined) return Promise.reject(new ApiError(ErrorCode.NOT_COORDINATOR))
    return shard.submit(command)
  }

  /** As `submit`, but waits for the end of a load. */
  submitWhenLoaded(partition: number, command: Command): Promise<Reply> {
    const shard = this.#shards.get(partition)
    if (shard === undefined) return Promise.reject(new ApiError(ErrorCode.NOT_COORDINATOR))
    return shard.submitWhenLoaded(command)
  }

  /** The partitions that are led here, each with how far it is. */
  states(): ReadonlyMap<number, ShardState> {
    return new Map([...this.#shards].map(([partition, shard]) => [partition, shard.state]))
  }

  /** Gives all partitions up. */
  close(): void {
    for (const partition of [...this.#shards.keys()]) this.resign(partition)
  }

  #queueLoad(load: () => Promise<void>): void {
    this.#loadsWaiting.push(load)
    // What goes wrong with a load its shard says, and none rejects.
    if (this.#loadsRunning < LOADS_AT_ONCE_MAX) void this.#runLoads()
  }

  async #runLoads(): Promise<void> {
    this.#loadsRunning++
    for (;;) {
      const load = this.#loadsWaiting.shift()
      if (load === undefined) break
      await load()
    }
    this.#loadsRunning--
  }
}
