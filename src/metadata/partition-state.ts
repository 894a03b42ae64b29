import { DirectoryId } from './directory-id.js'
import { type LeaderRecoveryState, NO_LEADER, type PartitionImage } from './image.js'
import type { MetadataRecordValues } from './record.js'

/** `leader` of a PartitionChangeRecord that leaves leader and leader epoch alone. */
export const NO_LEADER_CHANGE = -2
/** `leaderRecoveryState` of a PartitionChangeRecord that leaves it alone. */
export const NO_RECOVERY_STATE_CHANGE = -1

export const LeaderRecovery = { RECOVERED: 0, RECOVERING: 1 } as const

const noNumbers: readonly number[] = []
const noStrings: readonly string[] = []

/**
 * Lists of a partition repeat: its ISR is mostly its replicas, its directories those of the partition before. A list
 * that equals one of `known` is replaced by it, so that ten thousand partitions do not hold fifty thousand lists.
 */
function shared<Item>(
  list: readonly Item[],
  empty: readonly Item[],
  ...known: readonly (readonly Item[])[]
): readonly Item[] {
  if (list.length === 0) return empty
  for (const candidate of known) {
    if (candidate.length === list.length && candidate.every((item, i) => item === list[i])) return candidate
  }
  return list
}

/** The partition that a PartitionRecord describes; `like` is any other one, to share lists with. */
export function partitionOfRecord(
  record: MetadataRecordValues['PartitionRecord'],
  like: PartitionImage | undefined,
): PartitionImage {
  const replicas = shared(record.replicas, noNumbers, like?.replicas ?? noNumbers)
  const directories = record.directories.length === 0 ? replicas.map(() => DirectoryId.MIGRATING) : record.directories
  if (directories.length !== replicas.length) {
    throw new Error(`PartitionRecord has ${replicas.length} replicas and ${directories.length} directories`)
  }
  return {
    replicas,
    directories: shared(directories, noStrings, like?.directories ?? noStrings),
    isr: shared(record.isr, noNumbers, replicas),
    removingReplicas: shared(record.removingReplicas, noNumbers),
    addingReplicas: shared(record.addingReplicas, noNumbers),
    elr: shared(record.eligibleLeaderReplicas ?? noNumbers, noNumbers),
    lastKnownElr: shared(record.lastKnownElr ?? noNumbers, noNumbers),
    leader: leaderOf(record.leader),
    leaderRecoveryState: recoveryStateOf(record.leaderRecoveryState),
    leaderEpoch: record.leaderEpoch,
    partitionEpoch: record.partitionEpoch,
  }
}

/** The fields of a PartitionChangeRecord that say something; null where nothing changes. */
export type PartitionChange = Pick<
  MetadataRecordValues['PartitionChangeRecord'],
  | 'isr'
  | 'leader'
  | 'replicas'
  | 'removingReplicas'
  | 'addingReplicas'
  | 'leaderRecoveryState'
  | 'directories'
  | 'eligibleLeaderReplicas'
  | 'lastKnownElr'
>

/** A change that changes nothing, to spread under what does. */
export const NO_PARTITION_CHANGE: PartitionChange = {
  isr: null,
  leader: NO_LEADER_CHANGE,
  replicas: null,
  removingReplicas: null,
  addingReplicas: null,
  leaderRecoveryState: NO_RECOVERY_STATE_CHANGE,
  directories: null,
  eligibleLeaderReplicas: null,
  lastKnownElr: null,
}

/** The partition after a change: the partition epoch always goes up, the leader epoch where a leader is written. */
export function changedPartition(before: PartitionImage, change: PartitionChange): PartitionImage {
  const replicas = change.replicas === null ? before.replicas : shared(change.replicas, noNumbers, before.replicas)
  return {
    replicas,
    directories: changedDirectories(before, replicas, change.directories),
    isr: change.isr === null ? before.isr : shared(change.isr, noNumbers, replicas, before.isr),
    removingReplicas:
      change.removingReplicas === null ? before.removingReplicas : shared(change.removingReplicas, noNumbers),
    addingReplicas: change.addingReplicas === null ? before.addingReplicas : shared(change.addingReplicas, noNumbers),
    elr: change.eligibleLeaderReplicas === null ? before.elr : shared(change.eligibleLeaderReplicas, noNumbers),
    lastKnownElr: change.lastKnownElr === null ? before.lastKnownElr : shared(change.lastKnownElr, noNumbers),
    leader: change.leader === NO_LEADER_CHANGE ? before.leader : leaderOf(change.leader),
    leaderRecoveryState:
      change.leaderRecoveryState === NO_RECOVERY_STATE_CHANGE
        ? before.leaderRecoveryState
        : recoveryStateOf(change.leaderRecoveryState),
    leaderEpoch: before.leaderEpoch + (change.leader === NO_LEADER_CHANGE ? 0 : 1),
    partitionEpoch: before.partitionEpoch + 1,
  }
}

function changedDirectories(
  before: PartitionImage,
  replicas: readonly number[],
  directories: readonly string[] | null,
): readonly string[] {
  if (directories !== null && directories.length > 0) {
    if (directories.length !== replicas.length) {
      throw new Error(`PartitionChangeRecord leaves ${replicas.length} replicas with ${directories.length} directories`)
    }
    return shared(directories, noStrings, before.directories)
  }
  if (replicas === before.replicas) return before.directories
  return replicas.map(replica => {
    const at = before.replicas.indexOf(replica)
    return at === -1 ? DirectoryId.MIGRATING : before.directories[at]!
  })
}

function leaderOf(leader: number): number {
  if (leader < NO_LEADER) throw new Error(`a partition cannot have leader ${leader}`)
  return leader
}

function recoveryStateOf(value: number): LeaderRecoveryState {
  if (value !== 0 && value !== 1) throw new Error(`unknown leader recovery state ${value}`)
  return value
}
