import { ErrorCode, errorName } from '#protocol/errors.js'
import { DescribeProducers } from '#protocol/messages/describe-producers.js'
import { topicNameProblem } from '../controller/topic-name.js'
import type { ReplicaManager } from '../replication/replica-manager.js'
import { errorCodeOf, isExpectedError } from '../replication/replication-error.js'
import { handler } from './handler.js'

export interface DescribeProducersServices {
  readonly replicas: ReplicaManager
}

/** Kafka's words for the codes that this API answers with. */
const MESSAGES: Readonly<Partial<Record<string, string>>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'This server does not host this topic-partition.',
  NOT_LEADER_OR_FOLLOWER:
    'For requests intended only for the leader, this error indicates that the broker is not the current leader. For requests intended for any replica, this error indicates that the broker is not a replica of the topic partition.',
  KAFKA_STORAGE_ERROR: 'Disk error when trying to access log file on the disk.',
}

/**
 * DescribeProducers 0.
 * Behaviour: the producers that a partition knows of, with sequence, time and open transaction; from its leader.
 */
export const describeProducers = handler(DescribeProducers, ({ replicas }: DescribeProducersServices, { topics }) => ({
  topics: topics.map(({ name, partitionIndexes }) => {
    const problem = topicNameProblem(name)
    return {
      name,
      partitions: partitionIndexes.map(partitionIndex =>
        problem === null
          ? describe(replicas, name, partitionIndex)
          : failed(partitionIndex, ErrorCode.INVALID_TOPIC_EXCEPTION, problem),
      ),
    }
  }),
}))

function describe(replicas: ReplicaManager, topic: string, partitionIndex: number) {
  try {
    const partition = replicas.partitionOf(topic, partitionIndex)
    partition.requireLeader(-1)
    const activeProducers = partition.log.activeProducers().map(producer => ({
      producerId: producer.producerId,
      producerEpoch: producer.producerEpoch,
      lastSequence: producer.lastSequence,
      lastTimestamp: producer.lastTimestamp,
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTxnStartOffset: producer.currentTransactionStartOffset,
    }))
    return { partitionIndex, errorCode: ErrorCode.NONE, errorMessage: null, activeProducers }
  } catch (error) {
    if (!isExpectedError(error)) throw error
    const code = errorCodeOf(error)
    return failed(partitionIndex, code, MESSAGES[errorName(code)] ?? errorName(code))
  }
}

function failed(partitionIndex: number, errorCode: number, errorMessage: string) {
  return { partitionIndex, errorCode, errorMessage, activeProducers: [] }
}
