import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTopics } from '#src/controller/create-topics.js'
import { alterPartitionReassignments, listPartitionReassignments } from '#src/controller/reassignment.js'
import { TestController } from './support.js'

function ready(...replicas: readonly number[]): TestController {
  const controller = new TestController()
  controller.addBrokers(1, 2, 3)
  const assignments = [0, 1].map(partitionIndex => ({ partitionIndex, brokerIds: [...replicas] }))
  const topics = [{ name: 't', numPartitions: -1, replicationFactor: -1, assignments, configs: [] }]
  controller.run(createTopics({ topics, timeoutMs: 1, validateOnly: false }))
  return controller
}

type Ask = readonly [topic: string, partition: number, replicas: readonly number[] | null]

function alter(controller: TestController, asked: readonly Ask[], allowReplicationFactorChange = true) {
  const topics = asked.map(([name, partitionIndex, replicas]) => {
    return { name, partitions: [{ partitionIndex, replicas: replicas === null ? null : [...replicas] }] }
  })
  const { response } = controller.run(
    alterPartitionReassignments({ timeoutMs: 1, allowReplicationFactorChange, topics }),
  )
  const answers = response.responses!.map(({ partitions }) => [partitions[0]!.errorCode, partitions[0]!.errorMessage])
  return { answers, errorMessage: response.errorMessage }
}

test('what cannot be is refused as Kafka refuses it', () => {
  const controller = ready(1)
  const { answers } = alter(controller, [
    ['t', 0, [1]],
    ['t', 0, null],
    ['t', 1, [9]],
    ['t', 99, [1]],
    ['nope', 0, [1]],
    ['t', 0, []],
    ['t', 0, [1, 1]],
  ])
  assert.deepEqual(answers, [
    [0, null],
    [85, null],
    [39, 'The manual partition assignment includes broker 9, but no such broker is registered.'],
    [3, 'Unable to find partition t:99.'],
    [3, 'Unable to find a topic named nope.'],
    [39, 'The manual partition assignment includes an empty replica list.'],
    [39, 'The manual partition assignment includes the broker 1 more than once.'],
  ])
  assert.deepEqual(alter(controller, [['t', 0, [1, 2]]], false).answers, [
    [38, 'The replication factor is changed from 1 to 2'],
  ])
})

test('a request for nothing is answered with an empty message', () => {
  assert.equal(alter(ready(1), []).errorMessage, '')
  assert.equal(alter(ready(1), [['t', 0, [1]]]).errorMessage, null)
})

test('a move is listed until it is done or cancelled', () => {
  const controller = ready(1)
  const list = (topics: Parameters<typeof listPartitionReassignments>[1]['topics']) => {
    return listPartitionReassignments(controller.image, { timeoutMs: 1, topics }).topics
  }
  alter(controller, [['t', 1, [2, 3]]])
  const partition = { partitionIndex: 1, replicas: [2, 3, 1], addingReplicas: [2, 3], removingReplicas: [1] }
  const expected = [{ name: 't', partitions: [partition] }]
  assert.deepEqual(list(null), expected)
  assert.deepEqual(
    list([
      { name: 't', partitionIndexes: [0, 1, 9] },
      { name: 'nope', partitionIndexes: [0] },
    ]),
    expected,
  )
  assert.deepEqual(list([{ name: 't', partitionIndexes: [0] }]), [])
  alter(controller, [['t', 1, null]])
  assert.deepEqual(list(null), [])
  assert.deepEqual(controller.image.topics.partition('t', 1)!.replicas, [1])
})

test('going back where the old replicas are out of sync needs the leave to lose records', () => {
  const controller = ready(1)
  alter(controller, [['t', 0, [2]]])
  const topicId = controller.image.topics.byName('t')!.id
  const same = { replicas: null, removingReplicas: null, addingReplicas: null, directories: null }
  const change = { ...same, leaderRecoveryState: -1, eligibleLeaderReplicas: null, lastKnownElr: null }
  const value = { partitionId: 0, topicId, isr: [2], leader: 2, ...change }
  controller.append([{ type: 'PartitionChangeRecord', version: 2, value }])
  assert.deepEqual(alter(controller, [['t', 0, null]]).answers, [
    [39, 'Unable to revert partition assignment for t:0 because it would require an unclean leader election.'],
  ])
  const config = { resourceType: 2, resourceName: 't', name: 'unclean.leader.election.enable', value: 'true' }
  controller.append([{ type: 'ConfigRecord', version: 0, value: config }])
  assert.deepEqual(alter(controller, [['t', 0, null]]).answers, [[0, null]])
  const { replicas, isr, leader } = controller.image.topics.partition('t', 0)!
  assert.deepEqual({ replicas, isr, leader }, { replicas: [1], isr: [1], leader: 1 })
})

test('a target that is asked for again changes nothing, and who is being added still is', () => {
  const controller = ready(1)
  alter(controller, [['t', 0, [2, 3]]])
  const before = controller.log.length
  assert.deepEqual(alter(controller, [['t', 0, [2, 3]]]).answers, [[0, null]])
  assert.equal(controller.log.length, before)
  alter(controller, [['t', 0, [3]]])
  const { replicas, addingReplicas, removingReplicas } = controller.image.topics.partition('t', 0)!
  assert.deepEqual([replicas, addingReplicas, removingReplicas], [[3, 1, 2], [3], [1, 2]])
})

test('back to where it began is done at once', () => {
  const controller = ready(1)
  alter(controller, [['t', 0, [2]]])
  alter(controller, [['t', 0, [1]]])
  const { replicas, addingReplicas, removingReplicas, isr } = controller.image.topics.partition('t', 0)!
  assert.deepEqual([replicas, addingReplicas, removingReplicas, isr], [[1], [], [], [1]])
})

test('a partition that is named twice is moved twice, one after the other', () => {
  const controller = ready(1)
  const asked = [
    ['t', 0, [2]],
    ['t', 0, [3]],
  ] as const
  assert.deepEqual(alter(controller, asked).answers, [
    [0, null],
    [0, null],
  ])
  const { replicas, addingReplicas, removingReplicas } = controller.image.topics.partition('t', 0)!
  assert.deepEqual([replicas, addingReplicas, removingReplicas], [[3, 1, 2], [3], [1, 2]])
})
