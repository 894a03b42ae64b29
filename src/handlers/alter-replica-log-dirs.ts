import { ErrorCode } from '#protocol/errors.js'
import { AlterReplicaLogDirs } from '#protocol/messages/alter-replica-log-dirs.js'
import type { ReplicaManager } from '../replication/replica-manager.js'
import { errorCodeOf, isExpectedError } from '../replication/replication-error.js'
import { handler } from './handler.js'

/** The longest name of a folder; a copy has a uuid and a word more than its topic and partition. */
const FOLDER_NAME_MAX = 255
const FUTURE_SUFFIX = 40

/**
 * AlterReplicaLogDirs 1-2.
 * Behaviour: begins to move replicas of this broker to another of its log directories, by absolute path; where they
 *            are is told by DescribeLogDirs. A directory that is not in `log.dirs` is LOG_DIR_NOT_FOUND.
 * Versions:  2 flexible.
 */
export const alterReplicaLogDirs = handler(
  AlterReplicaLogDirs,
  ({ replicas }: { readonly replicas: ReplicaManager }, { dirs }) => {
    const results = new Map<string, { partitionIndex: number; errorCode: number }[]>()
    for (const { path, topics } of dirs) {
      for (const { name, partitions } of topics) {
        const answers = results.get(name) ?? []
        results.set(name, answers)
        for (const partitionIndex of partitions) {
          answers.push({ partitionIndex, errorCode: move(replicas, path, name, partitionIndex) })
        }
      }
    }
    return { results: [...results].map(([topicName, partitions]) => ({ topicName, partitions })) }
  },
)

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
