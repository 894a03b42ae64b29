import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { ApiError } from '#protocol/errors.js'
import { ZERO_UUID } from '#protocol/schema.js'
import { allocateProducerIds } from '#src/controller/allocate-producer-ids.js'
import { incrementalAlterConfigs } from '#src/controller/alter-configs.js'
import { alterPartition } from '#src/controller/alter-partition.js'
import { assignReplicasToDirs } from '#src/controller/assign-replicas-to-dirs.js'
import { brokerLooksDead } from '#src/controller/broker-looks-dead.js'
import { createPartitions } from '#src/controller/create-partitions.js'
import { createTopics } from '#src/controller/create-topics.js'
import { deleteTopics } from '#src/controller/delete-topics.js'
import { electLeaders } from '#src/controller/elect-leaders.js'
import { alterPartitionReassignments } from '#src/controller/reassignment.js'
import { unregisterBroker } from '#src/controller/register-broker.js'
import { DirectoryId } from '#src/metadata/directory-id.js'
import { NO_LEADER, type PartitionImage } from '#src/metadata/image.js'
import { imageToRecords } from '#src/metadata/image-to-records.js'
import { MetadataState } from '#src/metadata/metadata-state.js'
import { SeededRandom } from '../../support/random.js'
import { directoryOf, TestController, throughTheLog } from './support.js'

/** Everything that an image shows, in one comparable value; order of tables does not count. */
function shown(state: MetadataState): unknown {
  return [...imageToRecords(state)].map(record => JSON.stringify(record)).sort()
}

type Operation = (controller: TestController, random: SeededRandom) => void

const names = ['a', 'b', 'c', 'd.e', 'd_e']
const brokers = [1, 2, 3, 4]

const operations: readonly Operation[] = [
  (controller, random) => {
    const configs = random.below(3) === 0 ? [{ name: 'min.insync.replicas', value: String(1 + random.below(3)) }] : []
    const replicationFactor = 1 + random.below(3)
    const topics = [
      { name: random.pick(names), numPartitions: 1 + random.below(3), replicationFactor, assignments: [], configs },
    ]
    controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
  },
  (controller, random) => {
    const topics = [{ name: random.pick(names), topicId: ZERO_UUID }]
    controller.run(deleteTopics({ topics, topicNames: [], timeoutMs: 1 }))
  },
  (controller, random) => {
    const topics = [{ name: random.pick(names), count: 1 + random.below(6), assignments: null }]
    controller.run(createPartitions({ topics, timeoutMs: 1, validateOnly: false }))
  },
  (controller, random) => {
    const [resourceType, resourceName] = random.pick([
      [2, random.pick(names)],
      [4, ''],
      [4, '1'],
    ] as const)
    const name = random.pick(['min.insync.replicas', 'unclean.leader.election.enable'])
    const value = name === 'min.insync.replicas' ? String(1 + random.below(3)) : random.pick(['true', 'false'])
    const configs = [{ name, configOperation: random.below(2), value }]
    controller.run(incrementalAlterConfigs([{ resourceType, resourceName, configs }], false))
  },
  (controller, random) => {
    controller.run(electLeaders({ electionType: random.below(2), topicPartitions: null, timeoutMs: 1 }))
  },
  (controller, random) => {
    const id = random.pick(brokers)
    const epoch = controller.image.cluster.broker(id)?.epoch ?? -1
    const logDirs = [directoryOf(id), ...(random.below(2) === 0 ? [directoryOf(id + 100)] : [])]
    controller.register(id, { previousBrokerEpoch: random.below(2) === 0 ? epoch : -1, logDirs })
  },
  (controller, random) => {
    controller.heartbeat(random.pick(brokers), {
      wantFence: random.below(5) === 0,
      wantShutDown: random.below(8) === 0,
    })
  },
  controller => {
    for (const id of brokers) if (controller.image.cluster.broker(id) !== undefined) controller.heartbeat(id)
  },
  (controller, random) => {
    controller.now += random.below(6000)
    controller.tick()
  },
  (controller, random) => {
    if (random.below(10) === 0) controller.run(unregisterBroker(random.pick(brokers)))
  },
  (controller, random) => {
    const id = random.pick(brokers)
    const brokerEpoch = controller.image.cluster.broker(id)?.epoch ?? -1
    controller.run(allocateProducerIds({ brokerId: id, brokerEpoch }))
  },
  (controller, random) => {
    const id = random.pick(brokers)
    const epoch = controller.image.cluster.broker(id)?.epoch ?? -1
    controller.run(brokerLooksDead(id, epoch, controller.now - random.below(2000)))
  },
  (controller, random) => {
    controller.heartbeat(random.pick(brokers), {
      offlineLogDirs: random.below(3) === 0 ? [directoryOf(random.pick(brokers) + 100)] : [],
      cordonedLogDirs: random.below(3) === 0 ? [directoryOf(random.pick(brokers))] : [],
    })
  },
  changeIsr,
  changeIsr,
  reassign,
  putElsewhere,
]

/** A broker says in which of its directories a replica is, or in one that it has not. */
function putElsewhere(controller: TestController, random: SeededRandom): void {
  const brokerId = random.pick(brokers)
  const id = random.pick([directoryOf(brokerId), directoryOf(brokerId + 100), DirectoryId.UNASSIGNED, DirectoryId.LOST])
  const topics = [...controller.image.topics.all()].map(topic => {
    return { topicId: topic.id, partitions: [{ partitionIndex: random.below(topic.partitions.length) }] }
  })
  const brokerEpoch = controller.image.cluster.broker(brokerId)?.epoch ?? -1
  controller.run(assignReplicasToDirs({ brokerId, brokerEpoch, directories: [{ id, topics }] }))
}

