/** Group handlers over a coordinator with a log in memory, asked in wire versions. */
import assert from 'node:assert/strict'
import { encodeMessage, requestCodec, responseCodec } from '#protocol/codec.js'
import { Reader } from '#protocol/reader.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { createGroupCoordinator, type GroupCoordinatorOptions } from '#src/coordinator/group/group-coordinator.js'
import type { Handler, RequestContext } from '#src/handlers/handler.js'
import type { TopicLookup } from '#src/handlers/topic-lookup.js'
import { CountingRandom, MemoryLog, memoryLogger, VirtualClock } from '../coordinator/support.js'

export const TOPIC_ID = 'aaaaaaaaaaaaaaaaaaaaaA'
export const OTHER_ID = 'bbbbbbbbbbbbbbbbbbbbbA'

/** Topics t and u, of two partitions each. */
const TOPICS: TopicLookup = {
  topicIdOf: name => ({ t: TOPIC_ID, u: OTHER_ID })[name],
  topicNameOf: topicId => ({ [TOPIC_ID]: 't', [OTHER_ID]: 'u' })[topicId],
  hasPartition: (name, partition) => ['t', 'u'].includes(name) && partition >= 0 && partition < 2,
}

export class GroupWorld {
  readonly clock = new VirtualClock()
  readonly groups
  readonly topics = TOPICS
  #correlationId = 0

  constructor(overrides: Partial<GroupCoordinatorOptions['config']> = {}, isLed = true) {
    this.groups = createGroupCoordinator({
      config: {
        sessionTimeoutMsMin: 6000,
        sessionTimeoutMsMax: 1_800_000,
        initialRebalanceDelayMs: 0,
        membersMax: 100,
        offsetMetadataBytesMax: 10,
        offsetsRetentionMs: 604_800_000,
        offsetsRetentionCheckIntervalMs: 600_000,
        ...overrides,
      },
      partitionCount: () => 2,
      commitTimeoutMs: 5000,
      loadBytesMax: 1_000_000,
      compression: 'none',
      stateBytesMax: 1e9,
      ticketsMax: 1000,
      clock: this.clock,
      random: new CountingRandom(),
      logger: memoryLogger(),
    })
    if (isLed) for (const partition of [0, 1]) this.groups.lead(partition, new MemoryLog())
  }

  /** Sends a request through its wire form and back, and lets what follows happen. The answer may still be to come. */
  send<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    handler: Handler<never>,
    version: number,
    request: Encodable<Q>,
    services: object = {},
  ): { answer: Decoded<R> | null; readonly isAnswered: boolean } {
    const decoded = requestCodec(api, version).read(new Reader(encodeMessage(api.request, version, request)))
    const context: RequestContext = {
      apiVersion: version,
      correlationId: ++this.#correlationId,
      clientId: 'client',
      listenerName: 'PLAINTEXT',
      listenerKind: 'broker',
      clientAddress: '::1',
      connectionId: 1,
      onClose: () => () => {},
    }
    const sent = {
      answer: null as Decoded<R> | null,
      get isAnswered() {
        return this.answer !== null
      },
    }
    const given = { groups: this.groups, topics: this.topics, ...services } as never
    void Promise.resolve(handler.handle(given, decoded, context)).then(answer => {
      const bytes = encodeMessage(api.response, version, answer)
      sent.answer = responseCodec(api, version).read(new Reader(bytes))
    })
    return sent
  }

  /** As `send`, and waits for the answer. */
  async ask<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    handler: Handler<never>,
    version: number,
    request: Encodable<Q>,
    services: object = {},
  ): Promise<Decoded<R>> {
    const sent = this.send(api, handler, version, request, services)
    await this.clock.settle()
    assert(sent.answer !== null, `${api.name} ${version} is answered`)
    return sent.answer
  }
}
