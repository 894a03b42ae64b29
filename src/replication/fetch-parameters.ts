const FUTURE_REPLICA = -3

/** Whether a reader sees only what is committed. */
export function isConsumer(replicaId: number): boolean {
  return replicaId < 0 && replicaId !== FUTURE_REPLICA
}

/** How a fetch reads. */
export interface FetchParameters {
  /** -1 or -2 a consumer, -3 a copy in another directory, otherwise a broker. */
  readonly replicaId: number
  readonly replicaEpoch: number
  readonly isReadCommitted: boolean
  /** Only from the leader: followers, and consumers too old to be sent elsewhere. */
  readonly onlyLeader: boolean
  /** The rack of a consumer that may be sent to another replica (KIP-392); '' of any other reader. */
  readonly rackId: string
  readonly minBytes: number
  readonly maxBytes: number
}
