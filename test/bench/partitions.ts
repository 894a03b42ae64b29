import { ErrorCode } from '#protocol/errors.js'
import { CreateTopics } from '#protocol/messages/create-topics.js'
import { Peer } from '#src/client/peer.js'
import { createNodeClock } from '#src/runtime/node/clock.js'
import { createNodeNetwork } from '#src/runtime/node/network.js'

const TOPICS_OF_A_REQUEST = 100
const THERE: ReadonlySet<number> = new Set([ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS])

/**
 * Creates `topics` topics of `partitions` partitions each, and waits until the broker says that all are there. `onCreated`
 * is told how many there are by now.
 */
export async function createPartitions(
  port: number,
  topics: number,
  partitions: number,
  replicationFactor = 1,
  onCreated: (topics: number) => void = () => {},
): Promise<void> {
  const peer = await Peer.connect(createNodeNetwork(), createNodeClock(), {
    host: '127.0.0.1',
    port,
    clientId: 'bench',
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 120_000,
  })
  try {
    for (let from = 0; from < topics; from += TOPICS_OF_A_REQUEST) {
      const count = Math.min(TOPICS_OF_A_REQUEST, topics - from)
      const response = await peer.send(CreateTopics, 7, {
        timeoutMs: 120_000,
        topics: Array.from({ length: count }, (_, index) => ({
          name: `partitions-${from + index}`,
          numPartitions: partitions,
          replicationFactor,
          assignments: [],
          configs: [],
        })),
      })
      // A broker asks the next controller again when one goes away without an answer: then they may be there already.
      const failed = response.topics.find(({ errorCode }) => !THERE.has(errorCode))
      if (failed !== undefined) throw new Error(`${failed.name}: ${failed.errorCode} ${failed.errorMessage}`)
      onCreated(from + count)
    }
  } finally {
    peer.close()
  }
}
