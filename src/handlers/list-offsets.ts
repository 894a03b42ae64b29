import { ApiError, ErrorCode } from '#protocol/errors.js'
import { ListOffsets, type ListOffsetsRequest } from '#protocol/messages/list-offsets.js'
import { type FoundOffset, findOffset } from '../replication/offset-lookup.js'
import type { ReplicaManager } from '../replication/replica-manager.js'
import { errorCodeOf } from '../replication/replication-error.js'
import { handler } from './handler.js'

const CONSUMER = -1
const DEBUGGING_CONSUMER = -2
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1

/** Since this version a new leader may say that it does not know yet (KIP-207). */
const OFFSET_NOT_AVAILABLE_FROM = 5

/** Special timestamps, with the version that brought each. */
const SPECIAL_FROM: ReadonlyMap<number, number> = new Map([
  [-1, 0],
  [-2, 0],
  [-3, 7],
  [-4, 8],
  [-5, 9],
  [-6, 11],
])

type PartitionRequest = ListOffsetsRequest['topics'][number]['partitions'][number]

/**
 * ListOffsets 1-11.
 * Behaviour: the offset of the first record at or after a timestamp; -1 the end that the reader may see, -2 the start,
 *            -3 the record with the greatest timestamp, -4 the local start, -5 and -6 of tiered storage. Nothing found
 *            is offset -1 without an error.
 * Versions:  2 isolation, 4 leader epochs, 5 OFFSET_NOT_AVAILABLE, 6 flexible, 7 -3, 8 -4, 9 -5, 10 timeout, 11 -6.
 */
export const listOffsets = handler(
  ListOffsets,
  async ({ replicas }: { readonly replicas: ReplicaManager }, request, { apiVersion }) => {
    const { isolationLevel } = request
    if (isolationLevel !== READ_UNCOMMITTED && isolationLevel !== READ_COMMITTED) {
      // Kafka fails over it.
      throw new ApiError(ErrorCode.UNKNOWN_SERVER_ERROR, `an isolation level of ${isolationLevel}`)
    }
    const topics = []
    for (const [name, partitions] of byTopic(request.topics)) {
      const answers = []
      for (const [partitionIndex, partition] of partitions) {
        const answer =
          partition === REPEATED
            ? { errorCode: ErrorCode.INVALID_REQUEST }
            : await answerOf(replicas, name, partition, request, apiVersion)
        answers.push({ partitionIndex, ...answer })
      }
      topics.push({ name, partitions: answers })
    }
    return { topics }
  },
)

const REPEATED = Symbol('named more than once')

/** The partitions of each topic that has some, also of one that stands there in several places. */
function byTopic(
  topics: ListOffsetsRequest['topics'],
): ReadonlyMap<string, Map<number, PartitionRequest | typeof REPEATED>> {
  const all = new Map<string, Map<number, PartitionRequest | typeof REPEATED>>()
  for (const { name, partitions } of topics) {
    if (partitions.length === 0) continue
    const known = all.get(name) ?? new Map<number, PartitionRequest | typeof REPEATED>()
    all.set(name, known)
    for (const partition of partitions) {
      const { partitionIndex } = partition
      known.set(partitionIndex, known.has(partitionIndex) ? REPEATED : partition)
    }
  }
  return all
}

async function answerOf(
  replicas: ReplicaManager,
  topic: string,
  { partitionIndex, timestamp, currentLeaderEpoch }: PartitionRequest,
  { replicaId, isolationLevel }: ListOffsetsRequest,
  version: number,
): Promise<FoundOffset & { readonly errorCode: number }> {
  const nothing = { timestamp: -1, offset: -1, leaderEpoch: -1 }
  if (timestamp < 0 && (SPECIAL_FROM.get(timestamp) ?? Infinity) > version) {
    return { errorCode: ErrorCode.UNSUPPORTED_VERSION, ...nothing }
  }
  try {
    const found = await findOffset(replicas.partitionOf(topic, partitionIndex), {
      timestamp,
      currentLeaderEpoch,
      reader: replicaId !== CONSUMER ? 'replica' : isolationLevel === READ_COMMITTED ? 'committed' : 'uncommitted',
      onlyLeader: replicaId !== DEBUGGING_CONSUMER,
    })
    return { errorCode: ErrorCode.NONE, ...found }
  } catch (error) {
    const code = errorCodeOf(error)
    if (code === ErrorCode.UNKNOWN_SERVER_ERROR && !(error instanceof ApiError)) throw error
    const isOld = code === ErrorCode.OFFSET_NOT_AVAILABLE && version < OFFSET_NOT_AVAILABLE_FROM
    return { errorCode: isOld ? ErrorCode.LEADER_NOT_AVAILABLE : code, ...nothing }
  }
}
