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

const Endpoint = struct({ host: string, port: uint16 })

const TaskOffset = struct({ subtopologyId: string, partition: int32, offset: int64 })

const TaskIds = struct({ subtopologyId: string, partitions: array(int32) })

const Assignment = struct({ activeTasks: array(TaskIds), standbyTasks: array(TaskIds), warmupTasks: array(TaskIds) })

const TopologyDescriptionNode = struct({
  name: string.versions('1+'),
  nodeType: int8.versions('1+'),
  sourceTopics: array(string).versions('1+'),
  sinkTopic: string.nullable().versions('1+').default(null),
  stores: array(string).versions('1+'),
  successors: array(string).versions('1+'),
})

const TopologyDescriptionSubtopology = struct({
  subtopologyId: string.versions('1+'),
  nodes: array(TopologyDescriptionNode).versions('1+'),
})

const TopologyDescriptionGlobalStore = struct({
  source: TopologyDescriptionNode.versions('1+'),
  processor: TopologyDescriptionNode.versions('1+'),
})

const TopologyDescription = struct({
  subtopologies: array(TopologyDescriptionSubtopology).versions('1+'),
  globalStores: array(TopologyDescriptionGlobalStore).versions('1+'),
})

/** Describes streams groups. */
export const StreamsGroupDescribe = api({
  key: 89,
  name: 'StreamsGroupDescribe',
  versions: '0-1',
  flexible: '0+',
  listeners: ['broker'],
  request: {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
    includeTopologyDescription: bool.versions('1+').default(false),
  },
  response: {
    throttleTimeMs: int32.default(0),
    groups: array(
      struct({
        errorCode: int16,
        errorMessage: string.nullable().default(null),
        groupId: string,
        groupState: string,
        groupEpoch: int32,
        assignmentEpoch: int32,
        topology: struct({
          epoch: int32,
          subtopologies: array(
            struct({
              subtopologyId: string,
              sourceTopics: array(string),
              repartitionSinkTopics: array(string),
              stateChangelogTopics: array(TopicInfo),
              repartitionSourceTopics: array(TopicInfo),
            }),
          )
            .nullable()
            .default(null),
        })
          .nullable()
          .default(null),
        members: array(
          struct({
            memberId: string,
            memberEpoch: int32,
            instanceId: string.nullable().default(null),
            rackId: string.nullable().default(null),
            clientId: string,
            clientHost: string,
            topologyEpoch: int32,
            processId: string,
            userEndpoint: Endpoint.nullable().default(null),
            clientTags: array(KeyValue),
            taskOffsets: array(TaskOffset),
            taskEndOffsets: array(TaskOffset),
            assignment: Assignment,
            targetAssignment: Assignment,
            isClassic: bool,
          }),
        ),
        authorizedOperations: int32.default(-2147483648),
        topologyDescription: TopologyDescription.nullable().versions('1+').default(null),
        topologyDescriptionStatus: int8.versions('1+').default(0),
        assignorName: string.nullable().versions('1+').default(null),
      }),
    ),
  },
})

export interface StreamsGroupDescribeRequest extends RequestOf<typeof StreamsGroupDescribe> {}
export interface StreamsGroupDescribeResponse extends ResponseOf<typeof StreamsGroupDescribe> {}
