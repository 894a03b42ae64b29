/**
 * What three Kafka nodes (4.4) went through, and the records that their active controller wrote at each event: the same
 * events here must lead to the same records. Topic a has three replicas, b one, u two and allows unclean elections;
 * min.insync.replicas is 2. Broker epochs are left out, and what Kafka writes about cordoned directories that are none.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { alterPartition } from '#src/controller/alter-partition.js'
import { createTopics } from '#src/controller/create-topics.js'
import { electLeaders } from '#src/controller/elect-leaders.js'
import { alterPartitionReassignments } from '#src/controller/reassignment.js'
import { ResourceType } from '#src/metadata/image.js'
import { asKafkaShowsIt, type Json, ordered, type ShownRecord, withoutStrangers } from './kafka-records.js'
import { directoryOf, TestController } from './support.js'

interface KafkaEvent {
  readonly event: string
  readonly broker?: number
  readonly topic?: string
  readonly partition?: number
  /** What the leader proposes. */
  readonly isr?: readonly number[]
  /** The broker proves that it stopped cleanly. */
  readonly clean?: boolean
  readonly records: readonly ShownRecord[]
}

const file = new URL('three-kafka-nodes.jsonl', import.meta.url.replace('/dist/test/', '/test/'))

test('three Kafka nodes went through the same, and their controller wrote the same records', () => {
  const controller = new TestController({ options: { 'min.insync.replicas': '2' } })
  const minIsr = { resourceType: ResourceType.BROKER, resourceName: '', name: 'min.insync.replicas', value: '2' }
  controller.append([{ type: 'ConfigRecord', version: 0, value: minIsr }])
  controller.addBrokers(1, 2, 3)
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  for (const [number, line] of lines.entries()) {
    const event = JSON.parse(line) as KafkaEvent
    const from = controller.log.length
    happens(controller, event)
    const written = controller.log.slice(from).map(record => asNoted(controller, asKafkaShowsIt(record)))
    assert.deepEqual(ordered(written), ordered(event.records.map(withoutStrangers)), `${number + 1}: ${event.event}`)
  }
})

function happens(controller: TestController, event: KafkaEvent): void {
  const { broker = 0, topic = '', partition = 0, isr = [], clean = false } = event
  switch (event.event) {
    case 'topics are created':
      return create(controller)
    case 'killed':
      controller.controller.sessions.expire(broker)
      controller.tick()
      return
    case 'registers':
      controller.register(broker, clean ? { previousBrokerEpoch: controller.image.cluster.broker(broker)!.epoch } : {})
      return
    case 'is let in':
      controller.heartbeat(broker)
      return
    case 'wants to stop':
      controller.heartbeat(broker, { wantShutDown: true })
      return
    case 'may stop':
      for (const id of [1, 3]) controller.heartbeat(id)
      controller.heartbeat(broker, { wantShutDown: true })
      return
    case 'preferred leaders are elected':
      controller.run(electLeaders({ electionType: 0, topicPartitions: null, timeoutMs: 1 }))
      return
    case 'partitions are moved':
      return move(controller)
    case 'leader proposes':
      return propose(controller, topic, partition, isr)
    default:
      throw new Error(`what is '${event.event}'?`)
  }
}

function create(controller: TestController): void {
  const topic = (name: string, assignments: readonly number[][], configs: { name: string; value: string }[] = []) => ({
    ...{ name, numPartitions: -1, replicationFactor: -1, configs },
    assignments: assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
  })
  const unclean = [{ name: 'unclean.leader.election.enable', value: 'true' }]
  const topics = [
    topic('a', [
      [1, 2, 3],
      [2, 3, 1],
      [3, 1, 2],
    ]),
    topic('b', [[1], [2], [3]]),
    topic(
      'u',
      [
        [1, 2],
        [2, 3],
        [3, 1],
      ],
      unclean,
    ),
  ]
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
}

function move(controller: TestController): void {
  const b = [
    { partitionIndex: 0, replicas: [2, 3] },
    { partitionIndex: 1, replicas: [3] },
  ]
  const a = [{ partitionIndex: 0, replicas: [3, 2] }]
  const topics = [
    { name: 'b', partitions: b },
    { name: 'a', partitions: a },
  ]
  controller.run(alterPartitionReassignments({ timeoutMs: 1, allowReplicationFactorChange: true, topics }))
}

function propose(controller: TestController, name: string, partitionIndex: number, isr: readonly number[]): void {
  const { cluster, topics } = controller.image
  const topic = topics.byName(name)!
  const { leader, leaderEpoch, partitionEpoch } = topic.partitions[partitionIndex]!
  const epochOf = (id: number): number => cluster.broker(id)!.epoch
  const newIsrWithEpochs = isr.map(brokerId => ({ brokerId, brokerEpoch: epochOf(brokerId) }))
  const proposal = { partitionIndex, leaderEpoch, partitionEpoch, newIsr: [], newIsrWithEpochs, leaderRecoveryState: 0 }
  const asked = [{ topicId: topic.id, partitions: [proposal] }]
  controller.run(alterPartition({ brokerId: leader, brokerEpoch: epochOf(leader), topics: asked }, 3))
}

/** As the records of Kafka's nodes are noted: names for ids, no broker epochs, no details of registrations. */
function asNoted(controller: TestController, record: ShownRecord): Json {
  const { brokerEpoch: _, ...data } = record.data as Record<string, Json>
  if (record.type === 'REGISTER_BROKER_RECORD') return { ...record, data: { brokerId: data.brokerId! } }
  const named = JSON.parse(JSON.stringify(data), (key, value) => {
    if (key === 'topicId') return controller.image.topics.byId(value)!.name
    const owner = [1, 2, 3].find(id => directoryOf(id) === value)
    return owner === undefined ? value : `directory of ${owner}`
  })
  return withoutStrangers({ ...record, data: named })
}
