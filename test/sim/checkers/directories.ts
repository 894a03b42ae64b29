import { ErrorCode } from '#protocol/errors.js'
import { DescribeLogDirs } from '#protocol/messages/describe-log-dirs.js'
import type { ClusterClient } from '../client/cluster-client.js'
import type { SimNode } from '../node.js'
import type { World } from '../world.js'

/**
 * Moves come to an end: when all is quiet every log directory works, no replica is on its way to another, and each is in
 * one directory: the one that the controller knows. Returns what is different, null when nothing is. Rejects with
 * PeerError.
 */
export async function findMisplaced(world: World, client: ClusterClient): Promise<string | null> {
  for (const node of world.nodes) {
    const found = await misplacedOn(world, client, node)
    if (found !== null) return `node ${node.id}: ${found}`
  }
  return null
}

async function misplacedOn({ truth, plan }: World, client: ClusterClient, node: SimNode): Promise<string | null> {
  const { results } = await client.askAt({ host: node.hostName, port: 9092 }, DescribeLogDirs, 4, { topics: null })
  const found = new Map<string, string>()
  for (const { errorCode, logDir, topics } of results) {
    if (errorCode !== ErrorCode.NONE) return `${logDir} does not work`
    for (const { name, partitions } of topics) {
      for (const { partitionIndex, isFutureKey } of partitions) {
        const partition = `${name}-${partitionIndex}`
        if (isFutureKey) return `the move of ${partition} to ${logDir} has not come to its end`
        if (found.has(partition)) return `${partition} is in ${found.get(partition)} and in ${logDir}`
        found.set(partition, logDir)
      }
    }
  }
  if (results.length !== plan.directories.length) return `there are ${results.length} directories`
  for (const { name, partitions } of truth.image.topics.all()) {
    for (const [index, { replicas, directories }] of partitions.entries()) {
      const at = replicas.indexOf(node.id)
      if (at < 0) continue
      const known = node.pathOf(directories[at] ?? '')
      const is = found.get(`${name}-${index}`)
      if (is === undefined) return `${name}-${index} is in no directory`
      if (is !== known) return `${name}-${index} is in ${is}, the controller knows ${known || directories[at]}`
      found.delete(`${name}-${index}`)
    }
  }
  const [other] = found.keys()
  return other === undefined ? null : `${other} is there, which the metadata does not place there`
}
