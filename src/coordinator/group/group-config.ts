import type { Millis } from '../../runtime/ports.js'

/** What the options of the broker say about groups. A live view: it is read whenever it is needed. */
export interface GroupConfig {
  /** `group.min.session.timeout.ms` and `group.max.session.timeout.ms`. */
  readonly sessionTimeoutMsMin: Millis
  readonly sessionTimeoutMsMax: Millis
  /** `group.initial.rebalance.delay.ms`: how long the first members of a group are waited for. */
  readonly initialRebalanceDelayMs: Millis
  /** `group.max.size`. */
  readonly membersMax: number
  /** `offset.metadata.max.bytes`; counted in UTF-16 units, as Kafka does. */
  readonly offsetMetadataBytesMax: number
  /** `offsets.retention.minutes`, in ms. */
  readonly offsetsRetentionMs: Millis
  /** `offsets.retention.check.interval.ms`. */
  readonly offsetsRetentionCheckIntervalMs: Millis
}

/**
 * A member that is new may be gone before it is told its id: for so long its JoinGroup waits. Not an option in Kafka
 * either.
 */
export const NEW_MEMBER_JOIN_TIMEOUT_MS: Millis = 5 * 60 * 1000

/** Ids given out and not yet used, in one group. Kafka has no such limit; an id costs a client nothing. */
export const PENDING_MEMBERS_MAX = 100_000
