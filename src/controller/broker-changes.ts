import { NO_LEADER, type PartitionImage } from '../metadata/image.js'
import type { MetadataRecord } from '../metadata/record.js'
import { isActiveBroker } from './cluster-view.js'
import type { ControllerContext } from './command.js'
import { partitionChanger } from './partition-changer.js'

/** What happens to one broker, for the partitions that are elected anew because of it. */
export interface BrokerEvent {
  /** It leaves all ISRs, and its partitions are led by others. */
  readonly removed?: number
  /** It may lead from now on though it is not yet active in the image. */
  readonly added?: number
  /** It stopped without a goodbye: it leaves ISRs and eligible leader replicas. */
  readonly stoppedUncleanly?: number
}

/** Which partitions an event concerns. */
export type PartitionFilter = (partition: PartitionImage) => boolean

export function inIsr(brokerId: number): PartitionFilter {
  return partition => partition.isr.includes(brokerId)
}

export const isLeaderless: PartitionFilter = partition => partition.leader === NO_LEADER

/** Whether a broker leads any partition. */
export function hasLeaderships({ image }: ControllerContext, brokerId: number): boolean {
  for (const topic of image.topics.all()) {
    for (const partition of topic.partitions) if (partition.leader === brokerId) return true
  }
  return false
}

/** The changes of ISR and leader that an event brings about, topic by topic. */
export function leaderAndIsrChanges(
  context: ControllerContext,
  event: BrokerEvent,
  concerns: PartitionFilter,
): readonly MetadataRecord[] {
  const { image } = context
  const { removed, added, stoppedUncleanly } = event
  const isActive = (replica: number): boolean =>
    replica !== removed && replica !== stoppedUncleanly && (replica === added || isActiveBroker(image.cluster, replica))
  const change = partitionChanger(context)
  const records: MetadataRecord[] = []
  for (const topic of image.topics.all()) {
    for (const [partitionId, partition] of topic.partitions.entries()) {
      if (!concerns(partition)) continue
      const record = change(topic, partitionId, {
        target: { isr: partition.isr.filter(replica => replica !== removed && replica !== stoppedUncleanly) },
        isActive,
        ...(stoppedUncleanly === undefined ? {} : { uncleanShutdownReplicas: [stoppedUncleanly] }),
      })
      if (record !== null) records.push(record)
    }
  }
  return records
}

/** A broker is not to be used any more: its partitions first, then itself. */
export function fenceBroker(context: ControllerContext, brokerId: number, brokerEpoch: number): MetadataRecord[] {
  return [
    ...leaderAndIsrChanges(context, { removed: brokerId }, inIsr(brokerId)),
    registrationChange(0, { brokerId, brokerEpoch, fenced: 1 }),
  ]
}

/** A broker may be used: itself first, then partitions without a leader that it may lead. */
export function unfenceBroker(context: ControllerContext, brokerId: number, brokerEpoch: number): MetadataRecord[] {
  return [
    registrationChange(0, { brokerId, brokerEpoch, fenced: -1 }),
    ...leaderAndIsrChanges(context, { added: brokerId }, isLeaderless),
  ]
}

/** A broker is about to stop: from now on it joins no ISR, and others lead. */
export function enterControlledShutdown(
  context: ControllerContext,
  brokerId: number,
  brokerEpoch: number,
): MetadataRecord[] {
  const entered = context.image.cluster.broker(brokerId)?.inControlledShutdown ?? false
  return [
    ...(entered ? [] : [registrationChange(1, { brokerId, brokerEpoch, inControlledShutdown: 1 })]),
    ...leaderAndIsrChanges(context, { removed: brokerId }, inIsr(brokerId)),
  ]
}

/**
 * The last process of a broker is over. `isClean`: it wrote everything before it stopped; otherwise what it has may be
 * less than what was committed.
 */
export function brokerStopped(
  context: ControllerContext,
  brokerId: number,
  isClean: boolean,
): readonly MetadataRecord[] {
  if (isClean) return leaderAndIsrChanges(context, { removed: brokerId }, inIsr(brokerId))
  const concerns: PartitionFilter = partition => partition.isr.includes(brokerId) || partition.elr.includes(brokerId)
  return leaderAndIsrChanges(context, { stoppedUncleanly: brokerId }, concerns)
}

/**
 * A broker is gone for good. It stays eligible where it was: should it come back, it registers as one that stopped
 * uncleanly.
 */
export function unregisterRecords(context: ControllerContext, brokerId: number, brokerEpoch: number): MetadataRecord[] {
  return [
    ...leaderAndIsrChanges(context, { removed: brokerId }, inIsr(brokerId)),
    { type: 'UnregisterBrokerRecord', version: 0, value: { brokerId, brokerEpoch } },
  ]
}

interface RegistrationChange {
  readonly brokerId: number
  readonly brokerEpoch: number
  readonly fenced?: -1 | 1
  readonly inControlledShutdown?: 1
  readonly logDirs?: readonly string[]
  readonly cordonedLogDirs?: readonly string[]
}

/** `version`: the lowest one that has the field that changes. */
export function registrationChange(version: number, change: RegistrationChange): MetadataRecord {
  return {
    type: 'BrokerRegistrationChangeRecord',
    version,
    value: {
      brokerId: change.brokerId,
      brokerEpoch: change.brokerEpoch,
      fenced: change.fenced ?? 0,
      inControlledShutdown: change.inControlledShutdown ?? 0,
      logDirs: [...(change.logDirs ?? [])],
      cordonedLogDirs: change.cordonedLogDirs === undefined ? null : [...change.cordonedLogDirs],
    },
  }
}
