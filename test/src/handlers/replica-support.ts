import { DescribeLogDirs } from '#protocol/messages/describe-log-dirs.js'
import { Produce } from '#protocol/messages/produce.js'
import { type BatchOptions, buildBatch } from '#protocol/records/build.js'
import type { ReplicationConfig } from '#src/replication/replication-config.js'
import type { AnyHandler } from '#src/server/api-table.js'
import type { ServerLimits } from '#src/server/server.js'
import { FakeNetwork } from '../../support/fake-network.js'
import { keepingLogger } from '../../support/quiet-logger.js'
import { SeededRandom } from '../../support/random.js'
import { ReplicaBroker } from '../../support/replica-broker.js'
import { SimDisk } from '../../support/sim-disk.js'
import { VirtualClock } from '../../support/virtual-clock.js'
import { WireClient } from '../../support/wire-client.js'

export interface BrokerSettingOptions {
  readonly logDirs?: readonly string[]
  readonly config?: Partial<ReplicationConfig>
  readonly limits?: Partial<ServerLimits>
  readonly memoryBytesMax?: number
  readonly disk?: SimDisk
  readonly clock?: VirtualClock
  readonly handlers?: readonly AnyHandler<unknown>[]
  /** What the metadata has before the broker begins. */
  readonly prepare?: (broker: ReplicaBroker) => void
}

/** A broker of server and replicas over simulated network, disk and time, with one client. */
export async function replicaSetting(options: BrokerSettingOptions = {}) {
  const clock = options.clock ?? new VirtualClock()
  const disk = options.disk ?? new SimDisk()
  const network = new FakeNetwork()
  const logger = keepingLogger()
  const broker = new ReplicaBroker({
    ...options,
    clock,
    disk,
    network,
    logger,
    random: new SeededRandom(5),
    logDirs: options.logDirs ?? ['/data'],
  })
  options.prepare?.(broker)
  await broker.start()
  const dial = (address?: string): WireClient => new WireClient(network.dial(broker.port, address))
  return { broker, clock, disk, logger, client: dial(), dial }
}

export type ReplicaSetting = Awaited<ReturnType<typeof replicaSetting>>

/** A batch with these values, at one time. */
export function batchOf(
  values: readonly string[],
  options: Partial<BatchOptions> & { readonly timestamp?: number } = {},
): Buffer {
  const { timestamp = 1_700_000_000_000, ...rest } = options
  const records = values.map(value => ({ timestamp, key: Buffer.from('k'), value: Buffer.from(value) }))
  return Buffer.from(buildBatch({ records, ...rest }))
}

export interface ProduceOptions {
  readonly topic?: string
  readonly partition?: number
  readonly acks?: number
  readonly version?: number
  readonly transactionalId?: string | null
  readonly timeoutMs?: number
}

/** The body of a Produce request for one partition. */
export function produceRequest(records: Uint8Array | null, options: ProduceOptions = {}) {
  const { topic = 't', partition = 0, acks = -1, transactionalId = null, timeoutMs = 3000 } = options
  return {
    transactionalId,
    acks,
    timeoutMs,
    topicData: [{ name: topic, topicId: ZERO, partitionData: [{ index: partition, records }] }],
  }
}

const ZERO = 'AAAAAAAAAAAAAAAAAAAAAA'

/** Sends records to one partition and returns what was answered for it. */
export function produceTo(client: WireClient, records: Uint8Array | null, options: ProduceOptions = {}) {
  const response = client.ask(Produce, options.version ?? 9, produceRequest(records, options))
  return response.responses[0]!.partitionResponses[0]!
}

/** Bytes and places of the partitions of a topic, as DescribeLogDirs tells. */
export function logDirsOf(client: WireClient) {
  return client.ask(DescribeLogDirs, 4, { topics: null }).results
}
