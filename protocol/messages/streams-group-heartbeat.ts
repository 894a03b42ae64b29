import {
  api,
  array,
  bool,
  int8,
  int16,
  int32,
  int64,
  type RequestOf,
  type ResponseOf,
  string,
  struct,
  uint16,
} from '../schema.js'

const KeyValue = struct({ key: string, value: string })

const TopicInfo = struct({ name: string, partitions: int32, replicationFactor: int16, topicConfigs: array(KeyValue) })

const TaskIds = struct({ subtopologyId: string, partitions: array(int32) })

const Endpoint = struct({ host: string, port: uint16 })

const TaskOffset = struct({ subtopologyId: string, partition: int32, offset: int64 })

const Status = struct({ statusCode: int8, statusDetail: string })

const TopicPartition = struct({ topic: string, partitions: array(int32) })

/** A member of a streams group (KIP-1071) lives, joins, leaves and learns its tasks. */
export const StreamsGroupHeartbeat = api({
  key: 88,
  name: 'StreamsGroupHeartbeat',
  versions: '0-1',
  flexible: '0+',
  listeners: ['broker'],
  request: {
    groupId: string,
    memberId: string,
    memberEpoch: int32,
    endpointInformationEpoch: int32,
    instanceId: string.nullable().default(null),
    rackId: string.nullable().default(null),
    rebalanceTimeoutMs: int32.default(-1),
    topology: struct({
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
            struct({
              sourceTopics: array(int16),
              sourceTopicRegex: array(int16),
              repartitionSourceTopics: array(int16),
            }),
          ),
        }),
      ),
    })
      .nullable()
      .default(null),
    activeTasks: array(TaskIds).nullable().default(null),
    standbyTasks: array(TaskIds).nullable().default(null),
    warmupTasks: array(TaskIds).nullable().default(null),
    processId: string.nullable().default(null),
    userEndpoint: Endpoint.nullable().default(null),
    clientTags: array(KeyValue).nullable().default(null),
    taskOffsets: array(TaskOffset).nullable().default(null),
    taskEndOffsets: array(TaskOffset).nullable().default(null),
    shutdownApplication: bool.default(false),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.nullable().default(null),
    memberId: string,
    memberEpoch: int32,
    heartbeatIntervalMs: int32,
    acceptableRecoveryLagLegacy: int32.versions('0'),
    taskOffsetIntervalMs: int32,
    acceptableRecoveryLag: int64.versions('1+').default(-1),
    status: array(Status).nullable(),
    activeTasks: array(TaskIds).nullable().default(null),
    standbyTasks: array(TaskIds).nullable().default(null),
    warmupTasks: array(TaskIds).nullable().default(null),
    topologyDescriptionRequired: bool.versions('1+').default(false),
    endpointInformationEpoch: int32,
    partitionsByUserEndpoint: array(
      struct({
        userEndpoint: Endpoint,
        activePartitions: array(TopicPartition),
        standbyPartitions: array(TopicPartition),
      }),
    )
      .nullable()
      .default(null),
  },
})

export interface StreamsGroupHeartbeatRequest extends RequestOf<typeof StreamsGroupHeartbeat> {}
export interface StreamsGroupHeartbeatResponse extends ResponseOf<typeof StreamsGroupHeartbeat> {}
