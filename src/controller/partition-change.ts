import { NO_LEADER, type PartitionImage } from '../metadata/image.js'
import { metadataAllows, partitionRecordVersion } from '../metadata/metadata-version.js'
import {
  LeaderRecovery,
  NO_LEADER_CHANGE,
  NO_PARTITION_CHANGE,
  type PartitionChange,
} from '../metadata/partition-state.js'
import type { MetadataRecord } from '../metadata/record.js'

/**
 * - `preferred`: keep the partition online, with the first replica as leader if it can be;
 * - `online`: keep it online with a replica that has all committed records;
 * - `unclean`: keep it online even if committed records are lost.
 */
export type Election = 'preferred' | 'online' | 'unclean'

/** What a partition is to become; what is left out stays. */
export interface PartitionTarget {
  readonly isr?: readonly number[]
  readonly replicas?: readonly number[]
  readonly removingReplicas?: readonly number[]
  readonly addingReplicas?: readonly number[]
  readonly leaderRecoveryState?: number
  /** Directory ids by replica, for those that change. */
  readonly directories?: ReadonlyMap<number, string>
}

export interface PartitionChangeInput {
  readonly topicId: string
  readonly partitionId: number
  readonly partition: PartitionImage
  readonly target: PartitionTarget
  readonly election: Election
  /** Whether a replica could lead, as far as its broker and directory are concerned. */
  readonly isAcceptableLeader: (replica: number) => boolean
  readonly defaultDirectory: (brokerId: number) => string
  readonly metadataVersion: number
  readonly minIsr: number
  readonly elrEnabled: boolean
  /** Brokers that stopped without a goodbye: what they have cannot be trusted. */
  readonly uncleanShutdownReplicas?: readonly number[]
}

interface Elected {
  readonly leader: number
  readonly unclean: boolean
}

/** A partition on its way: target lists that the steps below refine one after the other. */
interface Draft {
  isr: readonly number[]
  replicas: readonly number[]
  removing: readonly number[]
  adding: readonly number[]
  elr: readonly number[]
}

type Change = { -readonly [K in keyof PartitionChange]: PartitionChange[K] }

/**
 * The record that takes a partition to its target, or null if nothing changes. In this order: a reassignment whose new
 * replicas are in sync is completed, members that fall out of a too small ISR become eligible leader replicas, a leader
 * is elected, and the epochs follow: the partition epoch with every record, the leader epoch with every record that
 * writes a leader, which happens also where the same leader must begin anew because a replica is gone.
 */
export function changePartition(input: PartitionChangeInput): MetadataRecord | null {
  const { partition, target } = input
  const draft: Draft = {
    isr: target.isr ?? partition.isr,
    replicas: target.replicas ?? partition.replicas,
    removing: target.removingReplicas ?? partition.removingReplicas,
    adding: target.addingReplicas ?? partition.addingReplicas,
    elr: partition.elr,
  }
  completeReassignment(draft)
  if (input.elrEnabled) draft.elr = targetElr(input, draft)
  const change: Change = { ...NO_PARTITION_CHANGE }
  elect(input, draft, change)
  if (change.leader === NO_LEADER_CHANGE && !containsAll(draft.replicas, partition.replicas)) {
    change.leader = partition.leader
  }
  // An election that had to set the ISR was unclean: nobody is eligible by what was before.
  const elr = change.isr !== null || !input.elrEnabled ? [] : draft.elr
  if (!equal(elr, partition.elr)) change.eligibleLeaderReplicas = [...elr]
  if (change.isr === null && (draft.isr.length > 0 || input.elrEnabled) && !equal(draft.isr, partition.isr)) {
    change.isr = [...draft.isr]
  }
  if (
    change.leader === NO_LEADER_CHANGE &&
    change.isr !== null &&
    !metadataAllows(input.metadataVersion, 'isrShrinkKeepsLeaderEpoch') &&
    !containsAll(change.isr, partition.isr)
  ) {
    change.leader = partition.leader
  }
  if (input.elrEnabled) updateLastKnownLeader(partition, change)
  assign(input, draft, change)
  const recoveryState = target.leaderRecoveryState ?? partition.leaderRecoveryState
  if (recoveryState !== partition.leaderRecoveryState) change.leaderRecoveryState = recoveryState
  if (changesNothing(change)) return null
  return {
    type: 'PartitionChangeRecord',
    version: partitionRecordVersion(input.metadataVersion),
    value: { topicId: input.topicId, partitionId: input.partitionId, ...change },
  }
}

/**
 * A reassignment is complete when all replicas that are being added are in sync, and, if the partition shrinks, all
 * that remain are: then the leaving ones go.
 */
function completeReassignment(draft: Draft): void {
  const { removing, adding } = draft
  if (removing.length === 0 && adding.length === 0) return
  const isr = draft.isr.filter(replica => !removing.includes(replica))
  const replicas = draft.replicas.filter(replica => !removing.includes(replica))
  if (isr.length === 0 || replicas.length === 0) return
  if (!containsAll(isr, adding)) return
  if (adding.length < removing.length && !containsAll(isr, replicas)) return
  draft.isr = isr
  draft.replicas = replicas
  draft.removing = []
  draft.adding = []
}

/**
 * Those who hold everything committed though they are not in the ISR, as long as the ISR is too small to commit more.
 * Who is no replica any more is none of them (Kafka keeps such a one when a reassignment ends with a small ISR, and
 * then takes it for a reason not to elect the last known leader).
 */
