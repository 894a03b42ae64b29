import { requestCodec, responseCodec } from '#protocol/codec.js'
import { Reader } from '#protocol/reader.js'
import type { Api, Decoded, Encodable, Fields } from '#protocol/schema.js'
import { Writer } from '#protocol/writer.js'
import { type FormatOptions, format } from '#src/metadata/bootstrap.js'
import type { MetadataRecord } from '#src/metadata/record.js'
import { CallFailedError, noChannel, type RaftChannel } from '#src/raft/channel.js'
import { RaftDriver } from '#src/raft/driver.js'
import {
  type CommittedBatch,
  type LeaderAndEpoch,
  METADATA_TOPIC,
  METADATA_TOPIC_ID,
  type MetadataLogListener,
  type SnapshotId,
} from '#src/raft/metadata-log.js'
import { metadataLogConfig } from '#src/raft/raft-log.js'
import type { RaftConfig } from '#src/raft/raft-types.js'
import type { SnapshotLimits } from '#src/raft/snapshotter.js'
import { replicaKey, type VoterSet } from '#src/raft/voters.js'
import * as wire from '#src/raft/wire-requests.js'
import type { Logger } from '#src/runtime/ports.js'
import type { PartitionLog } from '#storage/log.js'
import { type LogDirectory, openLogDirectory } from '#storage/log-directory.js'
import { SeededRandom } from '../../../support/random.js'
import { SimDisk } from '../../../support/sim-disk.js'
import { VirtualClock } from '../../../support/virtual-clock.js'
import { raftConfig } from './replica.js'

export const clusterId = 'MkU3OEVBNTcwNTJENDM2Qk'
export const directoryPath = '/data'
export const partitionPath = `${directoryPath}/${METADATA_TOPIC}-0`

export const plenty: SnapshotLimits = {
  recordBytesBetween: 20 * 1024 * 1024,
  intervalMs: 0,
  retentionBytes: -1,
  retentionMs: -1,
  deleteDelayMs: 60_000,
}

/** A sink that remembers what was said, by level. */
export class RecordingLogger implements Logger {
  readonly lines: string[] = []
  #say(level: string, fields: object, message: string): void {
    this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
  }
  trace(): void {}
  debug(): void {}
  info(fields: object, message: string): void {
    this.#say('info', fields, message)
  }
  warn(fields: object, message: string): void {
    this.#say('warn', fields, message)
  }
  error(fields: object, message: string): void {
    this.#say('error', fields, message)
  }
  fatal(fields: object, message: string): void {
    this.#say('fatal', fields, message)
  }
  child(): Logger {
    return this
  }
}

/** What a listener of the log was told, in order. */
export class Witness implements MetadataLogListener {
  readonly events: string[] = []
  readonly batches: CommittedBatch[] = []
  records: MetadataRecord[] = []
  snapshot: SnapshotId | null = null
  leader: LeaderAndEpoch | null = null
  /** The last offset that it was given. */
  offset = -1
  epoch = 0

  onSnapshot({
    id,
    batches,
  }: {
    readonly id: SnapshotId
    readonly batches: Iterable<readonly MetadataRecord[]>
  }): void {
    this.snapshot = id
    this.records = [...batches].flat()
    this.offset = id.endOffset - 1
    this.epoch = id.epoch
    this.events.push(`snapshot ${id.endOffset}-${id.epoch} of ${this.records.length}`)
  }

  onCommitted(batch: CommittedBatch): void {
    if (batch.baseOffset <= this.offset) throw new Error(`offset ${batch.baseOffset} after ${this.offset}`)
    this.batches.push(batch)
    this.records.push(...batch.records)
    this.offset = batch.lastOffset
    this.epoch = batch.epoch
    this.events.push(`batch ${batch.baseOffset}..${batch.lastOffset}/${batch.epoch}`)
  }

  onLeaderChange(leader: LeaderAndEpoch): void {
    this.leader = leader
    this.events.push(`leader ${leader.leaderId} of ${leader.epoch}`)
  }

  /** The names of the topics that it knows. */
  get topics(): string[] {
    return this.records.flatMap(record => (record.type === 'TopicRecord' ? [record.value.name] : []))
  }
}

