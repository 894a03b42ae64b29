import { DescribeConfigs } from '#protocol/messages/describe-configs.js'
import { SeededRandom } from '../support/random.js'
import { Committer } from './committer.js'
import { type ChaosEvent, WHOLE_READER } from './history.js'
import { endOffset, readWhole } from './readers.js'
import type { Scene } from './scene.js'
import { GROUPS, TOPICS } from './workload.js'

const TOPIC_RESOURCE = 2
const MADE = /-made-\d+$/

/** Tells the history what there is at the end: on every node, as the cluster is whole and nobody writes any more. */
export async function readAll(scene: Scene, say: (event: ChaosEvent) => void): Promise<void> {
  for (const [topic, partitions] of TOPICS) {
    for (let p = 0; p < partitions; p++) {
      const end = await endOffset(scene.client, topic, p)
      const reads = scene.nodes.map(node => readWhole(node.address, `${WHOLE_READER}-${node.id}`, topic, p, end, say))
      await Promise.all(reads)
    }
  }
  const { addresses } = scene.client
  for (const [group, topic, partitions] of GROUPS) {
    const committer = new Committer(`${group}`, topic, addresses, new SeededRandom(0), say, 'end-')
    for (let p = 0; p < partitions; p++) await committer.fetchAtLast(topic, p)
    committer.close()
  }
  await readMetadata(scene, say)
}

async function readMetadata(scene: Scene, say: (event: ChaosEvent) => void): Promise<void> {
  const { topics } = await scene.client.until('all topics', 30_000, () => scene.client.refresh())
  const found = topics.map(({ name, partitions }) => [name ?? '', partitions.length] as const)
  say({ e: 'topics', topics: Object.fromEntries(found) })
  const resources = found
    .filter(([name]) => MADE.test(name))
    .map(([resourceName]) => ({ resourceType: TOPIC_RESOURCE, resourceName, configurationKeys: ['retention.ms'] }))
  if (resources.length === 0) return
  const request = { resources, includeSynonyms: false, includeDocumentation: false }
  const answer = await scene.client.until('options', 30_000, () => scene.client.ask(DescribeConfigs, 4, request))
  for (const { resourceName, configs } of answer.results) {
    for (const { name, value } of configs) say({ e: 'config', topic: resourceName, name, value: value ?? '' })
  }
}
