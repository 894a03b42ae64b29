import type { CompressionType } from '#protocol/records/compression.js'
import type { Millis } from '#src/runtime/ports.js'
import { SeededRandom } from '../support/random.js'
import type { ProducerOptions } from './client/producer.js'

export interface TopicPlan {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: readonly { readonly name: string; readonly value: string }[]
  /** unclean.leader.election.enable. */
  readonly allowsUnclean: boolean
  /** Records are deleted at its beginning: by an administrator, or by retention as well. */
  readonly deletes: 'never' | 'on demand' | 'retention'
}

/** What a seed draws. */
export interface Plan {
  readonly nodes: number
  /** Voters can be changed (kraft.version 1); so many are there at first. */
  readonly initialVoters: number | null
  /** Options of all nodes. */
  readonly options: ReadonlyMap<string, string>
  /** So many racks: consumers read from a replica in their own (KIP-392). 0: nodes are in none. */
  readonly racks: number
  /** The directories of each node (`log.dirs`). With several of them replicas are moved, and one may fail alone. */
  readonly directories: readonly string[]
  /** Where the metadata log is: one of them, or a directory apart. */
  readonly metadataDirectory: string
  /** Everything is synced before it is acknowledged. */
  readonly isFlushed: boolean
  readonly topics: readonly TopicPlan[]
  readonly producers: readonly ProducerOptions[]
  readonly groups: readonly { readonly name: string; readonly topic: string; readonly members: number }[]
  /** Somebody changes topics, configurations and replicas all the time. */
  readonly hasAdmin: boolean
  /** How long faults go on, ms. */
  readonly safetyMs: Millis
  /** Mean time between two faults, ms. */
  readonly faultMs: Millis
  /** Faults of this run, with weights. */
  readonly faults: ReadonlyMap<string, number>
}

const COMPRESSION: readonly CompressionType[] = ['none', 'none', 'none', 'none', 'gzip', 'snappy', 'lz4']
const SINGLE_FAULTS = [
  'kill',
  'kill at an effect',
  'power',
  'pause',
  'clean restart',
  'break a connection',
  'cut clients off',
  'cut one way',
  'slow way',
  'slow disk',
  'disk errors',
  'disk full',
  'clock jump',
  'lossy way',
]
/** The first is where everything is that is in one directory. */
const DIRECTORIES = ['/data', '/data2', '/data3']
const CLUSTER_FAULTS = ['partition', 'isolate', 'cut one way between nodes']

/** What is chosen by hand instead of what a seed draws; null: nothing. */
export interface Wanted {
  readonly nodes: number | null
  readonly faults: readonly string[] | null
  /** How many log directories a node has. */
  readonly directories: number | null
}