export function topicRecord(name: string): MetadataRecord {
  return { type: 'TopicRecord', version: 0, value: { name, topicId: METADATA_TOPIC_ID } }
}

export function formatOptions(changes: Partial<FormatOptions> = {}): FormatOptions {
  return {
    clusterId,
    nodeId: 1,
    isController: true,
    directories: [directoryPath],
    metadataDirectory: directoryPath,
    quorum: { kind: 'static' },
    controllerListenerName: 'CONTROLLER',
    releaseVersion: null,
    features: new Map(),
    addScram: [],
    ignoreFormatted: false,
    ...changes,
  }
}

export interface NodeOptions {
  readonly nodeId?: number
  readonly disk?: SimDisk
  readonly clock?: VirtualClock
  readonly voters?: VoterSet
  readonly config?: Partial<RaftConfig>
  readonly limits?: Partial<SnapshotLimits>
  readonly lingerMs?: number
  readonly channel?: RaftChannel
  readonly format?: Partial<FormatOptions>
  readonly segmentBytes?: number
  /** What it draws comes of this; its id when not given. */
  readonly seed?: number
}

export interface RaftNode {
  readonly nodeId: number
  readonly disk: SimDisk
  readonly clock: VirtualClock
  readonly directory: LogDirectory
  readonly log: PartitionLog
  readonly driver: RaftDriver
  readonly witness: Witness
  readonly faults: Error[]
  readonly logger: RecordingLogger
}

export function endpoint(nodeId: number): { name: string; host: string; port: number } {
  return { name: 'CONTROLLER', host: 'localhost', port: 9000 + nodeId }
}

export function staticVoters(ids: readonly number[]): VoterSet {
  return ids.map(id => ({ key: replicaKey(id), endpoints: [endpoint(id)], minKRaftVersion: 0, maxKRaftVersion: 0 }))
}

/** Formats the disk if it is not, and opens the node on it. It is not started. */
export function openNode(options: NodeOptions = {}): RaftNode {
  const { nodeId = 1, disk = new SimDisk(), clock = new VirtualClock(), limits = {} } = options
  const random = new SeededRandom(options.seed ?? nodeId)
  const logger = new RecordingLogger()
  const faults: Error[] = []
  const ports = { disk, wallTime: () => clock.wallTime(), uuid: () => random.uuid() }
  format({ ...formatOptions({ nodeId, ignoreFormatted: true }), ...options.format }, ports)
  const directory = openLogDirectory({ disk, path: directoryPath })
  const config = metadataLogConfig(options.segmentBytes ?? 8 * 1024 * 1024, 604_800_000)
  const { log } = directory.openMetadataLog({
    topic: METADATA_TOPIC,
    partition: 0,
    topicId: METADATA_TOPIC_ID,
    config,
    nowMs: clock.wallTime(),
  })
  const driver = new RaftDriver({
    config: raftConfig(nodeId, {
      directoryId: directory.metaProperties!.directoryId!,
      localEndpoints: [endpoint(nodeId)],
      staticVoters: options.voters ?? (options.format?.quorum === undefined ? staticVoters([1]) : []),
      fetchSnapshotBytesMax: 100,
      ...options.config,
    }),
    clusterId,
    log,
    disk,
    clock,
    random,
    logger,
    channel: options.channel ?? noChannel,
    lingerMs: options.lingerMs ?? 0,
    snapshotLimits: { ...plenty, ...limits },
    onFault: error => faults.push(error),
  })
  const witness = new Witness()
  driver.register(witness)
  return { nodeId, disk, clock, directory, log, driver, witness, faults, logger }
}

/** Opens a node, starts it, and lets it come to rest. */
export async function startNode(options: NodeOptions = {}): Promise<RaftNode> {
  const node = openNode(options)
  node.driver.start()
  await node.clock.settle()
  return node
}

/** What a witness knows, as the source of snapshots. */
export function snapshotsOf(node: RaftNode): void {
  const { witness, driver } = node
  driver.setSnapshotSource(() => ({ offset: witness.offset, epoch: witness.epoch, records: [...witness.records] }))
}

