import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopics } from '#src/controller/create-topics.js'
import { balanceLeaders, electLeaders, electUncleanLeaders } from '#src/controller/elect-leaders.js'
import { TestController, type TestControllerOptions } from './support.js'

/** Topic t on brokers 1 (preferred) and 2. */
function ready(options: TestControllerOptions = {}, topicConfigs: readonly (readonly [string, string])[] = []) {
  const controller = new TestController(options)
  controller.addBrokers(1, 2)
  const configs = topicConfigs.map(([name, value]) => ({ name, value }))
  const assignments = [0, 1].map(partitionIndex => ({ partitionIndex, brokerIds: [1, 2] }))
  const topics = [{ name: 't', numPartitions: -1, replicationFactor: -1, assignments, configs }]
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
  return controller
}

function elect(controller: TestController, electionType: number, partitions: readonly number[] | null, topic = 't') {
  const topicPartitions = partitions === null ? null : [{ topic, partitions: [...partitions] }]
  const { response } = controller.run(electLeaders({ electionType, topicPartitions, timeoutMs: 1 }))
  return response.replicaElectionResults.map(result => [
    result.topic,
    ...result.partitionResult.map(({ partitionId, errorCode, errorMessage }) => [partitionId, errorCode, errorMessage]),
  ])
}

/** Fences broker 1, so that 2 leads, and lets it back in. */
function leadBySecond(controller: TestController): void {
  controller.heartbeat(1, { wantFence: true })
  controller.heartbeat(1)
  for (const partitionId of [0, 1]) addToIsr(controller, partitionId)
}

function addToIsr(controller: TestController, partitionId: number): void {
  const topicId = controller.image.topics.byName('t')!.id
  const change = { leader: -2, replicas: null, removingReplicas: null, addingReplicas: null, leaderRecoveryState: -1 }
  const more = { directories: null, eligibleLeaderReplicas: [], lastKnownElr: null }
  const value = { partitionId, topicId, isr: [1, 2], ...change, ...more }
  controller.append([{ type: 'PartitionChangeRecord', version: 2, value }])
}

test('a partition that is led as it should be needs no election', () => {
  const controller = ready()
  const needless = 'Leader election not needed for topic partition.'
  assert.deepEqual(elect(controller, 0, [0, 99]), [['t', [0, 84, needless], [99, 3, 'No such partition as t-99']]])
  assert.deepEqual(elect(controller, 1, [0]), [['t', [0, 84, needless]]])
  assert.deepEqual(elect(controller, 0, [0], 'nope'), [['nope', [0, 3, 'No such topic as nope']]])
  assert.deepEqual(elect(controller, 0, null), [['t']])
})

test('an unknown type is refused as a whole, where there is something to elect', () => {
  assert.throws(() => elect(ready(), 2, [0]), { code: 42, message: 'Unknown election type 2' })
  assert.throws(() => elect(ready(), 2, null), { code: 42 })
  const nothing = { electionType: 2, topicPartitions: [], timeoutMs: 1 }
  assert.equal(ready().run(electLeaders(nothing)).response.errorCode, 0)
})

test('the preferred leader comes back on demand', () => {
  const controller = ready()
  leadBySecond(controller)
  assert.equal(controller.image.topics.partition('t', 0)!.leader, 2)
  assert.deepEqual(elect(controller, 0, [0]), [['t', [0, 0, null]]])
  assert.equal(controller.image.topics.partition('t', 0)!.leader, 1)
  assert.deepEqual(elect(controller, 0, null), [['t', [1, 0, null]]])
})

test('a preferred leader that is not in sync cannot be had', () => {
  const controller = ready()
  controller.heartbeat(1, { wantFence: true })
  assert.deepEqual(elect(controller, 0, [0]), [['t', [0, 80, 'The preferred leader was not available.']]])
})

test('an unclean leader is elected on demand, and recovers', () => {
  const controller = ready({ elr: 0 })
  controller.heartbeat(2, { wantFence: true })
  controller.heartbeat(1, { wantFence: true })
  controller.heartbeat(2)
  const offline = controller.image.topics.partition('t', 0)!
  assert.deepEqual([offline.leader, offline.isr], [-1, [1]])
  assert.deepEqual(elect(controller, 1, [0]), [['t', [0, 0, null]]])
  const { leader, isr, leaderRecoveryState } = controller.image.topics.partition('t', 0)!
  assert.deepEqual([leader, isr, leaderRecoveryState], [2, [2], 1])
})

test('where nobody lives, nobody is elected', () => {
  const controller = ready({ elr: 0 })
  controller.heartbeat(2, { wantFence: true })
  controller.heartbeat(1, { wantFence: true })
  assert.deepEqual(elect(controller, 1, [0]), [['t', [0, 83, 'Eligible topic partition leaders are not available.']]])
})

test('the balance brings leaders back by itself', () => {
  const controller = ready()
  leadBySecond(controller)
  const { records, response } = controller.run(balanceLeaders)
  assert.deepEqual([records.length, response], [2, false])
  assert.deepEqual(
    controller.image.topics.byName('t')!.partitions.map(partition => partition.leader),
    [1, 1],
  )
  controller.now = 300_000 - 1
  leadBySecond(controller)
  assert.equal(controller.image.topics.partition('t', 0)!.leader, 2)
  for (const id of [1, 2]) controller.heartbeat(id)
  controller.now = 300_000
  controller.tick()
  assert.equal(controller.image.topics.partition('t', 0)!.leader, 1)
})

test('topics that allow it get an unclean leader by themselves', () => {
  const controller = ready({ elr: 0 }, [['unclean.leader.election.enable', 'false']])
  controller.heartbeat(2, { wantFence: true })
  controller.heartbeat(1, { wantFence: true })
  controller.heartbeat(2)
  assert.deepEqual(controller.run(electUncleanLeaders).records, [])
  const value = { resourceType: 2, resourceName: 't', name: 'unclean.leader.election.enable', value: 'true' }
  controller.append([{ type: 'ConfigRecord', version: 0, value }])
  controller.run(electUncleanLeaders)
  assert.deepEqual(
    controller.image.topics.byName('t')!.partitions.map(partition => partition.leader),
    [2, 2],
  )
})

test('of a name that is no topic the messages show a part, for it may stand there for very many partitions', () => {
  const partitions = Array.from({ length: 100_000 }, (_, i) => i)
  const [answer] = elect(ready(), 0, partitions, 'x'.repeat(30_000))
  assert.deepEqual(answer!.at(-1), [99_999, 3, `No such topic as ${'x'.repeat(300)}...`])
})
