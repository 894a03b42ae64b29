/**
 * What a replicated shard is: a machine whose replicated state is the sum of the records of one partition. The driver
 * (shard.ts) turns its effects into appends and answers; see DESIGN "A machine".
 */
import type { ErrorCode } from '#protocol/errors.js'
import type { Machine, Ticket } from '../runtime/machine.js'
import type { LogLevel, Millis } from '../runtime/ports.js'

/** A record of a shard as it lies in the log. What it means is the machine's own addition. */
export interface ShardRecord {
  readonly key: Uint8Array
  /** null is a tombstone. */
  readonly value: Uint8Array | null
}

/** Where a record stands, and in whose transaction (-1 when in none). */
export interface RecordOrigin {
  readonly offset: number
  readonly producerId: number
}

/** What happens to a shard. `wallTimeMs` is for times that are stored; deadlines go by the `now` of `step`. */
export type ShardEvent<Command> =
  | { readonly type: 'command'; readonly ticket: Ticket; readonly command: Command; readonly wallTimeMs: Millis }
  /** `deadline` has been reached. */
  | { readonly type: 'tick'; readonly wallTimeMs: Millis }
  /** The whole log has been replayed: what waits for time may begin to. Always the first event. */
  | { readonly type: 'loaded'; readonly wallTimeMs: Millis }

export type ShardEffect<Reply, Rec extends ShardRecord> =
  /**
   * Writes records, which are replayed at once. Atomic ones go into one batch (the machine has seen to it that they
   * fit, see `ShardLimits`); others may be spread over several.
   */
  | { readonly type: 'append'; readonly records: readonly Rec[]; readonly atomic: boolean }
  /** Answers a ticket once everything appended so far is committed. */
  | { readonly type: 'reply'; readonly ticket: Ticket; readonly reply: Reply }
  /** Answers a ticket with an error in place of a reply, under the same condition. */
  | { readonly type: 'refuse'; readonly ticket: Ticket; readonly error: ErrorCode }
  | { readonly type: 'log'; readonly level: LogLevel; readonly fields: object; readonly message: string }

export interface ShardMachine<Command, Reply, Rec extends ShardRecord>
  extends Machine<ShardEvent<Command>, ShardEffect<Reply, Rec>> {
  /**
   * Applies a record: the only place where replicated state changes, in a live shard as in one that is being loaded.
   */
  replay(record: Rec, origin: RecordOrigin): void
  /** Applies the marker that ends a producer's transaction on the partition. */
  replayMarker(producerId: number, isCommitted: boolean): void
  /** The shard is dropped: gives back what it holds of anything shared. No call follows. */
  close(): void
}

/** What the log of a shard takes; a live view. */
export interface ShardLimits {
  /** The largest batch in bytes (`max.message.bytes` of the topic). */
  readonly batchBytesMax: number
}

const BATCH_HEADER_BYTES = 61

/** How many bytes a zigzag varint of a length takes. */
function lengthBytes(length: number): number {
  return length < 64 ? 1 : length < 8192 ? 2 : length < 1048576 ? 3 : length < 134217728 ? 4 : 5
}

/** The bytes of a record in a batch of one timestamp, `index` records after the first. */
export function recordBytes(record: ShardRecord, index: number): number {
  const { key, value } = record
  const valueBytes = value === null ? 1 : lengthBytes(value.length) + value.length
  const body = 3 + lengthBytes(index) + lengthBytes(key.length) + key.length + valueBytes
  return lengthBytes(body) + body
}

/** The bytes of a batch of these records, uncompressed. */
export function batchBytes(records: readonly ShardRecord[]): number {
  let bytes = BATCH_HEADER_BYTES
  for (let index = 0; index < records.length; index++) bytes += recordBytes(records[index]!, index)
  return bytes
}
