import { ApiError, ErrorCode } from '#protocol/errors.js'
import { FindCoordinator } from '#protocol/messages/find-coordinator.js'
import { partitionOf } from '../coordinator/java-order.js'
import { handler } from './handler.js'

/** A broker as clients of a listener reach it. */
export interface BrokerEndpoint {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

/** How the partitions of internal topics are found. */
export interface CoordinatorLocator {
  /**
   * The internal topic whose partitions coordinate keys of a type (0 group, 1 transaction, 2 share); null for types
   * that this broker has no coordinator of.
   */
  topicOf(keyType: number): string | null
  /**
   * Makes the topic if it is not there. Settles when this broker knows it, its leaders, and (where it leads itself) is
   * ready to serve; rejects with ApiError when that does not come about in reasonable time.
   */
  ensureInternalTopic(name: string): Promise<void>
  /** 0 if there is no such topic. */
  partitionCountOf(topic: string): number
  /** The leader of a partition on a listener; null if there is none that lives. */
  leaderOf(topic: string, partition: number, listenerName: string): BrokerEndpoint | null
}

const NOWHERE: BrokerEndpoint = { nodeId: -1, host: '', port: -1 }
const SHARE = 2

const TRANSACTION = 1

interface Found extends BrokerEndpoint {
  readonly errorCode: ErrorCode
  /** In words, where the version has a place for them. */
  readonly errorMessage: string
}

const INVALID: Found = {
  ...NOWHERE,
  errorCode: ErrorCode.INVALID_REQUEST,
  errorMessage:
    'This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.',
}
const UNAVAILABLE: Found = {
  ...NOWHERE,
  errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE,
  errorMessage: 'The coordinator is not available.',
}

/**
 * FindCoordinator 0-6.
 * Behaviour: the leader of the partition of the internal topic that the key hashes to. A topic that is not there is
 *            made, and waited for: Kafka answers COORDINATOR_NOT_AVAILABLE meanwhile, clients ask again. Keys of a
 *            type without a coordinator here are refused with INVALID_REQUEST: clients give up at once, with that in
 *            their message.
 * Versions:  1 key type, throttle time, error message, 3 flexible, 4 several keys (KIP-699), 6 share groups (KIP-932).
 */
export const findCoordinator = handler(
  FindCoordinator,
  async ({ coordinators }: { readonly coordinators: CoordinatorLocator }, request, context) => {
    const { apiVersion, listenerName } = context
    const { keyType } = request
    const isBatch = apiVersion >= 4
    const isTooEarly = keyType === SHARE && apiVersion < 6
    const topic = isTooEarly ? null : coordinators.topicOf(keyType)
    if (topic !== null && (!isBatch || request.coordinatorKeys.length > 0)) await ensured(coordinators, topic)
    const find = (key: string) =>
      topic === null ? refusal(keyType, isTooEarly) : locate(coordinators, topic, key, listenerName)
    if (!isBatch) return find(request.key)
    const found = request.coordinatorKeys.map(key => ({ key, ...find(key) }))
    // Kafka has words in a batch only for types that it does not know.
    return { coordinators: topic === null && !isTooEarly ? found : found.map(each => ({ ...each, errorMessage: '' })) }
  },
)

/** Why there is no coordinator for keys of a type. */
function refusal(keyType: number, isTooEarly: boolean): Found {
  if (isTooEarly || (keyType !== TRANSACTION && keyType !== SHARE)) return INVALID
  const errorMessage = `This broker does not coordinate ${keyType === TRANSACTION ? 'transactions' : 'share groups'}.`
  return { ...INVALID, errorMessage }
}

async function ensured(coordinators: CoordinatorLocator, topic: string): Promise<void> {
  try {
    await coordinators.ensureInternalTopic(topic)
  } catch (error) {
    // Then there is no leader, which is all that the client is to know.
    if (!(error instanceof ApiError)) throw error
  }
}

function locate(coordinators: CoordinatorLocator, topic: string, key: string, listenerName: string): Found {
  const partitions = coordinators.partitionCountOf(topic)
  if (partitions === 0) return UNAVAILABLE
  const leader = coordinators.leaderOf(topic, partitionOf(key, partitions), listenerName)
  return leader === null ? UNAVAILABLE : { ...leader, errorCode: ErrorCode.NONE, errorMessage: 'NONE' }
}
