import { ErrorCode } from '#protocol/errors.js'
import type { AlterPartitionRequest, AlterPartitionResponse } from '#protocol/messages/alter-partition.js'
import type { PartitionImage, TopicImage } from '../metadata/image.js'
import { changedPartition, LeaderRecovery } from '../metadata/partition-state.js'
import type { MetadataRecord } from '../metadata/record.js'
import { isActiveBroker } from './cluster-view.js'
import type { Command, ControllerContext } from './command.js'
import { containsAll } from './partition-change.js'
import { type SequentialChanges, sequentialChanges } from './partition-changer.js'
import { checkBrokerEpoch } from './register-broker.js'

type Topics = NonNullable<AlterPartitionResponse['topics']>
type PartitionResponse = Topics[number]['partitions'][number]

/**
 * The ISR that a leader proposes, in one shape for all versions; epoch -1 where the version or the leader does not
 * tell.
 */
interface Proposal {
  readonly partitionIndex: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  readonly leaderRecoveryState: number
  readonly isr: readonly { readonly brokerId: number; readonly brokerEpoch: number }[]
}

/**
 * Leaders change the in-sync replicas of their partitions. Each proposal is checked against the state that the leader
 * believes in; a proposal that completes a reassignment may make another broker the leader, which the old one is told
 * with NEW_LEADER_ELECTED.
 */
export function alterPartition(request: AlterPartitionRequest, apiVersion: number): Command<AlterPartitionResponse> {
  return context => {
    const { brokerId, brokerEpoch } = request
    // Who asks for nothing gets nothing, whoever it is.
    if (request.topics.length > 0) checkBrokerEpoch(context, brokerId, brokerEpoch)
    const records: MetadataRecord[] = []
    const changes = sequentialChanges(context)
    const topics = request.topics.map(({ topicId, partitions }) => {
      const topic = context.image.topics.byId(topicId)
      return {
        topicId,
        partitions: partitions.map(partition => {
          const isr =
            apiVersion >= 3
              ? partition.newIsrWithEpochs
              : partition.newIsr.map(member => ({ brokerId: member, brokerEpoch: -1 }))
          return propose(context, changes, brokerId, topic, { ...partition, isr }, records)
        }),
      }
    })
    return { records, response: { throttleTimeMs: 0, errorCode: ErrorCode.NONE, topics } }
  }
}

function propose(
  context: ControllerContext,
  changes: SequentialChanges,
  brokerId: number,
  topic: TopicImage | undefined,
  proposal: Proposal,
  records: MetadataRecord[],
): PartitionResponse {
  const { partitionIndex, leaderRecoveryState } = proposal
  const partition = topic === undefined ? undefined : changes.partition(topic, partitionIndex)
  const error = validate(context, brokerId, topic, partition, proposal)
  if (error !== ErrorCode.NONE || topic === undefined || partition === undefined) return failure(partitionIndex, error)
  const isr = proposal.isr.map(member => member.brokerId)
  const record = changes.change(topic, partitionIndex, { target: { isr, leaderRecoveryState } })
  if (record === null || record.type !== 'PartitionChangeRecord') return success(partitionIndex, partition)
  records.push(record)
  const after = changedPartition(partition, record.value)
  const lost = after.leader !== brokerId && after.leader !== partition.leader
  return lost ? failure(partitionIndex, ErrorCode.NEW_LEADER_ELECTED) : success(partitionIndex, after)
}

/** The first reason for which a proposal is refused; the leader behaves differently after each of them. */
function validate(
  { image }: ControllerContext,
  brokerId: number,
  topic: TopicImage | undefined,
  partition: PartitionImage | undefined,
  proposal: Proposal,
): ErrorCode {
  if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_ID
  if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  const { leaderEpoch, partitionEpoch, isr, leaderRecoveryState } = proposal
  // The leader knows what this controller does not: another one is active.
  if (leaderEpoch > partition.leaderEpoch || partitionEpoch > partition.partitionEpoch) return ErrorCode.NOT_CONTROLLER
  if (leaderEpoch < partition.leaderEpoch) return ErrorCode.FENCED_LEADER_EPOCH
  if (brokerId !== partition.leader) return ErrorCode.INVALID_REQUEST
  if (partitionEpoch < partition.partitionEpoch) return ErrorCode.INVALID_UPDATE_VERSION
  const members = isr.map(member => member.brokerId)
  const isWellFormed =
    members.length > 0 && new Set(members).size === members.length && containsAll(partition.replicas, members)
  if (!isWellFormed || !members.includes(brokerId)) return ErrorCode.INVALID_REQUEST
  if (leaderRecoveryState !== LeaderRecovery.RECOVERED && leaderRecoveryState !== LeaderRecovery.RECOVERING) {
    return ErrorCode.INVALID_REQUEST
  }
  const recovering = leaderRecoveryState === LeaderRecovery.RECOVERING
  if (recovering && (members.length > 1 || partition.leaderRecoveryState === LeaderRecovery.RECOVERED)) {
    return ErrorCode.INVALID_REQUEST
  }
  for (const { brokerId: id, brokerEpoch } of isr) {
    const broker = image.cluster.broker(id)
    if (!isActiveBroker(image.cluster, id)) return ErrorCode.INELIGIBLE_REPLICA
    if (brokerEpoch !== -1 && brokerEpoch !== broker?.epoch) return ErrorCode.INELIGIBLE_REPLICA
  }
  return ErrorCode.NONE
}

function failure(partitionIndex: number, errorCode: ErrorCode): PartitionResponse {
  return { partitionIndex, errorCode, leaderId: 0, leaderEpoch: 0, isr: [], leaderRecoveryState: 0, partitionEpoch: 0 }
}

function success(partitionIndex: number, partition: PartitionImage): PartitionResponse {
  return {
    partitionIndex,
    errorCode: ErrorCode.NONE,
    leaderId: partition.leader,
    leaderEpoch: partition.leaderEpoch,
    isr: partition.isr,
    leaderRecoveryState: partition.leaderRecoveryState,
    partitionEpoch: partition.partitionEpoch,
  }
}
