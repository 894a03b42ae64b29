import { api, array, int8, int16, int32, type RequestOf, type ResponseOf, string, struct } from '../schema.js'

const TopologyDescriptionNode = struct({
  name: string,
  nodeType: int8,
  sourceTopics: array(string),
  sinkTopic: string.nullable().default(null),
  stores: array(string),
  successors: array(string),
})

const TopologyDescriptionSubtopology = struct({ subtopologyId: string, nodes: array(TopologyDescriptionNode) })

const TopologyDescriptionGlobalStore = struct({ source: TopologyDescriptionNode, processor: TopologyDescriptionNode })

const TopologyDescription = struct({
  subtopologies: array(TopologyDescriptionSubtopology),
  globalStores: array(TopologyDescriptionGlobalStore),
})

/** Stores the description of the topology of a streams group (KIP-1331). */
export const StreamsGroupTopologyDescriptionUpdate = api({
  key: 93,
  name: 'StreamsGroupTopologyDescriptionUpdate',
  versions: '0',
  flexible: '0+',
  listeners: ['broker'],
  request: { groupId: string, memberId: string, topologyEpoch: int32, topologyDescription: TopologyDescription },
  response: { throttleTimeMs: int32.default(0), errorCode: int16, errorMessage: string.nullable().default(null) },
})

export interface StreamsGroupTopologyDescriptionUpdateRequest
  extends RequestOf<typeof StreamsGroupTopologyDescriptionUpdate> {}
export interface StreamsGroupTopologyDescriptionUpdateResponse
  extends ResponseOf<typeof StreamsGroupTopologyDescriptionUpdate> {}