/** Some leader proposes an ISR of its own making. */
function changeIsr(controller: TestController, random: SeededRandom): void {
  const topics = [...controller.image.topics.all()]
  if (topics.length === 0) return
  const topic = random.pick(topics)
  const partitionIndex = random.below(topic.partitions.length)
  const partition = topic.partitions[partitionIndex]!
  if (partition.leader === NO_LEADER) return
  const { cluster } = controller.image
  const others = partition.replicas.filter(replica => replica !== partition.leader && random.below(3) > 0)
  const newIsrWithEpochs = [partition.leader, ...others].map(brokerId => {
    return { brokerId, brokerEpoch: cluster.broker(brokerId)?.epoch ?? -1 }
  })
  const { leaderEpoch, partitionEpoch } = partition
  const proposal = { partitionIndex, leaderEpoch, partitionEpoch, newIsr: [], newIsrWithEpochs, leaderRecoveryState: 0 }
  const brokerEpoch = cluster.broker(partition.leader)!.epoch
  const request = { brokerId: partition.leader, brokerEpoch, topics: [{ topicId: topic.id, partitions: [proposal] }] }
  controller.run(alterPartition(request, 3))
}

function reassign(controller: TestController, random: SeededRandom): void {
  const replicas = random.below(4) === 0 ? null : brokers.filter(() => random.below(2) === 0)
  const partitions = [{ partitionIndex: random.below(3), replicas }]
  const topics = [{ name: random.pick(names), partitions }]
  controller.run(alterPartitionReassignments({ timeoutMs: 1, allowReplicationFactorChange: true, topics }))
}

/** What must hold of every partition at any time. */
function checkPartition(before: PartitionImage | undefined, partition: PartitionImage, elr: boolean): void {
  const { replicas, isr, leader, removingReplicas, addingReplicas, directories } = partition
  const within = (some: readonly number[], all: readonly number[]): boolean => some.every(one => all.includes(one))
  const isSet = (list: readonly number[]): boolean => new Set(list).size === list.length
  assert.ok(replicas.length > 0 && isSet(replicas), 'replicas are distinct, and there is one')
  assert.ok(isSet(isr) && within(isr, replicas), 'the ISR are replicas')
  assert.ok(elr || isr.length > 0, 'the ISR is empty only with eligible leader replicas')
  assert.ok(within(partition.elr, replicas) && isSet(partition.elr), 'eligible ones are replicas')
  assert.ok(!partition.elr.some(one => isr.includes(one)), 'nobody is both in sync and eligible')
  assert.ok(leader === NO_LEADER || isr.includes(leader), 'the leader is in sync')
  assert.ok(
    within(addingReplicas, replicas) && within(removingReplicas, replicas),
    'who comes and who goes are replicas',
  )
  assert.equal(directories.length, replicas.length, 'each replica has a directory')
  if (before === undefined || before === partition) return
  assert.ok(partition.partitionEpoch > before.partitionEpoch, 'the partition epoch grows with each change')
  assert.ok(partition.leaderEpoch >= before.leaderEpoch, 'the leader epoch never goes back')
  if (leader !== before.leader) assert.ok(partition.leaderEpoch > before.leaderEpoch, 'a new leader has a new epoch')
}

function checkAll(
  controller: TestController,
  before: ReadonlyMap<string, readonly PartitionImage[]>,
  elr: boolean,
): void {
  for (const { id, partitions } of controller.image.topics.all()) {
    const old = before.get(id)
    for (const [number, partition] of partitions.entries()) checkPartition(old?.[number], partition, elr)
  }
}

/** SEED=n runs that one alone. */
const seeds = process.env.SEED === undefined ? [1, 2, 3, 4] : [Number(process.env.SEED)]

for (const [what, elr, metadataVersion] of [
  ['with eligible leader replicas', 1, 33],
  ['without them', 0, 33],
  ['at the oldest metadata.version', 0, 7],
] as const) {
  test(`after any operations, followers and snapshots show what the controller shows, ${what}`, () => {
    for (const seed of seeds) runFrom(seed, elr, metadataVersion)
  })
}

function runFrom(seed: number, elr: number, metadataVersion: number): void {
  const random = new SeededRandom(seed)
  const controller = new TestController({ elr, metadataVersion, random: new SeededRandom(seed + 1) })
  controller.addBrokers(1, 2, 3)
  try {
    for (let step = 0; step < 600; step++) {
      const before = new Map([...controller.image.topics.all()].map(({ id, partitions }) => [id, partitions]))
      const snapshot = JSON.stringify([...before])
      try {
        random.pick(operations)(controller, random)
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
      }
      assert.equal(JSON.stringify([...before]), snapshot, 'what was handed out does not change')
      checkAll(controller, before, elr === 1)
      if (step % 50 === 0) checkCopies(controller)
    }
    checkCopies(controller)
  } catch (error) {
    throw new Error(`SEED=${seed}: ${(error as Error).message}`, { cause: error })
  }
}

function checkCopies(controller: TestController): void {
  const expected = shown(controller.image)
  assert.deepEqual(shown(controller.follower), expected, 'the follower shows the same')
  const loaded = new MetadataState()
  for (const record of imageToRecords(controller.image)) loaded.replay(throughTheLog(record))
  assert.deepEqual(shown(loaded), expected, 'a snapshot shows the same')
  assert.ok(isDeepStrictEqual(shown(controller.image.copy()), expected), 'a copy shows the same')
}
