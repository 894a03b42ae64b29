import { ApiError, ErrorCode } from '#protocol/errors.js'
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '#protocol/messages/assign-replicas-to-dirs.js'
import { DirectoryId } from '../metadata/directory-id.js'
import { metadataAllows } from '../metadata/metadata-version.js'
import type { MetadataRecord } from '../metadata/record.js'
import type { Command, ControllerContext } from './command.js'
import { partitionChanger } from './partition-changer.js'
import { checkBrokerEpoch } from './register-broker.js'

/**
 * A broker says in which of its log directories its replicas are; one that it does not have online takes them offline.
 */
export function assignReplicasToDirs(request: AssignReplicasToDirsRequest): Command<AssignReplicasToDirsResponse> {
  return context => {
    const { brokerId, brokerEpoch } = request
    if (!metadataAllows(context.image.features.metadataVersion, 'directoryAssignment')) {
      throw new ApiError(ErrorCode.UNSUPPORTED_VERSION, 'Directory assignment is not supported yet.')
    }
    checkBrokerEpoch(context, brokerId, brokerEpoch)
    const records: MetadataRecord[] = []
    const directories = request.directories.map(({ id, topics }) => ({
      id,
      topics: topics.map(({ topicId, partitions }) => ({
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: assign(context, brokerId, id, topicId, partitionIndex, records),
        })),
      })),
    }))
    return { records, response: { throttleTimeMs: 0, errorCode: ErrorCode.NONE, directories } }
  }
}

function assign(
  context: ControllerContext,
  brokerId: number,
  directory: string,
  topicId: string,
  partitionIndex: number,
  records: MetadataRecord[],
): ErrorCode {
  const { topics, cluster } = context.image
  const topic = topics.byId(topicId)
  if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_ID
  const partition = topic.partitions[partitionIndex]
  if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  const at = partition.replicas.indexOf(brokerId)
  if (at === -1) return ErrorCode.NOT_LEADER_OR_FOLLOWER
  if (partition.directories[at] === directory) return ErrorCode.NONE
  const isOnline = directory === DirectoryId.UNASSIGNED || cluster.broker(brokerId)!.directories.includes(directory)
  const record = partitionChanger(context)(topic, partitionIndex, {
    target: {
      directories: new Map([[brokerId, directory]]),
      ...(isOnline ? {} : { isr: partition.isr.filter(replica => replica !== brokerId) }),
    },
    election: 'online',
    ...(isOnline ? {} : { isActive: id => id !== brokerId && cluster.broker(id)?.fenced === false }),
  })
  if (record !== null) records.push(record)
  return ErrorCode.NONE
}
