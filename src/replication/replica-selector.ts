/** A replica that a consumer could read from. */
export interface ReplicaChoice {
  readonly brokerId: number
  readonly rack: string | null
  readonly logEndOffset: number
  /** How long ago it had everything, ms. */
  readonly sinceCaughtUpMs: number
}

/** Picks the replica that a consumer shall read from, the leader among them (KIP-392). Null: no preference. */
export type ReplicaSelector = (
  rackId: string,
  leader: ReplicaChoice,
  candidates: readonly ReplicaChoice[],
) => ReplicaChoice | null

/**
 * A replica in the consumer's own rack: the leader if it is there, else the one that has most, and of those the one
 * that was last caught up; the leader where nobody is there.
 */
export const rackAwareSelector: ReplicaSelector = (rackId, leader, candidates) => {
  if (rackId === '') return leader
  let best: ReplicaChoice | null = null
  for (const candidate of candidates) {
    if (candidate.rack !== rackId) continue
    if (candidate.brokerId === leader.brokerId) return leader
    if (best === null || isBetter(candidate, best)) best = candidate
  }
  return best ?? leader
}

function isBetter(a: ReplicaChoice, b: ReplicaChoice): boolean {
  if (a.logEndOffset !== b.logEndOffset) return a.logEndOffset > b.logEndOffset
  return a.sinceCaughtUpMs < b.sinceCaughtUpMs
}

/** Selectors by the class names that `replica.selector.class` takes. */
const SELECTORS: ReadonlyMap<string, ReplicaSelector> = new Map<string, ReplicaSelector>([
  ['org.apache.kafka.common.replica.RackAwareReplicaSelector', rackAwareSelector],
  ['org.apache.kafka.common.replica.LeaderSelector', (_rackId, leader) => leader],
])

/** Null: consumers read from leaders. */
export function selectorOf(className: string | null): ReplicaSelector | null {
  return className === null ? null : (SELECTORS.get(className) ?? null)
}