function targetElr({ partition, minIsr, uncleanShutdownReplicas = [] }: PartitionChangeInput, draft: Draft): number[] {
  if (draft.isr.length >= minIsr) return []
  const candidates = new Set([...partition.elr, ...partition.isr])
  return inBucketOrder([...candidates]).filter(
    replica =>
      draft.replicas.includes(replica) && !draft.isr.includes(replica) && !uncleanShutdownReplicas.includes(replica),
  )
}

/** The order in which Kafka's records list a set of brokers: that of a hash table with as few buckets as it has. */
function inBucketOrder(ids: number[]): number[] {
  let buckets = 16
  while (ids.length > buckets * 0.75) buckets *= 2
  return ids.sort((a, b) => bucketOf(a, buckets) - bucketOf(b, buckets))
}

function bucketOf(id: number, buckets: number): number {
  return (id ^ (id >>> 16)) & (buckets - 1)
}

function elect(input: PartitionChangeInput, draft: Draft, change: Change): void {
  const { partition } = input
  const { leader, unclean } = electLeader(input, draft)
  if (leader === partition.leader) return
  if (draft.elr.includes(leader)) {
    draft.isr = [leader]
    draft.elr = draft.elr.filter(replica => replica !== leader)
  }
  change.leader = leader
  if (!unclean) return
  change.isr = [leader]
  if (partition.leaderRecoveryState !== LeaderRecovery.RECOVERING) {
    change.leaderRecoveryState = LeaderRecovery.RECOVERING
  }
}

function electLeader(input: PartitionChangeInput, draft: Draft): Elected {
  const { partition, election, isAcceptableLeader, elrEnabled } = input
  const isClean = (replica: number): boolean =>
    (draft.isr.includes(replica) || (draft.isr.length === 0 && draft.elr.includes(replica))) &&
    isAcceptableLeader(replica)
  const preferred = draft.replicas[0]
  if (election === 'preferred' && preferred !== undefined && isClean(preferred))
    return { leader: preferred, unclean: false }
  if (isClean(partition.leader)) return { leader: partition.leader, unclean: false }
  const online = draft.replicas.find(isClean)
  if (online !== undefined) return { leader: online, unclean: false }
  const [lastLeader] = partition.lastKnownElr
  if (
    elrEnabled &&
    draft.isr.length === 0 &&
    draft.elr.length === 0 &&
    partition.lastKnownElr.length === 1 &&
    isAcceptableLeader(lastLeader!)
  ) {
    return { leader: lastLeader!, unclean: true }
  }
  const anyone = election === 'unclean' ? draft.replicas.find(isAcceptableLeader) : undefined
  return anyone === undefined ? { leader: NO_LEADER, unclean: false } : { leader: anyone, unclean: true }
}

/**
 * The last leader is remembered when the ISR empties, and forgotten when there is a leader again. Where there is none
 * already, since the directory of the last replica in sync has failed, that replica stands for it: with nobody to
 * remember, the partition would wait for an administrator when it comes back. Kafka remembers -1 then.
 */
function updateLastKnownLeader(partition: PartitionImage, change: Change): void {
  const { lastKnownElr, leader } = partition
  if (change.isr?.length === 0) {
    const last = leader === NO_LEADER && lastKnownElr.length === 0 ? partition.isr[0] : leader
    if (last !== undefined && last !== NO_LEADER && (lastKnownElr.length !== 1 || lastKnownElr[0] !== last)) {
      change.lastKnownElr = [last]
      return
    }
  }
  const leads = change.leader === NO_LEADER_CHANGE ? leader !== NO_LEADER : change.leader !== NO_LEADER
  if (leads && lastKnownElr.length > 0) change.lastKnownElr = []
}

function assign(input: PartitionChangeInput, draft: Draft, change: Change): void {
  const { partition, target } = input
  const isSameAssignment = draft.replicas === partition.replicas && target.directories === undefined
  if (draft.replicas.length > 0 && !isSameAssignment) {
    if (metadataAllows(input.metadataVersion, 'directoryAssignment')) {
      const directories = draft.replicas.map(replica => {
        const at = partition.replicas.indexOf(replica)
        return target.directories?.get(replica) ?? partition.directories[at] ?? input.defaultDirectory(replica)
      })
      if (!equal(directories, partition.directories)) change.directories = directories
    }
    if (!equal(draft.replicas, partition.replicas)) change.replicas = [...draft.replicas]
  }
  if (!equal(draft.removing, partition.removingReplicas)) change.removingReplicas = [...draft.removing]
  if (!equal(draft.adding, partition.addingReplicas)) change.addingReplicas = [...draft.adding]
}

function changesNothing(change: Change): boolean {
  for (const key of fields) if (change[key] !== NO_PARTITION_CHANGE[key]) return false
  return true
}

const fields = Object.keys(NO_PARTITION_CHANGE) as readonly (keyof Change)[]

function equal<Item>(a: readonly Item[], b: readonly Item[]): boolean {
  return a === b || (a.length === b.length && a.every((item, i) => item === b[i]))
}

/** `all` has every member of `some`. */
export function containsAll(all: readonly number[], some: readonly number[]): boolean {
  return all === some || some.every(member => all.includes(member))
}
