import { CreateTopics } from '#protocol/messages/create-topics.js'
import { Peer } from '#src/client/peer.js'
import { createNodeClock } from '#src/runtime/node/clock.js'
import { createNodeNetwork } from '#src/runtime/node/network.js'

const TOPICS_OF_A_REQUEST = 100

/** Creates `topics` topics of `partitions` partitions each, and waits until all are there. */
export async function createPartitions(port: number, topics: number, partitions: number): Promise<void> {
  const peer = await Peer.connect(createNodeNetwork(), createNodeClock(), {
    host: '127.0.0.1',
    port,
    clientId: 'bench',
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 120_000,
  })
  for (let from = 0; from < topics; from += TOPICS_OF_A_REQUEST) {
    const response = await peer.send(CreateTopics, 7, {
      timeoutMs: 120_000,
      topics: Array.from({ length: Math.min(TOPICS_OF_A_REQUEST, topics - from) }, (_, index) => ({
        name: `partitions-${from + index}`,
        numPartitions: partitions,
        replicationFactor: 1,
        assignments: [],
        configs: [],
      })),
    })
    const failed = response.topics.find(topic => topic.errorCode !== 0)
    if (failed !== undefined) throw new Error(`${failed.name}: ${failed.errorCode} ${failed.errorMessage}`)
  }
  peer.close()
}
