/** Calls handlers of administration and metadata the way the dispatcher does: through the codecs of one version. */
import { requestCodec, responseCodec } from '#protocol/codec.js'
import { Reader } from '#protocol/reader.js'
import type { Api, Fields, RequestInputOf, ResponseOutputOf } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import type { BrokerConfig } from '#src/config/broker-config.js'
import type { ControllerRequests, RunOptions } from '#src/controller/controller-driver.js'
import { createTopics } from '#src/controller/create-topics.js'
import type { Handler, RequestContext } from '#src/handlers/handler.js'
import type { PublishedMetadata } from '#src/metadata/delta.js'
import { ResourceType } from '#src/metadata/image.js'
import { nodeConfig, TestController, type TestControllerOptions } from '../controller/support.js'

export interface CallOptions {
  readonly apiVersion?: number
  readonly listenerName?: string
  readonly listenerKind?: 'broker' | 'controller'
}

/** Sends a request and returns the answer as a client of that version sees it. Rejects with what the handler throws. */
export async function call<Q extends Fields, R extends Fields, Services>(
  api: Api<Q, R>,
  handler: Handler<Services>,
  services: Services,
  request: RequestInputOf<Api<Q, R>>,
  { apiVersion = api.versions.to, listenerName = 'PLAINTEXT', listenerKind = 'broker' }: CallOptions = {},
): Promise<ResponseOutputOf<Api<Q, R>>> {
  if (handler.api !== (api as unknown)) throw new Error(`that is not the handler of ${api.name}`)
  const asked = new Writer()
  requestCodec(api, apiVersion).write(asked, request as never)
  const received = requestCodec(api, apiVersion).read(new Reader(asked.toBuffer()))
  const context: RequestContext = {
    apiVersion,
    correlationId: 1,
    clientId: 'test',
    listenerName,
    listenerKind,
    clientAddress: '127.0.0.1',
    connectionId: 1,
    onClose: () => () => {},
  }
  const response = await handler.handle(services, received, context)
  const sent = new Writer()
  responseCodec(api, apiVersion).write(sent, response)
  return responseCodec(api, apiVersion).read(new Reader(sent.toBuffer())) as ResponseOutputOf<Api<Q, R>>
}

/** Broker 1 with a controller that commits at once. */
export class TestCluster implements ControllerRequests, PublishedMetadata {
  readonly controller: TestController
  /** What the options of the requests were. */
  readonly asked: RunOptions[] = []
  readonly #static: BrokerConfig

  constructor(options: TestControllerOptions = {}, brokers: readonly number[] = [1]) {
    this.controller = new TestController(options)
    this.controller.addBrokers(...brokers)
    this.#static = nodeConfig(options.options)
  }

  get image() {
    return this.controller.follower
  }

  readonly config = (): BrokerConfig => {
    const { configs } = this.image
    return this.#static.withDynamic(configs.of(ResourceType.BROKER, ''), configs.of(ResourceType.BROKER, '1')).config
  }

  async waitFor(): Promise<void> {}

  async run<Response>(command: Parameters<TestController['run']>[0], options: RunOptions = {}): Promise<Response> {
    this.asked.push(options)
    return this.controller.run(command).response as Response
  }

  createTopic(name: string, numPartitions = 1, configs: Readonly<Record<string, string>> = {}): string {
    const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const topics = [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: entries }]
    this.controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
    return this.image.topics.byName(name)!.id
  }
}
