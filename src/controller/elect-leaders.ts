import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { ElectLeadersRequest, ElectLeadersResponse } from '#protocol/messages/elect-leaders.js'
import { javaHash, timelineMapOrder } from '../coordinator/java-order.js'
import { NO_LEADER, type PartitionImage } from '../metadata/image.js'
import type { MetadataRecord } from '../metadata/record.js'
import { allowsUncleanElection } from './cluster-view.js'
import { type Command, type ControllerContext, type ItemError, itemError, NO_ERROR } from './command.js'
import type { Election } from './partition-change.js'
import { type PartitionChanger, partitionChanger } from './partition-changer.js'
import { shownTopicName } from './topic-name.js'

/** Preferred leaders that one pass of the balance elects; more wait for the next pass, which then comes at once. */
const balanceElectionsMax = 1000

/**
 * Elects leaders on demand: the preferred ones (type 0), or any where there is none (type 1). Asked for all partitions,
 * those that need no election are left out of the answer.
 */
export function electLeaders(request: ElectLeadersRequest): Command<ElectLeadersResponse> {
  return context => {
    const { electionType, topicPartitions } = request
    // Nobody looks at the type where there is nothing to elect.
    const election = topicPartitions?.length === 0 ? 'preferred' : electionOf(electionType)
    const change = partitionChanger(context)
    const records: MetadataRecord[] = []
    const elect = (topic: string, partitionId: number): { partitionId: number } & ItemError => ({
      partitionId,
      ...electOne(context, change, election, topic, partitionId, records),
    })
    let replicaElectionResults: ElectLeadersResponse['replicaElectionResults']
    if (topicPartitions !== null) {
      replicaElectionResults = topicPartitions.map(({ topic, partitions }) => ({
        topic,
        partitionResult: partitions.map(partition => elect(topic, partition)),
      }))
    } else {
      const { topics } = context.image
      const names = [...topics.all()].map(topic => topic.name)
      replicaElectionResults = timelineMapOrder(names, javaHash).map(topic => ({
        topic,
        partitionResult: [...topics.byName(topic)!.partitions.keys()]
          .map(partition => elect(topic, partition))
          .filter(result => result.errorCode !== ErrorCode.ELECTION_NOT_NEEDED),
      }))
    }
    return { records, response: { throttleTimeMs: 0, errorCode: ErrorCode.NONE, replicaElectionResults } }
  }
}

function electionOf(type: number): Election {
  if (type === 0) return 'preferred'
  if (type === 1) return 'unclean'
  throw new ApiError(ErrorCode.INVALID_REQUEST, `Unknown election type ${type}`)
}

function electOne(
  { image }: ControllerContext,
  change: PartitionChanger,
  election: Election,
  topicName: string,
  partitionId: number,
  records: MetadataRecord[],
): ItemError {
  const topic = image.topics.byName(topicName)
  if (topic === undefined) {
    return itemError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `No such topic as ${shownTopicName(topicName)}`)
  }
  const partition = topic.partitions[partitionId]
  if (partition === undefined) {
    return itemError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `No such partition as ${topicName}-${partitionId}`)
  }
  const needless = election === 'preferred' ? hasPreferredLeader(partition) : partition.leader !== NO_LEADER
  if (needless) {
    return itemError(ErrorCode.ELECTION_NOT_NEEDED, 'Leader election not needed for topic partition.')
  }
  const record = change(topic, partitionId, { target: {}, election })
  if (record !== null) {
    records.push(record)
    return NO_ERROR
  }
  return election === 'preferred'
    ? itemError(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, 'The preferred leader was not available.')
    : itemError(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, 'Eligible topic partition leaders are not available.')
}

function hasPreferredLeader(partition: PartitionImage): boolean {
  return partition.leader === partition.replicas[0]
}

/**
 * One pass that brings leaders back to the first replica where it is in sync. The response says whether more are left.
 */
export const balanceLeaders: Command<boolean> = context => {
  const change = partitionChanger(context)
  const records: MetadataRecord[] = []
  for (const topic of context.image.topics.all()) {
    for (const [partitionId, partition] of topic.partitions.entries()) {
      if (hasPreferredLeader(partition)) continue
      if (records.length === balanceElectionsMax) return { records, response: true }
      const record = change(topic, partitionId, { target: {}, election: 'preferred' })
      if (record !== null) records.push(record)
    }
  }
  return { records, response: false }
}

/** Gives partitions without a leader one that may have lost records, where their topic would rather have that. */
export const electUncleanLeaders: Command<void> = context => {
  const change = partitionChanger(context)
  const records: MetadataRecord[] = []
  for (const topic of context.image.topics.all()) {
    for (const [partitionId, partition] of topic.partitions.entries()) {
      if (partition.leader !== NO_LEADER || !allowsUncleanElection(context, topic.name)) continue
      const record = change(topic, partitionId, { target: {}, election: 'unclean' })
      if (record !== null) records.push(record)
    }
  }
  return { records, response: undefined }
}
