import type { BrokerConfig } from '../config/broker-config.js'
import { type TopicConfig, topicConfigOf } from '../config/topic-config.js'
import { changeWarnings } from '../config/warnings.js'
import type { MetadataDelta, MetadataSubscriber } from '../metadata/delta.js'
import { type MetadataImage, ResourceType } from '../metadata/image.js'
import type { PartitionConfig } from '../replication/partition-config.js'
import { ThrottledReplicas } from '../replication/replication-quota.js'
import type { Logger } from '../runtime/ports.js'

/** The options in force: those of the start under the dynamic ones of the metadata. The first of the subscribers. */
export class DynamicConfig implements MetadataSubscriber {
  readonly name = 'dynamic options'
  #current: BrokerConfig
  #image: MetadataImage | null = null
  readonly #logger: Logger
  readonly #onChange: (config: BrokerConfig) => void

  constructor(config: BrokerConfig, logger: Logger, onChange: (config: BrokerConfig) => void) {
    this.#current = config
    this.#logger = logger
    this.#onChange = onChange
  }

  get current(): BrokerConfig {
    return this.#current
  }

  /** The options of a topic. */
  ofTopic(name: string): TopicConfig & PartitionConfig {
    const overrides = this.#image?.configs.of(ResourceType.TOPIC, name) ?? new Map<string, string>()
    return partitionConfig(topicConfigOf(this.#current, overrides), this.#current)
  }

  onMetadata(delta: MetadataDelta, image: MetadataImage): void {
    this.#image = image
    if (!delta.configs.some(({ type }) => type === ResourceType.BROKER)) return
    const cluster = image.configs.of(ResourceType.BROKER, '')
    const own = image.configs.of(ResourceType.BROKER, String(this.#current.node.nodeId))
    const { config, ignored } = this.#current.withDynamic(cluster, own)
    for (const line of ignored) this.#logger.warn({}, line)
    const changes = [...cluster, ...own].map(([name, value]) => ({ name, value }))
    for (const line of changeWarnings('broker', changes)) this.#logger.warn({}, line)
    this.#current = config
    this.#onChange(config)
  }
}

const cache = new WeakMap<
  TopicConfig,
  { readonly inflatedBytesMax: number; readonly config: TopicConfig & PartitionConfig }
>()

/**
 * What a partition acts on: the topic's options, and one of the broker's. The same object as long as nothing changes.
 */
function partitionConfig(topic: TopicConfig, broker: BrokerConfig): TopicConfig & PartitionConfig {
  const maxDecompressedMessageBytes = broker.get('max.decompressed.message.bytes')
  const known = cache.get(topic)
  if (known?.inflatedBytesMax === maxDecompressedMessageBytes) return known.config
  const config = Object.freeze({
    ...topic,
    maxDecompressedMessageBytes,
    leaderThrottledReplicas: ThrottledReplicas.of(topic.leaderReplicationThrottledReplicas),
    followerThrottledReplicas: ThrottledReplicas.of(topic.followerReplicationThrottledReplicas),
  })
  cache.set(topic, { inflatedBytesMax: maxDecompressedMessageBytes, config })
  return config
}
