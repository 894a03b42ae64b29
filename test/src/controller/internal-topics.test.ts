import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopics } from '#src/controller/create-topics.js'
import { internalTopic, TopicMaker } from '#src/controller/internal-topics.js'
import { nodeConfig, TestController } from './support.js'

function begin(options: Readonly<Record<string, string>> = {}) {
  const controller = new TestController({ options })
  controller.addBrokers(1)
  const config = nodeConfig(options)
  const world = { controller, asked: 0, release: null as (() => void) | null, waits: false }
  const maker = new TopicMaker({
    create: async request => {
      world.asked++
      if (world.waits) await new Promise<void>(resolve => (world.release = resolve))
      return controller.run(createTopics(request)).response
    },
    image: () => controller.image,
    config: () => config,
    timeoutMs: 1000,
  })
  return { ...world, world, maker }
}

/** The topics as Apache Kafka 4.4 makes them. */
const internal: readonly (readonly [string, number, number, Readonly<Record<string, string>>])[] = [
  [
    '__consumer_offsets',
    50,
    3,
    { 'compression.type': 'producer', 'cleanup.policy': 'compact', 'segment.bytes': '104857600' },
  ],
  [
    '__transaction_state',
    50,
    3,
    {
      'unclean.leader.election.enable': 'false',
      'compression.type': 'uncompressed',
      'cleanup.policy': 'compact',
      'min.insync.replicas': '2',
      'segment.bytes': '104857600',
    },
  ],
  [
    '__share_group_state',
    50,
    3,
    {
      'cleanup.policy': 'delete',
      'compression.type': 'producer',
      'retention.ms': '-1',
      'min.insync.replicas': '2',
      'segment.bytes': '104857600',
    },
  ],
]

for (const [name, numPartitions, replicationFactor, configs] of internal) {
  test(`${name} is made by its own options`, () => {
    const topic = internalTopic(name, nodeConfig())
    assert.deepEqual([topic.numPartitions, topic.replicationFactor], [numPartitions, replicationFactor])
    assert.deepEqual(Object.fromEntries(topic.configs.map(entry => [entry.name, entry.value])), configs)
  })
}

test('no other topic is internal', () => {
  assert.throws(() => internalTopic('t', nodeConfig()), /not an internal topic/)
})

test('an internal topic is made once, however many need it, and not again', async () => {
  const { world, maker, controller } = begin({ 'offsets.topic.replication.factor': '1' })
  world.waits = true
  const first = maker.ensureInternalTopic('__consumer_offsets')
  const second = maker.ensureInternalTopic('__consumer_offsets')
  world.release!()
  await Promise.all([first, second])
  await maker.ensureInternalTopic('__consumer_offsets')
  assert.deepEqual([world.asked, controller.image.topics.partitionCount], [1, 50])
})

test('a topic that cannot be made is asked for anew the next time', async () => {
  const { world, maker } = begin()
  for (let i = 0; i < 2; i++) await assert.rejects(maker.ensureInternalTopic('__consumer_offsets'), { code: 38 })
  assert.equal(world.asked, 2)
})

test('topics that clients ask for are made with one request, each with its own fate', async () => {
  const { world, maker, controller } = begin({ 'offsets.topic.replication.factor': '1' })
  const made = maker.autoCreate(['a', 'a b', '__consumer_offsets'])
  await made.get('a')
  await assert.rejects(made.get('a b')!, { code: 17 })
  await made.get('__consumer_offsets')
  assert.deepEqual([world.asked, controller.image.topics.sortedNames()], [1, ['__consumer_offsets', 'a']])
})