/** A clean stop, and the same disk again. */
export async function restart(node: RaftNode, options: NodeOptions = {}): Promise<RaftNode> {
  await stop(node)
  return startNode({ nodeId: node.nodeId, clock: node.clock, ...options, disk: node.disk })
}

export async function stop(node: RaftNode): Promise<void> {
  const closed = node.driver.close()
  await node.clock.advance(10_000)
  await closed
  await node.directory.close(-1, () => 0)
}

/** Drivers that reach each other in memory, by the bytes that would be on the wire. */
export class MemoryNetwork {
  readonly #nodes = new Map<number, RaftNode>()
  readonly #cut = new Set<string>()
  /** Counts the lives of a node: what an earlier one sends is not heard. */
  readonly #lives = new Map<number, number>()
  /** Requests by name of API, as they were sent. */
  readonly sent: string[] = []

  add(node: RaftNode): void {
    this.#nodes.set(node.nodeId, node)
  }

  remove(nodeId: number): void {
    this.#nodes.delete(nodeId)
    this.#lives.set(nodeId, (this.#lives.get(nodeId) ?? 0) + 1)
  }

  cut(a: number, b: number): void {
    this.#cut.add(`${a}-${b}`)
    this.#cut.add(`${b}-${a}`)
  }

  heal(): void {
    this.#cut.clear()
  }

  /** How node `from` reaches the others. */
  channelOf(from: number): RaftChannel {
    const life = this.#lives.get(from)
    return {
      to: (_nodeId, address) => ({
        send: async <Q extends Fields, R extends Fields>(
          api: Api<Q, R>,
          minVersion: number,
          request: Encodable<Q>,
        ): Promise<Decoded<R>> => {
          const to = address.port - 9000
          const isGone = (): boolean => this.#cut.has(`${from}-${to}`) || this.#lives.get(from) !== life
          if (isGone()) throw new CallFailedError('disconnected', 'cut')
          const node = this.#nodes.get(to)
          if (node === undefined) throw new CallFailedError('refused', `nobody listens on ${address.port}`)
          const version = api.versions.to
          if (version < minVersion) throw new CallFailedError('unsupportedVersion', api.name)
          this.sent.push(`${from}->${to} ${api.name}`)
          const asked = roundTrip(requestCodec(api, version), request)
          const response = await answer(node, api.name, version, asked)
          if (isGone()) throw new CallFailedError('disconnected', 'cut')
          return roundTrip(responseCodec(api, version), response as Encodable<R>)
        },
      }),
      close: () => {},
    }
  }
}

export function roundTrip<Out, In>(
  codec: { read(reader: Reader): Out; write(writer: Writer, value: In): void },
  value: In,
): Out {
  const writer = new Writer()
  codec.write(writer, value)
  const reader = new Reader(writer.toBuffer())
  const decoded = codec.read(reader)
  reader.finish()
  return decoded
}

// biome-ignore lint/suspicious/noExplicitAny: one function for requests of every shape
export function answer(node: RaftNode, api: string, version: number, request: any): Promise<unknown> {
  const source = { listenerName: 'CONTROLLER', clusterId }
  const ask = node.driver.asker()
  switch (api) {
    case 'Vote':
      return wire.answerVote(ask, request, source)
    case 'BeginQuorumEpoch':
      return wire.answerBeginQuorumEpoch(ask, request, source)
    case 'EndQuorumEpoch':
      return wire.answerEndQuorumEpoch(ask, request, source)
    case 'Fetch':
      return wire.answerFetch(ask, request, version, source)
    case 'FetchSnapshot':
      return wire.answerFetchSnapshot(ask, request, source)
    case 'AddRaftVoter':
      return wire.answerAddVoter(ask, request, source)
    case 'RemoveRaftVoter':
      return wire.answerRemoveVoter(ask, request, source)
    case 'UpdateRaftVoter':
      return wire.answerUpdateVoter(ask, request, source)
    case 'ApiVersions':
      return Promise.resolve({
        errorCode: 0,
        apiKeys: [],
        throttleTimeMs: 0,
        supportedFeatures: [{ name: 'kraft.version', minVersion: 0, maxVersion: 1 }],
      })
    default:
      return Promise.reject(new Error(api))
  }
}
