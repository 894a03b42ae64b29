import { ErrorCode } from '#protocol/errors.js'
import { AlterReplicaLogDirs, type AlterReplicaLogDirsRequest } from '#protocol/messages/alter-replica-log-dirs.js'
import type { ReplicaManager } from '../replication/replica-manager.js'
import { errorCodeOf, isExpectedError } from '../replication/replication-error.js'
import { handler } from './handler.js'

/** The longest name of a folder; a copy has a uuid and a word more than its topic and partition. */
const FOLDER_NAME_MAX = 255
const FUTURE_SUFFIX = 40

/**
 * AlterReplicaLogDirs 1-2.
 * Behaviour: begins to move replicas of this broker to another of its log directories, by absolute path; where they
 *            are is told by DescribeLogDirs. A directory that is not in `log.dirs` is LOG_DIR_NOT_FOUND. Of a
 *            replica that is named twice the last directory counts.
 * Versions:  2 flexible.
 */
export const alterReplicaLogDirs = handler(
  AlterReplicaLogDirs,
  ({ replicas }: { readonly replicas: ReplicaManager }, { dirs }) => {
    const results = [...pathsByTopic(dirs)].map(([topicName, paths]) => ({
      topicName,
      partitions: Array.from(paths, ([partitionIndex, path]) => ({
        partitionIndex,
        errorCode: move(replicas, path, topicName, partitionIndex),
      })),
    }))
    return { results }
  },
)

/** Where each replica is to go; topics without partitions are left out. */
function pathsByTopic(dirs: AlterReplicaLogDirsRequest['dirs']): ReadonlyMap<string, ReadonlyMap<number, string>> {
  const byTopic = new Map<string, Map<number, string>>()
  for (const { path, topics } of dirs) {
    for (const { name, partitions } of topics) {
      if (partitions.length === 0) continue
      const paths = byTopic.get(name) ?? new Map<number, string>()
      byTopic.set(name, paths)
      for (const partition of partitions) paths.set(partition, path)
    }
  }
  return byTopic
}

function move(replicas: ReplicaManager, path: string, topic: string, index: number): number {
  if (topic.length + String(index).length + 1 + FUTURE_SUFFIX > FOLDER_NAME_MAX)
    return ErrorCode.INVALID_TOPIC_EXCEPTION
  const directory = replicas.directories.find(each => each.absolutePath === path)
  if (directory === undefined) return ErrorCode.LOG_DIR_NOT_FOUND
  if (directory.offline !== null) return ErrorCode.KAFKA_STORAGE_ERROR
  try {
    const partition = replicas.partitionOf(topic, index)
    if (partition.isOffline) return ErrorCode.KAFKA_STORAGE_ERROR
    replicas.futures.move(partition, directory)
    return ErrorCode.NONE
  } catch (error) {
    if (!isExpectedError(error)) throw error
    const code = errorCodeOf(error)
    // Clients know this API by the name that the error had before.
    return code === ErrorCode.NOT_LEADER_OR_FOLLOWER ? ErrorCode.REPLICA_NOT_AVAILABLE : code
  }
}
