import { ErrorCode } from '#protocol/errors.js'
import { DescribeLogDirs, type DescribeLogDirsRequest } from '#protocol/messages/describe-log-dirs.js'
import type { PartitionLog } from '#storage/log.js'
import type { LogDirectory } from '#storage/log-directory.js'
import { LogError } from '#storage/log-error.js'
import type { ReplicaManager } from '../replication/replica-manager.js'
import { handler } from './handler.js'

export interface DescribeLogDirsServices {
  readonly replicas: ReplicaManager
}

interface PartitionAnswer {
  readonly partitionIndex: number
  readonly partitionSize: number
  readonly offsetLag: number
  readonly isFutureKey: boolean
}

/**
 * DescribeLogDirs 1-5.
 * Behaviour: the log directories of this broker, by absolute path, with what is in them, all of it or the partitions
 *            that are named; a copy that is to replace a log (AlterReplicaLogDirs) is marked. An offline directory is
 *            KAFKA_STORAGE_ERROR.
 * Versions:  2 flexible, 3 error at the top, 4 total and usable bytes, 5 cordoned directories.
 */
export const describeLogDirs = handler(DescribeLogDirs, ({ replicas }: DescribeLogDirsServices, { topics }) => {
  const isWanted = filterOf(topics)
  return { results: replicas.directories.map(directory => describe(replicas, directory, isWanted)) }
})

type Filter = (topic: string, partition: number) => boolean

function filterOf(topics: DescribeLogDirsRequest['topics']): Filter {
  if (topics === null) return () => true
  const wanted = new Map<string, Set<number>>()
  for (const { topic, partitions } of topics) {
    const known = wanted.get(topic) ?? new Set()
    wanted.set(topic, known)
    for (const partition of partitions) known.add(partition)
  }
  return (topic, partition) => wanted.get(topic)?.has(partition) === true
}

function describe(replicas: ReplicaManager, directory: LogDirectory, isWanted: Filter) {
  const offline = { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, logDir: directory.absolutePath, topics: [] }
  if (directory.offline !== null) return offline
  try {
    const topics = new Map<string, PartitionAnswer[]>()
    for (const log of directory.logs()) add(topics, replicas, log, false, isWanted)
    for (const log of directory.futureLogs()) add(topics, replicas, log, true, isWanted)
    return {
      errorCode: ErrorCode.NONE,
      logDir: directory.absolutePath,
      topics: [...topics].map(([name, partitions]) => ({
        name,
        partitions: partitions.sort((a, b) => a.partitionIndex - b.partitionIndex),
      })),
      ...directory.space(),
    }
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    return offline
  }
}

function add(
  topics: Map<string, PartitionAnswer[]>,
  replicas: ReplicaManager,
  log: PartitionLog,
  isFutureKey: boolean,
  isWanted: Filter,
): void {
  if (!isWanted(log.topic, log.partition)) return
  const partitions = topics.get(log.topic) ?? []
  topics.set(log.topic, partitions)
  const replica = replicas.topics.byName(log.topic)?.hosted[log.partition]
  const end = isFutureKey ? replica?.log.logEndOffset : replica?.highWatermark
  partitions.push({
    partitionIndex: log.partition,
    partitionSize: log.size,
    offsetLag: Math.max(0, (end ?? log.logEndOffset) - log.logEndOffset),
    isFutureKey,
  })
}
