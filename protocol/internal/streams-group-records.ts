/** Records of `__consumer_offsets`: streams groups (KIP-1071). */
import { array, int8, int16, int32, int64, message, string, struct, uint16 } from '../schema.js'

/** Key of the current assignment of a member of a streams group. */
export const StreamsGroupCurrentMemberAssignmentKey = message({
  name: 'StreamsGroupCurrentMemberAssignmentKey',
  key: 22,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string, memberId: string },
})

const TaskIds = struct({
  subtopologyId: string,
  partitions: array(int32),
  assignmentEpochs: array(int32).nullable().tagged(0),
})

/** Value of the current assignment of a member of a streams group. */
export const StreamsGroupCurrentMemberAssignmentValue = message({
  name: 'StreamsGroupCurrentMemberAssignmentValue',
  key: 22,
  versions: '0',
  flexible: '0+',
  fields: {
    memberEpoch: int32,
    previousMemberEpoch: int32,
    state: int8,
    activeTasks: array(TaskIds),
    standbyTasks: array(TaskIds),
    warmupTasks: array(TaskIds),
    activeTasksPendingRevocation: array(TaskIds),
    standbyTasksPendingRevocation: array(TaskIds),
    warmupTasksPendingRevocation: array(TaskIds),
  },
})

/** Key of a member of a streams group. */
export const StreamsGroupMemberMetadataKey = message({
  name: 'StreamsGroupMemberMetadataKey',
  key: 19,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string, memberId: string },
})

const Endpoint = struct({ host: string, port: uint16 })

const KeyValue = struct({ key: string, value: string })

/** Value of a member of a streams group. */
export const StreamsGroupMemberMetadataValue = message({
  name: 'StreamsGroupMemberMetadataValue',
  key: 19,
  versions: '0',
  flexible: '0+',
  fields: {
    instanceId: string.nullable(),
    rackId: string.nullable(),
    clientId: string,
    clientHost: string,
    rebalanceTimeoutMs: int32.default(-1),
    topologyEpoch: int32,
    processId: string,
    userEndpoint: Endpoint.nullable().default(null),
    clientTags: array(KeyValue),
  },
})

/** Key of the epoch of a streams group. */
export const StreamsGroupMetadataKey = message({
  name: 'StreamsGroupMetadataKey',
  key: 17,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string },
})

const LastAssignmentConfig = struct({ key: string, value: string })

/** Value of the epoch of a streams group. */
export const StreamsGroupMetadataValue = message({
  name: 'StreamsGroupMetadataValue',
  key: 17,
  versions: '0',
  flexible: '0+',
  fields: {
    epoch: int32,
    metadataHash: int64,
    validatedTopologyEpoch: int32.tagged(0).default(-1),
    lastAssignmentConfigs: array(LastAssignmentConfig).nullable().tagged(1),
    storedDescriptionTopologyEpoch: int32.tagged(2).default(-1),
    failedDescriptionTopologyEpoch: int32.tagged(3).default(-1),
  },
})

/** Key of the target assignment of a member of a streams group. */
export const StreamsGroupTargetAssignmentMemberKey = message({
  name: 'StreamsGroupTargetAssignmentMemberKey',
  key: 21,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string, memberId: string },
})

const StreamsGroupTargetAssignmentMemberValueTaskIds = struct({ subtopologyId: string, partitions: array(int32) })

/** Value of the target assignment of a member of a streams group. */
export const StreamsGroupTargetAssignmentMemberValue = message({
  name: 'StreamsGroupTargetAssignmentMemberValue',
  key: 21,
  versions: '0',
  flexible: '0+',
  fields: {
    activeTasks: array(StreamsGroupTargetAssignmentMemberValueTaskIds),
    standbyTasks: array(StreamsGroupTargetAssignmentMemberValueTaskIds),
    warmupTasks: array(StreamsGroupTargetAssignmentMemberValueTaskIds),
  },
})

/** Key of the epoch of the target assignment of a streams group. */
export const StreamsGroupTargetAssignmentMetadataKey = message({
  name: 'StreamsGroupTargetAssignmentMetadataKey',
  key: 20,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string },
})

/** Value of the epoch of the target assignment of a streams group. */
export const StreamsGroupTargetAssignmentMetadataValue = message({
  name: 'StreamsGroupTargetAssignmentMetadataValue',
  key: 20,
  versions: '0',
  flexible: '0+',
  fields: { assignmentEpoch: int32, assignmentTimestamp: int64.tagged(0).default(0) },
})

/** Key of the topology of a streams group. */
export const StreamsGroupTopologyKey = message({
  name: 'StreamsGroupTopologyKey',
  key: 23,
  versions: '0',
  flexible: 'none',
  fields: { groupId: string },
})

const TopicConfig = struct({ key: string, value: string })

const TopicInfo = struct({
  name: string,
  partitions: int32,
  replicationFactor: int16,
  topicConfigs: array(TopicConfig),
})

/** Value of the topology of a streams group. */
export const StreamsGroupTopologyValue = message({
  name: 'StreamsGroupTopologyValue',
  key: 23,
  versions: '0',
  flexible: '0+',
  fields: {
    epoch: int32,
    subtopologies: array(
      struct({
        subtopologyId: string,
        sourceTopics: array(string),
        sourceTopicRegex: array(string),
        stateChangelogTopics: array(TopicInfo),
        repartitionSinkTopics: array(string),
        repartitionSourceTopics: array(TopicInfo),
        copartitionGroups: array(
          struct({ sourceTopics: array(int16), sourceTopicRegex: array(int16), repartitionSourceTopics: array(int16) }),
        ),
      }),
    ),
  },
})