export function drawPlan(seed: number, wanted: Wanted): Plan {
  const { nodes: nodesWanted, faults: faultsWanted } = wanted
  const random = new SeededRandom(Math.imul(seed + 7, 0x85ebca6b) >>> 0)
  const nodes = nodesWanted ?? random.pick([1, 1, 3, 3, 3, 5])
  const isFlushed = random.below(3) === 0
  const options = new Map<string, string>([
    ['offsets.topic.replication.factor', String(Math.min(3, nodes))],
    ['offsets.topic.num.partitions', String(1 + random.below(3))],
    ['group.initial.rebalance.delay.ms', String(random.pick([0, 100]))],
    ['log.segment.bytes', '1048576'],
    ['metadata.log.max.record.bytes.between.snapshots', String(random.pick([2000, 20_000, 20_971_520]))],
    ['metadata.log.max.snapshot.interval.ms', String(random.pick([0, 5000, 3_600_000]))],
    ['log.roll.ms', String(random.pick([2000, 10_000, 604_800_000]))],
    ['log.flush.offset.checkpoint.interval.ms', String(random.pick([1000, 60_000]))],
    ['replica.high.watermark.checkpoint.interval.ms', String(random.pick([500, 5000]))],
    ['metadata.max.idle.interval.ms', String(random.pick([0, 500]))],
    ['min.insync.replicas', String(nodes === 1 ? 1 : random.pick([1, 2, 2, 2]))],
    ['replica.lag.time.max.ms', String(random.pick([3000, 30_000]))],
    ['broker.session.timeout.ms', String(random.pick([3000, 9000]))],
    ['broker.heartbeat.interval.ms', String(random.pick([500, 2000]))],
  ])
  if (isFlushed) options.set('log.flush.interval.messages', '1')
  const topics: TopicPlan[] = []
  for (let i = 0; i <= random.below(2); i++) {
    const partitions = 1 + random.below(3)
    const allowsUnclean = nodes > 1 && random.below(6) === 0
    const configs = allowsUnclean ? [{ name: 'unclean.leader.election.enable', value: 'true' }] : []
    const replicationFactor = Math.min(3, nodes)
    topics.push({ name: `topic${i}`, partitions, replicationFactor, configs, allowsUnclean, deletes: 'never' })
  }
  const producers = topics.flatMap(topic =>
    Array.from({ length: topic.partitions }, (_, partition) => drawProducers(random, topic.name, partition)).flat(),
  )
  const groups = Array.from({ length: random.below(3) }, (_, i) => {
    return { name: `group${i}`, topic: random.pick(topics).name, members: 1 + random.below(2) }
  })
  const initialVoters = nodes > 1 && random.below(3) === 0 ? random.pick([1, nodes, nodes]) : null
  // Drawn apart, so that what the other draws of a seed say stays as it was.
  const more = new SeededRandom(Math.imul(seed + 11, 0xc2b2ae35) >>> 0)
  const racks = nodes >= 3 && more.below(2) === 0 ? 3 : 0
  if (racks > 0) options.set('replica.selector.class', 'org.apache.kafka.common.replica.RackAwareReplicaSelector')
  if (initialVoters !== null && more.below(3) === 0) options.set('controller.quorum.auto.join.enable', 'true')
  const possible = nodes === 1 ? SINGLE_FAULTS : [...SINGLE_FAULTS, ...CLUSTER_FAULTS]
  const faults = new Map<string, number>()
  for (const fault of possible) if (random.below(5) > 1) faults.set(fault, 1 + random.below(4))
  if (faults.size === 0) faults.set('kill', 1)
  if (faultsWanted !== null) {
    faults.clear()
    for (const fault of faultsWanted) faults.set(fault, 1)
  }
  if (initialVoters !== null && random.below(2) === 0) faults.set('replace a disk', 1)
  // Apart once more.
  const third = new SeededRandom(Math.imul(seed + 13, 0x27d4eb2f) >>> 0)
  const drawnDirectories = third.pick([1, 1, 2, 3])
  const directories = DIRECTORIES.slice(0, wanted.directories ?? drawnDirectories)
  const isApart = third.below(2) === 0
  const isFailing = third.below(4) > 0
  if (directories.length > 1) {
    options.set('log.retention.check.interval.ms', '1000')
    options.set(
      'replica.alter.log.dirs.io.max.bytes.per.second',
      String(third.pick([20_000, 1_000_000, 1_000_000_000])),
    )
    for (const [index, topic] of topics.entries()) {
      const deletes = third.pick(['never', 'on demand', 'on demand', 'retention'] as const)
      // Where a group goes on when its offset is gone is another matter.
      if (!groups.some(group => group.topic === topic.name)) topics[index] = deleting(topic, deletes)
    }
    if (isFailing && faultsWanted === null) faults.set('directory fails', 1 + third.below(4))
  }
  return {
    nodes,
    initialVoters,
    options,
    racks,
    directories,
    metadataDirectory: directories.length > 1 && isApart ? '/meta' : directories[0]!,
    isFlushed,
    topics,
    producers,
    groups,
    hasAdmin: initialVoters !== null || random.below(3) > 0,
    safetyMs: 5000 + random.below(25_000),
    faultMs: random.pick([300, 1000, 3000]),
    faults,
  }
}

function deleting(topic: TopicPlan, deletes: TopicPlan['deletes']): TopicPlan {
  if (deletes !== 'retention') return { ...topic, deletes }
  const retention = [
    { name: 'retention.ms', value: '4000' },
    { name: 'segment.ms', value: '1000' },
  ]
  return { ...topic, deletes, configs: [...topic.configs, ...retention] }
}

function drawProducers(random: SeededRandom, topic: string, partition: number): ProducerOptions[] {
  return Array.from({ length: 1 + random.below(2) }, () => {
    const isIdempotent = random.below(3) > 0
    const pauseMs = random.pick([20, 50, 300])
    return {
      topic,
      partition,
      isIdempotent,
      acks: isIdempotent ? -1 : random.pick([-1, -1, 1, 0] as const),
      inFlightMax: isIdempotent ? 1 + random.below(5) : 1,
      recordsMax: random.pick([1, 5, 20]),
      valueBytes: random.pick([0, 100, 3000]),
      pauseMs,
      // Slow to inflate, and inflated by every reader.
      compression: pauseMs === 300 && random.below(6) === 0 ? 'zstd' : random.pick(COMPRESSION),
      version: random.pick([8, 9, 12]),
    }
  })
}
