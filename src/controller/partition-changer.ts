import type { PartitionImage, TopicImage } from '../metadata/image.js'
import { changedPartition } from '../metadata/partition-state.js'
import type { MetadataRecord } from '../metadata/record.js'
import {
  allowsUncleanElection,
  defaultDirectory,
  effectiveMinIsr,
  hasOnlineReplica,
  isActiveBroker,
  isElrEnabled,
} from './cluster-view.js'
import type { ControllerContext } from './command.js'
import { changePartition, type Election, type PartitionTarget } from './partition-change.js'

export interface IntendedChange {
  readonly target: PartitionTarget
  /** The partition as an earlier record of the same command leaves it; as the image has it where it is left out. */
  readonly partition?: PartitionImage
  /** What the topic allows where it is left out: `unclean` or `online`. */
  readonly election?: Election
  /** Which brokers may lead; the active ones of the image where it is left out. */
  readonly isActive?: (brokerId: number) => boolean
  readonly uncleanShutdownReplicas?: readonly number[]
}

export type PartitionChanger = (topic: TopicImage, partitionId: number, change: IntendedChange) => MetadataRecord | null

/**
 * Makes records of changes of partitions under one state of the cluster; null where nothing changes. What is the same
 * for a whole topic is looked up once, so hand in partitions topic by topic.
 */
export function partitionChanger(context: ControllerContext): PartitionChanger {
  const { image } = context
  const { cluster } = image
  const elrEnabled = isElrEnabled(image)
  const { metadataVersion } = image.features
  const isActiveInImage = (brokerId: number): boolean => isActiveBroker(cluster, brokerId)
  let last: TopicImage | null = null
  let minIsr = 1
  let allowed: Election = 'online'
  return (topic, partitionId, { target, election, isActive = isActiveInImage, uncleanShutdownReplicas, ...rest }) => {
    if (topic !== last) {
      last = topic
      minIsr = effectiveMinIsr(context, topic.name)
      allowed = allowsUncleanElection(context, topic.name) ? 'unclean' : 'online'
    }
    const partition = rest.partition ?? topic.partitions[partitionId]!
    return changePartition({
      topicId: topic.id,
      partitionId,
      partition,
      target,
      election: election ?? allowed,
      isAcceptableLeader: replica => isActive(replica) && hasOnlineReplica(cluster, partition, replica),
      defaultDirectory: brokerId => defaultDirectory(cluster, brokerId),
      metadataVersion,
      minIsr,
      elrEnabled,
      ...(uncleanShutdownReplicas === undefined ? {} : { uncleanShutdownReplicas }),
    })
  }
}

/** Changes of partitions one after the other: each begins where the one before it has left the partition. */
export interface SequentialChanges {
  /** As the records so far leave it. */
  partition(topic: TopicImage, partitionId: number): PartitionImage | undefined
  /** The next record for a partition, which must be there; null where nothing changes. */
  readonly change: PartitionChanger
}

/** For commands that may name a partition twice, or write two records for one. */
export function sequentialChanges(context: ControllerContext): SequentialChanges {
  const changed = new Map<string, PartitionImage>()
  const change = partitionChanger(context)
  const keyOf = (topic: TopicImage, partitionId: number): string => `${topic.id}:${partitionId}`
  const current = (topic: TopicImage, partitionId: number): PartitionImage | undefined =>
    changed.get(keyOf(topic, partitionId)) ?? topic.partitions[partitionId]
  return {
    partition: current,
    change: (topic, partitionId, intended) => {
      const partition = current(topic, partitionId)!
      const record = change(topic, partitionId, { ...intended, partition })
      if (record?.type === 'PartitionChangeRecord') {
        changed.set(keyOf(topic, partitionId), changedPartition(partition, record.value))
      }
      return record
    },
  }
}
