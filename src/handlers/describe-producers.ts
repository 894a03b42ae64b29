import { ErrorCode } from '#protocol/errors.js'
import { DescribeProducers } from '#protocol/messages/describe-producers.js'
import { topicNameProblem } from '../controller/topic-name.js'
import type { ReplicaManager } from '../replication/replica-manager.js'
import { errorCodeOf, isExpectedError } from '../replication/replication-error.js'
import { handler } from './handler.js'

export interface DescribeProducersServices {
  readonly replicas: ReplicaManager
}

const NO_SUCH_TOPIC = 'This server does not host this topic-partition.'

/**
 * DescribeProducers 0.
 * Behaviour: the producers that a partition knows of, with sequence, time and open transaction; from its leader. Of a
 *            partition that is named twice they are told once: a request has room for very many names.
 */
export const describeProducers = handler(DescribeProducers, ({ replicas }: DescribeProducersServices, { topics }) => {
  const seen = new Map<string, Set<number>>()
  return {
    topics: topics.map(({ name, partitionIndexes }) => {
      const problem = topicNameProblem(name)
      const known = seen.get(name) ?? new Set<number>()
      seen.set(name, known)
      const partitions = []
      for (const partitionIndex of partitionIndexes) {
        if (known.has(partitionIndex)) continue
        known.add(partitionIndex)
        partitions.push(
          problem === null
            ? describe(replicas, name, partitionIndex)
            : failed(partitionIndex, ErrorCode.INVALID_TOPIC_EXCEPTION, problem),
        )
      }
      return { name, partitions }
    }),
  }
})

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
    // Kafka has words for a topic that it does not know, and none for a partition of a topic that it does.
    const isKnown = replicas.topics.byName(topic) !== undefined
    return failed(partitionIndex, errorCodeOf(error), isKnown ? null : NO_SUCH_TOPIC)
  }
}

function failed(partitionIndex: number, errorCode: number, errorMessage: string | null) {
  return { partitionIndex, errorCode, errorMessage, activeProducers: [] }
}
