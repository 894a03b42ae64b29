/** Records of `__consumer_offsets`: share groups (KIP-932). */
import { array, int8, int32, int64, message, string, struct, uuid } from '../schema.js'

/** Key of the current assignment of a member of a share group. */
export const ShareGroupCurrentMemberAssignmentKey = message({
  name: 'ShareGroupCurrentMemberAssignmentKey',
  key: 14,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string, memberId: string },
})

const TopicPartitions = struct({ topicId: uuid, partitions: array(int32) })

/** Value of the current assignment of a member of a share group. */
export const ShareGroupCurrentMemberAssignmentValue = message({
  name: 'ShareGroupCurrentMemberAssignmentValue',
  key: 14,
  versions: '0',
  flexible: '0+',
  fields: { memberEpoch: int32, previousMemberEpoch: int32, state: int8, assignedPartitions: array(TopicPartitions) },
})

/** Key of a member of a share group. */
export const ShareGroupMemberMetadataKey = message({
  name: 'ShareGroupMemberMetadataKey',
  key: 10,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string, memberId: string },
})

/** Value of a member of a share group. */
export const ShareGroupMemberMetadataValue = message({
  name: 'ShareGroupMemberMetadataValue',
  key: 10,
  versions: '0',
  flexible: '0+',
  fields: { rackId: string.nullable(), clientId: string, clientHost: string, subscribedTopicNames: array(string) },
})

/** Key of the epoch of a share group. */
export const ShareGroupMetadataKey = message({
  name: 'ShareGroupMetadataKey',
  key: 11,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string },
})

/** Value of the epoch of a share group. */
export const ShareGroupMetadataValue = message({
  name: 'ShareGroupMetadataValue',
  key: 11,
  versions: '0',
  flexible: '0+',
  fields: { epoch: int32, metadataHash: int64 },
})

/** Key of the share partitions whose state exists. */
export const ShareGroupStatePartitionMetadataKey = message({
  name: 'ShareGroupStatePartitionMetadataKey',
  key: 15,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string },
})

const TopicPartitionsInfo = struct({ topicId: uuid, topicName: string, partitions: array(int32) })

const TopicInfo = struct({ topicId: uuid, topicName: string })

/** Value of the share partitions whose state exists. */
export const ShareGroupStatePartitionMetadataValue = message({
  name: 'ShareGroupStatePartitionMetadataValue',
  key: 15,
  versions: '0',
  flexible: '0+',
  fields: {
    initializingTopics: array(TopicPartitionsInfo),
    initializedTopics: array(TopicPartitionsInfo),
    deletingTopics: array(TopicInfo),
  },
})

/** Key of the target assignment of a member of a share group. */
export const ShareGroupTargetAssignmentMemberKey = message({
  name: 'ShareGroupTargetAssignmentMemberKey',
  key: 13,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string, memberId: string },
})

/** Value of the target assignment of a member of a share group. */
export const ShareGroupTargetAssignmentMemberValue = message({
  name: 'ShareGroupTargetAssignmentMemberValue',
  key: 13,
  versions: '0',
  flexible: '0+',
  fields: { topicPartitions: array(struct({ topicId: uuid, partitions: array(int32) })) },
})

/** Key of the epoch of the target assignment of a share group. */
export const ShareGroupTargetAssignmentMetadataKey = message({
  name: 'ShareGroupTargetAssignmentMetadataKey',
  key: 12,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string },
})

/** Value of the epoch of the target assignment of a share group. */
export const ShareGroupTargetAssignmentMetadataValue = message({
  name: 'ShareGroupTargetAssignmentMetadataValue',
  key: 12,
  versions: '0',
  flexible: '0+',
  fields: { assignmentEpoch: int32, assignmentTimestamp: int64.tagged(0).default(0) },
})
