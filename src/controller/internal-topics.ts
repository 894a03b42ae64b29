import { ApiError, ErrorCode } from '#protocol/errors.js'
import type { CreateTopicsRequest, CreateTopicsResponse } from '#protocol/messages/create-topics.js'
import type { BrokerConfig } from '../config/broker-config.js'
import type { MetadataImage } from '../metadata/image.js'
import type { Millis } from '../runtime/ports.js'

type NewTopic = CreateTopicsRequest['topics'][number]

export const GROUP_TOPIC = '__consumer_offsets'
export const TRANSACTION_TOPIC = '__transaction_state'
export const SHARE_TOPIC = '__share_group_state'

/** Topics that brokers make for themselves; clients may not write to them. */
export const INTERNAL_TOPICS: readonly string[] = [GROUP_TOPIC, TRANSACTION_TOPIC, SHARE_TOPIC]

/** How an internal topic is made, by the options of the broker that needs it. */
export function internalTopic(name: string, config: BrokerConfig): NewTopic {
  switch (name) {
    case GROUP_TOPIC:
      return {
        name,
        numPartitions: config.get('offsets.topic.num.partitions'),
        replicationFactor: config.get('offsets.topic.replication.factor'),
        assignments: [],
        configs: entries({
          'compression.type': 'producer',
          'cleanup.policy': 'compact',
          'segment.bytes': config.get('offsets.topic.segment.bytes'),
        }),
      }
    case TRANSACTION_TOPIC:
      return {
        name,
        numPartitions: config.get('transaction.state.log.num.partitions'),
        replicationFactor: config.get('transaction.state.log.replication.factor'),
        assignments: [],
        configs: entries({
          'unclean.leader.election.enable': 'false',
          'compression.type': 'uncompressed',
          'cleanup.policy': 'compact',
          'min.insync.replicas': config.get('transaction.state.log.min.isr'),
          'segment.bytes': config.get('transaction.state.log.segment.bytes'),
        }),
      }
    case SHARE_TOPIC:
      return {
        name,
        numPartitions: config.get('share.coordinator.state.topic.num.partitions'),
        replicationFactor: config.get('share.coordinator.state.topic.replication.factor'),
        assignments: [],
        configs: entries({
          'cleanup.policy': 'delete',
          'compression.type': 'producer',
          'retention.ms': -1,
          'min.insync.replicas': config.get('share.coordinator.state.topic.min.isr'),
          'segment.bytes': config.get('share.coordinator.state.topic.segment.bytes'),
        }),
      }
    default:
      throw new Error(`'${name}' is not an internal topic`)
  }
}

function entries(configs: Readonly<Record<string, string | number>>): NewTopic['configs'] {
  return Object.entries(configs).map(([name, value]) => ({ name, value: String(value) }))
}

export interface TopicMakerParts {
  /** Asks the active controller, wherever it is; answered when this node's image has the topics. */
  readonly create: (request: CreateTopicsRequest) => Promise<CreateTopicsResponse>
  readonly image: () => MetadataImage
  readonly config: () => BrokerConfig
  /** How long to wait for the controller. */
  readonly timeoutMs: Millis
}

/** Makes topics that are needed and not there: for coordinators, and for clients that ask for one. */
export class TopicMaker {
  readonly #parts: TopicMakerParts
  /** Topics that are being made, so that many who need one ask once. */
  readonly #underway = new Map<string, Promise<void>>()

  constructor(parts: TopicMakerParts) {
    this.#parts = parts
  }

  /**
   * Makes an internal topic if it is not there. Settles when this node's image has it; rejects with ApiError: what the
   * controller says, or NOT_CONTROLLER or REQUEST_TIMED_OUT.
   */
  ensureInternalTopic(name: string): Promise<void> {
    if (this.#parts.image().topics.byName(name) !== undefined) return Promise.resolve()
    return this.#make([internalTopic(name, this.#parts.config())]).get(name)!
  }

  /**
   * Makes topics because a client asked about them (`auto.create.topics.enable`), with one request, by the defaults of
   * the cluster (internal ones as internal ones are made). Each settles and rejects as `ensureInternalTopic`.
   */
  autoCreate(names: readonly string[]): ReadonlyMap<string, Promise<void>> {
    const config = this.#parts.config()
    return this.#make(
      names.map(name => {
        if (INTERNAL_TOPICS.includes(name)) return internalTopic(name, config)
        return { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] }
      }),
    )
  }

  #make(topics: readonly NewTopic[]): ReadonlyMap<string, Promise<void>> {
    const made = new Map<string, Promise<void>>()
    const missing = topics.filter(({ name }) => {
      const underway = this.#underway.get(name)
      if (underway !== undefined) made.set(name, underway)
      return underway === undefined
    })
    if (missing.length === 0) return made
    const answer = this.#ask(missing).then(({ topics: answers }) => new Map(answers.map(topic => [topic.name, topic])))
    for (const { name } of missing) {
      const one = answer.then(answers => checked(answers.get(name)!)).finally(() => this.#underway.delete(name))
      this.#underway.set(name, one)
      made.set(name, one)
    }
    return made
  }

  #ask(topics: readonly NewTopic[]): Promise<CreateTopicsResponse> {
    const { create, timeoutMs } = this.#parts
    return create({ topics: [...topics], timeoutMs, validateOnly: false })
  }
}

function checked({ errorCode, errorMessage }: CreateTopicsResponse['topics'][number]): void {
  if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.TOPIC_ALREADY_EXISTS) return
  throw new ApiError(errorCode as ErrorCode, errorMessage ?? undefined)
}
