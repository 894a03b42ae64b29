import { Metadata } from '#protocol/messages/metadata.js'
import type { ClusterClient } from '../client/cluster-client.js'
import type { World } from '../world.js'

/**
 * Replay is the same everywhere: when all is quiet every node tells clients of the same topics, with the same leaders,
 * epochs and replicas, as the committed records of the metadata log add up to. Returns what is different, null when
 * nothing is. Rejects with PeerError.
 */
export async function findOtherImage({ nodes, truth }: World, client: ClusterClient): Promise<string | null> {
  const expected = [...truth.image.topics.all()].flatMap(({ name, id, partitions }) =>
    partitions.map(({ leader, leaderEpoch, replicas, isr }, partition) =>
      line(`${name} ${id}`, partition, leader, leaderEpoch, replicas, isr),
    ),
  )
  for (const { hostName } of nodes) {
    const request = { topics: null, allowAutoTopicCreation: false }
    const { topics } = await client.askAt({ host: hostName, port: 9092 }, Metadata, 12, request)
    const found = topics.flatMap(({ name, topicId, partitions }) =>
      partitions.map(({ partitionIndex, leaderId, leaderEpoch, replicaNodes, isrNodes }) =>
        line(`${name} ${topicId}`, partitionIndex, leaderId, leaderEpoch, replicaNodes, isrNodes),
      ),
    )
    const other = difference(expected, found)
    if (other !== null) return `replay is the same everywhere: ${hostName} ${other}`
  }
  return null
}

function line(
  topic: string,
  partition: number,
  leader: number,
  leaderEpoch: number,
  replicas: readonly number[],
  isr: readonly number[],
): string {
  return `${topic} ${partition}: leader ${leader} in epoch ${leaderEpoch}, replicas ${replicas}, in sync ${isr}`
}

function difference(expected: readonly string[], found: readonly string[]): string | null {
  const missing = expected.find(text => !found.includes(text))
  if (missing !== undefined) return `does not know ${missing}`
  const surplus = found.find(text => !expected.includes(text))
  return surplus === undefined ? null : `knows ${surplus}`
}
